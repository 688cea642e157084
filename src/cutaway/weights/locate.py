"""From what a user calls a model to the files it is in."""

import importlib.resources
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cutaway.errors import ModelNotFoundError, did_you_mean
from cutaway.weights import hub
from cutaway.weights.hf_config import is_gpt2
from cutaway.weights.published import PUBLISHED
from cutaway.weights.shards import FILE_SUFFIXES, find_weights

ModelSource: TypeAlias = str | os.PathLike[str]
"""A name, a Hub id such as `owner/name` or `owner/name@revision`, a folder, or a weight file."""

DEFAULT_MODEL = "fable"

_HUB_ID = re.compile(r"(?P<hub_id>[\w.-]{1,96}/[\w.-]{1,96})(@(?P<revision>[\w./-]{1,256}))?")
_NAME = re.compile(r"(?P<name>[\w.-]{1,96})(@(?P<revision>[\w./-]{1,256}))?")


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """Where a model is on this machine."""

    folder: Path
    """Holds `config.json` and, for most models, the tokenizer."""
    weights: Path
    """The weight file, or the index of several."""


@dataclass(frozen=True, kw_only=True)
class ModelListing:
    """A model that can be asked for by name."""

    name: str
    state: Literal["bundled", "cached", "downloadable"]
    size_bytes: int
    """On disk, or to download."""
    folder: Path | None = None


def locate(source: ModelSource, *, fetch: Callable[[str, str | None], Path] = hub.download) -> ModelFiles:
    """The files of a model; one that is on the Hub and not in the local cache is fetched.

    A name in the list of models means that model; a folder of the same name is given as `./name`.

    Raises: ModelNotFoundError when there is no such model, here or on the Hub; CheckpointError when what is there
        has no weights.
    """
    if isinstance(source, str) and (known := _NAME.fullmatch(source)):
        if source in bundled_models():
            return _in_folder(_bundled_folder() / source)
        if known["name"] in PUBLISHED:
            return _from_hub(PUBLISHED[known["name"]].hub_ids, known["revision"], fetch)
    if path := _existing(source):
        return _in_folder(path) if path.is_dir() else _from_file(path)
    if isinstance(source, str) and not source.startswith((".", "~")) and (there := _HUB_ID.fullmatch(source)):
        return _from_hub((there["hub_id"],), there["revision"], fetch)
    raise _no_such_model(source)


def bundled_models() -> list[str]:
    """The names of the models that come with this package."""
    folder = _bundled_folder()
    return sorted(config.parent.name for config in folder.glob("*/config.json"))


def available_models() -> Iterator[ModelListing]:
    """Every model that can be asked for by name: bundled, in the local cache, then downloadable. Uses no network."""
    for name in bundled_models():
        folder = _bundled_folder() / name
        size_bytes = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        yield ModelListing(name=name, state="bundled", size_bytes=size_bytes, folder=folder)
    short_names = {hub_id: name for name, model in PUBLISHED.items() for hub_id in model.hub_ids}
    here = set()
    for hub_id, folder, size_bytes in hub.cached_models():
        if is_gpt2(folder / "config.json"):
            name = short_names.get(hub_id, hub_id)
            here.add(name)
            yield ModelListing(name=name, state="cached", size_bytes=size_bytes, folder=folder)
    for name, model in PUBLISHED.items():
        if name not in here:
            yield ModelListing(name=name, state="downloadable", size_bytes=model.download_bytes)


def _bundled_folder() -> Path:
    return Path(str(importlib.resources.files("cutaway") / "bundled"))


def _existing(source: ModelSource) -> Path | None:
    """The folder or file of that path, if there is one."""
    try:
        path = Path(source).expanduser()
        return path if os.fspath(source) and path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long, the home of nobody, a NUL
        return None


def _in_folder(folder: Path) -> ModelFiles:
    return ModelFiles(folder=folder, weights=find_weights(folder))


def _from_file(file: Path) -> ModelFiles:
    if not file.name.endswith(FILE_SUFFIXES):
        raise ModelNotFoundError(f"{file} is not a weight file; its name must end in {', '.join(FILE_SUFFIXES)}")
    return ModelFiles(folder=file.parent, weights=file)


def _from_hub(hub_ids: tuple[str, ...], revision: str | None, fetch: Callable[[str, str | None], Path]) -> ModelFiles:
    for hub_id in hub_ids:
        if folder := hub.cached(hub_id, revision):
            return _in_folder(folder)
    return _in_folder(fetch(hub_ids[0], revision))


def _no_such_model(source: ModelSource) -> ModelNotFoundError:
    if not isinstance(source, str) or not _NAME.fullmatch(source):
        return ModelNotFoundError(f"there is no model folder or weight file {os.fspath(source)!r}; check the path")
    names = [*bundled_models(), *PUBLISHED]
    return ModelNotFoundError(
        f"there is no model {source!r}; {did_you_mean(source, names)}; a Hub id (owner/name) or a folder will also do"
    )
