"""From the name of a model to as much of it as a command needs: all, its configuration, or its vocabulary."""

from pathlib import Path
from typing import TYPE_CHECKING

from cutaway.config import PRESETS, GPTConfig
from cutaway.errors import ModelNotFoundError
from cutaway.tokenizer import AnyTokenizer, Tokenizer, open_tokenizer

if TYPE_CHECKING:
    from cutaway.cli.options import ModelOptions
    from cutaway.language_model import LanguageModel
    from cutaway.text_generator import TextGenerator


def load(options: "ModelOptions") -> "LanguageModel":
    """The model, ready for everything."""
    find(options.model)
    from cutaway.language_model import load as load_model  # which help must not wait for

    return load_model(options.model, device=options.device, dtype=options.dtype)


def load_generator(options: "ModelOptions") -> "TextGenerator":
    """The model, ready to write: where native kernels can do that, without PyTorch and seconds sooner."""
    find(options.model)
    from cutaway.language_model import load_generator as load_model

    return load_model(options.model, device=options.device, dtype=options.dtype)


def find(source: str) -> None:
    """Fetch the model if need be; a wrong name, or a missing network, is told before torch is loaded, not after.

    Raises: ModelNotFoundError when there is no such model.
    """
    from cutaway.weights.locate import locate  # by its module, whose name would hide it in the package

    locate(source)


def load_config(source: str) -> GPTConfig:
    """A model's shape: known for a published one, else from its `config.json`. Loads no weights and no torch.

    Raises: ModelNotFoundError when no such model is on this machine; CheckpointError when it is not a GPT-2.
    """
    if source in PRESETS:
        return GPTConfig.preset(source)
    from cutaway.weights import read_config
    from cutaway.weights.locate import locate
    from cutaway.weights.model_config import config_of

    if source.endswith(".json"):
        return read_config(Path(source))
    return config_of(locate(source, fetch=refuse_to_fetch))


def load_tokenizer(source: str) -> AnyTokenizer:
    """A model's vocabulary, without its weights and without torch.

    Raises: ModelNotFoundError when no such model is on this machine; TokenizerError when it has no vocabulary.
    """
    if source in PRESETS:  # all published models share one
        return Tokenizer.gpt2()
    path = Path(source)
    if path.suffix == ".gguf":
        from cutaway.weights import load_tokenizer as read_tokenizer

        return read_tokenizer(source)
    return open_tokenizer(path if path.is_dir() else local_folder(source))


def local_folder(source: str) -> Path:
    """The folder of a model that is already here: gigabytes are not fetched for a look at a small file."""
    from cutaway.weights.locate import locate

    return locate(source, fetch=refuse_to_fetch).folder


def refuse_to_fetch(hub_id: str, revision: str | None) -> Path:
    """Stand in for the download.

    Raises: ModelNotFoundError, always.
    """
    name = f"{hub_id}@{revision}" if revision else hub_id
    raise ModelNotFoundError(f'{name} is not on this machine yet; cutaway generate --model {name} "…" fetches it')
