"""Something that the library made and must free: used after that, it raises instead of crashing."""

import ctypes
import os
from collections.abc import Callable
from typing import Any

from cutaway.errors import ConfigError


class Handle:
    """A pointer with the function that frees it."""

    def __init__(self, pointer: ctypes.c_void_p, free: Callable[[Any], None], what: str) -> None:
        self._pointer: ctypes.c_void_p | None = pointer
        self._free, self._what, self._process = free, what, os.getpid()

    @property
    def pointer(self) -> ctypes.c_void_p:
        """The pointer.

        Raises: ConfigError when it was closed, or belongs to the process that this one was forked from.
        """
        if self._pointer is None:
            raise ConfigError(f"{self._what} is closed; load it again")
        if os.getpid() != self._process:
            # Threads do not survive a fork, and the library would wait for them for ever.
            raise ConfigError(f"{self._what} was made before this process forked; load it in the new process")
        return self._pointer

    def close(self) -> None:
        """Free what it points to, once."""
        pointer, self._pointer = self._pointer, None
        if pointer is not None and os.getpid() == self._process:
            self._free(pointer)

    def __del__(self) -> None:
        # When Python ends, modules may be gone before this is; the system then frees what is left.
        if os is not None:
            self.close()
