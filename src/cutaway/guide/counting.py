"""Exercises of chapter 2: counting."""

from collections import Counter
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cutaway.guide.exercise import Chapter, Exercise, Verdict, number_check
from cutaway.guide.shakespeare import shakespeare
from cutaway.tokenizer import CharTokenizer

if TYPE_CHECKING:
    from cutaway.train.ngram import NGramModel

SURE, MIN_LETTERS = 0.95, 3


@cache
def counted(order: int) -> "tuple[CharTokenizer, NGramModel]":
    """The letters of the play and the n-gram model of all of it."""
    from cutaway.data.tokens import Tokens
    from cutaway.train.ngram_counts import count_ngrams

    text = shakespeare()
    letters = CharTokenizer.from_texts([text])
    return letters, count_ngrams(Tokens.of(np.array(letters.encode(text))), letters.n_vocab, order)


def t_after_space() -> float:
    """How often a t comes after a space, in percent."""
    pairs = Counter(pairwise(shakespeare()))
    return 100 * pairs[" ", "t"] / sum(count for (first, _), count in pairs.items() if first == " ")


def unseen(answer: str) -> Verdict:
    """Whether an English word has two letters in a row that the play has not."""
    pairs = set(pairwise(shakespeare().lower()))
    strange = ["".join(pair) for pair in pairwise(answer.strip().lower()) if pair not in pairs]
    word = answer.strip().isalpha() and len(answer.strip()) >= MIN_LETTERS
    if strange and word:
        return Verdict(True, f"{strange[0]!r} never occurs, so a bigram without smoothing finds the word impossible")
    return Verdict(False, "every two letters of it occur somewhere" if word else f"{answer!r} is no word of letters")


def sure(answer: str) -> Verdict:
    """Whether three letters decide the fourth."""
    letters, model = counted(4)
    if len(answer) != MIN_LETTERS or not set(answer) <= set(letters.characters):
        return Verdict(False, f"{answer!r} is not three letters of the play")
    chances = model.probabilities(letters.encode(answer))
    best = int(chances.argmax())
    return Verdict(bool(chances[best] > SURE), f"{letters.decode([best])!r} follows at {chances[best]:.0%}")


CHAPTER = Chapter(
    title="Counting",
    exercises=(
        Exercise(
            question="After how many percent of all spaces in the play does a `t` follow? (To the nearest percent.)",
            hint='count the pairs that begin with a space, Counter(pairwise(text)); which share of them is (" ", "t")?',
            check=number_check(t_after_space, "%", tolerance=0.5),
        ),
        Exercise(
            question="Find an English word that has two letters in a row which never occur so in the play "
            "(large or small).",
            hint="which pairs are rare? Try words from other languages or with q, x, z",
            check=unseen,
        ),
        Exercise(
            question="Find three letters after which the 4-gram model gives one letter more than 95%.",
            hint="the names of those who speak: after three capital letters, or in the middle of a frequent name",
            check=sure,
        ),
        Exercise(
            question="The 5-gram table would have a cell for every five letters that could stand in a row. How many "
            "cells, with the letters of the play?",
            hint="as many different letters as len(set(text)), to the power of 5",
            check=number_check(lambda: float(len(set(shakespeare())) ** 5), "cells"),
        ),
    ),
)
