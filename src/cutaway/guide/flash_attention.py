"""Exercises of chapter 6: flash attention."""

import math

import numpy as np

from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check, number_in


def below() -> float:
    """The sum below the line after the scores 1, 3, 2."""
    largest, total = -math.inf, 0.0
    for score in (1.0, 3.0, 2.0):
        new = max(largest, score)
        total, largest = total * math.exp(largest - new) + math.exp(score - new), new
    return total


def overflows(answer: str) -> Verdict:
    """Whether a plain softmax of these scores fails in 32 bits and one less the largest does not."""
    numbers = [number_in(part) for part in answer.split()]
    if len(numbers) != 3 or None in numbers:
        return Verdict(False, f"{answer!r} is not three numbers with spaces between")
    scores = np.array(numbers, dtype=np.float32)
    with np.errstate(all="ignore"):
        plain = np.exp(scores) / np.exp(scores).sum()
        safe = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    remark = f"plainly {plain.tolist()}, less the largest {[round(weight, 4) for weight in safe.tolist()]}"
    return Verdict(not np.isfinite(plain).all() and bool(np.isfinite(safe).all()), remark)


CHAPTER = Chapter(
    title="Flash attention",
    exercises=(
        Exercise(
            question="How many bytes are the squares of one layer's 12 heads for 1,024 tokens, in numbers of 4 bytes?",
            hint="heads times rows times columns times 4",
            check=number_check(lambda: 12 * 1024 * 1024 * 4, "bytes"),
        ),
        Exercise(
            question="The scores 1, 3, 2 come by in this order. What is `below` in the end? (Three digits.)",
            hint="with the largest, 3, subtracted: e to the −2, plus e to the 0, plus e to the −1",
            check=number_check(below, "below the line", tolerance=0.006),
        ),
        Exercise(
            question="Give three scores, with spaces between, for which a softmax in 32 bits fails unless the largest "
            "is subtracted first.",
            hint="the largest number of 32 bits is about 3.4e38; of which number is that the exponential?",
            check=overflows,
        ),
    ),
)
