"""The processes that train one model together, and what they agree on.

Whatever decides how a run goes on (a signal, the clock, a loss that is no number) is asked here, so that all of them
decide the same. `Processes` is one on its own, which agrees with itself: each method returns what it was given.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import distributed

from cutaway.errors import ConfigError, CutawayError, TrainingError
from cutaway.train.device import choose_device
from cutaway.train.place import Place

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

Clock = Callable[[], float]

LEAVING = timedelta(minutes=1)


class Processes:
    """A process on its own."""

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()
        self.rank, self.world_size = self.place.rank, self.place.world_size
        self.is_first, self.is_alone = self.place.is_first, self.place.is_alone

    @property
    def distinct(self) -> tuple[int, ...]:
        """What tells the random numbers of this process from those of the others."""
        return ()

    def device(self, name: str) -> torch.device:
        """The device of that name on which this process computes.

        Raises: ConfigError when there is none for it.
        """
        return choose_device(name)

    def clock(self, clock: Clock) -> Clock:
        """The clock that all go by."""
        return clock

    def meet(self, wish: bool) -> bool:
        """Whether any of them wishes something; where they meet, they also set their clocks."""
        return wish

    def sum(self, *values: float) -> tuple[float, ...]:
        """The sum of each of these values."""
        return values

    def mean(self, *values: float) -> tuple[float, ...]:
        """The mean of each of these values."""
        return values

    def first(self, value: float) -> float:
        """What the first process says."""
        return value

    @contextmanager
    def one_fate(self) -> Iterator[None]:
        """A `with` at whose end a mistake that one of them has met with becomes everybody's.

        Raises: TrainingError where only another has met with one, in its words.
        """
        yield


ALONE = Processes()

UNTIL_EXIT: list[object] = []
"""Groups of processes, which are kept: to let go of one means to wait for its threads. Where DDP is the last to do so,
it holds the interpreter's lock meanwhile, and a thread may wait for just that."""


class Group(Processes):
    """One of several processes, which talk with each other about plain numbers.

    They do so over gloo, between CPUs, also where gradients go between GPUs: no GPU has to be waited for.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._now_s = 0.0

    @property
    def distinct(self) -> tuple[int, ...]:
        """The rank."""
        return (self.rank,)

    def device(self, name: str) -> torch.device:
        """The device of that name; of several GPUs the one that has this process's number."""
        here = self.place.local_rank
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if name not in ("cuda", "cpu"):
            raise ConfigError(f"device={name!r} is one device for several processes; choose cuda or cpu")
        if name == "cpu":
            return choose_device(name)
        if here >= (count := torch.cuda.device_count()):
            raise ConfigError(f"process {here} of this machine has no GPU, for it has {count}; start as many as GPUs")
        # Before anything else, or each process would set aside memory on the first GPU.
        torch.cuda.set_device(here)
        return choose_device(f"cuda:{here}")

    def clock(self, clock: Clock) -> Clock:
        """The first process's clock, which stands still from one meeting to the next."""
        self._clock = clock
        self.meet(False)
        return lambda: self._now_s

    def meet(self, wish: bool) -> bool:
        """Whether any process has the wish; and the first one tells the others the time."""
        wishes, self._now_s = self.sum(wish, self._clock() if self.is_first else 0.0)
        return wishes > 0

    def sum(self, *values: float) -> tuple[float, ...]:
        """The sum of each of these values, the same to the last bit everywhere."""
        sums = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(sums)
        return tuple(sums.tolist())

    def mean(self, *values: float) -> tuple[float, ...]:
        """The mean of each of these values."""
        return tuple(value / self.world_size for value in self.sum(*values))

    def first(self, value: float) -> float:
        """What the first process says."""
        [said] = self.sum(value if self.is_first else 0.0)
        return said

    @contextmanager
    def one_fate(self) -> Iterator[None]:
        """A `with` at whose end a mistake that one of them has met with becomes everybody's.

        Raises: TrainingError where only another has met with one, in its words.
        """
        own: CutawayError | None = None
        try:
            yield
        except CutawayError as error:
            own = error
        # Pickled by PyTorch on the way, but never read from a file: these are the processes we trust with the weights.
        words: list[str | None] = [None] * self.world_size
        distributed.all_gather_object(words, None if own is None else str(own))
        if own is not None:
            raise own
        if other := next((text for text in words if text is not None), None):
            raise TrainingError(other)


@contextmanager
def joined(environment: Mapping[str, str] = os.environ) -> Iterator[Processes]:
    """The processes among which torchrun has started this one, for as long as the `with` lasts; else this one alone.

    Raises: ConfigError when the environment says what torchrun never would, or this PyTorch cannot; TrainingError
        when another process cannot be reached, or not any more.
    """
    place = Place.from_environment(environment)
    if place.is_alone:
        yield ALONE
        return
    if not distributed.is_available():
        raise ConfigError("this PyTorch was built without torch.distributed; start a single process, without torchrun")
    try:
        store = meet_at(environment)
        yield Group(place)
        leave_together(store, place.world_size)
    except RuntimeError as error:
        if not isinstance(error, distributed.DistError) and "gloo" not in str(error).lower():
            raise
        [reason, *_] = str(error).split(". ")
        raise TrainingError(
            f"process {place.rank} cannot reach another one ({reason.splitlines()[0]}); "
            "the same command goes on from the last checkpoint"
        ) from None
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def meet_at(environment: Mapping[str, str]) -> "Store":
    """Find the other processes at the address in the environment; the table by which they found each other."""
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store: Store
    store, rank, world_size = next(rendezvous("env://"))
    if environment.get("GROUP_WORLD_SIZE", "1") == "1":
        # When torchrun starts its processes again, it may keep the store, in which the dead ones' addresses still are.
        # Several torchruns do not count alike; what they meet by, c10d, makes a new store each time.
        attempt = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = PrefixStore(f"attempt {attempt}", store)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, store=store, rank=rank, world_size=world_size)
    UNTIL_EXIT.append(distributed.group.WORLD)
    return store


def leave_together(store: "Store", world_size: int) -> None:
    """Wait for all to be done: who ends first closes its connections, over which others may still be reading."""
    # Where one of the processes keeps the store, not torchrun, it may be gone by now, and so have all been done.
    with suppress(RuntimeError):
        if store.add("done", 1) == world_size:
            store.set("all are done", "")
        store.wait(["all are done"], LEAVING)
