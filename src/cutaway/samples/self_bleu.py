"""How much texts are like each other: the BLEU of each against all others.

Source: Zhu et al. 2018, "Texygen", section 2; Papineni et al. 2002, "BLEU"; for the smoothing Chen and Cherry 2014,
"A Systematic Comparison of Smoothing Techniques for Sentence-Level BLEU", method 1.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from cutaway.samples.repetition import Gram, Text, ngrams

SMOOTHED = 0.1
"""What counts instead of no n-gram in common."""


def self_bleu(texts: Sequence[Text], most: int = 4) -> float | None:
    """The mean BLEU of a text against all others, with n-grams of 1 to `most` tokens; 1 where all are the same.

    None for fewer than two texts. Empty texts score 0.
    """
    if len(texts) < 2:
        return None
    shared = [common(texts, n) for n in range(1, most + 1)]
    lengths = sorted(len(text) for text in texts)
    scores = [_bleu(text, [counts[i] for counts in shared], lengths) for i, text in enumerate(texts)]
    return sum(scores) / len(scores)


def common(texts: Sequence[Text], n: int) -> list[int]:
    """For each text, how many of its n-grams others have, each as often as it is in the other that has it most."""
    counts = [Counter(ngrams(text, n)) for text in texts]
    # The two largest counts of each n-gram: whoever holds the largest is measured against the second.
    largest: dict[Gram, tuple[int, int, int]] = {}
    for holder, count in enumerate(counts):
        for gram, times in count.items():
            first, whose, second = largest.get(gram, (0, -1, 0))
            largest[gram] = (times, holder, first) if times > first else (first, whose, max(second, times))
    return [
        sum(
            min(times, largest[gram][2] if largest[gram][1] == i else largest[gram][0]) for gram, times in count.items()
        )
        for i, count in enumerate(counts)
    ]


def _bleu(text: Text, shared: Sequence[int], lengths: Sequence[int]) -> float:
    if not shared[0]:
        return 0.0
    precisions = [(hits or SMOOTHED) / max(1, len(text) - n + 1) for n, hits in enumerate(shared, 1)]
    brevity = min(0.0, 1 - closest(lengths, len(text)) / len(text))
    return math.exp(brevity + sum(map(math.log, precisions)) / len(precisions))


def closest(lengths: Sequence[int], length: int) -> int:
    """The length nearest to one of them, itself taken out once, the shorter of two. `lengths` is sorted."""
    at = bisect_left(lengths, length)
    others = [*lengths[max(0, at - 1) : at], *lengths[at + 1 : at + 2]]
    return min(others, key=lambda other: (abs(other - length), other))
