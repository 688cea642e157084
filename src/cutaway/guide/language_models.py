"""Exercises of chapter 1: what a language model is."""

from cutaway.guide.bundled import expected, fable, probability
from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check

SURE, UNSURE, UNSURE_WORDS = 0.9, 0.03, 5


def sure(answer: str) -> Verdict:
    """Whether the model knows how a text goes on."""
    token, chance = expected(answer)
    return Verdict(chance > SURE, f"it expects {token!r} at {chance:.1%}")


def unsure(answer: str) -> Verdict:
    """Whether the model has no idea how a text goes on."""
    if len(answer.split()) < UNSURE_WORDS:
        return Verdict(False, f"that is {len(answer.split())} words, and {UNSURE_WORDS} are wanted")
    token, chance = expected(answer)
    return Verdict(chance < UNSURE, f"its likeliest is {token!r} at {chance:.1%}")


def she(answer: str) -> Verdict:
    """Whether a text makes ` her` likelier than ` his`."""
    her, his = probability(answer, " her"), probability(answer, " his")
    alike = answer.endswith("put on")
    return Verdict(
        her > 4 * his and alike, f"her {her:.1%}, his {his:.1%}" + ("" if alike else ", but not after 'put on'")
    )


CHAPTER = Chapter(
    title="What is a language model?",
    exercises=(
        Exercise(
            question="Find a beginning after which `fable` gives its likeliest next token more than 90%.",
            hint="many words are several tokens: stop in the middle of a long or rare one, or of a fixed phrase",
            check=sure,
        ),
        Exercise(
            question="Find a beginning of at least five words after which no token gets more than 3%.",
            hint="where could anything follow? After *a long and* there are as many words as there are adjectives",
            check=unsure,
        ),
        Exercise(
            question="Write a beginning that ends in `put on` and after which ` her` is more than four times as likely "
            "as ` his`, without any of the words of the example.",
            hint="it takes the person from a word far back: a princess, a mother, an aunt",
            check=she,
        ),
        Exercise(
            question="How many tokens get a probability at each step of `fable`?",
            hint="it is the size of its vocabulary: gpt.tokenizer.n_vocab",
            check=number_check(lambda: fable().tokenizer.n_vocab, "tokens"),
        ),
    ),
)
