"""The native kernels as the engine wants them: they read any mixture of prompts and single tokens in one call."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cutaway.native import NativeModel


class NativeRunner:
    """A native model and its cache. Its logits are the same to the bit whatever is read together."""

    def __init__(self, model: NativeModel, slots: int) -> None:
        self._model, self._cache = model, model.cache(slots)
        self.slots, self.context, self.vocab_size = slots, model.config.block_size, model.config.vocab_size

    def read(
        self, slots: Sequence[int], tokens: Sequence[Sequence[int]], answers: Sequence[int]
    ) -> NDArray[np.float32]:
        """Add tokens to slots and return the logits after the last `answers[i]` of each.

        Shapes: -> (sum of answers, V), slot after slot
        """
        return self._model.forward(self._cache, slots, tokens, answers)

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Make a slot hold the first so many tokens of another, and nothing else."""
        self._cache.copy(source, target, tokens=tokens)

    def truncate(self, slot: int, tokens: int) -> None:
        """Forget all but the first so many tokens of a slot."""
        self._cache.truncate(slot, tokens)
