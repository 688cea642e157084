"""The tokens of a run, from prepared folders and from `.npy` files, and which of them the model sees when."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cutaway.data import Batches, TokenFolder, Tokens
from cutaway.errors import ConfigError, TrainingError
from cutaway.tokenizer import AnyTokenizer, open_tokenizer
from cutaway.train.config import TrainConfig

TRAIN, VALIDATION = "train", "validation"
PART_TOKENS = 1536
"""Of a part of a batch on a CPU, at most; rows that are longer come one at a time.

With fewer, all weights and gradients go through the caches more often; with more, less of a part stays in them.
"""


def read_tokens(path: Path, vocab_size: int) -> NDArray[np.uint16]:
    """The token ids in a `.npy` file, mapped rather than read.

    Raises: TrainingError when there is no such file, or it holds something else than ids of this vocabulary.
    """
    try:
        tokens = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise TrainingError(f"the tokens in {path} cannot be read ({error}); prepare the data first") from None
    if tokens.dtype != np.uint16 or tokens.ndim != 1:
        raise TrainingError(f"{path} holds {tokens.dtype} of shape {tokens.shape}; expected one row of uint16 ids")
    if len(tokens) and (largest := int(tokens.max())) >= vocab_size:
        raise TrainingError(f"{path} holds the id {largest:,}, but the model's vocabulary has only {vocab_size:,}")
    return tokens  # type: ignore[no-any-return]


def read_tokenizer(folder: Path, vocab_size: int) -> AnyTokenizer:
    """The tokenizer in a folder, for a model with so many tokens.

    Raises: TokenizerError when it is missing or damaged; TrainingError when it has more tokens than the model.
    """
    tokenizer = open_tokenizer(folder)
    if tokenizer.n_vocab > vocab_size:
        raise TrainingError(
            f"the tokenizer in {folder} has {tokenizer.n_vocab:,} tokens, but model.vocab_size is {vocab_size:,}; "
            f"set it to {tokenizer.n_vocab}"
        )
    return tokenizer


def open_tokens(path: Path, split: str, tokenizer: AnyTokenizer, vocab_size: int) -> Tokens:
    """The tokens of one part of a prepared folder, or all those of a `.npy` file.

    Raises: DataError when the folder was made with another tokenizer, or is damaged; TrainingError for such a file.
    """
    if path.is_dir():
        return TokenFolder(path, tokenizer.fingerprint).tokens(split)
    return Tokens.of(read_tokens(path, vocab_size), eot=tokenizer.eot)


def with_documents(path: Path, tokenizer: AnyTokenizer, vocab_size: int) -> Tokens:
    """The tokens of a `.npy` file, in which each document ends with `<|endoftext|>`.

    Raises: TrainingError when the tokenizer has no such token.
    """
    if tokenizer.eot is None:
        raise TrainingError(
            f"by_document needs to know where documents end, and {path} has no <|endoftext|> to say so; "
            "prepare a folder, or leave by_document out"
        )
    tokens = read_tokens(path, vocab_size)
    return Tokens.of(tokens, np.flatnonzero(tokens == tokenizer.eot) + 1, tokenizer.eot)


def open_sources(config: TrainConfig, tokenizer: AnyTokenizer) -> list[tuple[Tokens, int]]:
    """What the model learns from, and how many rows of each batch come from there.

    Raises: DataError or TrainingError when a source cannot be read.
    """
    vocab_size = config.model.vocab_size

    def opened(path: Path) -> Tokens:
        if config.by_document and not path.is_dir():
            return with_documents(path, tokenizer, vocab_size)
        return open_tokens(path, TRAIN, tokenizer, vocab_size)

    return [(opened(source.path), source.rows) for source in config.sources]


def rows_at_a_time(config: TrainConfig, processes: int, device: torch.device, at_once: int = 1) -> int:
    """The rows in a part of the batch, for one of so many processes that works on `at_once` parts.

    Raises: ConfigError when its share of a batch cannot be cut into equal parts.
    """
    share = config.rows // processes
    if config.micro_rows is None:
        return share if device.type != "cpu" else suitable_rows(share, config.model.block_size, at_once)
    size = min(share, config.micro_rows)
    if share % size:
        raise ConfigError(
            f"micro_rows={size} does not divide the {share} rows of a batch that each of {processes} processes gets; "
            "change one of them"
        )
    return size


def suitable_rows(rows: int, block_size: int, at_once: int) -> int:
    """The rows of a part, so that a CPU's caches hold much of it, and each of `at_once` threads has as many parts."""
    sizes = [size for size in range(1, rows + 1) if rows % size == 0 and size * block_size <= PART_TOKENS] or [1]
    fair = [size for size in sizes if rows // size % at_once == 0]
    return max(fair or sizes)


def open_held_out(config: TrainConfig, tokenizer: AnyTokenizer) -> dict[str, Tokens]:
    """What the model never learns from, by name.

    Raises: DataError or TrainingError when one cannot be read, or is too short to predict anything of it.
    """
    found = {
        name: open_tokens(path, VALIDATION, tokenizer, config.model.vocab_size)
        for name, path in config.held_out.items()
    }
    for name, tokens in found.items():
        if len(tokens) < 2:
            raise TrainingError(
                f"the held-out text {name!r} has {len(tokens)} tokens, which leaves nothing to predict; "
                "prepare the data with a larger --validation"
            )
    return found


def parts_of(batches: Batches, step: int, rows: int, device: torch.device) -> list[tuple[Tensor, ...]]:
    """The batch of a step, cut into parts of so many rows, on the device: idx, targets and, by document, documents.

    Shapes: each (rows, T)
    """
    batch = batches[step]
    blocks = (batch.inputs, batch.targets, batch.documents)
    tensors = (torch.from_numpy(block).to(device) for block in blocks if block is not None)
    return list(zip(*(torch.split(tensor, rows) for tensor in tensors), strict=True))
