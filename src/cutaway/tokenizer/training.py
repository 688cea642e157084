"""Learning the merges: again and again, the pair of neighbours that occurs most often becomes one token.

Source: Sennrich et al. 2016, algorithm 1. Each distinct chunk is kept once with its count, and after a merge only the
chunks that held the pair are counted anew.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import TypeAlias

from cutaway.errors import TokenizerError
from cutaway.tokenizer.byte_alphabet import BYTE_ORDER
from cutaway.tokenizer.split import split
from cutaway.tokenizer.vocabulary import Pair

IdPair: TypeAlias = tuple[int, int]


def learn_merges(texts: Iterable[str], n_merges: int) -> list[Pair]:
    """The `n_merges` merges that the texts teach, most important first.

    Of two pairs that occur equally often, the one with the lower ids goes first, ids being GPT-2's: 256 bytes, then
    the merges. This is also how Hugging Face's `BpeTrainer` decides.

    Raises: TokenizerError when the texts run out of pairs before.
    """
    tokens = [bytes([byte]) for byte in BYTE_ORDER]
    pairs = PairCounts(count_chunks(texts))
    merges: list[Pair] = []
    while len(merges) < n_merges:
        best = pairs.most_common()
        if best is None:
            raise TokenizerError(
                f"the texts teach only {len(merges)} merges, not {n_merges}; give more or ask for less"
            )
        pairs.merge(best, into=len(tokens))
        merges.append((tokens[best[0]], tokens[best[1]]))
        tokens.append(b"".join(merges[-1]))
    return merges


def count_chunks(texts: Iterable[str]) -> Counter[str]:
    """How often each chunk occurs in the texts."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(split(text))
    return counts


class PairCounts:
    """The distinct chunks as lists of ids, and how often each pair of neighbours occurs in them."""

    def __init__(self, chunk_counts: Counter[str]) -> None:
        id_of = {byte: i for i, byte in enumerate(BYTE_ORDER)}
        self._chunks = [[id_of[byte] for byte in chunk.encode()] for chunk in chunk_counts]
        self._repeats = list(chunk_counts.values())
        self._counts: Counter[IdPair] = Counter()
        self._chunks_with: defaultdict[IdPair, set[int]] = defaultdict(set)
        for index in range(len(self._chunks)):
            self._tally(index, +1, self._counts)
        self._heap = [(-count, pair) for pair, count in self._counts.items()]
        heapq.heapify(self._heap)

    def most_common(self) -> IdPair | None:
        """The pair that occurs most often, the lowest ids first among equals; None when no pair is left."""
        while self._heap:
            count, pair = self._heap[0]
            if -count == self._counts[pair] > 0:
                return pair
            heapq.heappop(self._heap)  # out of date: the present count has an entry of its own
        return None

    def merge(self, pair: IdPair, into: int) -> None:
        """Join the pair wherever it occurs, and keep the counts true."""
        change: Counter[IdPair] = Counter()
        for index in list(self._chunks_with[pair]):
            self._tally(index, -1, change)
            self._chunks[index] = _join(self._chunks[index], pair, into)
            self._tally(index, +1, change)
        for other, difference in change.items():
            if difference:
                self._counts[other] += difference
                heapq.heappush(self._heap, (-self._counts[other], other))

    def _tally(self, index: int, sign: int, counts: Counter[IdPair]) -> None:
        for pair in pairwise(self._chunks[index]):
            counts[pair] += sign * self._repeats[index]
            if sign > 0:
                self._chunks_with[pair].add(index)
            else:
                self._chunks_with[pair].discard(index)


def _join(ids: list[int], pair: IdPair, into: int) -> list[int]:
    joined: list[int] = []
    at = 0
    while at < len(ids):
        found = at + 1 < len(ids) and (ids[at], ids[at + 1]) == pair
        joined.append(into if found else ids[at])
        at += 2 if found else 1
    return joined
