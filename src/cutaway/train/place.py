"""Which of several processes this one is: what torchrun tells each of those it starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cutaway.config import check_integer
from cutaway.errors import ConfigError

MAX_PROCESSES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Place:
    """The number of a process among all, and among those of its machine.

    Raises: ConfigError when a number is impossible.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    def __post_init__(self) -> None:
        check_integer("WORLD_SIZE", self.world_size, 1, MAX_PROCESSES)
        check_integer("RANK", self.rank, 0, self.world_size - 1)
        check_integer("LOCAL_RANK", self.local_rank, 0, self.rank)

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process."""
        return self.world_size == 1

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    @property
    def is_first_here(self) -> bool:
        """Whether this process speaks for its machine."""
        return self.local_rank == 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The place that torchrun has written into the environment; without it, that of a process on its own.

        Raises: ConfigError when something else is written there.
        """
        if "RANK" not in environment or "WORLD_SIZE" not in environment:
            return cls()
        names = {"rank": "RANK", "world_size": "WORLD_SIZE", "local_rank": "LOCAL_RANK"}
        return cls(**{field: _number(name, environment.get(name, "0")) for field, name in names.items()})


def _number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{name}={text!r} in the environment is no number; start several processes by torchrun")
    return int(text)
