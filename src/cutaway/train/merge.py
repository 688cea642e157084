"""A checkpoint of additions and the model they were learned beside, as one model."""

from pathlib import Path

import torch

from cutaway.errors import TrainingError
from cutaway.model import GPT
from cutaway.tokenizer import AnyTokenizer
from cutaway.train.batches import read_tokenizer
from cutaway.train.checkpoint_folder import read_checkpoint, read_record
from cutaway.train.config import TrainConfig
from cutaway.train.lora import has_adapter, merge, read_adapter
from cutaway.train.network import initial_model
from cutaway.weights import save_model


def merge_checkpoint(checkpoint: Path, folder: Path) -> None:
    """Write the model of a checkpoint that holds an adapter, like any other model, into a folder.

    Raises: TrainingError when it holds none, or is damaged; CheckpointError when the folder cannot be written.
    """
    if not has_adapter(checkpoint):
        raise TrainingError(f"{checkpoint} holds no adapter to merge; a checkpoint without one is a model already")
    read_checkpoint(checkpoint)  # which refuses a damaged one
    model, tokenizer = merged_model(checkpoint)
    save_model(model, folder, tokenizer)


def merged_model(checkpoint: Path) -> tuple[GPT, AnyTokenizer]:
    """The model that a checkpoint with an adapter stands for, in eval mode, and its tokenizer.

    Raises: TrainingError when the adapter belongs to another model; CheckpointError when that model is not to be had.
    """
    config = TrainConfig.from_dict(read_record(checkpoint)["config"])
    tokenizer = read_tokenizer(config.tokenizer, config.model.vocab_size)
    model = initial_model(config, tokenizer, torch.device("cpu"))
    read_adapter(checkpoint, model)
    merge(model)
    return model.eval(), tokenizer
