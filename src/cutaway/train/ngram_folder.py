"""An n-gram model in a folder: its counts, its size, and the tokenizer that made the ids."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from cutaway.atomic_file import write_atomically
from cutaway.config import check_integer
from cutaway.errors import CheckpointError, ConfigError, TrainingError
from cutaway.tokenizer import AnyTokenizer
from cutaway.train.ngram import MAX_ORDER, MAX_VOCAB, Level, NGramModel
from cutaway.weights.json_object import read_object
from cutaway.weights.safetensors_file import SafetensorsFile, write_safetensors

SIZE, COUNTS = "ngram.json", "ngram.safetensors"


def is_ngram_folder(path: Path) -> bool:
    """Whether a folder holds an n-gram model."""
    return (path / SIZE).is_file()


def save_ngrams(model: NGramModel, folder: Path, tokenizer: AnyTokenizer) -> None:
    """Write the model with its tokenizer; the file that says what it is comes last.

    Raises: TrainingError when the folder cannot be written to.
    """
    # As float64, the one number format of our files that holds these integers exactly: they stay below 2^53.
    tensors = {
        f"{length}.{name}": torch.from_numpy(array.astype(np.float64))
        for length, level in enumerate(model.levels, start=1)
        for name, array in (("keys", level.keys), ("counts", level.counts))
    }
    size = f'{{"order": {model.order}, "n_vocab": {model.n_vocab}}}\n'
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(folder)
        temporary = folder / f".{COUNTS}"
        write_safetensors(tensors, temporary)
        temporary.replace(folder / COUNTS)
        write_atomically(folder / SIZE, [size.encode()])
    except OSError as error:
        reason = error.strerror or error
        raise TrainingError(f"the model cannot be saved to {folder}: {reason}; choose another folder") from None


def load_ngrams(folder: Path) -> NGramModel:
    """The model that `save_ngrams` wrote.

    Raises: CheckpointError when it is damaged.
    """
    size, file = read_object(folder / SIZE), SafetensorsFile(folder / COUNTS)
    try:
        order, n_vocab = int(size["order"]), int(size["n_vocab"])
        check_integer("order", order, 1, MAX_ORDER)
        check_integer("n_vocab", n_vocab, 1, MAX_VOCAB)
        tensors = {name: file.tensor(name, torch.float64, torch.device("cpu")).numpy() for name in file.shapes}
        levels: list[Level] = []
        for length in range(1, order + 1):
            levels.append(checked_level(tensors, length, n_vocab * (len(levels[-1].keys) if levels else 1)))
        return NGramModel(levels, n_vocab)
    except (ConfigError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{folder} holds no whole n-gram model ({error}); count the text again") from None


def checked_level(tensors: Mapping[str, np.ndarray], length: int, below: int) -> Level:
    """A level whose keys are in order and in range.

    Raises: KeyError or ValueError when it is none.
    """
    keys, counts = tensors[f"{length}.keys"], tensors[f"{length}.counts"]
    if keys.ndim != 1 or keys.shape != counts.shape or not len(keys):
        raise ValueError(f"its {length}-grams and their counts do not fit together")
    # Written so that "not a number" fails, too.
    if not (keys[0] >= 0 and keys[-1] < below and (np.diff(keys) >= 1).all() and (counts >= 1).all()):
        raise ValueError(f"its {length}-grams are out of order")
    return Level(keys.astype(np.int64), counts.astype(np.int64))
