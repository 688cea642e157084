"""Who reads what in the next step. It counts tokens and knows no numbers of the network.

The rules:

1. Whoever has one token to read, because it is writing, reads it: no prompt makes a writer wait for more than a step.
2. What is left of the step's tokens goes to those with more to read, whoever has waited longest first. Waiting counts
   from a request's arrival, or from a sample's last token; nobody who came later passes, so nobody waits for ever.
3. While tokens are left, the first in the queue is let in if there is a place for it. If there is none, those behind it
   wait too: a big request is not passed by small ones until it starves.

A sample that is let in always gets what it needs to finish, so nothing that runs is ever thrown out again.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from cutaway.engine.limits import EngineLimits
from cutaway.engine.sequence import Sequence
from cutaway.engine.slots import Slots


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Tokens that a sample reads in this step."""

    sequence: Sequence
    tokens: list[int]
    answers: int
    """How many of the last ones it wants logits after."""
    guess: tuple[int, ...] = ()
    """What it may say next. All tokens but the first are the beginning of it; its last one is guessed, but not read."""
    kind: int = 0
    """Which kind of guess that is."""


class Scheduler:
    """The samples that wait, and those that run."""

    def __init__(self, limits: EngineLimits, slots: Slots) -> None:
        self.limits, self.slots = limits, slots
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.now = 0
        """The number of the step."""

    def add(self, sequences: Iterable[Sequence]) -> None:
        """Put samples at the end of the queue."""
        for sequence in sequences:
            sequence.since = self.now
            self.waiting.append(sequence)

    def plan(self) -> list[Reading]:
        """What is read in the next step."""
        self.now += 1
        tokens, rows = self.limits.step_tokens, self.limits.score_rows
        readings: list[Reading] = []
        readers = [sequence for sequence in self.running if sequence.leader is None]
        queue = deque(sorted(readers, key=lambda sequence: (sequence.unread > 1, sequence.since)))
        while tokens and (sequence := queue.popleft() if queue else self._let_in()):
            if sequence.leader is None and (reading := _reading(sequence, tokens, rows)):
                readings.append(reading)
                tokens -= len(reading.tokens)
                rows -= reading.answers if sequence.scores else 0
        return readings

    def fork(self, leader: Sequence) -> list[Sequence]:
        """A sample that has read its prompt, and those that it has read it for, which now hold it too."""
        together = [leader]
        for sequence in self.running:
            if sequence.leader is leader:
                self.slots.fork(leader.slot, sequence.slot)
                sequence.leader = None
                together.append(sequence)
        return together

    def grow(self, sequence: Sequence, token: int) -> None:
        """Add a token that was chosen to its text."""
        if sequence.grow(token, self.now):
            self.slots.keep(sequence.slot, sequence.window)

    def forget_guesses(self, sequence: Sequence) -> None:
        """Forget what was read of a text beyond its newest token, or that itself, for it is still to be read."""
        if sequence.unread < 1:
            self.slots.cut(sequence.slot, len(sequence.slot.tokens) + sequence.unread - 1)

    def finish(self, sequence: Sequence) -> None:
        """Let go of a running sample."""
        self.running.remove(sequence)
        self.slots.release(sequence.slot)

    def drop(self, request: int) -> None:
        """Let go of all samples of a request, wherever they are."""
        self.waiting = deque(sequence for sequence in self.waiting if sequence.request != request)
        for sequence in [sequence for sequence in self.running if sequence.request == request]:
            self.finish(sequence)

    def _let_in(self) -> Sequence | None:
        """The first in the queue, with a slot; None if nobody waits or there is no place."""
        if not self.waiting or len(self.running) == self.limits.max_running:
            return None
        sequence = self.waiting[0]
        leader = next((other for other in self.running if leads(other, sequence)), None)
        reuse = leader is None and sequence.scores is None
        slot = self.slots.claim(sequence.window, sequence.room, reuse=reuse)
        if slot is None:
            return None
        sequence.slot, sequence.leader = slot, leader
        self.running.append(self.waiting.popleft())
        return sequence


def leads(other: Sequence, sequence: Sequence) -> bool:
    """Whether a running sample is reading the prompt that another one needs too."""
    return other.request == sequence.request and other.reads_prompt


def _reading(sequence: Sequence, tokens: int, rows: int) -> Reading | None:
    """As much as a sample can read of what is left; None if that is nothing."""
    count = min(sequence.unread, tokens, rows if sequence.scores else tokens)
    if not count:
        return None
    answers = count if sequence.scores else int(count == sequence.unread)
    return Reading(sequence=sequence, tokens=sequence.next_tokens(count), answers=answers)
