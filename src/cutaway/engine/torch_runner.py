"""PyTorch as the engine wants it, on any device: single tokens as one batch, longer pieces with their likes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cutaway.cache import KVCache
from cutaway.errors import GenerationError
from cutaway.model import GPT

FIRST_ROOM = 64
"""Tokens that each slot has room for at first; it doubles as texts grow."""
MAX_PADDING = 1.25
"""Pieces are read together when padding makes no more than so many times their own tokens."""


class TorchRunner:
    """A GPT and a cache whose rows are the slots.

    In float64 what is read together does not show in a token; in float32 it may round differently, as PyTorch does
    between batches of different sizes.
    """

    def __init__(self, model: GPT, slots: int) -> None:
        self._model = model
        self.slots, self.context, self.vocab_size = slots, model.config.block_size, model.config.vocab_size
        room = min(FIRST_ROOM, self.context)
        self._cache = KVCache(model.config, slots, room, dtype=model.dtype, device=model.device)

    @torch.inference_mode()
    def read(self, slots: Sequence[int], tokens: Sequence[Sequence[int]], answers: Sequence[int]) -> NDArray[Any]:
        """Add tokens to slots and return the logits after the last `answers[i]` of each.

        Shapes: -> (sum of answers, V), slot after slot

        Raises: GenerationError when tokens do not fit a slot.
        """
        lengths = list(self._cache.lengths)
        try:
            self._make_room(max(lengths[slot] + len(new) for slot, new in zip(slots, tokens, strict=True)))
            logits: list[Tensor] = [torch.empty(0)] * len(slots)
            for batch in self._batches(slots, tokens):
                states = self._read([slots[i] for i in batch], [tokens[i] for i in batch])
                for i, row in zip(batch, states, strict=True):
                    end = len(tokens[i])
                    logits[i] = self._model.lm_head(row[end - answers[i] : end])
        except BaseException:
            self._cache.lengths = lengths
            raise
        together = torch.cat(logits)
        return (together if together.dtype == torch.float64 else together.float()).numpy(force=True)

    @torch.inference_mode()
    def copy(self, source: int, target: int, tokens: int) -> None:
        """Make a slot hold the first so many tokens of another, and nothing else."""
        for part in (self._cache.keys, self._cache.values):
            part[:, target, :, :tokens] = part[:, source, :, :tokens]
        self._cache.lengths[target] = tokens

    def truncate(self, slot: int, tokens: int) -> None:
        """Forget all but the first so many tokens of a slot."""
        self._cache.lengths[slot] = tokens

    def _make_room(self, tokens: int) -> None:
        """Let every slot have room for that many tokens, by doubling."""
        old = self._cache
        if tokens <= old.max_tokens:
            return
        if tokens > self.context:
            raise GenerationError(f"{tokens:,} tokens do not fit a context of {self.context:,}; shorten the text")
        room = min(max(tokens, 2 * old.max_tokens), self.context)
        new = KVCache(self._model.config, self.slots, room, dtype=self._model.dtype, device=self._model.device)
        new.keys[..., : old.max_tokens, :] = old.keys
        new.values[..., : old.max_tokens, :] = old.values
        new.lengths, self._cache = old.lengths, new

    def _batches(self, slots: Sequence[int], tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Which of the pieces are read together, by their places in the lists: with little padding, for it costs time.

        A padded row must have room for its padding, which is overwritten by what comes next.
        """
        batch: list[int] = []
        for i in sorted(range(len(slots)), key=lambda i: (len(tokens[i]), slots[i])):
            longest, rows = len(tokens[i]), [*batch, i]
            fits = all(self._cache.lengths[slots[j]] + longest <= self._cache.max_tokens for j in rows)
            if batch and not (fits and longest * len(rows) <= MAX_PADDING * sum(len(tokens[j]) for j in rows)):
                yield batch
                batch = []
            batch.append(i)
        yield batch

    def _read(self, slots: Sequence[int], tokens: Sequence[Sequence[int]]) -> Tensor:
        """Read pieces, padded on the right where they are unequal.

        Shapes: -> (B, T, C)
        """
        counts = [len(new) for new in tokens]
        idx = torch.tensor([[*new, *[0] * (max(counts) - len(new))] for new in tokens], device=self._model.device)
        rows = SlotRows(self._cache, slots)
        states = self._model.hidden(idx, cache=rows)
        for slot, count in zip(slots, counts, strict=True):
            self._cache.lengths[slot] += count
        return states


class SlotRows(KVCache):
    """Some slots of a cache, in any order, as the rows of a batch."""

    def __init__(self, cache: KVCache, slots: Sequence[int]) -> None:
        self.keys, self.values = cache.keys, cache.values
        self.lengths = [cache.lengths[slot] for slot in slots]
        self._slots = torch.tensor(slots, device=cache.keys.device)
        in_a_row = np.array_equal(slots, np.arange(slots[0], slots[0] + len(slots)))
        self._rows: Any = slice(slots[0], slots[0] + len(slots)) if in_a_row else self._slots
        """The slots as an index; where they lie side by side they are looked at in place and not gathered."""

    def append(self, layer: int, positions: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values in their slots and return them with all earlier ones.

        Shapes: positions (B, T); k, v (B, H, T, D) -> (B, H, S, D), S up to the longest row.
        """
        keys, values = self.keys[layer], self.values[layer]
        keys[self._slots[:, None], :, positions] = k.transpose(1, 2)
        values[self._slots[:, None], :, positions] = v.transpose(1, 2)
        S = max(self.lengths) + positions.shape[1]
        return keys[self._rows, :, :S], values[self._rows, :, :S]
