"""One piece of work at a time beside the training."""

import threading
from collections.abc import Callable


class Background:
    """A thread for work that need not be waited for, such as writing a checkpoint."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def begin(self, work: Callable[[], object]) -> None:
        """Begin a piece of work, after the one before has come to its end.

        Raises: whatever the one before raised.
        """
        self.wait()
        self._thread = threading.Thread(target=self._do, args=(work,))
        self._thread.start()

    def wait(self) -> None:
        """Wait for the end of the work.

        Raises: whatever it raised.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001, for it is raised again where somebody waits
            self._error = error
