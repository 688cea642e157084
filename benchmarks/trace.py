"""Tracing a long text against TransformerLens and transformers: time and peak memory, each in a process of its own.

    python -m benchmarks.trace [--preset gpt2] [--tokens 1024] [--rounds 3] [--lens-python VENV/bin/python] [--json]

Random weights of a published shape, the same for all. TransformerLens runs where `--lens-python` has it. Contestants:

    cutaway             every activation kept, every pattern computed and looked at once
    cutaway, held       the same, and all patterns kept
    cutaway, streamed   every pattern looked at once while the forward runs, nothing kept
    transformers        output_attentions and output_hidden_states, eager attention
    transformer_lens    run_with_cache

And what the observation points cost while nobody looks: the forward against one without them, as a ratio from one run.
"""

import argparse
import ast
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEPT = {"cutaway": "all but patterns", "cutaway, held": "all", "cutaway, streamed": "nothing",
        "transformers": "hidden states, patterns", "transformer_lens": "all"}  # fmt: skip
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def cutaway(folder: Path, *, hold: bool) -> Callable[[list[int]], Any]:
    """A trace of everything; patterns kept, or computed and dropped one by one."""
    from cutaway.inspect import trace
    from cutaway.weights import load_model

    model = load_model(folder)

    def run(ids: list[int]) -> Any:
        traced = trace(model, ids)
        patterns = (traced[f"h.{layer}.pattern"] for layer in range(model.config.n_layer))
        return traced, list(patterns) if hold else [pattern.shape for pattern in patterns]

    return run


def streamed(folder: Path) -> Callable[[list[int]], Any]:
    """Every pattern, as it comes."""
    import torch

    from cutaway.inspect import find_names, watch
    from cutaway.weights import load_model

    model = load_model(folder)
    names = find_names("pattern", model.config.n_layer)
    return lambda ids: watch(model, torch.tensor([ids]), names, lambda name, x: None)


def transformers(folder: Path) -> Callable[[list[int]], Any]:
    """Hidden states and patterns."""
    import torch
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").eval()

    def run(ids: list[int]) -> Any:
        with torch.no_grad():
            return model(torch.tensor([ids]), output_attentions=True, output_hidden_states=True)

    return run


def transformer_lens(folder: Path) -> Callable[[list[int]], Any]:
    """Everything it has a hook for."""
    import torch
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import GPT2LMHeadModel

    peer = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").eval()
    model = TransformerBridge.boot_transformers(str(folder), hf_model=peer)

    def run(ids: list[int]) -> Any:
        with torch.no_grad():
            return model.run_with_cache(torch.tensor([ids]))

    return run


CONTESTANTS: dict[str, Callable[[Path], Callable[[list[int]], Any]]] = {
    "cutaway": lambda folder: cutaway(folder, hold=False),
    "cutaway, held": lambda folder: cutaway(folder, hold=True),
    "cutaway, streamed": streamed,
    "transformers": transformers,
    "transformer_lens": transformer_lens,
}


def contest(name: str, folder: Path, tokens: int) -> dict[str, float]:
    """In a process of its own: seconds of one trace after a short one, and the most memory held meanwhile."""
    run = CONTESTANTS[name](folder)
    run(list(range(16)))
    reset_peak()
    start = time.perf_counter()
    kept = run([7 * n % 5000 for n in range(tokens)])
    seconds = time.perf_counter() - start
    del kept
    return {"seconds": seconds, "peak_mb": peak_mb()}


def reset_peak() -> None:
    """Forget the most memory held so far, where the system lets us: on Linux."""
    if FORGET.exists():
        FORGET.write_text("5")


def peak_mb() -> float:
    """The most memory this process held since then, weights, libraries and all."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def measure(folder: Path, tokens: int, rounds: int, lens_python: str | None) -> dict[str, Any]:
    """All contestants in turn, several times."""
    names = [name for name in CONTESTANTS if name != "transformer_lens" or lens_python]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            print(f"\rround {number + 1}/{rounds}: {name:<20}", end="", file=sys.stderr, flush=True)
            python = lens_python if name == "transformer_lens" else sys.executable
            command = [python, "-m", "benchmarks.trace", "--child", name, "--folder", folder, "--tokens", tokens]
            done = subprocess.run(
                [str(word) for word in command],
                capture_output=True,
                text=True,
                env={**os.environ, "HF_HUB_OFFLINE": "1"},
            )
            if done.returncode:
                raise SystemExit(done.stderr)
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    return {name: {key: statistics.median(run[key] for run in of) for key in of[0]} | {"kept": KEPT[name]}
            for name, of in runs.items()}  # fmt: skip


def measure_off(preset: str, rounds: int) -> dict[str, float]:
    """Forward time as it is over forward time without observation points, nobody looking in either."""
    import torch

    from benchmarks.timing import interleaved, median_ratio
    from cutaway import model as shown
    from cutaway.config import GPTConfig

    torch.manual_seed(0)
    with_points = shown.GPT(GPTConfig.preset(preset)).eval()
    without = blind_gpt()(with_points.config).eval()
    without.load_state_dict(with_points.state_dict())
    ratios = {}
    # One token takes so little time that its ratio needs many rounds.
    for tokens, turns in ((1, 10 * rounds), (256, rounds)):
        idx = torch.randint(5000, (1, tokens))
        with torch.inference_mode():
            assert torch.equal(with_points(idx)[0], without(idx)[0])
            seconds = interleaved({"with": lambda: with_points(idx), "without": lambda: without(idx)}, turns)  # noqa: B023
        ratios[f"{tokens} tokens"] = median_ratio(seconds["with"], seconds["without"])
    return ratios


def blind_gpt() -> Any:
    """The network's own source with every `show(observer, x, …)` replaced by `x`."""
    from cutaway import model

    class Blind(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            self.generic_visit(node)
            return node.args[1] if isinstance(node.func, ast.Name) and node.func.id == "show" else node

    tree = ast.fix_missing_locations(Blind().visit(ast.parse(Path(model.__file__).read_text(encoding="utf-8"))))
    namespace: dict[str, Any] = {"__name__": "blind"}
    exec(compile(tree, "blind", "exec"), namespace)
    return namespace["GPT"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="gpt2")
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--off-rounds", type=int, default=30)
    parser.add_argument("--lens-python", help="a Python that has transformer_lens")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(contest(args.child, args.folder, args.tokens)))
        return

    from benchmarks.checkpoints import random_checkpoint
    from benchmarks.timing import environment, report

    with random_checkpoint(args.preset) as folder:
        traced = measure(folder, args.tokens, args.rounds, args.lens_python)
    off = measure_off(args.preset, args.off_rounds) if args.off_rounds else {}
    lines = [f"{'trace of ' + str(args.tokens) + ' tokens':<22} {'seconds':>8} {'peak MB':>8}  kept"]
    lines += [
        f"{name:<22} {row['seconds']:>8.2f} {row['peak_mb']:>8.0f}  {row['kept']}" for name, row in traced.items()
    ]
    lines += [f"nobody looking, {of}: {ratio:.3f} of the time without observation points" for of, ratio in off.items()]
    report({"tokens": args.tokens, "traces": traced, "off": off, "environment": environment()}, lines, args.json)


if __name__ == "__main__":
    main()
