"""What the values of a configuration may be, and how a table of them becomes a frozen dataclass."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cutaway.errors import ConfigError, did_you_mean

Part = TypeVar("Part")


def check_positive(name: str, value: object) -> None:
    """Refuse anything but a finite number above 0.

    Raises: ConfigError naming the value.
    """
    if not _is_number(value) or not 0 < value < float("inf"):  # type: ignore[operator]
        raise ConfigError(f"{name}={value!r} must be a number above 0")


def check_share(name: str, value: object) -> None:
    """Refuse anything but a number from 0 to 1.

    Raises: ConfigError naming the value.
    """
    if not _is_number(value) or not 0 <= value <= 1:  # type: ignore[operator]
        raise ConfigError(f"{name}={value!r} must be a number from 0 to 1")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse anything but one of some words.

    Raises: ConfigError naming the value and the nearest choice.
    """
    if value not in choices:
        raise ConfigError(f"{name}={value!r} is not a choice; {did_you_mean(str(value), choices)}")


def check_flag(name: str, value: object) -> None:
    """Refuse anything but true and false.

    Raises: ConfigError naming the value.
    """
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r} must be true or false")


def check_text(name: str, value: object) -> None:
    """Refuse anything but a text.

    Raises: ConfigError naming the value.
    """
    if not isinstance(value, str):
        raise ConfigError(f"{name}={value!r} must be a text in quotes")


def check_table(name: str, value: object) -> Mapping[str, Any]:
    """The value, which must be a table.

    Raises: ConfigError naming it when it is none.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name}={value!r} must be a table; configs/ holds examples")
    return value


def build(cls: type[Part], values: Mapping[str, Any]) -> Part:
    """The dataclass with these values.

    Raises: ConfigError for an unknown or missing name, or an impossible value.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise ConfigError(f"{cls.__name__} has no key {name!r}; {did_you_mean(name, fields)}")
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in values:
            raise ConfigError(f"{cls.__name__} needs the key {name!r}; add it")
    return cls(**values)


def with_paths(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values, those of these names as paths.

    Raises: ConfigError when one is not a text.
    """
    made = dict(values)
    for name in names:
        if name in made:
            if not isinstance(made[name], str | Path):
                raise ConfigError(f"{name}={made[name]!r} must be a path in quotes")
            made[name] = Path(made[name])
    return made


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
