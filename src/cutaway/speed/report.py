"""Everything measured of a model's speed, with what it depends on, and as shares of what the machine can do."""

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from cutaway.anatomy import anatomy
from cutaway.config import GPTConfig
from cutaway.errors import ConfigError
from cutaway.machine import resident_bytes
from cutaway.speed.ceilings import ceilings
from cutaway.speed.contestants import TORCH, Loaded, inference, load, loading, training
from cutaway.speed.environment import environment
from cutaway.speed.timing import Clock, Contestant, Spread, Told, take_turns
from cutaway.weights.locate import ModelSource

FORMAT = 1
"""Raised with every change of what a report holds."""
MAX_BYTES = 16 << 20

STORED_AS = {"float32": "fp32", "bfloat16": "bf16", "int8": "int8", "int4": "int4", "w8a8": "int8", TORCH: "fp32"}
"""The name in `anatomy` of the way that each precision stores weights."""
BANDWIDTH = "read bandwidth"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a model, or of the machine."""

    name: str
    unit: str
    spread: Spread
    share: float | None = None
    """Of the ceiling that bounds it; above 1 where the weights stay in the caches, which are faster than memory."""
    ceiling: str | None = None


@dataclass(frozen=True, kw_only=True)
class SpeedReport:
    """The figures of one run of `measure`."""

    model: str
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    figures: tuple[Figure, ...]
    memory_bytes: Mapping[str, int | None]
    """What memory grew by when the model was loaded and had read a token, by precision."""

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def read(cls, path: Path) -> Self:
        """The report in a file.

        Raises: ConfigError when it is missing, or no report of this version.
        """
        try:
            with path.open("rb") as stream:
                values = json.loads(stream.read(MAX_BYTES))
            if values.pop("format") != FORMAT:
                raise ConfigError(f"{path} is a report of another version; measure again")
            figures = [Figure(**{**figure, "spread": Spread(**figure["spread"])}) for figure in values.pop("figures")]
            return cls(figures=tuple(figures), **values)
        except OSError as error:
            raise ConfigError(f"cannot read {str(path)!r}: {error.strerror}; check the path") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{path} is no report of cutaway bench --json; measure again") from None


def measure(
    source: ModelSource,
    precisions: Sequence[str],
    *,
    seconds: float,
    clock: Clock,
    train: bool = True,
    tell: Told = lambda name: None,
) -> SpeedReport:
    """Time a model in about so many seconds, everything taking turns with everything else.

    Raises: what loading a model raises; ConfigError for no precision.
    """
    if not precisions:
        raise ConfigError("there is nothing to measure; name a precision")
    before, loaded = environment(), []
    for precision in dict.fromkeys(precisions):
        tell(f"loading {precision}")
        loaded.append(load_and_weigh(source, precision))
    config = loaded[0].network.config
    machine = list(ceilings())
    contestants = [*machine, *of_model(source, loaded), *([training(config)] if train else [])]
    figures = take_turns(contestants, seconds, clock, tell)
    return SpeedReport(
        model=str(source),
        config=config.to_dict(),
        environment=before,
        figures=tuple(figure(contestant, figures, config) for contestant in contestants),
        memory_bytes={one.precision: one.weight_bytes for one in loaded},
    )


def of_model(source: ModelSource, loaded: Sequence[Loaded]) -> Iterator[Contestant]:
    """All contestants of a model at some precisions."""
    for one in loaded:
        yield loading(source, one.precision)
        yield from inference(one)


def load_and_weigh(source: ModelSource, precision: str) -> Loaded:
    """The model at a precision, and the memory it takes, as far as the system tells."""
    gc.collect()
    before = resident_bytes()
    network = load(source, precision)
    one = Loaded(precision=precision, network=network, weight_bytes=None)
    first, *_ = inference(one, batches=())
    first.run()  # weights that are mapped are read only now
    after = resident_bytes()
    grown = None if before is None or after is None else max(0, after - before)
    return Loaded(precision=precision, network=network, weight_bytes=grown)


def figure(contestant: Contestant, figures: Mapping[str, Sequence[float]], config: GPTConfig) -> Figure:
    """A figure, as a share of the ceiling that bounds it: of the best that was seen of it, for others may disturb."""
    spread = Spread.of(figures[contestant.name])
    ceiling, needed = bound(contestant.name, config)
    share = spread.median * needed / max(figures[ceiling]) if ceiling in figures else None
    return Figure(name=contestant.name, unit=contestant.unit, spread=spread, share=share, ceiling=ceiling or None)


def bound(name: str, config: GPTConfig) -> tuple[str, float]:
    """The ceiling that bounds a figure in tokens a second, and how much of it a token takes.

    Reading a prompt and training are bound by multiplication. Writing is bound by reading the weights from memory, once
    a step for all rows of a batch; keys and values come on top and are left out.
    """
    precision, _, what = name.partition(": ")
    kind, _, size = what.partition(" ")
    if kind == "prefill":
        # On average a token looks at half of them.
        product = "float32" if precision in ("float32", TORCH) else "bfloat16"
        return f"matrix product {product}", anatomy(config, max(1, int(size) // 2)).forward_flops_per_token
    if kind == "training":
        return "matrix product float32", anatomy(config, max(1, config.block_size // 2)).training_flops_per_token
    if kind == "decode":
        whole = anatomy(config)
        weights = whole.weight_bytes[STORED_AS[precision]] * whole.multiplied_parameters / whole.parameters
        return BANDWIDTH, weights / int(size)
    return "", 0.0
