"""Exercises of chapter 12: sampling."""

import math
from functools import cache

import numpy as np

from cutaway.guide.bundled import fable
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check, number_in
from cutaway.sampling import SamplingParams, softmax, truncate

PROMPT, SHARE, MAX_TEMPERATURE = "He took off his", 0.9, 100.0


@cache
def logits() -> np.ndarray:
    """The logits after the prompt."""
    import torch

    model = fable()
    with torch.no_grad():
        found: np.ndarray = model.model(torch.tensor([model.ids(PROMPT)]))[0][0, -1].numpy()
    return found


def nucleus() -> float:
    """How many tokens hold half of the probability."""
    params = SamplingParams(temperature=1.0, top_p=0.5)
    return int(np.isfinite(truncate(logits(), params)).sum())


def sure_of_the_likeliest(answer: str) -> Verdict:
    """Whether at that temperature the likeliest token has the share that is asked for."""
    value = number_in(answer)
    if value is None or not math.isfinite(value) or not 0.01 <= value <= MAX_TEMPERATURE:
        return Verdict(False, f"{answer!r} is not a temperature from 0.01 to {MAX_TEMPERATURE:g}")
    likeliest = int(logits().argmax())
    share, piece = float(softmax(logits() / value)[likeliest]), fable().tokenizer.piece(likeliest)
    return Verdict(abs(share - SHARE) < 0.02, f"at temperature {value:g} {piece!r} has {share:.1%}")


def odds() -> float:
    """How many times likelier a token is than another whose logit is lower by 1, at temperature 0.5."""
    weights = softmax(np.array([1.0, 0.0]) / 0.5)
    return float(weights[0] / weights[1])


CHAPTER = Chapter(
    title="Sampling",
    exercises=(
        Exercise(
            question=f"How many tokens does `top_p=0.5` leave after *{PROMPT}*, at temperature 1?",
            hint="truncate(logits, SamplingParams(temperature=1, top_p=0.5)), and count the finite ones",
            check=number_check(nucleus, "tokens"),
        ),
        Exercise(
            question="At which temperature does the likeliest token there get 90% (88% to 92%)?",
            hint="below 1: divide the logits by it, take the softmax, and look at the largest; then try one between",
            check=sure_of_the_likeliest,
        ),
        Exercise(
            question="One token's logit is higher by 1 than another's. How much likelier is it at temperature 0.5? "
            "(To one decimal.)",
            hint="the difference becomes 1 / 0.5; take the exponential",
            check=number_check(odds, "times", tolerance=0.06),
        ),
    ),
)
