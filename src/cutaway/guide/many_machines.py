"""Exercises of chapter 11: many machines."""

import math

from cutaway.anatomy import anatomy
from cutaway.config import GPTConfig
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check, number_in

GPU_BYTES, BYTES_A_PARAMETER, MAX_PROCESSES = 24e9, 16, 64
ROWS, MICRO_ROWS, FEW = 480, 12, 8


def fits(answer: str) -> Verdict:
    """Whether that is the smallest number of processes among which gpt2-xl fits."""
    number = number_in(answer)
    if number is None or not math.isfinite(number) or not 1 <= number <= MAX_PROCESSES or number != int(number):
        return Verdict(False, f"{answer!r} is not a number of processes from 1 to {MAX_PROCESSES}")
    whole = BYTES_A_PARAMETER * anatomy(GPTConfig.preset("gpt2-xl")).parameters
    smallest = math.ceil(whole / GPU_BYTES)
    return Verdict(number == smallest, f"{whole / number / 1e9:.1f} GB in each of {int(number)}")


def divides(answer: str) -> Verdict:
    """Whether so many processes can share the rows, in whole parts."""
    number = number_in(answer)
    if number is None or not math.isfinite(number) or number != int(number) or number < 1:
        return Verdict(False, f"{answer!r} is not a number of processes")
    size = int(number)
    rows, rest = divmod(ROWS, size)
    if rest:
        return Verdict(False, f"{ROWS} rows do not divide among {size}")
    parts, left = divmod(rows, MICRO_ROWS)
    enough = size > 8
    return Verdict(
        enough and not left, f"{rows} rows each, {parts} parts of {MICRO_ROWS}" + (f", and {left} left" if left else "")
    )


CHAPTER = Chapter(
    title="Many machines",
    exercises=(
        Exercise(
            question="In a ring of 8 processes, how many pieces does each send in one all-reduce?",
            hint="n − 1 rounds to add up, and n − 1 to hand on",
            check=number_check(lambda: 2 * (8 - 1), "pieces"),
        ),
        Exercise(
            question="How many processes must share gpt2-xl at least, if each may hold 24 GB, slopes and means counted "
            "(16 bytes a parameter in all; a GB is 10⁹ bytes)?",
            hint="the first column of the picture, divided by 24",
            check=fits,
        ),
        Exercise(
            question=f"A batch has {ROWS} rows, and a process reads {MICRO_ROWS} at a time. Give a number of processes "
            f"above {FEW} among which the batch divides into whole parts.",
            hint=f"{ROWS} divided by it must be a multiple of {MICRO_ROWS}",
            check=divides,
        ),
    ),
)
