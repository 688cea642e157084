"""Work on many machines by Ray Data: a corpus cut into tokens, and prompts continued. A door to `ray`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.data import Job, Manifest, Share, prepare
from cutaway.data.prepare import merge
from cutaway.engine import Engine, EngineLimits
from cutaway.errors import DataError, MissingExtraError
from cutaway.language_model import load_generator
from cutaway.sampling import SamplingParams
from cutaway.weights.locate import DEFAULT_MODEL


def ray_data() -> Any:
    """The library.

    Raises: MissingExtraError when it is not installed.
    """
    try:
        from ray import data  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "ray.data"):
            raise
        raise MissingExtraError("ray", "ray", "work on many machines") from None
    return data


def prepare_shares(job: Job, folder: Path, shares: int) -> Manifest:
    """Do a job in so many shares, each wherever Ray has a core free; the folder is one that all machines see.

    A share is what `cutaway prepare --shard i/n` does, so the bytes are the same, and what was done before is kept.

    Raises: DataError when the folder cannot be written to, holds other data, or is not the same on all machines.
    """

    def work(row: Mapping[str, Any]) -> dict[str, int]:
        share = Share(index=int(row["id"]) + 1, count=shares)
        prepare(job, folder, share=share)
        return {"share": share.index}

    ray_data().range(shares, override_num_blocks=shares).map(work).materialize()
    if (manifest := merge(folder)) is None:
        raise DataError(f"not all of {shares} shares are in {folder}; give a folder that all machines see")
    return manifest


def continue_prompts(
    prompts: Any,
    params: SamplingParams,
    *,
    source: str | Path = DEFAULT_MODEL,
    column: str = "prompt",
    replicas: int = 1,
    batch_size: int = 256,
    limits: EngineLimits | None = None,
) -> Any:
    """A dataset of Ray's with a column `text`: what a model writes after each prompt, by so many engines at once.

    With several samples a prompt there is a row for each. A seed gives the same texts on any number of machines.
    """
    ray_data()
    given = {"source": source, "params": params, "column": column, "limits": limits}
    return prompts.map_batches(Writer, fn_constructor_kwargs=given, batch_size=batch_size, concurrency=replicas)


class Writer:
    """A model with an engine in one of Ray's processes, which continues one batch after another."""

    def __init__(
        self, source: str | Path, params: SamplingParams, column: str, limits: EngineLimits | None = None
    ) -> None:
        self._generator = load_generator(source)
        self._engine = Engine.over(self._generator.model, self._generator.tokenizer, limits)
        self._params, self._column = params, column

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The batch with the texts beside it."""
        ids = [self._generator.ids(str(prompt)) for prompt in batch[self._column]]
        texts = [sample.text for one in self._engine.generate(ids, self._params) for sample in one.samples]
        repeated = {name: np.repeat(np.asarray(values), self._params.n, axis=0) for name, values in batch.items()}
        return repeated | {"text": np.array(texts, dtype=object)}
