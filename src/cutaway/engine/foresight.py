"""Guesses of what samples will say next, read along with the tokens that they have said, where that pays."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from cutaway.engine.balance import Balance
from cutaway.engine.scheduler import Reading
from cutaway.errors import EngineError
from cutaway.generate import Speculation
from cutaway.generate.lookup import Lookup
from cutaway.generate.pace import Pace


class Foresight:
    """Adds guesses to what is read, and learns from what came of them.

    A sample takes its tokens from logits after its own text alone, so a guess can save a step and never change a text.
    Only while everybody writes is anything guessed: a prompt fills a step by itself. How many guesses are read follows
    from measured costs, and is none where so many samples share a step that one token more costs its share of time.
    Where guessing has lost time all the same, looking up included, it rests for a while.

    Raises: EngineError for a draft; an engine guesses by looking up what was said before.
    """

    def __init__(self, speculation: Speculation, clock: Callable[[], float] = time.perf_counter) -> None:
        if speculation.draft is not None:
            raise EngineError("an engine guesses by looking up what was said before; leave the draft out")
        self.tally, self._clock = speculation.tally, clock
        self._lookup = Lookup(speculation.longest_match)
        self._pace = Pace(speculation.most, adaptive=speculation.adaptive)
        self._balance = Balance() if speculation.adaptive else None
        self._looked_s: float | None = None
        """How long looking up took for the step in progress, if guesses were made for it."""
        self._token_s = 0.0
        """What a token takes in it without guesses."""

    def extended(self, plan: list[Reading], tokens: int) -> list[Reading]:
        """The plan with guesses; at most so many tokens are read in all."""
        self._looked_s = None
        if not all(reading.sequence.writes for reading in plan) or (self._balance and self._balance.rests()):
            return plan
        started = self._clock()
        extended = self._with_guesses(plan, tokens)
        self._looked_s = self._clock() - started
        return extended

    def _with_guesses(self, plan: list[Reading], tokens: int) -> list[Reading]:
        kinds = [self._lookup.kind(reading.sequence.sample) for reading in plan]
        limits = [reading.sequence.foreseeable if kind else 0 for reading, kind in zip(plan, kinds, strict=True)]
        counts = self._pace.shares(kinds, limits, tokens - len(plan))
        return [self._guessed(*row) for row in zip(plan, kinds, counts, strict=True)]

    def timed(self, plan: list[Reading], read: Callable[[list[Reading]], NDArray[Any]]) -> NDArray[Any]:
        """What a reading gives; learn how long it took, where it was of the kind that guesses are added to."""
        started = self._clock()
        logits = read(plan)
        if all(reading.sequence.writes for reading in plan):
            self._learn(plan, self._clock() - started)
        return logits

    def saw(self, reading: Reading, right: bool, read: bool) -> None:
        """Learn whether a guess came true."""
        self._pace.saw(reading.kind, right)
        if right and read:
            self.tally.right += 1
            if self._balance:
                self._balance.gained(self._token_s)

    def _learn(self, plan: list[Reading], seconds: float) -> None:
        self._pace.read(sum(len(reading.tokens) for reading in plan), seconds)
        alone_s = self._pace.cost_s(len(plan))
        self._token_s = alone_s / len(plan)
        if self._balance and self._looked_s is not None:
            self._balance.took(self._looked_s + seconds, alone_s)

    def _guessed(self, reading: Reading, kind: int, count: int) -> Reading:
        """A reading with so many guesses read along; one more is made, or a first, to see whether it comes true."""
        if not kind:
            return reading
        (guess,) = self._lookup.guess([reading.sequence.sample], count + 1)
        self.tally.guessed += count
        tokens = [*reading.tokens, *guess[:count]]
        return replace(reading, tokens=tokens, answers=1 + count, guess=tuple(guess), kind=kind)
