"""Which tokens the model sees when: step k's batch is a pure function of the seed and k."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cutaway.errors import TrainingError


def read_tokens(path: Path, vocab_size: int) -> NDArray[np.uint16]:
    """The token ids in a `.npy` file, mapped rather than read.

    Raises: TrainingError when there is no such file, or it holds something else than ids of this vocabulary.
    """
    try:
        tokens = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise TrainingError(f"the tokens in {path} cannot be read ({error}); prepare the data first") from None
    if tokens.dtype != np.uint16 or tokens.ndim != 1:
        raise TrainingError(f"{path} holds {tokens.dtype} of shape {tokens.shape}; expected one row of uint16 ids")
    if len(tokens) and (largest := int(tokens.max())) >= vocab_size:
        raise TrainingError(f"{path} holds the id {largest:,}, but the model's vocabulary has only {vocab_size:,}")
    return tokens  # type: ignore[no-any-return]


class WindowStream:
    """All windows of one text in random order, in a new order and cut at new places each time round."""

    def __init__(self, tokens: NDArray[np.uint16], block_size: int, seed: int) -> None:
        # One window is left out so that every cut, shifted by up to a window, still fits.
        self.windows = (len(tokens) - 1) // block_size - 1
        if self.windows < 1:
            raise TrainingError(f"{len(tokens):,} tokens are too few for windows of {block_size:,}; add text")
        self.tokens, self.block_size, self.seed = tokens, block_size, seed
        self._round = -1

    def window(self, index: int) -> NDArray[np.int64]:
        """The `index`-th window of the endless stream, with one token more than the block for the targets."""
        round_, place = divmod(index, self.windows)
        if round_ != self._round:
            rng = np.random.default_rng([self.seed, round_])
            self._round, self._shift = round_, int(rng.integers(self.block_size))
            self._order = rng.permutation(self.windows)
        start = self._shift + int(self._order[place]) * self.block_size
        return self.tokens[start : start + self.block_size + 1].astype(np.int64)


class Batches:
    """Batches in which every source has its fixed number of rows."""

    def __init__(self, sources: list[tuple[NDArray[np.uint16], int]], block_size: int, seed: int) -> None:
        self.streams = [
            (WindowStream(tokens, block_size, seed + number), rows) for number, (tokens, rows) in enumerate(sources)
        ]

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of `step`.

        Shapes: idx, targets (B, T)
        """
        rows = [stream.window(step * count + row) for stream, count in self.streams for row in range(count)]
        block = torch.from_numpy(np.stack(rows))
        return block[:, :-1], block[:, 1:]
