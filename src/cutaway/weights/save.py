"""A model to files, in Hugging Face's format."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from cutaway.errors import CheckpointError
from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights.checkpoint import is_finite
from cutaway.weights.hf_config import hf_config
from cutaway.weights.names import HEAD, PREFIX, is_transposed, stored_shapes
from cutaway.weights.safetensors_file import write_safetensors
from cutaway.weights.shards import SUFFIXES

MAX_SHARD_BYTES = 5_000_000_000

TEXT_FILES = {
    "config.json",
    "generation_config.json",
    "characters.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
}


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
    target = Path(folder).resolve()
    dtype = dtype or model.dtype
    _refuse_foreign(target, overwrite)
    if tokenizer is not None and tokenizer.n_vocab > model.config.vocab_size:
        sizes = f"the tokenizer has {tokenizer.n_vocab:,} tokens, the model only {model.config.vocab_size:,}"
        raise CheckpointError(f"{sizes}; they do not belong together")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
            new = Path(temporary) / "new"
            new.mkdir()
            _write_texts(model, new, tokenizer, dtype)
            _write_weights(model, new, dtype, max_shard_bytes)
            _sync(new)
            _swap(new, target)
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(f"the model cannot be saved to {target}: {reason}; what was there is unchanged") from None


def _refuse_foreign(target: Path, overwrite: bool) -> None:
    if target.exists() and not target.is_dir():
        raise CheckpointError(f"{target} is a file; give a folder to save to")
    held = sorted(file.name for file in target.iterdir()) if target.exists() else []
    if held and not overwrite:
        raise CheckpointError(
            f"{target} is not empty; give another folder, or overwrite=True to replace the checkpoint there"
        )
    for name in held:
        if name not in TEXT_FILES and not name.endswith(SUFFIXES):
            lost = f"{name!r}, which is no part of a checkpoint and would be lost"
            raise CheckpointError(f"{target} holds {lost}; give another folder")


def _write_texts(model: GPT, folder: Path, tokenizer: AnyTokenizer | None, dtype: torch.dtype) -> None:
    eot = None if tokenizer is None else tokenizer.eot
    config = hf_config(model.config, eot=eot, dtype=str(dtype).removeprefix("torch."))
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", {"bos_token_id": eot, "eos_token_id": eot})
    if tokenizer is not None:
        tokenizer.save(folder)


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
        _write_json(folder / "model.safetensors.index.json", {"metadata": metadata, "weight_map": weight_map})


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


def _write_json(file: Path, content: dict[str, object]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _sync(folder: Path) -> None:
    """Have the disk, not just the operating system, hold the files before they take their name."""
    for file in folder.iterdir():
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())


def _swap(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / "old")
    try:
        new.rename(target)
    except OSError:
        (old / "old").rename(target)
        raise
    finally:
        # If even that failed, the old checkpoint stays where it is.
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
