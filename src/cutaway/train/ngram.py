"""The first rung of the ladder: a model that looks at the last few tokens and has counted what followed them.

An n-gram is n tokens in a row. All n-grams of a text, of every length up to the order, make a trie: each is a shorter
one, its context, and one token more. A level holds those of one length in sorted arrays, where an n-gram is found by
the place of its context one level below. So nothing is hashed, and a million look-ups are a few calls of numpy.

Source: Kneser and Ney 1995, "Improved backing-off for m-gram language modeling"; Chen and Goodman 1998, "An Empirical
Study of Smoothing Techniques for Language Modeling", section 3 (modified, interpolated).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutaway.config import check_integer

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

UNSEEN = -1
MAX_ORDER = 16
MAX_NGRAMS = 1 << 25
"""Of one length: with their counts half a gigabyte, and a few times that while they are counted."""
MAX_VOCAB = 1 << 24
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""For counts of 1, 2 and more, where a text is too small or too regular to estimate them. Source: KenLM."""


@dataclass(frozen=True)
class Level:
    """All n-grams of one length."""

    keys: Ints
    """The place of the context in the level below, times the size of the vocabulary, plus the token; sorted."""
    counts: Ints
    """How often each occurs."""

    def find(self, contexts: Ints, tokens: Ints, n_vocab: int) -> Ints:
        """The places of the n-grams that are these contexts and tokens; -1 for those that never occurred.

        Shapes: contexts, tokens (N,) -> (N,)
        """
        wanted = contexts * n_vocab + tokens  # below 0, and so not there, for a context that is not
        places = np.searchsorted(self.keys, wanted)
        there = self.keys[np.minimum(places, len(self.keys) - 1)] == wanted
        return np.where(there, places, UNSEEN)


def walk(levels: Sequence[Level], tokens: Ints, n_vocab: int) -> Iterator[tuple[Ints, Ints]]:
    """Level by level, for each token of a text: the place of the context before it, and of the n-gram it completes.

    Shapes: tokens (N,) -> (N,), (N,) each time
    """
    contexts = np.zeros(len(tokens), np.int64)  # every token follows the empty context
    for level in levels:
        found = level.find(contexts, tokens, n_vocab)
        yield contexts, found
        contexts = np.concatenate([[UNSEEN], found[:-1]])


def discounts_of(counts: Ints) -> Floats:
    """What is taken off counts of 0, 1, 2 and more, so that there is something for what never occurred.

    Shapes: (N,) -> (4,)
    """
    n1, n2, n3, n4 = (float(np.count_nonzero(counts == c)) for c in (1, 2, 3, 4))
    found = list(FALLBACK_DISCOUNTS)
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    if not all(0 < d < count for count, d in enumerate(found, start=1)):
        found = list(FALLBACK_DISCOUNTS)
    return np.array([0.0, *found])


class NGramModel:
    """An interpolated Kneser-Ney model: what followed the longest context, mixed with what follows ever shorter ones.

    Only the longest n-grams are judged by how often they occur. A shorter one, which matters where the longer is
    rare, is judged by after how many different tokens it occurs: "Francisco" is common, but only after "San".
    """

    def __init__(self, levels: Sequence[Level], n_vocab: int) -> None:
        check_integer("order", len(levels), 1, MAX_ORDER)
        check_integer("n_vocab", n_vocab, 1, MAX_VOCAB)
        self.levels, self.n_vocab = tuple(levels), n_vocab
        below = [1, *(len(level.keys) for level in levels)]
        variety = [np.bincount(ends, minlength=n) for ends, n in zip(self._ends(), below[1:], strict=False)]
        judged = [*variety, self.levels[-1].counts]
        smoothed = list(map(self._smoothed, self.levels, judged, below))
        self._shares, self._left = ([pair[i] for pair in smoothed] for i in (0, 1))

    @property
    def order(self) -> int:
        """How many tokens it looks at, the predicted one included."""
        return len(self.levels)

    def of_order(self, order: int) -> "NGramModel":
        """The model that looks at fewer tokens."""
        return NGramModel(self.levels[:order], self.n_vocab)

    def logprobs(self, tokens: Ints) -> Floats:
        """The natural logarithm of each token's probability after those before it.

        Shapes: (N,) -> (N,)
        """
        found = np.full(len(tokens), 1 / self.n_vocab)
        for (contexts, ngrams), shares, left in zip(
            walk(self.levels, tokens, self.n_vocab), self._shares, self._left, strict=True
        ):
            found = shares[ngrams] + left[contexts] * found
        logprobs: Floats = np.log(found)
        return logprobs

    def probabilities(self, context: Sequence[int]) -> Floats:
        """What may follow some tokens, of which the last few count.

        Shapes: -> (V,)
        """
        found = np.full(self.n_vocab, 1 / self.n_vocab)
        for length, (level, shares, left) in enumerate(zip(self.levels, self._shares, self._left, strict=True)):
            if (place := self._place(context, length)) == UNSEEN:
                break
            first, last = np.searchsorted(level.keys, [place * self.n_vocab, (place + 1) * self.n_vocab])
            found *= left[place]
            found[level.keys[first:last] % self.n_vocab] += shares[first:last]
        return found

    def _place(self, context: Sequence[int], length: int) -> int:
        """Where the last `length` tokens of a context are in their level; the empty context is at 0."""
        if length > len(context):
            return UNSEEN
        place = np.zeros(1, np.int64)
        for level, token in zip(self.levels, context[len(context) - length :], strict=False):
            place = level.find(place, np.array([token]), self.n_vocab)
        return int(place[0])

    def _ends(self) -> Iterator[Ints]:
        """For the n-grams of each level but the first: the places, one level below, of all but their first token."""
        ends = np.zeros(len(self.levels[0].keys), np.int64)
        for below, level in zip(self.levels, self.levels[1:], strict=False):
            contexts, tokens = np.divmod(level.keys, self.n_vocab)
            ends = below.find(ends[contexts], tokens, self.n_vocab)
            yield ends

    def _smoothed(self, level: Level, counts: Ints, n_contexts: int) -> tuple[Floats, Floats]:
        """Each n-gram's discounted share of its context, and what each context has left for the shorter one.

        Both end in the value for what was never seen, which is found at -1.
        """
        contexts = level.keys // self.n_vocab
        taken = discounts_of(counts)[np.minimum(counts, 3)]
        total = np.bincount(contexts, counts, n_contexts)
        left = np.divide(np.bincount(contexts, taken, n_contexts), total, out=np.ones(n_contexts), where=total > 0)
        shares = (counts - taken) / np.maximum(total, 1)[contexts]
        return np.append(shares, 0.0), np.append(left, 1.0)
