"""The same application in replicas behind Ray Serve, on one machine or many. A door to `ray`.

    serve run cutaway.server.ray_serve:app model=fable replicas=2

Ray Serve listens, chooses a replica for each request, and starts another where one has died. A replica is the
application that `cutaway serve` runs, with models and engines of its own.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from fastapi import FastAPI

from cutaway.engine import EngineLimits
from cutaway.errors import ConfigError, MissingExtraError, did_you_mean
from cutaway.server.app import create_app
from cutaway.server.models import named, start_models
from cutaway.server.service import Service
from cutaway.server.settings import ServerSettings

KEY_VARIABLE = "CUTAWAY_API_KEY"


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """What `serve run` is told, as in `model=gpt2,mine=runs/mine replicas=4 cpus=2`.

    Raises: ConfigError for a count below 1.
    """

    model: str = "fable"
    """A name, a Hub id, a folder or a file; several with commas between. NAME=SOURCE serves it under another name."""
    replicas: int = 1
    cpus: int = 1
    """Cores for each replica."""
    gpus: int = 0
    """GPUs for each replica."""
    device: str = "auto"
    dtype: str = "float32"
    max_running: int = 16
    max_waiting: int = 1024
    step_tokens: int = 128

    def __post_init__(self) -> None:
        for name in ("replicas", "cpus"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} serves nobody; give at least 1")

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """From NAME=VALUE as they stand on a command line.

        Raises: ConfigError for an unknown name, or a value that is not a number where one is needed.
        """
        kinds: dict[str, type] = {name: type(value) for name, value in asdict(cls()).items()}
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in kinds:
                raise ConfigError(f"there is no option {name!r}; {did_you_mean(name, kinds)}")
            try:
                values[name] = kinds[name](value)
            except ValueError:
                raise ConfigError(f"{name}={value!r} is not a whole number") from None
        return cls(**values)

    @property
    def limits(self) -> EngineLimits:
        """What each replica's engine takes on."""
        return EngineLimits(max_running=self.max_running, max_waiting=self.max_waiting, step_tokens=self.step_tokens)


def app(given: Mapping[str, str]) -> Any:
    """The application for `serve run`, and for `ray.serve.run`.

    Raises: MissingExtraError without Ray; ConfigError for an option that does not exist, or cannot be.
    """
    try:
        from ray import serve  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "ray.serve"):
            raise
        raise MissingExtraError("ray", "ray", "serving in replicas") from None
    asked = Replicas.parse(given)
    named(asked.model.split(","))  # a mistake is told here, not by every replica

    def application() -> FastAPI:  # Ray calls functions in the replica, but takes a `partial` for the application
        return replica_app(asked)

    replica = serve.deployment(
        name="cutaway",
        num_replicas=asked.replicas,
        # Ray would let five in at a time, and the engine could never read more together.
        max_ongoing_requests=asked.max_running + asked.max_waiting,
        ray_actor_options={"num_cpus": asked.cpus, "num_gpus": asked.gpus},
    )
    return replica(serve.ingress(application)()).bind()


def replica_app(asked: Replicas) -> FastAPI:
    """One replica's application, whose models are there when it is; made in the replica's own process."""
    models = start_models(
        named(asked.model.split(",")), device=asked.device, dtype=asked.dtype, threads=asked.cpus, limits=asked.limits
    )
    # Who may listen from where is for Ray to say; keys are asked for as ever.
    keys = (key,) if (key := os.environ.get(KEY_VARIABLE)) else ()
    return create_app(Service(lambda: models), ServerSettings(keys=keys))
