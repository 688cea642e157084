"""Greedy text against transformers, token for token, on random weights of a published shape in float32.

    python -m benchmarks.parity [--preset gpt2] [--tokens 200] [--seeds 0 1 2] [--json]

Exits with code 1 when a token differs.
"""

import argparse
import sys

import torch
from transformers import GPT2LMHeadModel

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, report
from cutaway.generate import generate
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import Tokenizer
from cutaway.weights import load_model

PROMPT = "The CS123 class was very intresting. I learned a lot."


def compare(preset: str, tokens: int, seed: int) -> dict[str, object]:
    """How far the two agree on one set of weights."""
    tokenizer = Tokenizer.gpt2()
    prompt = tokenizer.encode(PROMPT)
    with random_checkpoint(preset, seed) as folder:
        ours, peer = load_model(folder), GPT2LMHeadModel.from_pretrained(folder).eval()
        params = SamplingParams(max_tokens=tokens, temperature=0, ignore_eot=True)
        mine = list(generate(ours, tokenizer, [prompt], params)[0].samples[0].tokens)
        idx = torch.tensor([prompt])
        theirs = peer.generate(
            idx,
            attention_mask=torch.ones_like(idx),
            do_sample=False,
            min_new_tokens=1,
            max_new_tokens=tokens,
            eos_token_id=-1,
            pad_token_id=0,
        )[0, len(prompt) :].tolist()
        with torch.no_grad():
            difference = float((ours(idx)[0] - peer(idx).logits).abs().max())
    agree = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b), len(mine))
    return {
        "seed": seed,
        "equal_tokens": agree,
        "of": tokens,
        "distinct_tokens": len(set(mine)),
        "largest_logit_difference": difference,
    }


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="gpt2")
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [compare(args.preset, args.tokens, seed) for seed in args.seeds]
    lines = [
        f"seed {row['seed']}: {row['equal_tokens']} of {row['of']} greedy tokens equal "
        f"({row['distinct_tokens']} distinct), logits differ by {row['largest_logit_difference']:.1e} at most"
        for row in rows
    ]
    report({"preset": args.preset, "rows": rows, "environment": environment()}, lines, args.json)
    sys.exit(any(row["equal_tokens"] != row["of"] for row in rows))


if __name__ == "__main__":
    main()
