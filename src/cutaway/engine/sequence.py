"""One sample on its way through the engine: its text, its place, and how much of it the network has read."""

from typing import Self

from cutaway.engine.prompt_scores import PromptScores
from cutaway.engine.slots import Slot
from cutaway.generate.sample import Sample
from cutaway.window import Window


class Sequence:
    """A `Sample` and what has been read of it.

    Whether a prompt, a new token or a window that moved is to be read makes no difference: the slot holds some of the
    window, and the rest is unread. When nothing is, the next token can be chosen.
    """

    def __init__(
        self, request: int, sample: Sample, context: int, *, since: int = 0, scores: PromptScores | None = None
    ) -> None:
        self.request, self.sample, self.context, self.scores = request, sample, context, scores
        self.since = since
        """The step since which it has been waiting for its next token, or for its turn."""
        self.text = list(sample.prompt_ids)
        self._window = Window(block_size=context, past_context=sample.params.past_context)
        self.start = self._window_start()
        """Where the window begins."""
        self._slot: Slot | None = None
        self.leader: Self | None = None
        """The sample that is reading the prompt for this one too."""

    @property
    def slot(self) -> Slot:
        """Its place, which it has while it runs."""
        assert self._slot is not None, "only a running sample has a slot"
        return self._slot

    @slot.setter
    def slot(self, slot: Slot) -> None:
        self._slot = slot

    @property
    def window(self) -> list[int]:
        """The tokens that the next one is predicted from."""
        return self.text[self.start :]

    @property
    def room(self) -> int:
        """How many tokens it may come to hold."""
        return min(self.context, len(self.sample.prompt_ids) + self.sample.params.max_tokens)

    @property
    def reads_prompt(self) -> bool:
        """Whether it is still to read its prompt, by itself."""
        return not self.sample.generated and self.leader is None

    @property
    def writes(self) -> bool:
        """Whether all that it has to read is the token that it said last."""
        return bool(self.sample.generated) and self.unread == 1

    @property
    def foreseeable(self) -> int:
        """How many tokens of what it may say next can be read before its window moves, or its text must end."""
        return min(self._window.end(len(self.text)) - len(self.text), self.sample.remaining - 1)

    @property
    def unread(self) -> int:
        """Tokens of the window that its slot does not hold yet."""
        return len(self.text) - self.start - len(self.slot.tokens)

    def next_tokens(self, count: int) -> list[int]:
        """The first so many of the unread tokens."""
        first = len(self.text) - self.unread
        return self.text[first : first + count]

    def grow(self, token: int, now: int) -> bool:
        """Take in the token that was chosen; returns whether the window has moved and the slot must follow."""
        self.text.append(token)
        self.since = now
        before, self.start = self.start, self._window_start()
        return self.start != before

    def _window_start(self) -> int:
        return self._window.start(len(self.text))
