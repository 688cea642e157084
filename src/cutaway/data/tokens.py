"""Shards as one long row of tokens, of which any part can be had without reading the rest."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cutaway.data.shard import Ends, Ids


class Block(Protocol):
    """Neighbouring tokens and where documents end among them: a shard, or arrays in memory."""

    @property
    def tokens(self) -> Ids:
        """The ids."""

    @property
    def ends(self) -> Ends:
        """For each document that ends here, the number of tokens of the block before that place."""


@dataclass(frozen=True)
class ArrayBlock:
    """A block in memory."""

    tokens: Ids
    ends: Ends


class Tokens:
    """The tokens of a split, in blocks that are opened when they are needed."""

    def __init__(self, open_block: Callable[[int], Block], lengths: Sequence[int], eot: int | None = None) -> None:
        self._block, self._eot = open_block, eot
        self._starts = [0, *accumulate(lengths)]

    @classmethod
    def of(cls, ids: NDArray[Any], ends: ArrayLike = (), eot: int | None = None) -> Self:
        """Tokens in memory, with the places where documents end."""
        block = ArrayBlock(ids, np.asarray(ends, np.uint64))
        return cls(lambda index: block, [len(ids)], eot)

    def __len__(self) -> int:
        return self._starts[-1]

    def read(self, start: int, stop: int) -> NDArray[np.int64]:
        """The tokens from `start` up to, but not including, `stop`."""
        tokens = np.empty(stop - start, np.int64)
        at, index = start, bisect_right(self._starts, start) - 1
        while at < stop:
            offset, upto = self._starts[index], min(stop, self._starts[index + 1])
            tokens[at - start : upto - start] = self._block(index).tokens[at - offset : upto - offset]
            at, index = upto, index + 1
        return tokens

    def document_starts(self, start: int, stop: int) -> NDArray[np.bool_]:
        """For each token from `start` up to `stop`: whether a document starts with it.

        `<|endoftext|>` counts to the document after it, for that is how a model meets it when it writes from nothing.
        """
        shift = int(self._eot is not None)  # then an end lies just after the <|endoftext|> that starts the next one
        marks = np.zeros(stop - start, np.bool_)
        marks[self._ends(start + shift, stop + shift) - shift - start] = True
        return marks

    def _ends(self, low: int, high: int) -> NDArray[np.int64]:
        """The ends of documents from `low` up to, but not including, `high`."""
        found = [np.empty(0, np.int64)]
        index = max(0, bisect_left(self._starts, low) - 1)  # an end at the very beginning of a block is in the last one
        while index < len(self._starts) - 1 and self._starts[index] < high:
            offset, ends = self._starts[index], self._block(index).ends
            first, last = np.searchsorted(ends, np.array([max(low - offset, 0), high - offset], np.uint64))
            found.append(ends[first:last].astype(np.int64) + offset)
            index += 1
        return np.concatenate(found)
