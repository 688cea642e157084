"""GPT-2 checkpoints in and out: from a name, a folder or the Hub, in Hugging Face's format, GGUF, and out as ONNX.

The functions are imported when first used, so that listing models or reading a configuration loads no torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutaway.weights.gguf.save import save_gguf
    from cutaway.weights.hf_config import read_config
    from cutaway.weights.load import load_model
    from cutaway.weights.locate import DEFAULT_MODEL, ModelFiles, ModelListing, ModelSource, available_models
    from cutaway.weights.onnx.save import save_onnx
    from cutaway.weights.save import save_model
    from cutaway.weights.tokenizer import load_tokenizer

__all__ = [
    "DEFAULT_MODEL",
    "ModelFiles",
    "ModelListing",
    "ModelSource",
    "available_models",
    "load_model",
    "load_tokenizer",
    "read_config",
    "save_gguf",
    "save_model",
    "save_onnx",
]

_MODULE_OF = {
    "read_config": "hf_config",
    "load_model": "load",
    "load_tokenizer": "tokenizer",
    "save_gguf": "gguf.save",
    "save_model": "save",
    "save_onnx": "onnx.save",
    **dict.fromkeys(["DEFAULT_MODEL", "ModelFiles", "ModelListing", "ModelSource", "available_models"], "locate"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
