"""Threads that each take one piece of work at a time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """Threads that share out whole pieces of work, while PyTorch itself uses one thread for each.

    Two cores so do more than when every multiplication is cut in two: nobody waits for the other at each of them,
    above all when other programs take one of the cores now and then. With `whole=False` the pieces come one after the
    other, and PyTorch cuts each multiplication. Its own number of threads comes back at the end of the `with`.
    """

    def __init__(self, threads: int, *, whole: bool = True) -> None:
        self.side_by_side = whole and threads > 1
        self.at_once = threads if self.side_by_side else 1
        self._before = torch.get_num_threads()
        torch.set_num_threads(1 if self.side_by_side else threads)
        self._pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results in the order of the items, so that sums over them do not depend on who was ready first."""
        return self._pool.map(work, items) if self.side_by_side else map(work, items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()
        torch.set_num_threads(self._before)
