"""A model to files, in Hugging Face's format."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from cutaway.errors import CheckpointError
from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights.checkpoint import is_finite
from cutaway.weights.model_folder import model_folder, write_json, write_texts
from cutaway.weights.names import HEAD, PREFIX, is_transposed, stored_shapes
from cutaway.weights.safetensors_file import write_safetensors

MAX_SHARD_BYTES = 5_000_000_000


def save_model(
    model: GPT,
    folder: str | os.PathLike[str],
    tokenizer: AnyTokenizer | None = None,
    *,
    dtype: torch.dtype | None = None,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    overwrite: bool = False,
) -> None:
    """Write a folder that this package, and `transformers`, load as the same model; dtype None keeps the model's.

    All or nothing: the files are written beside the folder and take its name when they are complete.

    Raises: CheckpointError when the folder is not empty (with `overwrite`: holds other things than a checkpoint),
        when writing fails, or when the tokenizer has more tokens than the model.
    """
    dtype = dtype or model.dtype
    with model_folder(folder, model.config, tokenizer, overwrite=overwrite) as new:
        write_texts(new, model.config, tokenizer, str(dtype).removeprefix("torch."))
        _write_weights(model, new, dtype, max_shard_bytes)


def _write_weights(model: GPT, folder: Path, dtype: torch.dtype, max_shard_bytes: int) -> None:
    shards = list(_shards(model, dtype.itemsize, max_shard_bytes))
    weight_map: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        sharded = f"model-{number:05}-of-{len(shards):05}.safetensors"
        file = "model.safetensors" if len(shards) == 1 else sharded
        tensors = _stored_tensors(model, names, dtype)
        write_safetensors(tensors, folder / file)
        weight_map |= dict.fromkeys(tensors, file)
    if len(shards) > 1:
        metadata = {"total_size": model.num_parameters() * dtype.itemsize}
        write_json(folder / "model.safetensors.index.json", {"metadata": metadata, "weight_map": weight_map})


def _shards(model: GPT, item_bytes: int, max_shard_bytes: int) -> Iterator[list[str]]:
    """Our names in groups of at most that many bytes; a tensor that is larger stands alone."""
    names: list[str] = []
    used = 0
    for name in stored_shapes(model.config):
        size = model.get_parameter(name).numel() * item_bytes
        if names and used + size > max_shard_bytes:
            yield names
            names, used = [], 0
        names.append(name)
        used += size
    yield names


def _stored_tensors(model: GPT, names: list[str], dtype: torch.dtype) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name in names:
        tensor = model.get_parameter(name).detach().to("cpu", dtype)
        if not is_finite(tensor):
            raise CheckpointError(f"tensor {name!r} holds NaN or infinity as {dtype}; such a model is not saved")
        tensors[name if name == HEAD else PREFIX + name] = (tensor.t() if is_transposed(name) else tensor).contiguous()
    return tensors
