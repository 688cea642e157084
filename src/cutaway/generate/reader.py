"""Reads sequences into a model and says what it expects next."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cutaway.cache import KVCache
from cutaway.errors import GenerationError
from cutaway.model import GPT


class Reader:
    """A model in the middle of a batch of texts: prompts are read at once, then one token each at a time.

    Past the context the rule is a sliding window: each further token is predicted from the last `block_size`
    tokens alone, read afresh, because learned positions shift with the window and make old keys useless.
    """

    def __init__(self, model: GPT, new_tokens: int) -> None:
        self.model, self.new_tokens = model, new_tokens
        self.rows: list[list[int]] = []
        self.states = torch.empty(0)
        """Final hidden states (B, T, C) of the tokens last read."""
        self._cache: KVCache | None = None

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Read the prompts, however unequal, and return the logits after each.

        Shapes: -> (B, V)

        Raises: GenerationError for an empty prompt or an id outside the vocabulary.
        """
        check_ids(prompts, self.model.config.vocab_size)
        self.rows = [list(prompt) for prompt in prompts]
        if self._longest > self.model.config.block_size:
            return self._read_windows()
        room = min(self.model.config.block_size, self._longest + self.new_tokens)
        self._cache = KVCache(self.model.config, len(prompts), room, dtype=self.model.dtype, device=self.model.device)
        logits = self._read(self.rows)
        self._cache.truncate([len(row) for row in self.rows])
        return logits

    def decode(self, tokens: Sequence[int]) -> Tensor:
        """Read one more token for each row and return the logits after it.

        Shapes: -> (B, V)
        """
        for row, token in zip(self.rows, tokens, strict=True):
            row.append(token)
        if self._cache is None or self._longest > self.model.config.block_size:
            return self._read_windows()
        return self._read([[token] for token in tokens])

    def select(self, rows: Sequence[int]) -> None:
        """Make row i a copy of the old row `rows[i]`: repeat for samples, reorder beams, drop the finished."""
        self.rows = [list(self.rows[row]) for row in rows]
        if self._cache is not None:
            self._cache.select(rows)

    @property
    def _longest(self) -> int:
        return max(len(row) for row in self.rows)

    def _read_windows(self) -> Tensor:
        """Read the last `block_size` tokens of every row from scratch."""
        self._cache = None
        return self._read([row[-self.model.config.block_size :] for row in self.rows])

    def _read(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Read new tokens, padded on the right where rows are unequal; causality hides the padding.

        Shapes: -> (B, V), in float32 at least
        """
        lengths = [len(row) for row in rows]
        idx = torch.tensor([[*row, *[0] * (max(lengths) - len(row))] for row in rows], device=self.model.device)
        self.states = self.model.hidden(idx, cache=self._cache)
        last = self.states[torch.arange(len(rows)), torch.tensor(lengths) - 1]
        logits: Tensor = self.model.lm_head(last)
        return logits if logits.dtype == torch.float64 else logits.float()


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
