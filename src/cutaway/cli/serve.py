"""`cutaway serve`: models over HTTP."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from cutaway.cli import loading, terminal
from cutaway.cli.options import MODEL, Count, Flag, Texts
from cutaway.errors import ConfigError

LISTENING = Group("Listening", sort_key=2)
LIMITS = Group("Limits", sort_key=3)
KEY_VARIABLE = "CUTAWAY_API_KEY"


@Parameter(name="*", group=MODEL)
@dataclass(frozen=True, kw_only=True)
class ServedModels:
    """What is served."""

    model: Annotated[Texts, Parameter(name=["--model", "-m"], negative="")] = ("fable",)
    """A name, a Hub id, a folder or a file; several to serve several. NAME=SOURCE serves it under another name."""
    device: str = "auto"
    """cpu, cuda, cuda:1 or mps; auto takes the fastest there is."""
    dtype: Literal["float32", "bfloat16", "float16", "float64", "int8", "int4", "w8a8"] = "float32"
    """Number format of the weights; int8, int4 and w8a8 (int8, with activations in 8 bits, too) only on a CPU, and for
    writing: looked into, such a model is in float32. A quantised model keeps its own."""
    speculate: Literal["auto", "lookup", "none"] = "none"
    """Guess by looking up what was said before, for texts that repeat much; auto does so for large models. No text
    depends on it."""
    run: Annotated[Texts, Parameter(name="--run", negative="")] = ()
    """The folder of a training run, its `out`, to watch on the page; several to compare. NAME=FOLDER names it."""


@Parameter(name="*", group=LISTENING)
@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where, and for whom."""

    host: str = "127.0.0.1"
    """The address to listen on; any but this machine's own wants a key, from the variable CUTAWAY_API_KEY or a file."""
    port: Count = 8000
    """The port; 0 takes any that is free."""
    key_file: Path | None = None
    """A file of keys, one a line, of which clients must show one."""
    public: Flag = False
    """Listen beyond this machine although there is no key."""
    log_level: Literal["info", "warning", "error"] = "info"
    """What is logged on stderr, a JSON object a line: every request, only what looks wrong, or only what is."""


@Parameter(name="*", group=LIMITS)
@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much at once."""

    max_running: Count = 16
    """Samples that are written at the same time."""
    max_waiting: Count = 1024
    """Samples that wait; one more is told to come again."""
    step_tokens: Count = 128
    """Tokens read in one step: more is faster for long prompts, fewer is smoother for everybody else."""
    time_limit: float = 600.0
    """Seconds that a request may take."""
    max_body_mb: float = 4.0
    """Megabytes that a request may have."""


def serve(
    *, models: ServedModels | None = None, listening: Listening | None = None, limits: Limits | None = None
) -> None:
    """Serve models over HTTP, as OpenAI's clients expect it of /v1/completions, until Ctrl-C."""
    models, listening, limits = models or ServedModels(), listening or Listening(), limits or Limits()
    from cutaway.engine import EngineLimits
    from cutaway.server import ServerSettings, Service
    from cutaway.server.json_log import log_to
    from cutaway.server.models import named, start_models
    from cutaway.server.run import serve as run
    from cutaway.server.runs.runs import Runs
    from cutaway.server.runs.watched_run import watched_runs

    settings = ServerSettings(
        host=listening.host,
        port=listening.port,
        keys=keys(listening.key_file),
        public=listening.public,
        time_limit_s=limits.time_limit,
        max_body_bytes=int(limits.max_body_mb * 1e6),
    )
    engine_limits = EngineLimits(
        max_running=limits.max_running, max_waiting=limits.max_waiting, step_tokens=limits.step_tokens
    )
    sources = named(models.model)
    for source in sources.values():
        loading.find(source)
    runs = Runs(watched_runs(models.run))
    log_to(sys.stderr, listening.log_level.upper())
    start = partial(start_models, sources, device=models.device, dtype=models.dtype, limits=engine_limits)
    service = Service(lambda: start(speculate=models.speculate), runs=runs)
    run(service, settings, started=lambda url: announce(url, list(sources)))


def keys(path: Path | None) -> tuple[str, ...]:
    """The keys of the environment and of a file.

    Raises: ConfigError for a file that cannot be read, or holds none.
    """
    found = [key] if (key := os.environ.get(KEY_VARIABLE)) else []
    if path is not None:
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the keys in {path}: {error}; give a file with one a line") from None
        if not any(lines):
            raise ConfigError(f"there is no key in {path}; write one a line")
        found += [line for line in lines if line]
    return tuple(found)


def announce(url: str, names: Sequence[str]) -> None:
    """Say where it is, on stdout, for people and for programs that started it."""
    print(f"{', '.join(names)} at {url}/v1", flush=True)
    terminal.notice(f"Open {url}/ in a browser to watch it write; Ctrl-C stops it.")
