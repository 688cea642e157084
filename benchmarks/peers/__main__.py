"""Decoding GPT-2 on a CPU: ours against llama.cpp, OpenVINO, CTranslate2, transformers and nanoGPT.

    python -m benchmarks.peers --environments FOLDER [--precision fp32 bf16 int8 w8a8 int4] [--nanogpt CHECKOUT]
        [--rounds 5] [--threads 2] [--only-prepare] [--results FILE.json] [--picture FILE.png] [--json]

FOLDER gets a virtual environment for each peer and the converted models, once; llama.cpp is compiled for this
processor, which takes ten minutes. Weights are random, of a published shape. Each contestant lives in a process of its
own; they take turns, and medians, and ratios of the same rounds, are kept. Start is from starting the process to its
first token.

Results are added to FILE.json, so that a long race can be run in pieces, by precision or by task.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers import contestants, environments, models, picture, table
from benchmarks.peers.measure import TASKS, race
from benchmarks.timing import environment, report
from cutaway.config import PRESETS


def main() -> None:
    """Measure, keep and print."""
    args = arguments()
    folder = args.environments.resolve()
    source = models.checkpoint(args.preset, folder / "models")
    taking_part = [entry for entry in contestants.CONTESTANTS if entry.precision in args.precision]
    if args.nanogpt and "fp32" in args.precision:
        taking_part.append(contestants.nanogpt(args.nanogpt))
    if args.only_prepare:
        for entry in taking_part:
            entry.files(source, folder)
            environments.python_of(entry.environment, folder)
        return
    torch.set_num_threads(args.threads)
    found = race(taking_part, args.tasks, (source, folder, args.threads), args.rounds, args.starts)
    result: dict[str, Any] = {
        "preset": args.preset,
        "threads": args.threads,
        "rounds": args.rounds,
        "tasks": args.tasks,
        "memory": found.memory,
        "rows": found.rows,
        "environment": environment(),
        "versions": environments.versions({entry.environment for entry in taking_part}, folder),
    }
    if args.results:
        result = with_earlier(result, args.results)
        args.results.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if args.picture:
        from cutaway.plots import save

        save(picture.draw(result), args.picture)
    report(result, table.lines(result), args.json)


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--preset", default="gpt2", choices=PRESETS)
    parser.add_argument("--precision", nargs="+", choices=contestants.PRECISIONS, default=contestants.PRECISIONS)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--nanogpt", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only-prepare", action="store_true")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def with_earlier(result: dict[str, Any], file: Path) -> dict[str, Any]:
    """The result with what the file has of other precisions and tasks."""
    if not file.exists():
        return result
    earlier = json.loads(file.read_text(encoding="utf-8"))
    rows = {(row["library"], row["precision"]): row for row in earlier["rows"]}
    for row in result["rows"]:
        key = row["library"], row["precision"]
        rows[key] = with_earlier_row(row, rows.get(key, {}))
    places = {(entry.library, entry.precision): i for i, entry in enumerate(contestants.CONTESTANTS)}
    return {
        **result,
        "tasks": [task for task in TASKS if task in result["tasks"] or task in earlier["tasks"]],
        "memory": earlier["memory"] | result["memory"],
        "rows": [rows[key] for key in sorted(rows, key=lambda key: places.get(key, len(places)))],
        "versions": earlier["versions"] | result["versions"],
    }


def with_earlier_row(row: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """A contestant's row with what it did at other tasks."""
    new = {name: value for name, value in row.items() if value is not None}
    merged = {name: earlier.get(name, {}) | row[name] for name in ("tokens_per_s", "ours_to_it")}
    return row | earlier | new | merged


if __name__ == "__main__":
    main()
