"""Exercises of chapter 15: evaluation, and limits."""

import math

from cutaway.guide.bundled import fable, probability
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check

ENDING, SURE, MIN_WORDS = "said that", 0.02, 4


def even(answer: str) -> Verdict:
    """Whether he and she are about as likely after it."""
    text = answer.strip()
    if not text.endswith(ENDING):
        return Verdict(False, f"{text!r} does not end in {ENDING!r}")
    he, she = probability(text, " he"), probability(text, " she")
    return Verdict(0.8 < she / he < 1.25 and he + she > SURE, f"he {he:.1%}, she {she:.1%}")


def known_by_heart(answer: str) -> Verdict:
    """Whether the model needs less than three bits a token for a sentence."""
    words = answer.split()
    if len(words) < MIN_WORDS:
        return Verdict(False, f"that is {len(words)} words, and {MIN_WORDS} are wanted")
    from cutaway.inspect import surprise

    if len(fable().ids(answer)) > fable().config.block_size:
        return Verdict(False, "that is longer than the model can see")
    bits = surprise(fable(), answer).mean_bits
    return Verdict(bits < 3, f"{bits:.2f} bits a token")


CHAPTER = Chapter(
    title="Evaluation, and limits",
    exercises=(
        Exercise(
            question="A model has a loss of 3.0 nats. What is its perplexity? (To one decimal.)",
            hint="e to the loss",
            check=number_check(lambda: math.exp(3), "tokens", tolerance=0.06),
        ),
        Exercise(
            question="Its tokens have 4 bytes on average. How many bits per byte is that? (To two decimals.)",
            hint="nats a token, divided by the natural logarithm of 2 and by the bytes of a token",
            check=number_check(lambda: 3 / math.log(2) / 4, "bits per byte", tolerance=0.006),
        ),
        Exercise(
            question=f"Find a beginning that ends in `{ENDING}` after which ` he` and ` she` are about equally likely.",
            hint="the picture has some that are near the middle",
            check=even,
        ),
        Exercise(
            question=f"Find a text of {MIN_WORDS} words or more of which a token takes less than 3 bits on average.",
            hint="what do people in stories say to each other again and again? It may also repeat itself",
            check=known_by_heart,
        ),
    ),
)
