"""Reads sequences into a model and says what it expects next."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from cutaway.cache import KVCache
from cutaway.errors import GenerationError
from cutaway.model import GPT
from cutaway.window import PastContext, Window


class Reader:
    """A model in the middle of a batch of texts: prompts are read at once, then one token each at a time.

    Past the context a text is read in a window that moves on (`window.py`). Where it has moved it is read afresh,
    because learned positions move with it and make old keys useless.
    """

    def __init__(self, model: GPT, new_tokens: int, past_context: PastContext = "half") -> None:
        self.model, self.new_tokens = model, new_tokens
        self.window = Window(block_size=model.config.block_size, past_context=past_context)
        self.rows: list[list[int]] = []
        self.states = torch.empty(0)
        """Final hidden states (B, T, C) of the tokens last read."""
        self._starts: list[int] = []

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the prompts, however unequal, and return the logits after each.

        Shapes: -> (B, V)

        Raises: GenerationError for an empty prompt or an id outside the vocabulary.
        """
        check_ids(prompts, self.model.config.vocab_size)
        self.rows = [list(prompt) for prompt in prompts]
        self._starts = [self.window.start(len(row)) for row in self.rows]
        room = min(self.window.block_size, max(len(row) for row in self.rows) + self.new_tokens)
        self._cache = KVCache(self.model.config, len(prompts), room, dtype=self.model.dtype, device=self.model.device)
        return torch.cat(self._read(range(len(prompts)), [1] * len(prompts)))

    def decode(self, tokens: Sequence[int]) -> Tensor:
        """Read one more token for each row and return the logits after it.

        Shapes: -> (B, V)
        """
        return torch.cat(self.extend(range(len(self.rows)), [[token] for token in tokens]))

    def extend(self, rows: Sequence[int], tokens: Sequence[Sequence[int]], *, last_only: bool = False) -> list[Tensor]:
        """Read further tokens of some rows, and return the logits after each of them, or after the last alone.

        Shapes: -> (T, V) for each of the rows, or (1, V)
        """
        answers = {row: 1 if last_only else len(new) for row, new in zip(rows, tokens, strict=True)}
        groups: dict[int, list[int]] = {}
        for row, new in zip(rows, tokens, strict=True):
            self.rows[row] += new
            self._follow(row)
            groups.setdefault(len(self._unread(row)), []).append(row)
        logits: dict[int, Tensor] = {}
        # Rows with unequal numbers of new tokens are read apart: padding might not fit into the cache.
        for group in groups.values():
            logits |= zip(group, self._read(group, [answers[row] for row in group]), strict=True)
        return [logits[row] for row in rows]

    def room(self, rows: Sequence[int]) -> list[int]:
        """How many tokens each of some rows can be extended by before its window moves, or moves again."""
        room = self._cache.max_tokens
        return [self.window.start(len(self.rows[row]) + 1) + room - len(self.rows[row]) for row in rows]

    def forget(self, row: int, count: int) -> None:
        """Take the last tokens of a row back."""
        del self.rows[row][len(self.rows[row]) - count :]
        kept = max(0, len(self.rows[row]) - self._starts[row])
        self._cache.truncate([min(kept, held) if i == row else held for i, held in enumerate(self._cache.lengths)])

    def select(self, rows: Sequence[int]) -> None:
        """Make row i a copy of the old row `rows[i]`: repeat for samples, reorder beams, drop the finished."""
        self.rows = [list(self.rows[row]) for row in rows]
        self._starts = [self._starts[row] for row in rows]
        self._cache.select(rows)

    def _follow(self, row: int) -> None:
        """Forget what was read of a row if its window has moved."""
        start = self.window.start(len(self.rows[row]))
        if start != self._starts[row]:
            self._starts[row] = start
            self._cache.truncate([0 if i == row else held for i, held in enumerate(self._cache.lengths)])

    def _unread(self, row: int) -> list[int]:
        return self.rows[row][self._starts[row] + self._cache.lengths[row] :]

    def _read(self, rows: Sequence[int], answers: Sequence[int]) -> list[Tensor]:
        """Read what is new in some rows, padded on the right where they are unequal; causality hides the padding.

        Shapes: -> (answers, V) for each, in float32 at least
        """
        new, cache = [self._unread(row) for row in rows], self._cache
        if list(rows) != list(range(len(self.rows))):
            cache = copy.copy(cache)
            cache.select(rows)
        longest = max(len(tokens) for tokens in new)
        idx = torch.tensor([[*tokens, *[0] * (longest - len(tokens))] for tokens in new], device=self.model.device)
        self.states = self.model.hidden(idx, cache=cache)
        cache.truncate([len(self.rows[row]) - self._starts[row] for row in rows])
        if cache is not self._cache:
            self._cache.put(rows, cache)
        asked = [
            states[len(tokens) - count : len(tokens)]
            for states, tokens, count in zip(self.states, new, answers, strict=True)
        ]
        logits: Tensor = self.model.lm_head(torch.cat(asked))
        return list(torch.split(logits if logits.dtype == torch.float64 else logits.float(), list(answers)))


def check_ids(prompts: Sequence[Sequence[int]], vocab_size: int) -> None:
    """Refuse prompts that a model of this vocabulary cannot read.

    Raises: GenerationError for no prompt, an empty prompt, or an id outside the vocabulary.
    """
    if not prompts or not all(len(prompt) for prompt in prompts):
        raise GenerationError("a prompt needs at least one token; start an empty one from <|endoftext|>")
    for prompt in prompts:
        for token in prompt:
            if not 0 <= token < vocab_size:
                raise GenerationError(
                    f"token id {token:,} is not in the model's vocabulary of {vocab_size:,}; "
                    "use the tokenizer that belongs to it"
                )
