"""The door to `onnx`."""

from typing import Any

from cutaway.errors import MissingExtraError


def onnx() -> Any:
    """The library.

    Raises: MissingExtraError when it is not installed.
    """
    try:
        import onnx as library  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", "export", "writing ONNX") from None
    return library
