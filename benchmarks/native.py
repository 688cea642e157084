"""The native kernels against PyTorch and against what this machine's memory allows, at each precision.

    python -m benchmarks.native [--preset gpt2] [--precision float32 int8 …] [--threads N] [--rounds 5] [--json]

Random weights of a published shape; batch 1 after 16 tokens and after 900, a prompt of 512, and batch 16. The
contestants take turns. The floor is the time it takes to read all weights and cached keys and values once from memory.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, interleaved, median_ratio, read_bandwidth, report
from cutaway.cache import KVCache
from cutaway.model import GPT
from cutaway.native import PRECISIONS, NativeModel
from cutaway.weights import load_model
from cutaway.weights.native import load_native

SHORT, LONG, PROMPT, BATCH = 16, 900, 512, 16

# A group of 64 int8 or 32 int4 weights shares a float16 scale.
WEIGHT_BYTES = {"float32": 4, "bfloat16": 2, "int8": 1 + 2 / 64, "w8a8": 1 + 2 / 64, "int4": 0.5 + 2 / 32}
TORCH_DTYPE = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Task = Callable[[], object]


def native_tasks(model: NativeModel) -> Mapping[str, tuple[int, Task]]:
    """What is measured: how many tokens each task reads, and the task, which can be repeated."""
    tokens = np.random.default_rng(0).integers(model.config.vocab_size, size=LONG).tolist()
    caches = {"decode": model.cache(), "decode after 900": model.cache(), "batch 16": model.cache(BATCH, SHORT + 1)}
    model.forward(caches["decode"], [0], [tokens[:SHORT]])
    model.forward(caches["decode after 900"], [0], [tokens])
    model.forward(caches["batch 16"], range(BATCH), [tokens[:SHORT]] * BATCH)
    prompt = model.cache(1, PROMPT)

    def decode(name: str, length: int) -> Task:
        def once() -> None:
            cache = caches[name]
            slots = range(len(cache.lengths))
            model.forward(cache, slots, [[1]] * len(slots))
            for slot in slots:
                cache.truncate(slot, length)

        return once

    def prefill() -> None:
        prompt.truncate(0, 0)
        model.forward(prompt, [0], [tokens[:PROMPT]])

    return {
        "decode": (1, decode("decode", SHORT)),
        "prefill 512": (PROMPT, prefill),
        "decode after 900": (1, decode("decode after 900", LONG)),
        "batch 16": (BATCH, decode("batch 16", SHORT)),
    }


def torch_tasks(model: GPT) -> Mapping[str, tuple[int, Task]]:
    """The same tasks in PyTorch, with the plain cache."""
    tokens = torch.randint(model.config.vocab_size, (1, LONG), generator=torch.Generator().manual_seed(0))

    def filled(rows: int, length: int) -> KVCache:
        cache = KVCache(model.config, rows, length + 1, dtype=model.dtype)
        read(tokens[:, :length].repeat(rows, 1), cache)
        return cache

    @torch.inference_mode()
    def read(idx: torch.Tensor, cache: KVCache) -> None:
        model.lm_head(model.hidden(idx, cache=cache)[:, -1])

    def decode(cache: KVCache) -> Task:
        lengths = list(cache.lengths)

        def once() -> None:
            read(torch.ones(len(lengths), 1, dtype=torch.long), cache)
            cache.truncate(lengths)

        return once

    return {
        "decode": (1, decode(filled(1, SHORT))),
        "prefill 512": (PROMPT, lambda: filled(1, PROMPT)),
        "decode after 900": (1, decode(filled(1, LONG))),
        "batch 16": (BATCH, decode(filled(BATCH, SHORT))),
    }


def bytes_per_decode(model: NativeModel, cached: int) -> float:
    """What one new token of one sequence must read: all weights but the position table, and the cache."""
    config = model.config
    per_layer = 4 * config.n_embd**2 + 2 * config.n_embd * config.mlp_size
    weights = config.n_layer * per_layer + config.vocab_size * config.n_embd
    item = 4 if model.precision in ("float32", "int8") else 2
    return weights * WEIGHT_BYTES[model.precision] + 2 * config.n_layer * config.n_embd * cached * item


def measure_precision(
    folder: Path, precision: str, threads: int | None, rounds: int, bandwidth: float
) -> dict[str, Any]:
    """One precision: tokens a second at every task, and the ratio to PyTorch at its nearest precision."""
    with ExitStack() as stack:
        model = stack.enter_context(load_native(folder, precision=precision, threads=threads))
        dtype = TORCH_DTYPE.get(precision, torch.bfloat16)
        ours, theirs = native_tasks(model), torch_tasks(load_model(folder, dtype=dtype))
        tasks = {}
        for name, (tokens, task) in ours.items():
            repeats = 1 if name.startswith("prefill") else 3
            seconds = interleaved({"native": task, "torch": theirs[name][1]}, rounds * repeats)
            tasks[name] = {
                "native_tokens_per_s": tokens / statistics.median(seconds["native"]),
                "best_tokens_per_s": tokens / min(seconds["native"]),
                "torch_tokens_per_s": tokens / statistics.median(seconds["torch"]),
                "ratio": median_ratio(seconds["torch"], seconds["native"]),
            }
        floor = {
            name: bandwidth / bytes_per_decode(model, n) for name, n in (("decode", SHORT), ("decode after 900", LONG))
        }
        return {"precision": precision, "isa": model.isa, "torch_dtype": str(dtype), "floor": floor, "tasks": tasks}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="gpt2")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    bandwidth = read_bandwidth()
    with random_checkpoint(args.preset) as folder:
        rows = [measure_precision(folder, name, args.threads, args.rounds, bandwidth) for name in args.precision]
    lines = [f"memory reads {bandwidth / 1e9:.1f} GB/s; tokens a second, medians:"]
    for row in rows:
        lines.append(f"\n{row['precision']} ({row['isa']}), PyTorch in {row['torch_dtype']}")
        lines.append(f"{'':>18} {'native':>8} {'best':>8} {'torch':>8} {'ratio':>6} {'of memory floor':>16}")
        for name, task in row["tasks"].items():
            speed = task["native_tokens_per_s"]
            fraction = f"{speed / row['floor'][name]:.2f}" if name in row["floor"] else ""
            lines.append(
                f"{name:>18} {speed:>8.1f} {task['best_tokens_per_s']:>8.1f} {task['torch_tokens_per_s']:>8.1f} "
                f"{task['ratio']:>6.2f} {fraction:>16}"
            )
    result = {"preset": args.preset, "bandwidth_bytes_per_s": bandwidth, "rows": rows, "environment": environment()}
    report(result, lines, args.json)


if __name__ == "__main__":
    main()
