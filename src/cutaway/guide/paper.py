"""Exercises of chapter 16: paper against code."""

import math

from cutaway.anatomy import anatomy
from cutaway.config import GPTConfig
from cutaway.guide.exercise import Chapter, Exercise, number_check

PAPER_XL = 1_542_000_000


def more_than_told() -> float:
    """How many million parameters gpt2-xl has beyond what the paper says."""
    return (anatomy(GPTConfig.preset("gpt2-xl")).parameters - PAPER_XL) / 1e6


def tanh_gelu() -> float:
    """The tanh form of the GELU at 1."""
    return 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (1 + 0.044715)))


CHAPTER = Chapter(
    title="Paper against code",
    exercises=(
        Exercise(
            question="With which standard deviation do the projections into the stream start in gpt2-xl, of 48 layers? "
            "(To five decimals.)",
            hint="0.02 divided by the square root of 2 L",
            check=number_check(lambda: 0.02 / math.sqrt(2 * 48), "", tolerance=6e-6),
        ),
        Exercise(
            question="By how many million parameters does gpt2-xl exceed the paper's 1,542 million? (To one decimal.)",
            hint="anatomy(GPTConfig.preset('gpt2-xl')).parameters",
            check=number_check(more_than_told, "million", tolerance=0.06),
        ),
        Exercise(
            question="The exact GELU of 1 is 0.8413. What does the tanh form give, to four decimals?",
            hint="torch.nn.functional.gelu(torch.tensor(1.0), approximate='tanh')",
            check=number_check(tanh_gelu, "", tolerance=4e-5),
        ),
    ),
)
