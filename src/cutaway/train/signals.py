"""Ctrl-C and SIGTERM as a wish that the run can see: it finishes its step, saves, and leaves."""

import signal
from types import FrameType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Whether somebody has asked the process to stop, while the `with` lasts; a second time ends it at once.

    With `patient`, it does not: one of several processes may be told by torchrun what it has heard already.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.patient = patient
        self.received: int | None = None

    def __call__(self) -> bool:
        """Whether a signal has come."""
        return self.received is not None

    @property
    def exit_code(self) -> int:
        """What shells expect of a process that a signal ended."""
        return 0 if self.received is None else 128 + self.received

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and not self.patient:
            raise KeyboardInterrupt
        self.received = number

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
