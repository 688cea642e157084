"""Training throughput and peak memory against nanoGPT's loop and against transformers: same shape, batch and threads.

    python -m benchmarks.train_speed [--size small|124m] [--nanogpt FOLDER] [--compile] [--rounds 5] [--json]

Each contestant lives in a process of its own, so that its peak memory is its own. They take turns, one step each, and
ratios are medians over the rounds. FOLDER is a checkout of karpathy/nanoGPT; without it, nanoGPT does not take part.
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing import environment, median_ratio, report

SIZES: dict[str, dict[str, int]] = {
    "small": {"n_layer": 6, "n_head": 6, "n_embd": 384, "block_size": 256, "vocab_size": 65, "rows": 12},
    "124m": {"n_layer": 12, "n_head": 12, "n_embd": 768, "block_size": 512, "vocab_size": 50257, "rows": 2},
}
"""nanoGPT's Shakespeare characters, and GPT-2 with as much text as a laptop holds."""
PRECISIONS = ("float32", "bfloat16")
Step = Callable[[], float]


def cutaway_step(size: dict[str, int], precision: str, args: argparse.Namespace) -> Step:
    """A step of our trainer, with AdamW as the others have it."""
    from cutaway.tokenizer import CharTokenizer
    from cutaway.train.config import TrainConfig
    from cutaway.train.loop import workers_for
    from cutaway.train.run import Run

    folder = Path(args.folder)
    shape = dict(size)
    rows = shape.pop("rows")
    CharTokenizer([chr(0x4E00 + i) for i in range(min(size["vocab_size"], 65))]).save(folder)
    np.save(folder / "text.npy", token_ids(size, 100_000).astype(np.uint16))
    config = TrainConfig.from_dict(
        {
            "out": str(folder / "out"),
            "tokenizer": str(folder),
            "model": shape,
            "sources": [{"path": str(folder / "text.npy"), "rows": rows}],
            "held_out": {},
            "optimizer": {"name": "adamw", "adamw_lr": 6e-4, "weight_decay": 0.1},
            "device": "cpu",
            "precision": precision,
            "compile": args.compile,
            "threads": args.threads,
            "micro_rows": args.micro_rows,
        }
    )
    run = Run(config, workers_for(config), time.monotonic)
    return run.train_step


def nanogpt_step(size: dict[str, int], precision: str, args: argparse.Namespace) -> Step:
    """A step as nanoGPT's train.py takes it on a CPU."""
    module = load_module(Path(args.nanogpt) / "model.py")
    shape = {name: value for name, value in size.items() if name != "rows"}
    model = module.GPT(module.GPTConfig(**shape, dropout=0.0, bias=True))
    optimizer = model.configure_optimizers(0.1, 6e-4, (0.9, 0.95), "cpu")
    network = torch.compile(model) if args.compile else model
    return plain_step(size, precision, network, optimizer, lambda idx, targets: network(idx, targets)[1])


def transformers_step(size: dict[str, int], precision: str, args: argparse.Namespace) -> Step:
    """A plain step with the model of transformers."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = {name: value for name, value in size.items() if name not in ("rows", "block_size")}
    dropout = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    model = GPT2LMHeadModel(GPT2Config(**shape, n_positions=size["block_size"], **dropout))
    optimizer = torch.optim.AdamW(model.parameters(), 6e-4, (0.9, 0.95), weight_decay=0.1)
    network = torch.compile(model) if args.compile else model

    def loss_of(idx: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        # Given apart, as the others have them: without this the model would shift its labels itself.
        logits = network(idx).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    return plain_step(size, precision, model, optimizer, loss_of)


CONTESTANTS = {"cutaway": cutaway_step, "nanoGPT": nanogpt_step, "transformers": transformers_step}


def plain_step(
    size: dict[str, int], precision: str, model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss_of: Any
) -> Step:
    """Forward, backward, clip, update."""
    rows, block_size = size["rows"], size["block_size"]
    context = torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext()
    rng = np.random.default_rng(0)
    tokens = token_ids(size, 100_000)

    def step() -> float:
        starts = rng.integers(0, len(tokens) - block_size - 1, rows)
        block = torch.from_numpy(np.stack([tokens[s : s + block_size + 1] for s in starts]))
        with context:
            loss = loss_of(block[:, :-1].contiguous(), block[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def token_ids(size: dict[str, int], count: int) -> np.ndarray:
    """Random ids."""
    return np.random.default_rng(0).integers(0, size["vocab_size"], count)


def load_module(path: Path) -> Any:
    """A Python file that is not in a package."""
    spec = importlib.util.spec_from_file_location("peer", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["peer"] = module
    spec.loader.exec_module(module)
    return module


def be_contestant(args: argparse.Namespace) -> None:
    """Take a step for each line that comes in, and answer with its seconds, the loss and the peak memory so far."""
    torch.set_num_threads(args.threads)
    name, precision = args.contestant.split(":")
    answers, sys.stdout = sys.stdout, sys.stderr  # some print when they are made
    with tempfile.TemporaryDirectory() as folder:
        args.folder = folder
        step = CONTESTANTS[name](SIZES[args.size], precision, args)
        for _ in sys.stdin:
            start = time.perf_counter()
            loss = step()
            seconds = time.perf_counter() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            print(json.dumps([seconds, loss, peak]), file=answers, flush=True)


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds a step and peak memory of each contestant."""
    taking_part = [name for name in CONTESTANTS if name != "nanoGPT" or args.nanogpt]
    names = [f"{name}:{precision}" for precision in PRECISIONS for name in taking_part]
    names = args.only.split(",") if args.only else names
    seconds: dict[str, list[float]] = {name: [] for name in names}
    peaks: dict[str, int] = {}
    with ExitStack() as stack:
        children = {name: stack.enter_context(contestant(name, sys.argv[1:])) for name in names}
        for number in range(-args.warm_up, args.rounds):
            print(f"\rround {number + 1}/{args.rounds} ", end="", file=sys.stderr, flush=True)
            for name, child in children.items():
                child.stdin.write("step\n")
                child.stdin.flush()
                took, _, peaks[name] = json.loads(child.stdout.readline())
                if number >= 0:
                    seconds[name].append(took)
        print("\r" + " " * 20 + "\r", end="", file=sys.stderr)
        for child in children.values():
            child.stdin.close()
    tokens = SIZES[args.size]["rows"] * SIZES[args.size]["block_size"]
    rows = [
        {
            "contestant": name,
            "tokens_per_s": tokens / statistics.median(seconds[name]),
            "ratio_of_ours_to_it": ratio_to(seconds, name, f"cutaway:{name.partition(':')[2]}"),
            "ratio_of_our_bfloat16_to_it": ratio_to(seconds, name, "cutaway:bfloat16"),
            "peak_bytes": peaks[name],
        }
        for name in names
    ]
    return {"size": SIZES[args.size], "compile": args.compile, "rows": rows, "environment": environment()}


def ratio_to(seconds: dict[str, list[float]], name: str, ours: str) -> float:
    """How many times as long a contestant takes as one of ours; not a number where that takes no part."""
    return median_ratio(seconds[name], seconds[ours]) if ours in seconds else float("nan")


def contestant(name: str, arguments: list[str]) -> subprocess.Popen:
    """A contestant's process."""
    command = [sys.executable, "-m", "benchmarks.train_speed", *arguments, "--contestant", name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--nanogpt")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--micro-rows", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", help="some contestants, as in cutaway:float32,nanoGPT:float32")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.contestant:
        be_contestant(args)
        return
    result = measure(args)
    lines = [f"{'':24} {'tokens/s':>9} {'ours/it':>8} {'our bf16/it':>12} {'peak MB':>8}"]
    lines += [
        f"{row['contestant']:24} {row['tokens_per_s']:>9.0f} {row['ratio_of_ours_to_it']:>8.2f} "
        f"{row['ratio_of_our_bfloat16_to_it']:>12.2f} {row['peak_bytes'] / 1e6:>8.0f}"
        for row in result["rows"]
    ]
    report(result, lines, args.json)


if __name__ == "__main__":
    main()
