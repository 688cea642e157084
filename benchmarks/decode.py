"""Decoding with the cache against transformers, batch 1 and 16, on random weights of a published shape.

    python -m benchmarks.decode [--preset gpt2] [--tokens 64] [--rounds 5] [--json]

Prints tokens a second, the ratio to transformers from the same rounds, and the fraction of what memory allows:
at batch 1 every new token must read every weight once.
"""

import argparse
import statistics

import torch
from transformers import GPT2LMHeadModel

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, interleaved, median_ratio, read_bandwidth, report
from cutaway.generate import generate
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import Tokenizer
from cutaway.weights import load_model

PROMPT_TOKENS = 16


def measure(preset: str, batches: list[int], tokens: int, rounds: int) -> dict[str, object]:
    """Median tokens a second of both, for each batch size."""
    tokenizer = Tokenizer.gpt2()
    with random_checkpoint(preset) as folder:
        ours = load_model(folder)
        peer = GPT2LMHeadModel.from_pretrained(folder).eval()
        bandwidth = read_bandwidth()
        floor = bandwidth / sum(parameter.nbytes for parameter in ours.parameters())
        rows = []
        for batch in batches:
            prompts = torch.randint(
                ours.config.vocab_size, (batch, PROMPT_TOKENS), generator=torch.Generator().manual_seed(0)
            )
            params = SamplingParams(max_tokens=tokens, temperature=0, ignore_eot=True)
            seconds = interleaved(
                {
                    "cutaway": lambda prompts=prompts, params=params: generate(
                        ours, tokenizer, prompts.tolist(), params
                    ),
                    "transformers": lambda prompts=prompts: peer.generate(
                        prompts,
                        attention_mask=torch.ones_like(prompts),
                        do_sample=False,
                        min_new_tokens=tokens,
                        max_new_tokens=tokens,
                        pad_token_id=0,
                    ),
                },
                rounds,
            )
            speed = {name: batch * tokens / statistics.median(times) for name, times in seconds.items()}
            rows.append(
                {
                    "batch": batch,
                    "tokens_per_s": speed,
                    "ratio": median_ratio(seconds["transformers"], seconds["cutaway"]),
                    "fraction_of_bandwidth_floor": speed["cutaway"] / batch / floor,
                }
            )
    return {
        "preset": preset,
        "tokens": tokens,
        "bandwidth_bytes_per_s": bandwidth,
        "floor_tokens_per_s": floor,
        "rows": rows,
    } | {"environment": environment()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="gpt2")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = measure(args.preset, args.batch, args.tokens, args.rounds)
    lines = [f"{'batch':>5} {'cutaway tok/s':>14} {'transformers tok/s':>19} {'ratio':>6} {'of memory floor':>16}"]
    for row in result["rows"]:
        speed = row["tokens_per_s"]
        lines.append(
            f"{row['batch']:>5} {speed['cutaway']:>14.1f} {speed['transformers']:>19.1f} {row['ratio']:>6.2f} "
            f"{row['fraction_of_bandwidth_floor']:>16.2f}"
        )
    lines.append(
        f"memory reads {result['bandwidth_bytes_per_s'] / 1e9:.1f} GB/s, "
        f"so batch 1 cannot pass {result['floor_tokens_per_s']:.1f} tokens/s"
    )
    report(result, lines, args.json)


if __name__ == "__main__":
    main()
