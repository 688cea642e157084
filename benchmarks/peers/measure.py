"""The race: each contestant in a process of its own, taking turns, round after round."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.native import WEIGHT_BYTES
from benchmarks.peers import models
from benchmarks.peers.contestants import Contestant
from benchmarks.peers.environments import python_of
from benchmarks.timing import median_ratio, timed

WORKER = Path(__file__).with_name("worker.py")
OURS = "cutaway"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is measured: so many new tokens in each row behind a text, or with none the text itself."""

    rows: int
    length: int
    steps: int = 0
    turns: int = 1
    """Turns in a round: what takes less time is more at the mercy of others."""

    @property
    def tokens(self) -> int:
        """The tokens that one of its times stands for."""
        return self.rows * (1 if self.steps else self.length)


TASKS: Mapping[str, Task] = {
    "decode": Task(rows=1, length=16, steps=16, turns=3),
    "prefill 512": Task(rows=1, length=512),
    "decode after 900": Task(rows=1, length=900, steps=12, turns=2),
    "decode, batch 16": Task(rows=16, length=16, steps=8, turns=2),
}

MEMORY, READ_BYTES = "memory", 512 << 20


class Worker:
    """A contestant's process, and how long it took from its start to its first token."""

    def __init__(self, contestant: Contestant, source: Path, environments: Path, threads: int) -> None:
        files = contestant.files(source, environments)
        arguments = [WORKER, contestant.adapter, files, contestant.dtype, threads]
        command = [python_of(contestant.environment, environments), *map(str, arguments)]
        start = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answer = self._answer(contestant)
        self.peak_bytes: int | None = answer["peak_bytes"]
        self.load_s: float = answer["load_s"]
        self.first_token_s = time.perf_counter() - start
        self.contestant = contestant

    def seconds(self, task: Task) -> float:
        """The median time of a token in each row, or the time of the text."""
        self.process.stdin.write(json.dumps({"rows": task.rows, "length": task.length, "steps": task.steps}) + "\n")
        self.process.stdin.flush()
        return statistics.median(self._answer(self.contestant)["seconds"])

    def close(self) -> None:
        """Let it end."""
        self.process.stdin.close()
        self.process.wait()

    def _answer(self, contestant: Contestant) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{contestant.name} failed: see above")
        return json.loads(line)


@contextmanager
def started(contestant: Contestant, *where: Any) -> Iterator[Worker]:
    """A worker that ends with the block."""
    worker = Worker(contestant, *where)
    try:
        yield worker
    finally:
        worker.close()


@dataclass(frozen=True, kw_only=True)
class Race:
    """What was measured."""

    rows: list[dict[str, Any]]
    """For each contestant: tokens a second at each task, start to first token, and peak memory."""
    memory: dict[str, dict[str, float]]
    """For each precision: how fast memory was read meanwhile, and what that allows."""


def race(
    contestants: Sequence[Contestant], tasks: Sequence[str], where: tuple[Path, Path, int], rounds: int, starts: int
) -> Race:
    """Start everybody some times, then let all take turns at each task."""
    for contestant in contestants:  # what is made once is not part of a start
        contestant.files(where[0], where[1])
    begun: dict[str, list[tuple[float, int | None]]] = {contestant.name: [] for contestant in contestants}
    for _ in range(starts):
        for contestant in contestants:
            with started(contestant, *where) as worker:
                begun[contestant.name].append((worker.first_token_s, worker.peak_bytes))
    with ExitStack() as stack:
        workers = [stack.enter_context(started(contestant, *where)) for contestant in contestants]
        seconds = {name: take_turns(workers, name, rounds) for name in tasks}
    rows = [row(contestant, contestants, seconds, begun[contestant.name]) for contestant in contestants]
    allowed = memory(contestants, seconds["decode"], where[0]) if "decode" in tasks else {}
    return Race(rows=rows, memory=allowed)


def take_turns(workers: Sequence[Worker], name: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of a task for each contestant, over rounds in which all take turns, after one warm-up each.

    Memory takes part too, under its own name: its seconds are those of a byte.
    """
    found: dict[str, list[float]] = {worker.contestant.name: [] for worker in workers} | {MEMORY: []}
    data = torch.ones(READ_BYTES // 4)
    turns = rounds * TASKS[name].turns
    for number in range(turns + 1):
        for worker in workers:
            print(f"\r{name}, turn {number}/{turns}: {worker.contestant.name:24}", end="", file=sys.stderr)
            seconds = worker.seconds(TASKS[name])
            if number:
                found[worker.contestant.name].append(seconds)
        if number:
            found[MEMORY].append(min(timed(data.sum) for _ in range(2)) / READ_BYTES)
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return found


def row(
    contestant: Contestant,
    contestants: Sequence[Contestant],
    seconds: Mapping[str, Mapping[str, list[float]]],
    begun: list[tuple[float, int | None]],
) -> dict[str, Any]:
    """The medians of one contestant, and how many times as fast ours of the same precision is."""
    ours = [other for other in contestants if (other.library, other.precision) == (OURS, contestant.precision)]
    peaks = [peak for _, peak in begun if peak is not None]
    return {
        "library": contestant.library,
        "precision": contestant.precision,
        "dtype": contestant.dtype,
        "tokens_per_s": {
            name: TASKS[name].tokens / statistics.median(times[contestant.name]) for name, times in seconds.items()
        },
        "ours_to_it": {
            name: median_ratio(times[contestant.name], times[ours[0].name]) for name, times in seconds.items() if ours
        },
        "first_token_s": statistics.median(first for first, _ in begun) if begun else None,
        "peak_bytes": max(peaks) if peaks else None,
    }


def memory(
    contestants: Sequence[Contestant], seconds: Mapping[str, list[float]], source: Path
) -> dict[str, dict[str, float]]:
    """What memory allows at batch 1, where each token takes reading every weight once, and how much of it ours reaches.

    Of the same turns: memory of a shared machine is twice as fast at one time as at another.
    """
    found = {}
    for contestant in contestants:
        if contestant.library == OURS:
            size = weight_bytes(source, contestant.dtype)
            found[contestant.precision] = {
                "bandwidth_bytes_per_s": 1 / statistics.median(seconds[MEMORY]),
                "floor_tokens_per_s": 1 / (size * statistics.median(seconds[MEMORY])),
                "ours_of_floor": size * median_ratio(seconds[MEMORY], seconds[contestant.name]),
            }
    return found


def weight_bytes(source: Path, dtype: str) -> float:
    """All weights but positions and biases; with a float16 scale for 64 numbers of int8 and 32 of int4, as ours are."""
    shape = models.shape(source)
    numbers = 12 * shape["n_layer"] * shape["n_embd"] ** 2 + shape["vocab_size"] * shape["n_embd"]
    return numbers * WEIGHT_BYTES[dtype]
