"""Our evaluators against lm-evaluation-harness' `hf` model: the same figures an item, and how much sooner.

    pip install lm-eval transformers
    python -m benchmarks.evals --data FOLDER [--model FOLDER] [--task hellaswag …] [--limit 50] [--rounds 3] [--json]
                               [--batch 16] [--exact]

FOLDER holds what `cutaway eval` reads: hellaswag.jsonl, piqa.jsonl, lambada_test.jsonl, wikitext2.txt. Without --model,
random weights of GPT-2 124M. Both run in this process on the same threads and take turns; the harness builds its own
prompts from the same file. Tokens are those that the harness' model reads. With --exact the harness' model is asked
in float64, too: rounding errors of ours and theirs are distances from that, in --json those of every request.
"""

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import lm_eval.tasks
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, interleaved, median_ratio, report
from cutaway.data.records import read_records
from cutaway.evals.choices import answer_questions
from cutaway.evals.harness import CutawayLM
from cutaway.evals.last_words import guess_last_words
from cutaway.evals.task import questions
from cutaway.evals.tasks import TASKS

FILES = {"hellaswag": "hellaswag", "piqa": "piqa", "lambada": "lambada_test", "wikitext2": "wikitext2"}
HARNESS = {
    "hellaswag": "hellaswag/hellaswag.yaml",
    "piqa": "piqa/piqa.yaml",
    "lambada": "lambada/lambada_openai.yaml",
    "winogrande": "winogrande/default.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "arc_challenge": "arc/arc_challenge.yaml",
    "openbookqa": "openbookqa/openbookqa.yaml",
    "sciq": "sciq/sciq.yaml",
    "copa": "super_glue/copa/default.yaml",
    "boolq": "super_glue/boolq/default.yaml",
}
"""Where the harness defines each task."""
Run: TypeAlias = Callable[[], list[float]]


@contextlib.contextmanager
def checkpoint(model: str | None) -> Iterator[Path]:
    """The given folder, or random weights of 124M with GPT-2's tokenizer."""
    if model is not None:
        yield Path(model)
        return
    from cutaway.tokenizer import Tokenizer

    with random_checkpoint("gpt2") as folder:
        Tokenizer.gpt2().save(folder)
        yield folder


def harness_requests(name: str, file: Path, limit: int) -> list[Instance]:
    """What the harness asks a model, from the same file."""
    # Its own definition of the task, with another place of the data.
    own = Path(lm_eval.tasks.__file__).parent / HARNESS[name]
    lines = [f"include: {own}", f"task: {own.stem}_here", "dataset_path: json", "dataset_name: null", "dataset_kwargs:"]
    lines += ["  data_files:", *(f"    {split}: {file.resolve()}" for split in ("train", "validation", "test"))]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, f"{own.stem}_here.yaml")
        config.write_text("\n".join(lines), encoding="utf-8")
        (task,) = TaskManager().load([str(config)])["tasks"].values()
    task.build_all_requests(limit=limit)
    return task.instances


def texts_of(file: Path, limit: int) -> list[str]:
    """Stretches of a text, each long enough for several windows."""
    words = file.read_text(encoding="utf-8").split(" ")
    size = 2000
    return [" ".join(words[start : start + size]) for start in range(0, min(len(words), limit * size), size)]


def contestant(name: str, folder: Path, limit: int, ours: CutawayLM) -> tuple[Run, list[Instance]]:
    """Ours, returning a log-probability for each request, and what the harness' model is asked."""
    if name == "wikitext2":
        requests = [
            Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=0)
            for text in texts_of(folder / "wikitext2.txt", max(1, limit // 25))
        ]
        return lambda: ours.loglikelihood_rolling(requests), requests
    file = folder / f"{FILES.get(name, name)}.jsonl"
    records = list(islice(read_records(file), limit))
    if name == "lambada":
        texts = [record["text"] for record in records]

        def run() -> list[float]:
            return [made["logprob"] for made in guess_last_words(texts, ours.scorer, ours.tokenizer)]
    else:
        asked = list(questions(TASKS[name.replace("_", "-")], iter(records)))

        def run() -> list[float]:
            found = answer_questions(asked, ours.scorer, ours.tokenizer)
            return [value for made in found for value in made["logprobs"]]

    return run, harness_requests(name, file, limit)


def tokens_in(requests: Sequence[Instance], model: HFLM) -> int:
    """How many tokens the harness' model reads."""
    return sum(len(model.tok_encode("".join(request.args))) for request in requests)


def errors(found: dict[str, list[float]], exact: Sequence[float]) -> dict[str, Any]:
    """How far each side is from float64, at most and request by request."""
    off = {side: [value - truth for value, truth in zip(values, exact, strict=True)] for side, values in found.items()}
    return {"exact": exact, "errors": off, "largest_error": {side: max(map(abs, off[side])) for side in off}}


def ask(model: HFLM, requests: list[Instance]) -> list[float]:
    """The harness' model's answers."""
    if requests[0].request_type == "loglikelihood_rolling":
        return list(model.loglikelihood_rolling(requests, True))
    return [answer[0] for answer in model.loglikelihood(requests, True)]


def compare(
    name: str, data: Path, limit: int, rounds: int, ours: CutawayLM, theirs: HFLM, exact: HFLM | None
) -> dict[str, Any]:
    """One set: the largest difference, and the seconds of both."""
    run, requests = contestant(name, data, limit, ours)
    found: dict[str, list[float]] = {}
    seconds = interleaved(
        {"cutaway": lambda: found.update(ours=run()), "hf": lambda: found.update(theirs=ask(theirs, requests))}, rounds
    )
    row: dict[str, Any] = {
        "task": name,
        "requests": len(requests),
        "tokens": tokens_in(requests, theirs),
        "largest_difference": max(abs(a - b) for a, b in zip(found["ours"], found["theirs"], strict=True)),
        "largest": max(map(abs, found["theirs"])),
    }
    if rounds:
        row |= {f"{side}_s": statistics.median(times) for side, times in seconds.items()}
        row["ratio"] = median_ratio(seconds["hf"], seconds["cutaway"])
    if exact is not None:
        row |= errors(found, ask(exact, requests))
    print(line(row), file=sys.stderr, flush=True)
    return row


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Each set in turn."""
    with checkpoint(args.model) as folder:
        ours = CutawayLM(str(folder))
        theirs = HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=args.batch)
        exact = HFLM(pretrained=str(folder), device="cpu", dtype="float64", batch_size=1) if args.exact else None
        rows = [compare(name, args.data, args.limit, args.rounds, ours, theirs, exact) for name in args.task]
    about = {"model": args.model or "random gpt2", "limit": args.limit, "batch": args.batch}
    return {**about, "rows": rows, "environment": environment()}


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    off = row.get("largest_error")
    errors = f"{off['ours']:>8.1e} {off['theirs']:>8.1e}" if off else f"{'':>8} {'':>8}"
    times = f"{row['cutaway_s']:>10.2f} {row['hf_s']:>8.2f} {row['ratio']:>6.2f}" if "ratio" in row else ""
    figures = f"{row['requests']:>9,} {row['tokens']:>8,} {row['largest_difference']:>11.1e} {errors} {times}"
    return f"{row['task']:>14} {figures}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--task", nargs="+", default=list(FILES))
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    result = measure(args)
    names = f"{'requests':>9} {'tokens':>8} {'difference':>11} {'error':>8} {'theirs':>8}"
    lines = [f"{'':>14} {names} {'cutaway s':>10} {'hf s':>8} {'times':>6}", *map(line, result["rows"])]
    report(result, lines, args.json)


if __name__ == "__main__":
    main()
