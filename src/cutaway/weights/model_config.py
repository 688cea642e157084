"""The configuration of a model, wherever its files keep it."""

from cutaway.config import GPTConfig
from cutaway.weights.gguf.file import SUFFIX, open_gguf
from cutaway.weights.hf_config import read_config
from cutaway.weights.locate import ModelFiles


def config_of(files: ModelFiles) -> GPTConfig:
    """The configuration in `config.json`, or in a GGUF file itself.

    Raises: CheckpointError when it is damaged, or describes another network than GPT-2.
    """
    if files.weights.suffix == SUFFIX:
        return open_gguf(files.weights).config
    return read_config(files.folder / "config.json")
