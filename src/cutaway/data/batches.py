"""What the model sees at which step: a pure function of the seed and the step, whatever the number of processes.

Each epoch cuts the tokens at new places and goes through all the windows once, in a new order. Nothing of this is
remembered from step to step, so a run that was interrupted needs only the number of its next step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cutaway.config import check_integer
from cutaway.data.permutation import Permutation, mix_all
from cutaway.data.tokens import Tokens
from cutaway.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Windows of tokens and what follows each of them; the last two only if asked for.

    Shapes: inputs, targets, documents, positions (B, T)
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    documents: NDArray[np.int64] | None = None
    """The number of each token's document within its window: attention stays among equal ones."""
    positions: NDArray[np.int64] | None = None
    """The place of each token in its document, from 0 again at each start."""


class WindowStream:
    """All windows of a text in random order, without end.

    Raises: DataError when there are too few tokens for one window.
    """

    def __init__(self, tokens: Tokens, block_size: int, seed: int) -> None:
        check_window(tokens, block_size)
        # One window is left out, where there are several, so that the cuts can be at new places each epoch.
        self.windows = max(1, (len(tokens) - 1) // block_size - 1)
        self._spare = len(tokens) - 1 - self.windows * block_size
        self._block_size, self._seed = block_size, seed

    def start(self, index: int) -> int:
        """Where the `index`-th window of the stream starts in the text."""
        epoch, place = divmod(index, self.windows)
        shift = mix_all(self._seed, epoch) % (self._spare + 1)
        return shift + self._block_size * Permutation(self.windows, self._seed, epoch)[place]


class Batches:
    """The batches of a training run, of which one process gets its rows.

    Every source has its fixed number of rows in each batch; process `rank` of `world_size` gets an equal part of all
    rows. With `by_document`, a batch says which tokens belong together.

    Raises: ConfigError when the rows do not divide among the processes; DataError when a source is too short.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Tokens, int]],
        block_size: int,
        seed: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        by_document: bool = False,
    ) -> None:
        self.block_size, self.by_document = block_size, by_document
        self.batch_size = sum(rows for _, rows in sources)
        self._local = local_rows(self.batch_size, rank, world_size)
        self._sources = [
            (tokens, rows, WindowStream(tokens, block_size, mix_all(seed, number)))
            for number, (tokens, rows) in enumerate(sources)
        ]

    def __getitem__(self, step: int) -> Batch:
        """The rows that this process gets of the batch of a step, from 0."""
        if step < 0:
            raise IndexError(f"step={step} is before the first, which is 0")
        everywhere = [
            (tokens, stream, step * rows + row) for tokens, rows, stream in self._sources for row in range(rows)
        ]
        return stack(
            [(tokens, stream.start(index)) for tokens, stream, index in everywhere[self._local]],
            self.block_size,
            self.by_document,
        )


class SequentialBatches:
    """A text from its beginning to its end, for validation: every token but the first is a target exactly once.

    The last window may be shorter, and is a batch of its own. Process `rank` takes every `world_size`-th batch.

    Raises: DataError when there is no token to predict.
    """

    def __init__(
        self,
        tokens: Tokens,
        block_size: int,
        batch_size: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        by_document: bool = False,
    ) -> None:
        local_rows(world_size, rank, world_size)
        check_integer("batch_size", batch_size, 1, 1 << 20)
        check_integer("block_size", block_size, 1, 1 << 20)
        if len(tokens) < 2:
            raise DataError(f"{len(tokens)} tokens leave nothing to predict; add text to the validation split")
        self.tokens, self.block_size, self.batch_size, self.by_document = tokens, block_size, batch_size, by_document
        self._mine = slice(rank, None, world_size)

    def __len__(self) -> int:
        return len(self._batches()[self._mine])

    def __iter__(self) -> Iterator[Batch]:
        for first, rows, size in self._batches()[self._mine]:
            yield stack([(self.tokens, first + row * size) for row in range(rows)], size, self.by_document)

    def _batches(self) -> list[tuple[int, int, int]]:
        """Where each batch starts, how many rows it has, and how long these are."""
        whole, rest = divmod(len(self.tokens) - 1, self.block_size)
        full = [
            (window * self.block_size, min(self.batch_size, whole - window), self.block_size)
            for window in range(0, whole, self.batch_size)
        ]
        return [*full, (whole * self.block_size, 1, rest)] if rest else full


def check_window(tokens: Tokens, block_size: int) -> None:
    """Refuse a block that is longer than the text.

    Raises: DataError with both numbers; ConfigError when the block size is impossible.
    """
    check_integer("block_size", block_size, 1, 1 << 20)
    if len(tokens) <= block_size:
        raise DataError(
            f"block_size={block_size:,} needs at least {block_size + 1:,} tokens, and there are {len(tokens):,}; "
            "lower it, or add text"
        )


def local_rows(rows: int, rank: int, world_size: int) -> slice:
    """The rows of a batch that one process takes.

    Raises: ConfigError when they do not divide evenly.
    """
    check_integer("world_size", world_size, 1, 1 << 20)
    check_integer("rank", rank, 0, world_size - 1)
    check_integer("the batch size", rows, 1, 1 << 20)
    if rows % world_size:
        raise ConfigError(f"a batch of {rows} rows does not divide evenly among {world_size} processes; change either")
    share = rows // world_size
    return slice(rank * share, (rank + 1) * share)


def stack(windows: Sequence[tuple[Tokens, int]], size: int, by_document: bool) -> Batch:
    """The windows of `size` tokens that start at the given places, with the token after each."""
    block = np.stack([tokens.read(start, start + size + 1) for tokens, start in windows])
    if not by_document:
        return Batch(inputs=block[:, :-1], targets=block[:, 1:])
    starts = np.stack([tokens.document_starts(start, start + size) for tokens, start in windows])
    return Batch(
        inputs=block[:, :-1], targets=block[:, 1:], documents=np.cumsum(starts, axis=1), positions=restart(starts)
    )


def restart(starts: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Positions that count from 0 at the beginning of each row, and again at each start."""
    place = np.arange(starts.shape[1])
    return place - np.maximum.accumulate(np.where(starts, place, 0), axis=1)
