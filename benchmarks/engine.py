"""Many requests at once: the engine against the plain loop that takes them one after another.

    python -m benchmarks.engine [--preset gpt2] [--requests 1 4 16 64] [--tokens 24] [--rounds 3] [--torch]
        [--speculate] [--json]

Random weights of a published shape, prompts of mixed lengths, everybody asking at the same moment; greedy, so that the
network is measured and not the drawing of tokens (`--temperature` draws). Prints tokens a second of all requests
together, the ratio from the same rounds, how long the first token takes, and how long the next one. With `--speculate`
an engine that guesses takes part; its ratio is to the one that does not. Random weights repeat themselves when greedy,
which suits it, and hardly do when they draw, which does not.
"""

import argparse
import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, median_ratio, report
from cutaway.engine import Engine, EngineLimits, Request, Wrote
from cutaway.generate import Network, Speculation, stream
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import Tokenizer
from cutaway.weights import load_model
from cutaway.weights.native import load_native

CONTESTANTS = ("engine", "guessing", "plain loop")
PROMPT_TOKENS = (8, 24, 64, 160)
SPREAD = 2
"""Requests ask for a number of tokens up to so many times that of others."""

Arrivals = dict[int, list[float]]
"""For each request the seconds from the start at which its tokens came."""


def mixed_requests(count: int, tokens: int, vocab_size: int, temperature: float, seed: int) -> list[Request]:
    """Requests of unequal lengths: prompts from a few tokens to some hundreds, and more or less to write."""
    random = np.random.default_rng(seed)
    return [
        Request(
            prompt=tuple(random.integers(vocab_size, size=PROMPT_TOKENS[i % len(PROMPT_TOKENS)]).tolist()),
            params=SamplingParams(
                max_tokens=tokens * (1 + i % SPREAD), temperature=temperature, seed=i, ignore_eot=True
            ),
        )
        for i in range(count)
    ]


def one_after_another(model: Network, tokenizer: Tokenizer, requests: list[Request]) -> Iterator[int]:
    """The number of a request for each of its tokens, by the plain loop."""
    for number, request in enumerate(requests):
        for _ in stream(model, tokenizer, [list(request.prompt)], request.params):
            yield number


def all_together(engine: Engine, requests: list[Request]) -> Iterator[int]:
    """The same by an engine."""
    first = engine.add(requests[0])
    for request in requests[1:]:
        engine.add(request)
    while engine.busy:
        yield from [event.request - first for event in engine.step() if isinstance(event, Wrote)]


def arrivals(tokens: Iterable[int]) -> Arrivals:
    """When each token came."""
    start, came = time.perf_counter(), Arrivals()
    for request in tokens:
        came.setdefault(request, []).append(time.perf_counter() - start)
    return came


def summary(came: Arrivals) -> dict[str, float]:
    """Speed of all together, and the waits: for a first token, and from one token to the next."""
    first = [times[0] * 1e3 for times in came.values()]
    between = np.concatenate([np.diff(times) for times in came.values()]) * 1e3
    count = sum(map(len, came.values()))
    return {
        "tokens_per_s": count / max(times[-1] for times in came.values()),
        "ttft_p50_ms": float(np.percentile(first, 50)),
        "ttft_p95_ms": float(np.percentile(first, 95)),
        "itl_p50_ms": float(np.percentile(between, 50)),
        "itl_p95_ms": float(np.percentile(between, 95)),
        "itl_p99_ms": float(np.percentile(between, 99)),
    }


def middle(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def measure(
    model: Network, tokenizer: Tokenizer, limits: EngineLimits, rounds: list[list[Request]], speculate: bool
) -> dict[str, object]:
    """Summaries of all, who take turns, and the medians of the ratios of their rounds.

    One engine serves all rounds, as it would in a server; every round brings other prompts, so that nothing that it
    has kept helps it. The first round makes its memory warm.
    """
    engines = {"engine": Engine.over(model, tokenizer, limits)}
    if speculate:
        engines["guessing"] = Engine.over(model, tokenizer, limits, speculation=Speculation())
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in (*engines, "plain loop")}
    for engine in engines.values():
        arrivals(all_together(engine, rounds[0]))
    for requests in rounds[1:]:
        for name, engine in engines.items():
            runs[name].append(summary(arrivals(all_together(engine, requests))))
        runs["plain loop"].append(summary(arrivals(one_after_another(model, tokenizer, requests))))
    speed = {name: [run["tokens_per_s"] for run in found] for name, found in runs.items()}
    ratios = {"engine": median_ratio(speed["engine"], speed["plain loop"])}
    if speculate:
        ratios["guessing"] = median_ratio(speed["guessing"], speed["engine"])
    return {name: middle(found) for name, found in runs.items()} | {"ratios": ratios}


def measure_all(folder: Path, args: argparse.Namespace) -> list[dict[str, object]]:
    """Every number of requests."""
    model = load_model(folder) if args.torch else load_native(folder, precision=args.precision)
    rows = []
    for count in args.requests:
        rounds = [
            mixed_requests(count, args.tokens, model.config.vocab_size, args.temperature, seed)
            for seed in range(args.rounds + 1)
        ]
        limits = EngineLimits(max_running=min(count, args.max_running), max_kept=0, step_tokens=args.step_tokens)
        rows.append({"requests": count} | measure(model, Tokenizer.gpt2(), limits, rounds, args.speculate))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="gpt2")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--requests", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--tokens", type=int, default=24, help="new tokens of every other request; the rest ask twice")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--step-tokens", type=int, default=96)
    parser.add_argument("--max-running", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch", action="store_true", help="measure PyTorch, not the native kernels")
    parser.add_argument("--speculate", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with random_checkpoint(args.preset) as folder:
        rows = measure_all(folder, args)
    waits = f"{'first token, ms p50 p95':>24} {'next token, ms p50 p95 p99':>28}"
    lines = [f"{'requests':>8} {'':>10} {'tokens/s':>9} {'ratio':>6} {waits}"]
    for row in rows:
        for name in (name for name in CONTESTANTS if name in row):
            found = row[name]
            ratio = f"{row['ratios'][name]:.2f}" if name in row["ratios"] else ""
            lines.append(
                f"{row['requests']:>8} {name:>10} {found['tokens_per_s']:>9.1f} {ratio:>6} "
                f"{found['ttft_p50_ms']:>15.0f} {found['ttft_p95_ms']:>8.0f} "
                f"{found['itl_p50_ms']:>12.0f} {found['itl_p95_ms']:>7.0f} {found['itl_p99_ms']:>7.0f}"
            )
    report({"rows": rows, "environment": environment()} | vars(args), lines, args.json)


if __name__ == "__main__":
    main()
