"""Counting all n-grams of a text, a stretch at a time."""

from collections.abc import Callable

import numpy as np

from cutaway.config import check_integer
from cutaway.data import Tokens
from cutaway.errors import TrainingError
from cutaway.train.ngram import MAX_NGRAMS, MAX_ORDER, Ints, Level, NGramModel, walk

STRETCH = 1 << 21
"""Tokens that are looked at together."""

Watch = Callable[[float], None]
"""Is told the share that is done."""


def count_ngrams(
    tokens: Tokens, n_vocab: int, order: int, watch: Watch = lambda share: None, stretch: int = STRETCH
) -> NGramModel:
    """The n-gram model of a text.

    The text is read once for each length, and memory holds no more of it than a stretch, besides the n-grams.

    Raises: TrainingError for a text that is too short, or has more n-grams than memory should hold.
    """
    check_integer("order", order, 1, MAX_ORDER)
    if len(tokens) < order:
        raise TrainingError(f"{len(tokens):,} tokens hold no {order}-gram; lower the order, or add text")
    levels: list[Level] = []
    for length in range(1, order + 1):
        level = Level(np.empty(0, np.int64), np.empty(0, np.int64))
        for start in range(0, len(tokens), stretch):
            stop = min(start + stretch, len(tokens))
            level = joined(level, counted(tokens, start, stop, levels, n_vocab))
            if len(level.keys) > MAX_NGRAMS:
                raise TrainingError(
                    f"the text has more than {MAX_NGRAMS:,} different {length}-grams, which would take gigabytes; "
                    f"give --order {length - 1} or lower"
                )
            watch((length - 1 + stop / len(tokens)) / order)
        levels.append(level)
    return NGramModel(levels, n_vocab)


def counted(tokens: Tokens, start: int, stop: int, below: list[Level], n_vocab: int) -> Level:
    """The n-grams that end in a stretch of the text, one token longer than those of the last level below."""
    first = max(0, start - len(below))
    read = tokens.read(first, stop)
    contexts = np.zeros(len(read), np.int64)
    for _, found in walk(below, read, n_vocab):
        contexts = np.concatenate([[-1], found[:-1]])
    here = np.arange(len(read)) >= start - first
    keys = (contexts * n_vocab + read)[here & (contexts >= 0)]
    return Level(*np.unique(keys, return_counts=True))


def joined(one: Level, other: Level) -> Level:
    """The n-grams of two texts."""
    keys = np.concatenate([one.keys, other.keys])
    order = np.argsort(keys, kind="stable")  # which finds the two sorted halves
    keys = keys[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    counts: Ints = np.add.reduceat(np.concatenate([one.counts, other.counts])[order], firsts)
    return Level(keys[firsts], counts)
