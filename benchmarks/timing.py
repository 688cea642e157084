"""Honest timings on noisy machines: contestants take turns, medians are kept, ratios come from one run."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def interleaved(contestants: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds that each contestant takes, over rounds in which all take turns, after one warm-up each."""
    for run in contestants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        print(f"\rround {number + 1}/{rounds}", end="", file=sys.stderr, flush=True)
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    print("\r" + " " * 20 + "\r", end="", file=sys.stderr)
    return seconds


def median_ratio(slower: list[float], faster: list[float]) -> float:
    """The median of the ratios of the rounds: drift of the machine's speed cancels."""
    return statistics.median(a / b for a, b in zip(slower, faster, strict=True))


def read_bandwidth(megabytes: int = 1024, rounds: int = 5) -> float:
    """Bytes a second that this machine's cores read from memory together, the best of some rounds."""
    import torch

    data = torch.ones(megabytes * (1 << 20) // 4)
    best = min(timed(data.sum) for _ in range(rounds))
    return data.nbytes / best


def timed(run: Callable[[], Any]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def environment() -> dict[str, Any]:
    """What the figures depend on."""
    import torch

    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def with_ratio(value: float | None, ratio: float | None) -> str:
    """A cell of a table: the figure, and in parentheses its ratio to another."""
    if value is None:
        return ""
    digits = 2 if value < 10 else 1
    return f"{value:.{digits}f}" if ratio is None else f"{value:.{digits}f} ({ratio:.2f})"


def report(result: Mapping[str, Any], lines: list[str], as_json: bool) -> None:
    """Print for people, or for programs."""
    print(json.dumps(result, indent=2) if as_json else "\n".join(lines))
