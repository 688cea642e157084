"""Decoding with the cache against transformers, batch 1 and 16, on random weights of a published shape: by the native
kernels, which `cutaway generate` uses on a CPU, and in PyTorch.

    python -m benchmarks.decode [--preset gpt2] [--tokens 64] [--rounds 5] [--json]

Prints tokens a second, the ratios to transformers from the same rounds, and the fraction of what memory allows: at
batch 1 every new token must read every weight once.
"""

import argparse
import statistics
from collections.abc import Callable

import torch
from transformers import GPT2LMHeadModel

from benchmarks.checkpoints import random_checkpoint
from benchmarks.timing import environment, interleaved, median_ratio, read_bandwidth, report, with_ratio
from cutaway.generate import Network, generate
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import Tokenizer
from cutaway.weights import load_model
from cutaway.weights.native import load_native

PROMPT_TOKENS = 16
COLUMNS = ("cutaway", "on PyTorch", "transformers")


def measure(preset: str, batches: list[int], tokens: int, rounds: int) -> dict[str, object]:
    """Median tokens a second of all, for each batch size."""
    with random_checkpoint(preset) as folder, load_native(folder) as native:
        plain = load_model(folder)
        peer = GPT2LMHeadModel.from_pretrained(folder).eval()
        bandwidth = read_bandwidth()
        floor = bandwidth / sum(parameter.nbytes for parameter in plain.parameters())
        rows = []
        for batch in batches:
            prompts = torch.randint(
                plain.config.vocab_size, (batch, PROMPT_TOKENS), generator=torch.Generator().manual_seed(0)
            )
            contestants = {
                "cutaway": ours(native, prompts, tokens),
                "on PyTorch": ours(plain, prompts, tokens),
                "transformers": theirs(peer, prompts, tokens),
            }
            seconds = interleaved(contestants, rounds)
            speed = {name: batch * tokens / statistics.median(times) for name, times in seconds.items()}
            rows.append(
                {
                    "batch": batch,
                    "tokens_per_s": speed,
                    "ratios": {name: median_ratio(seconds["transformers"], seconds[name]) for name in COLUMNS[:-1]},
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


def ours(model: Network, prompts: torch.Tensor, tokens: int) -> Callable[[], object]:
    """Our plain loop over a network in native hands or in PyTorch."""
    tokenizer, params = Tokenizer.gpt2(), SamplingParams(max_tokens=tokens, temperature=0, ignore_eot=True)
    return lambda: generate(model, tokenizer, prompts.tolist(), params)


def theirs(peer: GPT2LMHeadModel, prompts: torch.Tensor, tokens: int) -> Callable[[], object]:
    """The same as transformers does it."""
    return lambda: peer.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=False,
        min_new_tokens=tokens,
        max_new_tokens=tokens,
        pad_token_id=0,
    )


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
    lines = [
        "tokens a second (and how many times transformers')",
        f"{'batch':>5}" + "".join(f"{name:>16}" for name in COLUMNS) + f"{'of memory floor':>17}",
    ]
    for row in result["rows"]:
        cells = [with_ratio(row["tokens_per_s"][name], row["ratios"].get(name)) for name in COLUMNS]
        line = f"{row['batch']:>5}" + "".join(f"{cell:>16}" for cell in cells)
        lines.append(f"{line}{row['fraction_of_bandwidth_floor']:>17.2f}")
    lines.append(
        f"memory reads {result['bandwidth_bytes_per_s'] / 1e9:.1f} GB/s, "
        f"so batch 1 cannot pass {result['floor_tokens_per_s']:.1f} tokens/s"
    )
    report(result, lines, args.json)


if __name__ == "__main__":
    main()
