"""From typing a command to its first output, in a fresh process, next to transformers doing the same.

Generation runs on the native kernels where they are compiled, and once more as it is without them, on PyTorch.

    python -m benchmarks.startup [--rounds 5] [--environments FOLDER] [--json]

Generation uses the same 124M checkpoint with random weights on all sides and stops the clock at the first token. One
that is quantised to int8 is mapped as it is. With the environments that `benchmarks.peers` makes, llama.cpp takes part,
driven from Python too, over its own file of the same precision (F32, Q8_0). Memory is the peak of the process. Compiled
modules are kept, as they are where a package is installed.
"""

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.checkpoints import random_checkpoint, random_packed_checkpoint
from benchmarks.peers.environments import python_of
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

PEER_LLAMA = """
from llama_cpp import Llama
model = Llama({file!r}, n_ctx=1024, verbose=False)
print(model("Once upon a time", max_tokens=1, temperature=0)["choices"][0]["text"])
"""

# A process begins with the peak of the one that it was forked from, and this one has made checkpoints.
PEAK = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""

COLUMNS = ("cutaway", "on PyTorch", "transformers", "llama.cpp")


@dataclass(frozen=True)
class Task:
    """One command, with the native kernels or as if there were none."""

    command: list[str]
    kernels: bool = True

    def __call__(self) -> None:
        """Run it to its end."""
        subprocess.run(self.command, env=self._variables(), check=True, capture_output=True)

    def peak_bytes(self) -> int:
        """Run it to its end: its peak memory."""
        watched = [sys.executable, "-c", PEAK, *self.command]
        printed = subprocess.run(watched, env=self._variables(), check=True, capture_output=True, text=True).stdout
        return int(printed) * (1 if sys.platform == "darwin" else 1024)

    def _variables(self) -> dict[str, str]:
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return variables if self.kernels else {**variables, LIBRARY_VARIABLE: os.devnull}


def commands(folder: Path, int8: Path, environments: Path | None) -> dict[str, dict[str, Task]]:
    """What is timed: our command line, where it generates also without the kernels, and others doing the same."""
    ours = [sys.executable, "-m", "cutaway"]
    peer = [sys.executable, "-c"]
    first_token = [*ours, "generate", "Once upon a time", "--temperature", "0", "--max-tokens", "1"]
    first_of_124m = [*first_token, "--model", str(folder)]
    return {
        "cutaway --help": {"cutaway": Task([*ours, "--help"])},
        "cutaway tokenize": {
            "cutaway": Task([*ours, "tokenize", "Hello World"]),
            "transformers": Task([*peer, PEER_TOKENIZE.format(folder=str(folder))]),
        },
        "cutaway generate, bundled model": {
            "cutaway": Task(first_token),
            "on PyTorch": Task(first_token, kernels=False),
        },
        "cutaway generate, 124M": {
            "cutaway": Task(first_of_124m),
            "on PyTorch": Task(first_of_124m, kernels=False),
            "transformers": Task([*peer, PEER_GENERATE.format(folder=str(folder))]),
            **llama(folder, "F32", environments),
        },
        "cutaway generate, 124M int8": {
            "cutaway": Task([*first_token, "--model", str(int8)]),
            **llama(folder, "Q8_0", environments),
        },
    }


def llama(folder: Path, dtype: str, environments: Path | None) -> dict[str, Task]:
    """llama.cpp over the same checkpoint in its own format, where it is at hand."""
    if environments is None:
        return {}
    from cutaway.weights import load_model, load_tokenizer, save_gguf

    file = folder / f"{dtype}.gguf"
    save_gguf(load_model(folder), file, load_tokenizer(folder), dtype=dtype)
    python = str(python_of("llama", environments.resolve()))
    return {"llama.cpp": Task([python, "-c", PEER_LLAMA.format(file=str(file))])}


def measure(name: str, contestants: dict[str, Task], rounds: int) -> dict[str, Any]:
    """One command: medians of seconds, their ratios to ours, and the peak memory."""
    seconds = interleaved(contestants, rounds)
    return {
        "command": name,
        "seconds": {who: statistics.median(times) for who, times in seconds.items()},
        "ratios": {who: median_ratio(times, seconds["cutaway"]) for who, times in seconds.items() if who != "cutaway"},
        "peak_bytes": {who: run.peak_bytes() for who, run in contestants.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--environments", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with random_checkpoint("gpt2") as folder, random_packed_checkpoint("gpt2", "int8") as int8:
        for written in (folder, int8):
            Tokenizer.gpt2().save(written)
        rows = [measure(name, tasks, args.rounds) for name, tasks in commands(folder, int8, args.environments).items()]
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
