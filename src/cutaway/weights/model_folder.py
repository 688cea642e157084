"""The folder that a model is saved to: complete or not there, with the texts that describe the model."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.tokenizer import AnyTokenizer
from cutaway.weights.hf_config import hf_config
from cutaway.weights.shards import SUFFIXES

QUANTIZATION_REPORT = "quantization.json"

TEXT_FILES = {
    "config.json",
    "generation_config.json",
    "characters.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    QUANTIZATION_REPORT,
}


@contextmanager
def model_folder(
    folder: str | os.PathLike[str], config: GPTConfig, tokenizer: AnyTokenizer | None, *, overwrite: bool = False
) -> Iterator[Path]:
    """A temporary folder beside the one named, which takes its name when all is written.

    Raises: CheckpointError when the folder is not empty (with `overwrite`: holds other things than a checkpoint),
        when writing fails, or when the tokenizer has more tokens than the model.
    """
    target = Path(folder).resolve()
    refuse_foreign(target, overwrite)
    if tokenizer is not None and tokenizer.n_vocab > config.vocab_size:
        sizes = f"the tokenizer has {tokenizer.n_vocab:,} tokens, the model only {config.vocab_size:,}"
        raise CheckpointError(f"{sizes}; they do not belong together")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
            new = Path(temporary) / "new"
            new.mkdir()
            yield new
            _sync(new)
            _swap(new, target)
    except OSError as error:
        raise _unsaved(target, error) from None


def refuse_unwritable(folder: str | os.PathLike[str]) -> None:
    """Refuse a place that no folder can be written to, by trying: a hidden one is made as near as can be, and removed.

    For those who work long before they save.

    Raises: CheckpointError naming the place and the reason.
    """
    target = Path(folder).resolve()
    try:
        existing = next(parent for parent in target.parents if parent.exists())
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=existing):
            pass
    except OSError as error:
        raise _unsaved(target, error) from None


def refuse_foreign(target: Path, overwrite: bool) -> None:
    """Refuse a place where saving would destroy something.

    Raises: CheckpointError for a file, or a folder that is not empty or holds other things than a checkpoint.
    """
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


def write_texts(folder: Path, config: GPTConfig, tokenizer: AnyTokenizer | None, dtype: str) -> None:
    """Configuration and tokenizer; `dtype` is the number format that `config.json` names."""
    eot = None if tokenizer is None else tokenizer.eot
    write_json(folder / "config.json", hf_config(config, eot=eot, dtype=dtype))
    write_json(folder / "generation_config.json", {"bos_token_id": eot, "eos_token_id": eot})
    if tokenizer is not None:
        tokenizer.save(folder)


def write_json(file: Path, content: Mapping[str, object]) -> None:
    """A JSON object, for people to read too."""
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _unsaved(target: Path, error: OSError) -> CheckpointError:
    reason = error.strerror or error
    return CheckpointError(f"the model cannot be saved to {target}: {reason}; what was there is unchanged")


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
