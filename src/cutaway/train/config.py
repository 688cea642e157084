"""Everything that decides a training run, checked once and frozen."""

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from cutaway.config import GPTConfig, check_integer
from cutaway.errors import ConfigError, did_you_mean

MAX_FILE_BYTES = 1 << 20
MAX_COUNT = 1 << 40
MAX_ROWS = 1 << 16

Part = TypeVar("Part")


def check_positive(name: str, value: object) -> None:
    """Refuse anything but a finite number above 0.

    Raises: ConfigError naming the value.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"{name}={value!r} must be a number above 0")


def check_share(name: str, value: object) -> None:
    """Refuse anything but a number from 0 to 1.

    Raises: ConfigError naming the value.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{name}={value!r} must be a number from 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file of token ids and how many rows of each batch come from it.

    Raises: ConfigError when a value is impossible.
    """

    path: Path
    rows: int

    def __post_init__(self) -> None:
        check_integer("rows", self.rows, 1, MAX_ROWS)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How weights are updated: Muon for the matrices inside the layers, AdamW for everything else.

    Raises: ConfigError when a value is impossible.
    """

    muon_lr: float = 0.02
    adamw_lr: float = 0.003
    momentum: float = 0.95
    """Of Muon."""
    beta1: float = 0.9
    """Of AdamW, as is `beta2`."""
    beta2: float = 0.95

    def __post_init__(self) -> None:
        check_positive("muon_lr", self.muon_lr)
        check_positive("adamw_lr", self.adamw_lr)
        for name in ("momentum", "beta1", "beta2"):
            check_share(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run: the model, the data, the optimizers and the pace.

    Paths start from the folder that the run is started in.

    Raises: ConfigError when a value is impossible.
    """

    model: GPTConfig
    sources: tuple[Source, ...]
    held_out: Mapping[str, Path]
    """Files of token ids, by name, that are evaluated and never learned from."""
    tokenizer: Path
    """The folder of the tokenizer that made the ids."""
    out: Path
    """The folder of the checkpoint and the log."""
    optimizer: OptimizerConfig = OptimizerConfig()
    seed: int = 0
    steps: int = 1000
    max_minutes: float | None = None
    """The clock's limit; the schedule then ends in time whatever the speed."""
    warmup: float = 0.02
    """Share of the run in which the learning rates rise."""
    decay: float = 0.6
    """Share of the run in which they fall to zero."""
    clip: float = 1.0
    """The gradient's norm at most."""
    threads: int = 1
    """How many parts of a batch are worked on side by side."""
    micro_rows: int = 4
    """Rows of such a part."""
    log_every: int = 10
    """Steps between two lines of the log."""
    eval_every: int = 250
    """Steps between two evaluations."""
    eval_windows: int = 24
    """Windows of each held-out file in an evaluation along the way; the last one takes all."""
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("a run needs at least one source; add [[sources]] with path and rows")
        check_integer("seed", self.seed, 0, MAX_COUNT)
        for name in ("steps", "threads", "micro_rows", "log_every", "eval_every", "eval_windows"):
            check_integer(name, getattr(self, name), 1, MAX_COUNT)
        for name in ("clip", "checkpoint_minutes"):
            check_positive(name, getattr(self, name))
        if self.max_minutes is not None:
            check_positive("max_minutes", self.max_minutes)
        check_share("warmup", self.warmup)
        check_share("decay", self.decay)
        if self.warmup + self.decay > 1:
            raise ConfigError(
                f"warmup={self.warmup} + decay={self.decay} is more than the whole run; lower one of them"
            )
        if self.rows % self.micro_rows:
            raise ConfigError(f"micro_rows={self.micro_rows} does not divide the {self.rows} rows of a batch")

    @property
    def rows(self) -> int:
        """Rows of a batch."""
        return sum(source.rows for source in self.sources)

    @property
    def tokens_per_step(self) -> int:
        """Tokens of a batch."""
        return self.rows * self.model.block_size

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The configuration with these values, the rest at their defaults.

        Raises: ConfigError for an unknown or missing name, or an impossible value.
        """
        made = dict(values)
        for name, kind in {"model": Mapping, "optimizer": Mapping, "held_out": Mapping, "sources": Sequence}.items():
            if name in made and (not isinstance(made[name], kind) or isinstance(made[name], str)):
                raise ConfigError(f"{name}={made[name]!r} must be a table; configs/ holds examples")
        if "model" in made:
            made["model"] = GPTConfig.from_dict(made["model"])
        if "optimizer" in made:
            made["optimizer"] = build(OptimizerConfig, made["optimizer"])
        if "sources" in made:
            made["sources"] = tuple(build_source(source) for source in made["sources"])
        if "held_out" in made:
            made["held_out"] = with_paths(made["held_out"], *made["held_out"])
        return build(cls, with_paths(made, "tokenizer", "out"))

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """The configuration in a TOML file.

        Raises: ConfigError when the file cannot be read, is not TOML, or holds an impossible value.
        """
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ConfigError(f"{path} is larger than {MAX_FILE_BYTES:,} bytes, which no configuration is")
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path} cannot be read as a configuration: {error}") from None
        return cls.from_dict(values)


def build(cls: type[Part], values: Mapping[str, Any]) -> Part:
    """The dataclass with these values.

    Raises: ConfigError for an unknown or missing name, or an impossible value.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise ConfigError(f"{cls.__name__} has no key {name!r}; {did_you_mean(name, fields)}")
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in values:
            raise ConfigError(f"{cls.__name__} needs the key {name!r}; add it")
    return cls(**values)


def build_source(values: object) -> Source:
    """The source with these values.

    Raises: ConfigError for an unknown or missing name, or an impossible value.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"sources={values!r} must be a table; write [[sources]] with path and rows")
    return build(Source, with_paths(values, "path"))


def with_paths(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values, those of these names as paths.

    Raises: ConfigError when one is not a text.
    """
    made = dict(values)
    for name in names:
        if name in made:
            if not isinstance(made[name], str | Path):
                raise ConfigError(f"{name}={made[name]!r} must be a path in quotes")
            made[name] = Path(made[name])
    return made
