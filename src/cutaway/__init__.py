"""GPT-2 you can read, run, train and see through.

The public names are loaded when first used, so that `import cutaway` costs nothing: importing torch takes seconds.
"""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "GPT",
    "Completion",
    "CutawayError",
    "Engine",
    "GPTConfig",
    "KVCache",
    "Labelled",
    "LanguageModel",
    "SamplingParams",
    "TextGenerator",
    "Tokenizer",
    "Trace",
    "__version__",
    "load",
    "load_generator",
]

_HOMES = {
    "Completion": "cutaway.generate",
    "CutawayError": "cutaway.errors",
    "Engine": "cutaway.engine",
    "GPT": "cutaway.model",
    "GPTConfig": "cutaway.config",
    "KVCache": "cutaway.cache",
    "Labelled": "cutaway.labelled",
    "LanguageModel": "cutaway.language_model",
    "SamplingParams": "cutaway.sampling",
    "TextGenerator": "cutaway.text_generator",
    "Tokenizer": "cutaway.tokenizer",
    "Trace": "cutaway.inspect",
    "load": "cutaway.language_model",
    "load_generator": "cutaway.language_model",
}

if TYPE_CHECKING:
    from cutaway.cache import KVCache
    from cutaway.config import GPTConfig
    from cutaway.engine import Engine
    from cutaway.errors import CutawayError
    from cutaway.generate import Completion
    from cutaway.inspect import Trace
    from cutaway.labelled import Labelled
    from cutaway.language_model import LanguageModel, load, load_generator
    from cutaway.model import GPT
    from cutaway.sampling import SamplingParams
    from cutaway.text_generator import TextGenerator
    from cutaway.tokenizer import Tokenizer


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Kept, so that the next use does not come here again.
    globals()[name] = value = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(globals().keys() | _HOMES.keys())
