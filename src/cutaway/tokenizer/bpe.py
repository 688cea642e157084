"""Byte-pair encoding in plain Python: the version to read, and the truth that the fast one is tested against.

A chunk starts as single bytes. Of all neighbouring pairs, the one that training merged first is joined, and again,
until no neighbouring pair is in the list of merges. Source: Sennrich et al. 2016, "Neural Machine Translation of Rare
Words with Subword Units", section 3.2; on bytes as in Radford et al. 2019, section 2.2.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from cutaway.errors import TokenizerError
from cutaway.tokenizer.split import split
from cutaway.tokenizer.vocabulary import Pair, Vocabulary

MAX_EXPLAINED_BYTES = 2000


def encode(text: str, vocabulary: Vocabulary) -> list[int]:
    """The ids of a text, special tokens taken as ordinary text."""
    return [vocabulary.ids[part] for chunk in split(text) for part in merge(chunk.encode(), vocabulary.ranks)]


def decode(ids: Iterable[int], vocabulary: Vocabulary) -> str:
    """The text of some ids; bytes that are not UTF-8 become U+FFFD."""
    return b"".join(vocabulary.tokens[i] for i in ids).decode(errors="replace")


def merge(chunk: bytes, ranks: Mapping[Pair, int]) -> list[bytes]:
    """The tokens of one chunk, in time n log n: a heap of the possible merges over a linked list of the parts."""
    # The empty part at the end merges with nothing; as parts[-1] it also stands before the first.
    parts = [*(bytes([byte]) for byte in chunk), b""]
    before, after = list(range(-1, len(chunk))), [*range(1, len(parts)), -1]
    heap = [(ranks[pair], at) for at, pair in enumerate(pairwise(parts)) if pair in ranks]
    heapq.heapify(heap)
    while heap:
        rank, at = heapq.heappop(heap)
        right = after[at]
        if ranks.get((parts[at], parts[right])) != rank:
            continue  # one of the two was merged since
        parts[at], parts[right] = parts[at] + parts[right], b""
        after[at] = after[right]
        before[after[at]] = at
        for left in (before[at], at):
            pair = parts[left], parts[after[left]]
            if pair in ranks:
                heapq.heappush(heap, (ranks[pair], left))
    return [part for part in parts if part]


@dataclass(frozen=True, kw_only=True)
class MergeStep:
    """One pair merged wherever it occurs in a chunk."""

    before: tuple[bytes, ...]
    pair: Pair
    rank: int
    """The priority of the merge, from 0."""
    after: tuple[bytes, ...]


def explain(chunk: bytes, ranks: Mapping[Pair, int]) -> list[MergeStep]:
    """Every step from the bytes of a chunk to its tokens, as on paper: find the best pair, join it everywhere, repeat.

    Raises: TokenizerError for a chunk over 2,000 bytes, whose steps nobody could read.
    """
    if len(chunk) > MAX_EXPLAINED_BYTES:
        raise TokenizerError(
            f"{len(chunk):,} bytes in one chunk are too many to explain; the most is {MAX_EXPLAINED_BYTES:,}"
        )
    parts, steps = tuple(bytes([byte]) for byte in chunk), []
    while known := [pair for pair in pairwise(parts) if pair in ranks]:
        pair = min(known, key=lambda pair: ranks[pair])
        joined = join_pair(parts, pair)
        steps.append(MergeStep(before=parts, pair=pair, rank=ranks[pair], after=joined))
        parts = joined
    return steps


def join_pair(parts: tuple[bytes, ...], pair: Pair) -> tuple[bytes, ...]:
    """The parts with each occurrence of the pair joined, from the left."""
    joined: list[bytes] = []
    at = 0
    while at < len(parts):
        width = 2 if parts[at : at + 2] == pair else 1
        joined.append(b"".join(parts[at : at + width]))
        at += width
    return tuple(joined)
