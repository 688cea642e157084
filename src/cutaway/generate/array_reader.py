"""The plain reader as the loop wants it: numpy out, and nothing kept for gradients."""

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray

from cutaway.generate.reader import Reader
from cutaway.model import GPT
from cutaway.window import PastContext


class ArrayReader:
    """A `Reader` whose logits are numpy arrays.

    That is one copy a step from wherever the model is; besides, numpy sorts a vocabulary ten times faster than torch.
    """

    def __init__(self, model: GPT, new_tokens: int, past_context: PastContext = "half") -> None:
        self._reader = Reader(model, new_tokens, past_context)

    @torch.inference_mode()
    def prefill(self, prompts: Sequence[Sequence[int]]) -> NDArray[Any]:
        """Read the prompts, however unequal, and return the logits after each.

        Shapes: -> (B, V)

        Raises: GenerationError for an empty prompt or an id outside the vocabulary.
        """
        return self._reader.prefill(prompts).numpy(force=True)

    @torch.inference_mode()
    def decode(self, tokens: Sequence[int]) -> NDArray[Any]:
        """Read one more token for each row and return the logits after it.

        Shapes: -> (B, V)
        """
        return self._reader.decode(tokens).numpy(force=True)

    @torch.inference_mode()
    def extend(
        self, rows: Sequence[int], tokens: Sequence[Sequence[int]], *, last_only: bool = False
    ) -> list[NDArray[Any]]:
        """Read further tokens of some rows, and return the logits after each of them, or after the last alone.

        Shapes: -> (T, V) for each of the rows, or (1, V)
        """
        return [logits.numpy(force=True) for logits in self._reader.extend(rows, tokens, last_only=last_only)]

    def room(self, rows: Sequence[int]) -> list[int]:
        """How many tokens each of some rows can be extended by before its window moves, or moves again."""
        return self._reader.room(rows)

    def forget(self, row: int, count: int) -> None:
        """Take the last tokens of a row back."""
        self._reader.forget(row, count)

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> None:
        """Make row i a copy of the old row `rows[i]`: repeat for samples, drop the finished."""
        self._reader.select(rows)
