"""What a checkpoint should compute: numbers that somebody trustworthy has printed, in a small JSON file.

    {"name": "gpt2", "source": "…", "config": {"n_layer": 12, …}, "parameters": 124439808,
     "tokens":    [{"text": "Hello", "ids": [15496]}],
     "hidden":    [{"ids": […], "place": "ln_f", "decimals": 4,
                    "rows": [{"row": 0, "first": [-0.0578, …], "last": […]}]}],
     "attention": [{"ids": […], "layer": 9, "head": 0, "decimals": 3, "rows": [[1.0], [0.964, 0.036], …]}],
     "next":      [{"ids": […], "tokens": [198, …]}],
     "among":     [{"ids": […], "token": 36183, "top": 2}],
     "greedy":    [{"ids": […], "continuation": […]}],
     "loss":      [{"ids": […], "loss": 5.33, "tolerance": 0.0002}],
     "tensors":   {"wpe.weight": {"mean": …, "std": …, "min": …, "max": …, "decimals": 4, "sha256": "…"}},
     "files":     {"model.safetensors": {"sha256": "…", "bytes": 548105171}}}

Every part may be missing. A place is an observation point of the network, or `embed+pos_embed`, their sum.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from cutaway.errors import CheckpointError, did_you_mean
from cutaway.weights.json_object import read_object

Entry = Mapping[str, Any]

FOLDER = Path(__file__).with_name("references")

NEEDED: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "tokens": {"text": str, "ids": list},
    "hidden": {"ids": list, "place": str, "decimals": int, "rows": list},
    "attention": {"ids": list, "layer": int, "head": int, "decimals": int, "rows": list},
    "next": {"ids": list, "tokens": list},
    "among": {"ids": list, "token": int, "top": int},
    "greedy": {"ids": list, "continuation": list},
    "loss": {"ids": list, "loss": (int, float), "tolerance": (int, float)},
}
"""The keys of an entry of each list, and what they hold."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The numbers to check against; the parts are those of the file.

    Raises: CheckpointError when a part has not the form it must have.
    """

    name: str
    source: str = ""
    config: Entry = field(default_factory=dict)
    parameters: int | None = None
    tokens: Sequence[Entry] = ()
    hidden: Sequence[Entry] = ()
    attention: Sequence[Entry] = ()
    next: Sequence[Entry] = ()
    among: Sequence[Entry] = ()
    greedy: Sequence[Entry] = ()
    loss: Sequence[Entry] = ()
    tensors: Mapping[str, Entry] = field(default_factory=dict)
    files: Mapping[str, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, needed in NEEDED.items():
            for entry in self._list(part):
                for key, kind in needed.items():
                    if not isinstance(entry, dict) or not _is_proper(key, entry.get(key), kind):
                        raise CheckpointError(f"reference {self.name!r}: an entry of {part!r} has no proper {key!r}")
        for part in ("config", "tensors", "files"):
            if not isinstance(getattr(self, part), dict):
                raise CheckpointError(f"reference {self.name!r}: {part!r} must be an object of names and values")

    @classmethod
    def from_dict(cls, values: Entry) -> Self:
        """The reference with these parts.

        Raises: CheckpointError for an unknown part, or one of another form.
        """
        known = [part.name for part in dataclasses.fields(cls)]
        for part in values:
            if part not in known:
                raise CheckpointError(f"a reference has no part {part!r}; {did_you_mean(part, known)}")
        if not isinstance(values.get("name"), str):
            raise CheckpointError("a reference needs a 'name'")
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The reference in a file.

        Raises: CheckpointError when it is missing, damaged, or of another form.
        """
        return cls.from_dict(read_object(path))

    @classmethod
    def published(cls, name: str) -> Self:
        """What is known of a published model; of gpt2 the most.

        Raises: CheckpointError when nothing is.
        """
        known = sorted(file.stem for file in FOLDER.glob("*.json"))
        if name not in known:
            raise CheckpointError(f"no numbers are known for {name!r}; {did_you_mean(name, known)}")
        return cls.read(FOLDER / f"{name}.json")

    def to_json(self) -> str:
        """The file; parts with nothing in them are left out."""
        return json.dumps({part: value for part, value in dataclasses.asdict(self).items() if value}) + "\n"

    def _list(self, part: str) -> list[Any]:
        value = getattr(self, part)
        if not isinstance(value, list | tuple):
            raise CheckpointError(f"reference {self.name!r}: {part!r} must be a list")
        return list(value)


def _is_proper(key: str, value: Any, kind: type | tuple[type, ...]) -> bool:
    """Whether a value of an entry is of the form that its key asks for."""
    if isinstance(value, bool) or not isinstance(value, kind):
        return False
    if isinstance(value, list) and key in ("ids", "tokens", "continuation"):
        return all(type(token) is int for token in value)
    if isinstance(value, list) and key == "rows":
        return all(_are_numbers(row) or _is_row(row) for row in value)
    return True


def _is_row(row: Any) -> bool:
    ends = isinstance(row, dict) and [row.get(part, []) for part in ("first", "last")]
    return bool(ends) and type(row.get("row")) is int and all(map(_are_numbers, ends or []))


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) in (int, float) for value in values)
