"""Exercises of chapter 10: training."""

from cutaway.errors import ConfigError
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check, number_in


def tokens_read() -> float:
    """How many tokens a run of the chapter's size reads."""
    return 400 * 16 * 64


def schedule(answer: str) -> Verdict:
    """Whether with these shares the rate is at its peak for exactly half of the run."""
    from cutaway.train.schedule import learning_rate_scale

    numbers = [number_in(part) for part in answer.split()]
    if len(numbers) != 2 or None in numbers:
        return Verdict(False, f"{answer!r} is not two numbers, warmup and decay")
    warmup, decay = (number for number in numbers if number is not None)
    try:
        at_peak = sum(learning_rate_scale((i + 0.5) / 1000, warmup, decay) == 1.0 for i in range(1000)) / 1000
    except ConfigError as error:
        return Verdict(False, str(error))
    falls = warmup > 0 and decay > 0
    remark = f"at its peak for {at_peak:.0%} of the run"
    return Verdict(
        falls and abs(at_peak - 0.5) < 0.005, remark if falls else f"{remark}, but it does not rise and fall"
    )


def epochs() -> float:
    """How often a run over 1,000 letters reads each of them."""
    return tokens_read() / 1000


CHAPTER = Chapter(
    title="Training",
    exercises=(
        Exercise(
            question="How many letters does the run of 400 steps read in all, in 16 rows of 64 at a time?",
            hint="steps times rows times letters in a row",
            check=number_check(tokens_read, "letters"),
        ),
        Exercise(
            question="So how often, on average, did the spoiled run read each of its 1,000 letters?",
            hint="what it reads in all, divided by 1,000",
            check=number_check(epochs, "times", tolerance=1),
        ),
        Exercise(
            question="Give `warmup` and `decay`, with a space between, so that the rate rises, is at its peak half "
            "of the run, and falls.",
            hint="they are shares of the run, and together they are the other half",
            check=schedule,
        ),
    ),
)
