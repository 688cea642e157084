"""Where a run came from: the versions that computed it and the data that it read."""

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cutaway import __version__
from cutaway.data import TokenFolder
from cutaway.train.config import TrainConfig


def versions() -> dict[str, str]:
    """The versions of everything that has a part in the numbers."""
    return {
        "cutaway": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def data_of(config: TrainConfig) -> dict[str, Any]:
    """What each source and held-out text consists of.

    Raises: DataError when a prepared folder is damaged.
    """
    return {
        "sources": [describe(source.path) for source in config.sources],
        "held_out": {name: describe(path) for name, path in config.held_out.items()},
    }


def describe(path: Path) -> dict[str, Any]:
    """A prepared folder by its manifest without the list of shards, a file by its size."""
    if not path.is_dir():
        return {"path": str(path), "file_bytes": path.stat().st_size}
    manifest = TokenFolder(path).manifest.to_dict()
    return {"path": str(path), **{name: value for name, value in manifest.items() if name != "shards"}}
