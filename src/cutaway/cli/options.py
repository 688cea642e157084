"""Options that several commands share."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from cyclopts import Group, Parameter, Token

from cutaway.errors import ConfigError

MODEL = Group("Model", sort_key=1)
SAMPLING = Group("Sampling", sort_key=2)
SEARCH = Group("Search", sort_key=3)
OUTPUT = Group("Input and output", sort_key=4)


def whole_numbers(_type: object, tokens: Sequence[Token]) -> tuple[int, ...]:
    """Integers exactly as typed: cyclopts would round 1.7 to 2.

    Raises: ValueError, which cyclopts reports, for anything else.
    """
    for token in tokens:
        if not re.fullmatch(r"[+-]?[0-9]+", token.value):
            raise ValueError(f"{token.value!r} is not a whole number")
    return tuple(int(token.value) for token in tokens)


def whole_number(_type: object, tokens: Sequence[Token]) -> int:
    """One integer exactly as typed."""
    return whole_numbers(_type, tokens)[0]


Count: TypeAlias = Annotated[int, Parameter(converter=whole_number)]
Flag: TypeAlias = Annotated[bool, Parameter(show_default=False)]
Json: TypeAlias = Annotated[bool, Parameter(show_default=False, help="Print JSON.")]
TEXT_HELP = "The text, in quotes; without one it is read from a file or a pipe."
Text: TypeAlias = Annotated[str | None, Parameter(help=TEXT_HELP)]
Texts: TypeAlias = Annotated[tuple[str, ...], Parameter(show_default=False)]
Ids: TypeAlias = Annotated[tuple[int, ...], Parameter(show_default=False, converter=whole_numbers)]


@Parameter(name="*", group=MODEL)
@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and how it runs."""

    model: Annotated[str, Parameter(name=["--model", "-m"])] = "fable"
    """A name (see cutaway models), a Hub id such as owner/name or owner/name@revision, a folder or a weight file."""
    device: str = "auto"
    """cpu, cuda, cuda:1 or mps; auto takes the fastest there is."""
    dtype: Literal["float32", "bfloat16", "float16", "float64", "int8", "int4", "w8a8"] = "float32"
    """Number format of the weights; int8, int4 and w8a8 (int8, with activations in 8 bits, too) only for sampling on a
    CPU. A quantised model keeps its own."""


def refuse_together(option: str, other: str) -> None:
    """Refuse two options of which one would have to be ignored.

    Raises: ConfigError, always, naming both.
    """
    raise ConfigError(f"{option} and {other} exclude each other; leave one out")
