"""The tokenizer that belongs to a checkpoint. Needs no torch."""

from collections.abc import Callable
from pathlib import Path

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.tokenizer import Tokenizer
from cutaway.weights import hub
from cutaway.weights.hf_config import read_config
from cutaway.weights.locate import ModelSource, locate

GPT2_VOCAB_SIZES = (50257, 50304)
"""The vocabulary of the published models, and the same padded to a multiple of 64 for speed."""


def load_tokenizer(source: ModelSource, *, fetch: Callable[[str, str | None], Path] = hub.download) -> Tokenizer:
    """The tokenizer of a checkpoint: from its folder, or GPT-2's own where the vocabulary size says so.

    Raises: ModelNotFoundError when there is no such model; CheckpointError when it has no tokenizer, or one with
        more tokens than the model; TokenizerError when the tokenizer's files are damaged.
    """
    folder = locate(source, fetch=fetch).folder
    config = read_config(folder / "config.json")
    tokenizer = _tokenizer_in(folder, config)
    if tokenizer.n_vocab > config.vocab_size:
        sizes = f"{tokenizer.n_vocab:,} tokens, the model only {config.vocab_size:,}"
        raise CheckpointError(f"the tokenizer in {folder} has {sizes}; they do not belong together")
    return tokenizer


def _tokenizer_in(folder: Path, config: GPTConfig) -> Tokenizer:
    has_merges = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    if has_merges or (folder / "tokenizer.json").is_file():
        return Tokenizer.from_folder(folder)
    if config.vocab_size in GPT2_VOCAB_SIZES:
        return Tokenizer.gpt2()
    raise CheckpointError(
        f"{folder} holds no tokenizer for its {config.vocab_size:,} tokens; "
        "put tokenizer.json, or vocab.json and merges.txt, there"
    )
