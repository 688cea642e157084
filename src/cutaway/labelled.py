"""Numbers that know what they are: an array with a title, a unit, and a name and labels for every axis.

Whatever looks into a model answers with these, so that every answer can be printed, saved, put into a table or drawn
in the same way.
"""

import csv
import html
import io
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cutaway.errors import InspectionError, MissingExtraError, did_you_mean

Label = str | int
"""What stands at a place of an axis: a token's piece, a name, or a number such as a layer's."""

SHOWN_ROWS, SHOWN_COLUMNS = 20, 12
"""How much of a table a notebook shows."""


@dataclass(frozen=True)
class Axis:
    """One direction of an array: what it counts, and what stands at each place."""

    name: str
    labels: tuple[Label, ...]

    def __init__(self, name: str, labels: Sequence[Label] | int) -> None:
        """A number for labels means 0, 1, 2, … up to it."""
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "labels", tuple(range(labels) if isinstance(labels, int) else labels))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> bool:
        """Whether the labels are numbers, such as those of layers, and so tell places apart by themselves."""
        return not any(isinstance(label, str) for label in self.labels)

    def index(self, label: Label) -> int:
        """The place of a label; among texts, where one may stand at several places, a number is the place itself.

        Raises: InspectionError for a label that is not there, or more than once.
        """
        if isinstance(label, int) and not self.counts:
            if -len(self) <= label < len(self):
                return label % len(self)
            raise InspectionError(f"axis {self.name!r} has no place {label}; it has {len(self)}, the first is 0")
        places = [place for place, known in enumerate(self.labels) if known == label]
        if len(places) == 1:
            return places[0]
        if places:
            raise InspectionError(f"{label!r} stands at {places} of axis {self.name!r}; give one of these numbers")
        if self.counts:
            known = f"it has {self.labels[0]} to {self.labels[-1]}" if self.labels else "it is empty"
            raise InspectionError(f"axis {self.name!r} has no {label!r}; {known}")
        raise InspectionError(f"axis {self.name!r} has no {label!r}; {did_you_mean(str(label), map(str, self.labels))}")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Labelled:
    """An array of numbers and what they mean.

    Raises: InspectionError when axes and array do not fit, or the array holds no real numbers.
    """

    title: str
    values: NDArray[Any]
    """Read-only."""
    axes: tuple[Axis, ...]
    unit: str = ""
    diverging: bool = False
    """Whether the values lie on both sides of zero and the sign matters, which is drawn in two colours."""

    def __post_init__(self) -> None:
        values = np.asarray(self.values).view()
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "axes", tuple(self.axes))
        if values.dtype.kind not in "biuf":
            raise InspectionError(f"{self.title!r} holds {values.dtype}; give real numbers")
        if values.shape != tuple(map(len, self.axes)):
            sizes = " × ".join(f"{axis.name} {len(axis)}" for axis in self.axes) or "none"
            raise InspectionError(f"{self.title!r} has shape {values.shape}, but its axes are {sizes}")

    def __repr__(self) -> str:
        return f"Labelled({self.heading!r}, {self.size_text})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype) if copy else np.asarray(self.values, dtype)

    @property
    def heading(self) -> str:
        """The title with the unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def size_text(self) -> str:
        """The axes and their sizes: `layer 12 × query 7`."""
        return " × ".join(f"{axis.name} {len(axis)}" for axis in self.axes) or "one number"

    def axis(self, name: str) -> Axis:
        """The axis of that name.

        Raises: InspectionError, with the nearest name, when there is none.
        """
        return self.axes[self._axis_number(name)]

    def at(self, **labels: Label) -> "Labelled":
        """What lies at a label of one axis or several: `scores.at(layer=5, head=1)`.

        Raises: InspectionError for an axis or a label that is not there.
        """
        places: list[int | slice] = [slice(None)] * len(self.axes)
        for name, label in labels.items():
            number = self._axis_number(name)
            places[number] = self.axes[number].index(label)
        kept = tuple(axis for axis, place in zip(self.axes, places, strict=True) if isinstance(place, slice))
        where = ", ".join(f"{name} {label}" for name, label in labels.items())
        title = f"{self.title}, {where}" if where else self.title
        values = self.values[tuple(places)]
        return Labelled(title=title, values=values, axes=kept, unit=self.unit, diverging=self.diverging)

    def item(self) -> float:
        """The number itself, where there is one only.

        Raises: InspectionError where there are more.
        """
        if self.values.size != 1:
            raise InspectionError(f"{self!r} is not one number; choose with .at({self.axes[0].name}=…)")
        return float(self.values.reshape(()))

    def top(self, n: int = 10) -> list[dict[str, Any]]:
        """The `n` rows of the largest values, those furthest from zero where the values diverge."""
        flat = self.values.reshape(-1).astype(np.float64)
        size = np.abs(flat) if self.diverging else flat
        order = np.argsort(-size, kind="stable")
        best = order[~np.isnan(flat[order])][:n]
        places = [np.unravel_index(place, self.values.shape) for place in best]
        return [self._row(place, _number(self.values[place])) for place in places]

    def to_rows(self) -> list[dict[str, Any]]:
        """A dictionary for each number: its labels by the names of their axes, then `value` (None for NaN).

        An axis of texts also gives its place, as `NAME_index`, because a token may come twice.
        """
        return list(self._rows())

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON; numbers that are not finite become None."""
        axes = [{"name": axis.name, "labels": list(axis.labels)} for axis in self.axes]
        described = {"title": self.title, "unit": self.unit, "diverging": self.diverging}
        return {**described, "axes": axes, "values": _nested(self.values)}

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    def to_csv(self) -> str:
        """`to_rows` as text, the names in the first line."""
        lines = io.StringIO(newline="")
        writer = csv.DictWriter(lines, self._columns(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows())
        return lines.getvalue()

    def to_frame(self) -> Any:
        """`to_rows` as a pandas DataFrame.

        Raises: MissingExtraError when pandas is not installed.
        """
        try:
            import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ModuleNotFoundError as error:
            if error.name != "pandas":
                raise
            raise MissingExtraError("pandas", "pandas", "a data frame") from None
        return pandas.DataFrame.from_records(self.to_rows(), columns=self._columns())

    def plot(self, **options: Any) -> Any:
        """A matplotlib figure: bars or a line for one axis, a heat-map for two, small ones for three.

        Raises: MissingExtraError when matplotlib is not installed; ConfigError for what cannot be drawn.
        """
        from cutaway.plots import draw

        axes = [(axis.name, axis.labels) for axis in self.axes]
        described: dict[str, Any] = {"title": self.title, "unit": self.unit, "diverging": self.diverging}
        return draw(self.values, axes=axes, **(described | options))

    def _repr_html_(self) -> str:
        """The beginning of the numbers as a table, the first of each further axis."""
        values, note = self.values, ""
        for axis in self.axes[:-2]:
            values = values[0] if len(axis) else values.reshape(-1)
            note += f", {axis.name} {axis.labels[0] if len(axis) else ''}"
        caption = html.escape(f"{self.heading}: {self.size_text}{f'; shown{note[1:]}' if note else ''}")
        table = _table(np.atleast_2d(values) if values.ndim < 2 else values, self.axes[-2:])
        return f"<table><caption>{caption}</caption>{table}</table>"

    def _axis_number(self, name: str) -> int:
        names = [axis.name for axis in self.axes]
        if name not in names:
            raise InspectionError(f"{self.title!r} has no axis {name!r}; {did_you_mean(name, names)}")
        return names.index(name)

    def _columns(self) -> list[str]:
        columns: list[str] = []
        for axis in self.axes:
            columns += [axis.name] if axis.counts else [f"{axis.name}_index", axis.name]
        return [*columns, "value"]

    def _rows(self) -> Iterator[dict[str, Any]]:
        if not self.axes:
            yield {"value": _number(self.values)}
            return
        for line in np.ndindex(self.values.shape[:-1]):
            for place, number in enumerate(_numbers(self.values[line])):
                yield self._row((*line, place), number)

    def _row(self, place: Sequence[Any], number: float | int | None) -> dict[str, Any]:
        row: dict[str, Any] = {}
        for axis, index in zip(self.axes, place, strict=True):
            if not axis.counts:
                row[f"{axis.name}_index"] = int(index)
            row[axis.name] = axis.labels[index]
        return {**row, "value": number}


def labelled(title: str, values: ArrayLike, unit: str = "", *, diverging: bool = False, **axes: Any) -> Labelled:
    """A `Labelled` in one line: `labelled("Loss", losses, "nats", layer=12, token=pieces)`."""
    named = tuple(Axis(name, labels) for name, labels in axes.items())
    return Labelled(title=title, values=np.asarray(values), axes=named, unit=unit, diverging=diverging)


def _numbers(line: NDArray[Any]) -> list[float | int | None]:
    """Plain numbers of the fewest digits that tell them apart in their own format: 0.1, not 0.10000000149011612."""
    if line.dtype.kind in "biu":
        return line.tolist()  # type: ignore[no-any-return]
    short = line if line.dtype == np.float64 else line.astype(np.str_).astype(np.float64)
    return [number if math.isfinite(number) else None for number in short.tolist()]


def _number(value: Any) -> float | int | None:
    return _numbers(np.asarray([value]))[0]


def _nested(values: NDArray[Any]) -> Any:
    if values.ndim == 0:
        return _number(values)
    return _numbers(values) if values.ndim == 1 else [_nested(part) for part in values]


def _table(values: NDArray[Any], axes: Sequence[Axis]) -> str:
    """The top left corner of a matrix, as the inside of an HTML table."""
    columns = [str(label) for label in axes[-1].labels[:SHOWN_COLUMNS]] if axes else [""]
    rows = [str(label) for label in axes[0].labels[:SHOWN_ROWS]] if len(axes) == 2 else [""]
    more = values.shape[1] > len(columns)
    corner = " \\ ".join(axis.name for axis in axes)
    lines = [_line("th", [corner, *columns], more)]
    for label, line in zip(rows, values, strict=False):
        numbers = ["" if number is None else f"{number:.4g}" for number in _numbers(line[: len(columns)])]
        lines.append(_line("td", [label, *numbers], more))
    if values.shape[0] > len(rows):
        lines.append(_line("td", ["…"], False))
    return "".join(lines)


def _line(tag: str, cells: Sequence[str], more: bool) -> str:
    shown = [*cells, "…"] if more else cells
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in shown) + "</tr>"
