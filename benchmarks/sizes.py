"""Every published shape at every precision: how fast it reads and writes, how soon it is there, what memory it takes.

    python -m benchmarks.sizes --checkpoints FOLDER [--presets gpt2 gpt2-medium gpt2-large gpt2-xl]
        [--precisions float32 bfloat16 int8 int4] [--rounds 3] [--starts 3] [--threads 2] [--only-prepare]
        [--results FILE.json] [--json]

FOLDER gets checkpoints with random weights, which are kept (9 GB for gpt2-xl); remove them when all is measured. int8
and int4 are those that `cutaway quantize` writes, mapped as they lie. Each precision lives in a process of its own, one
after the other, for the largest fill the memory; beside each turn memory is read as fast as can be, and `of memory`
is the share of that speed which decoding reaches; PyTorch's sum, which reads it, is not the fastest way there is, so it
may be above 1. Load is from the call to the model; first token from starting the process; peak is that of the process.
Files lie in the page cache.

Results are added to FILE.json, so that a long measurement can be made in pieces.
"""

import argparse
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import torch

from benchmarks.checkpoints import random_packed_checkpoint
from benchmarks.peers import models
from benchmarks.peers.contestants import Contestant
from benchmarks.peers.environments import OURS
from benchmarks.peers.measure import memory, row, started, take_turns
from benchmarks.timing import environment, report
from cutaway.config import PRESETS

PRECISIONS = {"float32": "fp32", "bfloat16": "bf16", "int8": "int8", "int4": "int4"}
QUANTISED = ("int8", "int4")
TASKS = ("decode", "prefill 512")
SIZES = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")


def contestant(precision: str) -> Contestant:
    """Our kernels at a precision, over the files that suit it."""
    return Contestant(
        library="cutaway",
        precision=PRECISIONS[precision],
        environment=OURS,
        adapter="cutaway_native",
        files=lambda source, _: packed(source, precision) if precision in QUANTISED else source,
        dtype=precision,
    )


def packed(source: Path, precision: str) -> Path:
    """A quantised checkpoint of the same shape."""

    def make(place: Path) -> None:
        with random_packed_checkpoint(source.name, precision) as made:
            shutil.copytree(made, place)

    return models.once(source.with_name(f"{source.name}-{precision}"), make)


def measure(preset: str, precision: str, args: argparse.Namespace) -> dict[str, Any]:
    """The figures of one shape at one precision."""
    source, taking_part = models.checkpoint(preset, args.checkpoints), contestant(precision)
    where = (source, args.checkpoints, args.threads)
    begun, load_s = [], []
    for _ in range(args.starts + 1):  # the first brings the files into the page cache
        with started(taking_part, *where) as worker:
            begun.append((worker.first_token_s, worker.peak_bytes))
            load_s.append(worker.load_s)
    with started(taking_part, *where) as worker:
        seconds = {name: take_turns([worker], name, args.rounds) for name in TASKS}
    found = row(taking_part, [taking_part], seconds, begun[1:])
    files = taking_part.files(source, args.checkpoints)
    return {
        "preset": preset,
        "precision": precision,
        "file_bytes": sum(file.stat().st_size for file in files.glob("*.safetensors")),
        "load_s": statistics.median(load_s[1:]),
        **{name: found[name] for name in ("tokens_per_s", "first_token_s", "peak_bytes")},
        **memory([taking_part], seconds["decode"], source)[PRECISIONS[precision]],
    }


def with_earlier(rows: list[dict[str, Any]], file: Path) -> list[dict[str, Any]]:
    """The rows, and those that the file has of other shapes and precisions, in the usual order."""
    earlier = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    found = {(row["preset"], row["precision"]): row for row in [*earlier, *rows]}
    return [found[key] for key in sorted(found, key=lambda key: (SIZES.index(key[0]), list(PRECISIONS).index(key[1])))]


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows for people."""
    columns = ("file MB", "load s", "first token s", "peak MB", "decode tok/s", "of memory", "prefill tok/s")
    lines = [f"{'':12} {'':9}" + "".join(f"{column:>15}" for column in columns)]
    for found in rows:
        decode, prefill = (found["tokens_per_s"][task] for task in TASKS)
        cells = (
            f"{found['file_bytes'] / 1e6:,.0f}",
            f"{found['load_s']:.2f}",
            f"{found['first_token_s']:.2f}",
            f"{found['peak_bytes'] / 1e6:,.0f}",
            f"{decode:.1f}",
            f"{found['ours_of_floor']:.0%}",
            f"{prefill:.0f}",
        )
        lines.append(f"{found['preset']:12} {found['precision']:9}" + "".join(f"{cell:>15}" for cell in cells))
    return lines


def main() -> None:
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=SIZES)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only-prepare", action="store_true")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    wanted = [(preset, precision) for preset in args.presets for precision in args.precisions]
    for preset, precision in wanted:
        contestant(precision).files(models.checkpoint(preset, args.checkpoints), args.checkpoints)
    if args.only_prepare:
        return
    torch.set_num_threads(args.threads)
    rows = [measure(preset, precision, args) for preset, precision in wanted]
    if args.results:
        rows = with_earlier(rows, args.results)
    result = {"threads": args.threads, "rows": rows, "environment": environment()}
    if args.results:
        args.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    report(result, table(rows), args.json)


if __name__ == "__main__":
    main()
