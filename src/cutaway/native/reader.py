"""Reads sequences into a native model and says what it expects next: `generate/reader.py` over numpy."""

from collections.abc import Sequence

from cutaway.errors import GenerationError
from cutaway.native.model import FloatArray, NativeModel, check_ids


class NativeReader:
    """A model in the middle of a batch of texts: prompts are read at once, then one token each at a time.

    Past the context the rule is that of the plain reader: each further token is predicted from the last
    `block_size` tokens alone, read afresh.
    """

    def __init__(self, model: NativeModel, new_tokens: int) -> None:
        self.model, self.new_tokens = model, new_tokens
        self.rows: list[list[int]] = []
        self._slots: list[int] = []

    def prefill(self, prompts: Sequence[Sequence[int]]) -> FloatArray:
        """Read the prompts, however unequal, and return the logits after each.

        Shapes: -> (B, V)

        Raises: GenerationError for an empty prompt or an id outside the vocabulary.
        """
        if not prompts or not all(len(prompt) for prompt in prompts):
            raise GenerationError("a prompt needs at least one token; start an empty one from <|endoftext|>")
        for prompt in prompts:
            check_ids(prompt, self.model.config.vocab_size)  # also those before the window, for penalties count them
        self.rows = [list(prompt) for prompt in prompts]
        self._slots = list(range(len(prompts)))
        context = self.model.config.block_size
        room = min(context, max(len(row) for row in self.rows) + self.new_tokens)
        self._cache = self.model.cache(len(prompts), room)
        return self.model.forward(self._cache, self._slots, [row[-context:] for row in self.rows])

    def decode(self, tokens: Sequence[int]) -> FloatArray:
        """Read one more token for each row and return the logits after it.

        Shapes: -> (B, V)
        """
        for row, token in zip(self.rows, tokens, strict=True):
            row.append(token)
        return self.model.forward(self._cache, self._slots, [self._unread(i) for i in range(len(self.rows))])

    def select(self, rows: Sequence[int]) -> None:
        """Make row i a copy of the old row `rows[i]`: repeat for samples, reorder beams, drop the finished."""
        old, slots = self._cache, [self._slots[row] for row in rows]
        self.rows = [list(self.rows[row]) for row in rows]
        self._slots = slots
        if len(set(slots)) < len(slots):
            self._slots = list(range(len(slots)))
            self._cache = self.model.cache(len(slots), old.max_tokens)
            for target, source in enumerate(slots):
                old.copy(source, target, self._cache)
            old.close()

    def _unread(self, i: int) -> list[int]:
        """What a row's slot has yet to read: the newest token, or past the context the whole window."""
        row, context = self.rows[i], self.model.config.block_size
        if len(row) <= context:
            return row[-1:]
        self._cache.truncate(self._slots[i], 0)
        return row[-context:]
