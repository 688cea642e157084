"""Reads sequences into a native model and says what it expects next: `generate/reader.py` over numpy."""

from collections.abc import Sequence
from itertools import accumulate

from cutaway.errors import GenerationError
from cutaway.native.model import FloatArray, NativeModel, check_ids
from cutaway.window import PastContext, Window


class NativeReader:
    """A model in the middle of a batch of texts: prompts are read at once, then one token each at a time.

    Past the context it follows the plain reader's window, and reads it afresh wherever it has moved.
    """

    def __init__(self, model: NativeModel, new_tokens: int, past_context: PastContext = "half") -> None:
        self.model, self.new_tokens = model, new_tokens
        self.window = Window(block_size=model.config.block_size, past_context=past_context)
        self.rows: list[list[int]] = []
        self._slots: list[int] = []
        self._starts: list[int] = []

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
        self._starts = [self.window.start(len(row)) for row in self.rows]
        room = min(self.window.block_size, max(len(row) for row in self.rows) + self.new_tokens)
        self._cache = self.model.cache(len(prompts), room)
        return self._read(self._slots, [1] * len(prompts))

    def decode(self, tokens: Sequence[int]) -> FloatArray:
        """Read one more token for each row and return the logits after it.

        Shapes: -> (B, V)
        """
        for row, token in zip(self.rows, tokens, strict=True):
            row.append(token)
        return self._read(range(len(self.rows)), [1] * len(self.rows))

    def extend(
        self, rows: Sequence[int], tokens: Sequence[Sequence[int]], *, last_only: bool = False
    ) -> list[FloatArray]:
        """Read further tokens of some rows, and return the logits after each of them, or after the last alone.

        Shapes: -> (T, V) for each of the rows, or (1, V)
        """
        for row, new in zip(rows, tokens, strict=True):
            self.rows[row] += new
        counts = [1 if last_only else len(new) for new in tokens]
        logits, ends = self._read(rows, counts), list(accumulate(counts))
        return [logits[end - count : end] for end, count in zip(ends, counts, strict=True)]

    def room(self, rows: Sequence[int]) -> list[int]:
        """How many tokens each of some rows can be extended by before its window moves, or moves again."""
        room = self._cache.max_tokens
        return [self.window.start(len(self.rows[row]) + 1) + room - len(self.rows[row]) for row in rows]

    def forget(self, row: int, count: int) -> None:
        """Take the last tokens of a row back."""
        del self.rows[row][len(self.rows[row]) - count :]
        slot, kept = self._slots[row], max(0, len(self.rows[row]) - self._starts[row])
        self._cache.truncate(slot, min(kept, self._cache.lengths[slot]))

    def select(self, rows: Sequence[int]) -> None:
        """Make row i a copy of the old row `rows[i]`: repeat for samples, reorder beams, drop the finished."""
        old, slots = self._cache, [self._slots[row] for row in rows]
        self.rows = [list(self.rows[row]) for row in rows]
        self._starts = [self._starts[row] for row in rows]
        self._slots = slots
        if len(set(slots)) < len(slots):
            self._slots = list(range(len(slots)))
            self._cache = self.model.cache(len(slots), old.max_tokens)
            for target, source in enumerate(slots):
                old.copy(source, target, self._cache)
            old.close()

    def _read(self, rows: Sequence[int], answers: Sequence[int]) -> FloatArray:
        """Read what is new in some rows, and return the logits after the last of it.

        Shapes: -> (sum of answers, V), row after row
        """
        slots, new = [self._slots[row] for row in rows], [self._unread(row) for row in rows]
        return self.model.forward(self._cache, slots, new, answers)

    def _unread(self, row: int) -> list[int]:
        """What a row's slot has yet to read: the newest tokens, or the whole window where that has moved."""
        tokens, slot = self.rows[row], self._slots[row]
        start = self.window.start(len(tokens))
        if start != self._starts[row]:
            self._starts[row] = start
            self._cache.truncate(slot, 0)
        return tokens[start + self._cache.lengths[slot] :]
