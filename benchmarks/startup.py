"""From typing a command to its first output, in a fresh process, next to transformers doing the same.

Generation runs on the native kernels where they are compiled, and once more as it is without them, on PyTorch.

    python -m benchmarks.startup [--rounds 5] [--json]

Generation uses the same 124M checkpoint with random weights on both sides and stops the clock at the first token. One
that is quantised to int8 is mapped as it is; nobody else reads it. Memory is the peak of the process.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.checkpoints import random_checkpoint, random_packed_checkpoint
from benchmarks.timing import environment, interleaved, median_ratio, report, with_ratio
from cutaway.native.library import LIBRARY_VARIABLE
from cutaway.tokenizer import Tokenizer

PEER_TOKENIZE = (
    "from transformers import GPT2Tokenizer; print(GPT2Tokenizer.from_pretrained({folder!r}).encode('Hello World'))"
)
PEER_GENERATE = """
import torch
from transformers import GPT2LMHeadModel, GPT2Tokenizer
tokenizer, model = GPT2Tokenizer.from_pretrained({folder!r}), GPT2LMHeadModel.from_pretrained({folder!r})
ids = torch.tensor([tokenizer.encode('Once upon a time')])
mask = torch.ones_like(ids)
print(tokenizer.decode(model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=1, pad_token_id=0)[0]))
"""

COLUMNS = ("cutaway", "on PyTorch", "transformers")


def commands(folder: Path, int8: Path) -> dict[str, dict[str, Callable[[], int]]]:
    """What is timed: our command line, where it generates also without the kernels, and transformers doing the same."""
    ours = [sys.executable, "-m", "cutaway"]
    peer = [sys.executable, "-c"]
    first_token = [*ours, "generate", "Once upon a time", "--temperature", "0", "--max-tokens", "1"]
    first_of_124m = [*first_token, "--model", str(folder)]
    return {
        "cutaway --help": {"cutaway": task([*ours, "--help"])},
        "cutaway tokenize": {
            "cutaway": task([*ours, "tokenize", "Hello World"]),
            "transformers": task([*peer, PEER_TOKENIZE.format(folder=str(folder))]),
        },
        "cutaway generate, bundled model": {
            "cutaway": task(first_token),
            "on PyTorch": task(first_token, kernels=False),
        },
        "cutaway generate, 124M": {
            "cutaway": task(first_of_124m),
            "on PyTorch": task(first_of_124m, kernels=False),
            "transformers": task([*peer, PEER_GENERATE.format(folder=str(folder))]),
        },
        "cutaway generate, 124M int8": {"cutaway": task([*first_token, "--model", str(int8)])},
    }


def task(command: list[str], *, kernels: bool = True) -> Callable[[], int]:
    """Run one command to its end, with the native kernels or as if there were none: its peak memory in bytes."""
    variables = os.environ if kernels else os.environ | {LIBRARY_VARIABLE: os.devnull}

    def run() -> int:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=variables)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    return run


def measure(name: str, contestants: dict[str, Callable[[], int]], rounds: int) -> dict[str, Any]:
    """One command: medians of seconds, their ratios to ours, and the peak memory."""
    seconds = interleaved(contestants, rounds)
    return {
        "command": name,
        "seconds": {who: statistics.median(times) for who, times in seconds.items()},
        "ratios": {who: median_ratio(times, seconds["cutaway"]) for who, times in seconds.items() if who != "cutaway"},
        "peak_bytes": {who: run() for who, run in contestants.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with random_checkpoint("gpt2") as folder, random_packed_checkpoint("gpt2", "int8") as int8:
        for written in (folder, int8):
            Tokenizer.gpt2().save(written)
        rows = [measure(name, tasks, args.rounds) for name, tasks in commands(folder, int8).items()]
    lines = [f"{'seconds (and how many times ours)':34}" + "".join(f"{name:>16}" for name in COLUMNS)]
    for row in rows:
        cells = [with_ratio(row["seconds"].get(name), row["ratios"].get(name)) for name in COLUMNS]
        lines.append((f"{row['command']:34}" + "".join(f"{cell:>16}" for cell in cells)).rstrip())
    lines.append("\npeak memory in MB")
    for row in rows:
        peaks = [row["peak_bytes"].get(name) for name in COLUMNS]
        cells = ["" if peak is None else f"{peak / 1e6:.0f}" for peak in peaks]
        lines.append((f"{row['command']:34}" + "".join(f"{cell:>16}" for cell in cells)).rstrip())
    report({"rows": rows, "environment": environment()}, lines, args.json)


if __name__ == "__main__":
    main()
