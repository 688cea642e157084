"""Going on past the context: forgetting the older half at once against sliding on by a token at a time.

    python -m benchmarks.past_context [--preset gpt2] [--rounds 3] [--json]

The bundled model, or random weights of a published shape, by the native kernels. Halves are measured over as many
tokens as pass between two times of forgetting, sliding over a few; both begin with a context that is just full.
"""

import argparse
import statistics
from typing import Any

import numpy as np

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, median_ratio, report, timed
from cutaway.generate.reading import reader_of
from cutaway.native import NativeModel
from cutaway.sampling import SamplingParams
from cutaway.weights.native import load_native
from cutaway.window import PastContext

SLIDING_TOKENS = 4


def seconds_per_token(model: NativeModel, past_context: PastContext, tokens: int) -> float:
    """Seconds that each token takes after a full context, read greedily."""
    context = model.config.block_size
    prompt = np.random.default_rng(0).integers(model.config.vocab_size, size=context).tolist()
    reader = reader_of(model, SamplingParams(max_tokens=tokens, past_context=past_context))
    logits = reader.prefill([prompt])

    def go_on() -> None:
        nonlocal logits
        for _ in range(tokens):
            logits = reader.decode([int(logits[0].argmax())])

    return timed(go_on) / tokens


def measure(model: NativeModel, rounds: int) -> dict[str, Any]:
    """Medians of both, which take turns, and of their ratios."""
    half, slide = [], []
    for _ in range(rounds):
        slide.append(seconds_per_token(model, "slide", SLIDING_TOKENS))
        half.append(seconds_per_token(model, "half", max(1, model.config.block_size // 2)))
    return {
        "context": model.config.block_size,
        "slide_tokens_per_s": 1 / statistics.median(slide),
        "half_tokens_per_s": 1 / statistics.median(half),
        "ratio": median_ratio(slide, half),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", help="measure random weights of this shape too, such as gpt2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = {}
    with load_native("fable") as model:
        rows["fable"] = measure(model, args.rounds)
    if args.preset:
        with random_checkpoint(args.preset) as folder, load_native(folder) as model:
            rows[args.preset] = measure(model, args.rounds)
    lines = [f"{'tokens a second past the context':34}{'context':>8}{'slide':>10}{'half':>10}{'ratio':>8}"]
    for name, row in rows.items():
        speeds = f"{row['slide_tokens_per_s']:>10.1f}{row['half_tokens_per_s']:>10.1f}"
        lines.append(f"{name:34}{row['context']:>8}{speeds}{row['ratio']:>8.1f}")
    report({"rows": rows, "environment": environment()}, lines, args.json)


if __name__ == "__main__":
    main()
