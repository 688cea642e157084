"""From typing a command to its first output, in a fresh process, next to transformers doing the same.

Generation runs on the native kernels where they are compiled, and once more as it is without them, on PyTorch.

    python -m benchmarks.startup [--rounds 5] [--json]

Generation uses the same 124M checkpoint with random weights on both sides and stops the clock at the first token.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, interleaved, median_ratio, report
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


def commands(folder: Path) -> dict[str, tuple[list[str], list[str] | None]]:
    """What is timed: our command line and what transformers needs for the same."""
    ours = [sys.executable, "-m", "cutaway"]
    peer = [sys.executable, "-c"]
    first_token = ["generate", "Once upon a time", "--temperature", "0", "--max-tokens", "1"]
    return {
        "cutaway --help": ([*ours, "--help"], None),
        "cutaway tokenize": ([*ours, "tokenize", "Hello World"], [*peer, PEER_TOKENIZE.format(folder=str(folder))]),
        "cutaway generate, bundled model": ([*ours, *first_token], None),
        "cutaway generate, 124M": (
            [*ours, *first_token, "--model", str(folder)],
            [*peer, PEER_GENERATE.format(folder=str(folder))],
        ),
    }


def run(command: list[str]) -> None:
    """Run one command to its end."""
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    with random_checkpoint("gpt2") as folder:
        Tokenizer.gpt2().save(folder)
        for name, (ours, peer) in commands(folder).items():
            contestants = {"cutaway": lambda ours=ours: run(ours)} | (
                {"transformers": lambda peer=peer: run(peer)} if peer else {}
            )
            seconds = interleaved(contestants, args.rounds)
            ratio = median_ratio(seconds["transformers"], seconds["cutaway"]) if peer else None
            rows.append(
                {
                    "command": name,
                    "seconds": {who: statistics.median(times) for who, times in seconds.items()},
                    "ratio": ratio,
                }
            )
    lines = [f"{'':34} {'cutaway s':>10} {'transformers s':>15} {'ratio':>6}"]
    for row in rows:
        line = f"{row['command']:34} {row['seconds']['cutaway']:>10.2f}"
        if row["ratio"] is not None:
            line += f" {row['seconds']['transformers']:>15.2f} {row['ratio']:>6.2f}"
        lines.append(line)
    report({"rows": rows, "environment": environment()}, lines, args.json)


if __name__ == "__main__":
    main()
