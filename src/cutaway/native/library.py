"""The compiled library: where it is, whether it is ours, and the signatures of its functions."""

import ctypes
import functools
import os
import sys
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path

from cutaway.errors import ConfigError, did_you_mean

LIBRARY = Path(__file__).resolve().parent / {"win32": "kernels.dll", "darwin": "kernels.dylib"}.get(
    sys.platform, "kernels.so"
)
"""What `compile.py` makes. Its own name for it is not imported, for that would bring all that compiling needs."""

INTERFACE = 5
"""Raised, here and in interface.cpp, with every change of a signature."""

LIBRARY_VARIABLE = "CUTAWAY_NATIVE_LIBRARY"
"""The environment variable that names another library than the installed one, for sanitizers and debugging."""

ISA_VARIABLE = "CUTAWAY_ISA"
"""The environment variable that chooses among the instruction sets; the best is the default."""

REPAIR = "install a C++ compiler and run: python -m cutaway.native"


class Shape(ctypes.Structure):
    """The shape of a network, as `Shape` in model.h has it."""

    _fields_ = (
        *((name, c_int32) for name in ("block_size", "vocab_size", "n_layer", "n_head", "n_embd", "mlp_size", "tied")),
        ("epsilon", c_float),
    )


class Cut(ctypes.Structure):
    """How logits are cut before a token is drawn, as `Cut` in choice.h has it."""

    _fields_ = (("temperature", c_float), ("top_k", c_int32), ("top_p", c_double), ("min_p", c_double))


_INTS = POINTER(c_int32)
_SIGNATURES = {
    "cutaway_interface": (c_int, []),
    "cutaway_instruction_set": (c_char_p, [c_int]),
    "cutaway_model_new": (c_char_p, [POINTER(Shape), c_int, c_char_p, c_int, POINTER(c_void_p)]),
    "cutaway_model_free": (None, [c_void_p]),
    "cutaway_model_set": (c_char_p, [c_void_p, c_char_p, c_int, c_void_p, c_int64]),
    "cutaway_model_map": (c_char_p, [c_void_p, c_char_p, c_int, c_void_p, c_int64, c_void_p, c_int64]),
    "cutaway_model_missing": (c_char_p, [c_void_p]),
    "cutaway_cache_new": (c_char_p, [c_void_p, c_int, c_int, POINTER(c_void_p)]),
    "cutaway_cache_free": (None, [c_void_p]),
    "cutaway_cache_copy": (c_char_p, [c_void_p, c_int, c_void_p, c_int, c_int]),
    "cutaway_choose": (c_int, [c_char_p, c_void_p, c_int, POINTER(Cut), c_double]),
    "cutaway_logprob": (c_double, [c_char_p, c_void_p, c_int, c_int]),
    "cutaway_forward": (c_char_p, [c_void_p, c_void_p, c_int, _INTS, _INTS, _INTS, _INTS, _INTS, c_void_p]),
}


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether the native kernels can be used here; true or false in a condition."""

    found: bool
    detail: str
    """Where the library is and for which instructions, or why there is none and what to do."""

    def __bool__(self) -> bool:
        return self.found


def available() -> Availability:
    """Whether the native kernels can be used here, and why not."""
    try:
        sets = instruction_sets()
    except ConfigError as error:
        return Availability(found=False, detail=str(error))
    return Availability(found=True, detail=f"{library_path()}, for {', '.join(sets)}")


def library_path() -> Path:
    """The file that is or would be loaded."""
    return Path(os.environ.get(LIBRARY_VARIABLE, LIBRARY))


def load_library() -> ctypes.CDLL:
    """The library, loaded once.

    Raises: ConfigError when it is not there, does not load, or belongs to another version of this package.
    """
    # By its name as a string: each token that is drawn asks, and to make a path takes longer than the asking.
    return _load(os.environ.get(LIBRARY_VARIABLE, str(LIBRARY)))


@functools.cache
def _load(name: str) -> ctypes.CDLL:
    path = Path(name)
    if not path.is_file():
        raise ConfigError(f"the native kernels are not compiled ({path} is not there); {REPAIR}")
    try:
        library = ctypes.CDLL(str(path))
        version = library.cutaway_interface()
    except (OSError, AttributeError) as error:
        raise ConfigError(f"the native kernels do not load ({error}); {REPAIR}") from None
    if version != INTERFACE:
        raise ConfigError(f"{path} has interface {version}, and this is {INTERFACE}; {REPAIR}")
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def instruction_sets() -> list[str]:
    """The sets of instructions that kernels were compiled for and this processor has, the best first.

    Raises: ConfigError when there is no library.
    """
    names: list[str] = []
    while name := load_library().cutaway_instruction_set(len(names)):
        names.append(name.decode())
    return names


def choose_instruction_set(name: str | None) -> str:
    """The set of that name, or the one that `CUTAWAY_ISA` names, or the best.

    Raises: ConfigError when this processor or this library lacks it.
    """
    sets = instruction_sets()
    chosen = name or os.environ.get(ISA_VARIABLE) or sets[0]
    if chosen not in sets:
        raise ConfigError(f"kernels for {chosen!r} cannot be used here; {did_you_mean(chosen, sets)}")
    return chosen
