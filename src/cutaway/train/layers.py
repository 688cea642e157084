"""Where the values of a configuration come from: a TOML file, the environment, and settings on the command line."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cutaway.errors import ConfigError

MAX_FILE_BYTES = 1 << 20
PREFIX = "CUTAWAY_TRAIN_"
NESTING = "__"

Table = dict[str, Any]


def read_toml(path: Path) -> Table:
    """The table in a TOML file.

    Raises: ConfigError when the file cannot be read or is not TOML.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_FILE_BYTES:,} bytes, which no configuration is")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a configuration: {error}") from None


def from_environment(environment: Mapping[str, str]) -> Table:
    """The values of variables such as `CUTAWAY_TRAIN_STEPS`, and `CUTAWAY_TRAIN_OPTIMIZER__ADAMW_LR` for a table's.

    Raises: ConfigError when one stands for a value and for a table at once.
    """
    names = sorted(name for name in environment if name.startswith(PREFIX))
    return _nested((name.removeprefix(PREFIX).lower().split(NESTING), environment[name]) for name in names)


def from_settings(settings: Iterable[str]) -> Table:
    """The values of settings such as `steps=100` and `optimizer.adamw_lr=3e-4`.

    Raises: ConfigError when one has no equals sign, or stands for a value and for a table at once.
    """
    pairs = []
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"the setting {setting!r} has no name and value; write it like steps=100")
        pairs.append((name.strip().split("."), value.strip()))
    return _nested(pairs)


def merged(*tables: Mapping[str, Any]) -> Table:
    """One table, in which later ones stand over earlier ones, value by value."""
    made: Table = {}
    for table in tables:
        for name, value in table.items():
            both = isinstance(value, Mapping) and isinstance(made.get(name), Mapping)
            made[name] = merged(made[name], value) if both else value
    return made


def _nested(pairs: Iterable[tuple[list[str], str]]) -> Table:
    made: Table = {}
    for path, text in pairs:
        table = made
        for name in path[:-1]:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{'.'.join(path)} is set, and so is {name} itself; leave one out")
        table[path[-1]] = _value(text)
    return made


def _value(text: str) -> Any:
    """What the text means in TOML; if nothing, then itself, so that words need no quotes."""
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if document.keys() == {"value"} else text
