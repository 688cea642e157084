"""Whether guessing has paid of late, all told."""

TRIAL = 32
"""Steps over which it is judged."""

LONGEST_REST = 8 * TRIAL

LOSS = 1.03
"""What guessing may take, as a multiple of what its tokens would have taken without; timing is not finer."""


class Balance:
    """What steps with guesses took, and what their tokens would have taken without.

    Costs are foreseen from few measurements, and those that look best are often those that were mismeasured; here it
    shows. After a trial that has lost, guessing rests, for longer each time, up to a limit, until a trial has paid.
    """

    def __init__(self) -> None:
        self._steps = self._rest = 0
        self._took_s = self._worth_s = 0.0
        self._next_rest = TRIAL

    def rests(self) -> bool:
        """Whether nothing is guessed in the step that begins."""
        if self._steps >= TRIAL:
            self._judge()
        self._rest -= 1
        return self._rest >= 0

    def took(self, seconds: float, alone_s: float) -> None:
        """A step with guesses is over; without, it would have taken `alone_s`."""
        self._steps += 1
        self._took_s += seconds
        self._worth_s += alone_s

    def gained(self, seconds: float) -> None:
        """A guess came true, and saves so much of a step."""
        self._worth_s += seconds

    def _judge(self) -> None:
        lost = self._took_s > LOSS * self._worth_s
        self._rest = self._next_rest if lost else 0
        self._next_rest = min(2 * self._next_rest, LONGEST_REST) if lost else TRIAL
        self._steps, self._took_s, self._worth_s = 0, 0.0, 0.0
