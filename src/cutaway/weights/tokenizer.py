"""The tokenizer that belongs to a checkpoint. Needs no torch."""

from collections.abc import Callable
from pathlib import Path

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.tokenizer import AnyTokenizer, Tokenizer, open_tokenizer
from cutaway.weights import hub
from cutaway.weights.gguf.file import SUFFIX, open_gguf
from cutaway.weights.locate import ModelFiles, ModelSource, locate
from cutaway.weights.model_config import config_of

GPT2_VOCAB_SIZES = (50257, 50304)
"""The vocabulary of the published models, and the same padded to a multiple of 64 for speed."""

TOKENIZER_FILES = (("characters.json",), ("tokenizer.json",), ("vocab.json", "merges.txt"))
"""Files that make a tokenizer."""


def load_tokenizer(source: ModelSource, *, fetch: Callable[[str, str | None], Path] = hub.download) -> AnyTokenizer:
    """The tokenizer of a checkpoint: from its folder, or GPT-2's own where the vocabulary size says so.

    Raises: ModelNotFoundError when there is no such model; CheckpointError when it has no tokenizer, or one with
        more tokens than the model; TokenizerError when the tokenizer's files are damaged.
    """
    files = locate(source, fetch=fetch)
    config = config_of(files)
    tokenizer = _tokenizer_of(files, config)
    if tokenizer.n_vocab > config.vocab_size:
        sizes = f"{tokenizer.n_vocab:,} tokens, the model only {config.vocab_size:,}"
        raise CheckpointError(f"the tokenizer in {files.folder} has {sizes}; they do not belong together")
    return tokenizer


def _tokenizer_of(files: ModelFiles, config: GPTConfig) -> AnyTokenizer:
    if files.weights.suffix == SUFFIX:
        return open_gguf(files.weights).tokenizer
    folder = files.folder
    if any(all((folder / name).is_file() for name in names) for names in TOKENIZER_FILES):
        return open_tokenizer(folder)
    if config.vocab_size in GPT2_VOCAB_SIZES:
        return Tokenizer.gpt2()
    raise CheckpointError(
        f"{folder} holds no tokenizer for its {config.vocab_size:,} tokens; "
        "put tokenizer.json, or vocab.json and merges.txt, there"
    )
