"""A reader that reads ahead: what it guesses will be said next, so that the logits are there when it is said."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cutaway.generate.draft import Draft
from cutaway.generate.lookup import Lookup
from cutaway.generate.pace import Pace
from cutaway.generate.reading import Reads
from cutaway.generate.sample import Sample
from cutaway.generate.speculation import Speculation, Tally


class Guesses(Protocol):
    """Somebody who guesses what samples will say next."""

    watch_every: int
    """A guess that will not be read is made after this many readings without one, to see whether it comes true."""

    def kind(self, sample: Sample) -> int:
        """Which kind the next guess will be of, since some are better than others; 0 if there will be none."""
        ...

    def guess(self, samples: Sequence[Sample], count: int) -> list[list[int]]:
        """The next `count` tokens of each sample, all of whose kinds have just been asked for and are not 0."""
        ...


@dataclass(kw_only=True)
class Row:
    """What is known of a row beyond what its sample has said."""

    sample: Sample
    kind: int = 0
    guess: deque[int] = field(default_factory=deque)
    """What it may say next."""
    logits: deque[NDArray[Any]] = field(default_factory=deque)
    """The logits after as many of these tokens as have been read."""


class ReadAhead:
    """Takes the place of a reader once the prompts are read, and needs it less often.

    It is asked for the logits after the tokens that samples chose, one at a time, and gives exactly those. A token that
    was guessed and read already is answered at once. Any other makes it forget what it guessed, and is read together
    with a new guess. So a guess can save time, but never change a text.
    """

    def __init__(
        self,
        reader: Reads,
        samples: Sequence[Sample],
        guesses: Guesses,
        pace: Pace,
        tally: Tally,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.reader, self.guesses, self.pace, self.tally, self.clock = reader, guesses, pace, tally, clock
        self._rows = [Row(sample=sample) for sample in samples]
        self._unwatched = 0

    def decode(self, tokens: Sequence[int]) -> NDArray[Any]:
        """The logits after one more token for each row, read now or before.

        Shapes: -> (B, V)
        """
        answers = {row: self._answer(row, token) for row, token in enumerate(tokens)}
        waiting = [row for row, answer in answers.items() if answer is None]
        if waiting:
            answers |= zip(waiting, self._read(waiting, [tokens[row] for row in waiting]), strict=True)
        rows = [answer for answer in answers.values() if answer is not None]
        return rows[0][None] if len(rows) == 1 else np.stack(rows)

    def select(self, rows: Sequence[int]) -> None:
        """Keep some rows, each at most once: drop the finished."""
        self.reader.select(rows)
        self._rows = [self._rows[row] for row in rows]

    def _answer(self, number: int, token: int) -> NDArray[Any] | None:
        """The logits after a token, if it was guessed and read; if not, what was read ahead is forgotten."""
        row = self._rows[number]
        if row.guess:
            right = row.guess.popleft() == token
            self.pace.saw(row.kind, right)
            if right and row.logits:
                self.tally.right += 1
                return row.logits.popleft()
        if row.logits:
            self.reader.forget(number, len(row.logits))
            row.logits.clear()
        row.guess.clear()
        return None

    def _read(self, numbers: Sequence[int], tokens: Sequence[int]) -> list[NDArray[Any]]:
        """Read the newest token of some rows, and with it what they may say next.

        Shapes: -> (V,) for each of the rows
        """
        new = [[token, *ahead] for token, ahead in zip(tokens, self._ahead(numbers), strict=True)]
        started, read = self.clock(), sum(map(len, new))
        logits = self.reader.extend(numbers, new)
        self.pace.read(read, self.clock() - started)
        self.tally.guessed += read - len(new)
        if read > len(new):
            for number, after in zip(numbers, logits, strict=True):
                self._rows[number].logits.extend(after[1:])
        return [after[0] for after in logits]

    def _ahead(self, numbers: Sequence[int]) -> list[list[int]]:
        """Make a guess for each of some rows; returns what of it is to be read."""
        rows, kinds = [self._rows[number] for number in numbers], []
        for row in rows:
            row.kind = self.guesses.kind(row.sample)
            kinds.append(row.kind)
        self._unwatched += 1
        watched = int(self._unwatched >= self.guesses.watch_every)
        if self.pace.hopeful(kinds):
            room = self.reader.room(numbers)
            limits = [min(free, row.sample.remaining) - 1 for free, row in zip(room, rows, strict=True)]
            count = self.pace.count(kinds, limits)
        else:
            count = 0
        if count or watched:
            self._guess([row for row in rows if row.kind], count or watched)
        return [list(row.guess)[:count] for row in rows]

    def _guess(self, rows: Sequence[Row], count: int) -> None:
        started, self._unwatched = self.clock(), 0
        for row, guess in zip(rows, self.guesses.guess([row.sample for row in rows], count), strict=True):
            row.guess.extend(guess)
        if rows:
            self.pace.guessed(count * len(rows), self.clock() - started)


def reading_ahead(reader: Reads, samples: Sequence[Sample], speculation: Speculation) -> ReadAhead:
    """A reader, whose rows are these samples, that reads ahead as it is told to.

    Raises: GenerationError when a draft has too small a vocabulary.
    """
    draft = speculation.draft
    guesses: Guesses = Lookup(speculation.longest_match) if draft is None else Draft(draft, samples)
    pace = Pace(speculation.most, adaptive=speculation.adaptive)
    return ReadAhead(reader, samples, guesses, pace, speculation.tally)
