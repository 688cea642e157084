"""Something opened in PyTorch, such as a model, which answers one question at a time."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Generic, TypeVar

from cutaway.server.api_error import OVERLOADED, ApiError

M = TypeVar("M")
T = TypeVar("T")

MAX_WAITING = 16


class Opened(Generic[M]):
    """What is asked, a model mostly, made by the first question, and the thread in which questions are answered."""

    def __init__(self, name: str, open_model: Callable[[], M]) -> None:
        self._name, self._open = name, open_model
        self._waiting = 0
        self._counting = threading.Lock()

    async def ask(self, question: Callable[[M], T]) -> T:
        """What a question gives.

        Raises: ApiError when too many wait already, and what the question raises.
        """
        with self._counting:
            if self._waiting == MAX_WAITING:
                raise ApiError(
                    429,
                    f"{MAX_WAITING} questions about the inside of {self._name!r} wait already; ask again in a moment",
                    kind=OVERLOADED,
                    code="queue_full",
                )
            self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, lambda: question(self._model))
        finally:
            with self._counting:
                self._waiting -= 1

    def close(self) -> None:
        """Take no more questions."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, f"cutaway inside {self._name}")

    @cached_property
    def _model(self) -> M:
        return self._open()
