"""Exercises of chapter 13: making it fast."""

import math

from cutaway.anatomy import anatomy
from cutaway.config import GPTConfig
from cutaway.guide.bundled import fable
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check, number_in

BANDWIDTH = 50e9
LOSSLESS = 0.01


def cached_bytes() -> float:
    """The keys and values of one token of GPT-2 in 16 bits."""
    return anatomy(GPTConfig.preset("gpt2")).kv_bytes_per_token["fp16"]


def fastest() -> float:
    """Tokens a second of gpt2-xl in 16 bits, at that bandwidth."""
    return BANDWIDTH / anatomy(GPTConfig.preset("gpt2-xl")).weight_bytes["fp16"]


def steps_of(answer: str) -> Verdict:
    """Whether so many bits, and no fewer, keep each weight of a row within a hundredth of the largest."""
    bits = number_in(answer)
    if bits is None or not math.isfinite(bits) or bits != int(bits) or not 2 <= bits <= 16:
        return Verdict(False, f"{answer!r} is not a whole number of bits from 2 to 16")

    def error(n: int) -> float:
        row = fable().model.get_parameter("h.0.mlp.c_fc.weight").detach()[0]
        scale = row.abs().max() / (2 ** (n - 1) - 1)
        return float(((row / scale).round() * scale - row).abs().max() / row.abs().max())

    enough = error(int(bits)) < LOSSLESS
    fewest = enough and (bits == 2 or error(int(bits) - 1) >= LOSSLESS)
    return Verdict(fewest, f"with {int(bits)} bits the largest error is {error(int(bits)):.2%} of the largest weight")


CHAPTER = Chapter(
    title="Making it fast",
    exercises=(
        Exercise(
            question="How many bytes are the keys and values of one token in GPT-2, as numbers of 2 bytes?",
            hint="keys and values, 12 layers, 768 channels",
            check=number_check(cached_bytes, "bytes"),
        ),
        Exercise(
            question="A memory delivers 50 GB a second. How many tokens a second can gpt2-xl decode at most, in "
            "16 bits? (To the nearest whole.)",
            hint="1,557,611,200 weights of 2 bytes each, once for every token",
            check=number_check(fastest, "tokens a second", tolerance=0.6),
        ),
        Exercise(
            question="How few bits suffice for no weight in the first row of `c_fc` in `fable`'s layer 0 to move by 1% "
            "of the row's largest or more?",
            hint="an error is half a step at most; how many steps on each side make half a step less than 1%?",
            check=steps_of,
        ),
    ),
)
