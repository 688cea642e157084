"""Exercises of chapter 3: tokens."""

from functools import cache

from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check
from cutaway.guide.shakespeare import shakespeare
from cutaway.tokenizer import Tokenizer

MIN_LETTERS, PARTS, TOKENS_OF_ONE = 6, 3, 3


@cache
def gpt2() -> Tokenizer:
    """GPT-2's tokenizer."""
    return Tokenizer.gpt2()


@cache
def first_merge() -> str:
    """The first token that the play teaches, as text."""
    return Tokenizer.train([shakespeare()], 258).decode([256])


def torn(answer: str) -> Verdict:
    """Whether a word is one token after a space and three or more without."""
    word = answer.strip()
    if not word.isalpha() or len(word) < MIN_LETTERS:
        return Verdict(False, f"{answer!r} is not a word of {MIN_LETTERS} letters or more")
    within, alone = gpt2().encode(f" {word}"), gpt2().encode(word)
    remark = f"{gpt2().pieces(within)} after a space, {gpt2().pieces(alone)} at the beginning"
    return Verdict(len(within) == 1 and len(alone) >= PARTS, remark)


def costly(answer: str) -> Verdict:
    """Whether one character takes three tokens or more."""
    character = answer.strip()
    if len(character) != 1:
        return Verdict(False, f"{answer!r} is {len(character)} characters, and one is wanted")
    n = len(gpt2().encode(character))
    return Verdict(n >= TOKENS_OF_ONE, f"{len(character.encode())} bytes, {n} token{'s' * (n > 1)}")


def merged_first(answer: str) -> Verdict:
    """Whether that is the pair which is merged first."""
    pair = answer.replace("Ġ", " ").replace("_", " ")
    return Verdict(pair == first_merge(), f"{pair!r} {'is' if pair == first_merge() else 'is not'} the first merge")


CHAPTER = Chapter(
    title="Tokens",
    exercises=(
        Exercise(
            question="How many tokens does GPT-2 make of the line `Tomorrow, and tomorrow, and tomorrow,`?",
            hint="len(Tokenizer.gpt2().encode(…)), and do not forget the comma at the end",
            check=number_check(lambda: len(gpt2().encode("Tomorrow, and tomorrow, and tomorrow,")), "tokens"),
        ),
        Exercise(
            question="Find a word of six letters or more that is one token for GPT-2 after a space, and three or more "
            "at the beginning of a text.",
            hint="it is frequent inside sentences and hardly ever begins one: strawberry was such a word",
            check=torn,
        ),
        Exercise(
            question="Find one character that costs three tokens or more.",
            hint="take it from far away from English: pictures have four bytes",
            check=costly,
        ),
        Exercise(
            question="Which two characters does *Coriolanus* merge first? (Write `_` for a space.)",
            hint="the first token after the 256 bytes: Tokenizer.train([shakespeare()], 258).pieces([256])",
            check=merged_first,
        ),
    ),
)
