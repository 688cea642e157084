"""Texts at which a sample ends, found even when they are spread over several tokens."""

from collections.abc import Sequence


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the earliest of `stops` begins in `text`, or None."""
    found = [at for at in (text.find(stop) for stop in stops) if at >= 0]
    return min(found, default=None)


class StopTexts:
    """Lets text through piece by piece, and holds back what may be the beginning of a stop text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = stops
        self.met = False
        self._held = ""

    def push(self, text: str) -> str:
        """Add text; returns what is now certain to come before any stop text."""
        pending = self._held + text
        at = first_stop(pending, self.stops)
        if at is not None:
            self.met, self._held = True, ""
            return pending[:at]
        keep = self._doubtful(pending)
        self._held = pending[len(pending) - keep :]
        return pending[: len(pending) - keep]

    def flush(self) -> str:
        """What was held back, once it is certain that no more text comes."""
        held, self._held = self._held, ""
        return held

    def _doubtful(self, text: str) -> int:
        """How many characters at the end could begin a stop text."""
        longest = min(len(text), max((len(stop) - 1 for stop in self.stops), default=0))
        ends = range(longest, 0, -1)
        return next((n for n in ends if any(stop.startswith(text[-n:]) for stop in self.stops)), 0)
