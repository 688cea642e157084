"""The report of numbers that know what they are, for whatever has one, two or three axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from cutaway.cli.inspect.screen import room
from cutaway.cli.table import Column, print_table, width

if TYPE_CHECKING:
    from cutaway.labelled import Axis, Labelled
    from cutaway.pages import View

BAR_WIDTH = 24


class LabelledReport:
    """One array of numbers in all forms; `top` of them, where they are too many to print."""

    def __init__(self, shown: "Labelled", top: int = 20) -> None:
        self.shown, self.top = shown, top

    def show(self) -> None:
        """A table where one fits; the largest numbers otherwise."""
        print(f"{self.shown.heading}\n")
        if len(self.shown.axes) == 2 and print_matrix(self.shown):
            return
        print_largest(self.shown, self.top)

    def figure(self) -> Any:
        """Bars, a curve, or colours."""
        return self.shown.plot()

    def views(self) -> "Sequence[View]":
        """Bars, or colours."""
        return [view_of(self.shown)]

    def csv(self) -> str:
        """A row for each number."""
        return self.shown.to_csv()

    def json(self) -> Any:
        """The numbers with their axes."""
        return self.shown.to_dict()


def print_matrix(shown: "Labelled") -> bool:
    """Print numbers of two axes as a table; false, and nothing, where it would be too large."""
    down, across = shown.axes
    if len(down) > MAX_ROWS or len(across) > MAX_COLUMNS:
        return False
    largest = max((abs(value) for value in shown.values.reshape(-1).tolist() if value == value), default=0) or 1
    # Beside large numbers the small ones are rounding.
    written = rounded if 0.1 <= largest < 1000 else number
    columns = [Column(down.name), *(Column(label, right=True) for label in names(across))]
    rows = [[label, *map(written, line)] for label, line in zip(names(down), shown.values.tolist(), strict=True)]
    if width(columns, rows) > room():
        return False
    shades = [(None, *(value / largest for value in line)) for line in shown.values.tolist()]
    print(f"{down.name} down, {across.name} across")
    print_table(columns, rows, shades=shades)
    return True


def print_largest(shown: "Labelled", top: int) -> None:
    """Print the largest numbers, those furthest from zero where the sign matters, with a bar for each."""
    rows = shown.top(top)
    largest = max((abs(row["value"]) for row in rows), default=0) or 1
    columns = [*(Column(axis.name, right=axis.counts) for axis in shown.axes), Column("value", right=True), Column("")]
    cells = [
        [*(str(row[axis.name]) for axis in shown.axes), number(row["value"]), bar(row["value"] / largest)]
        for row in rows
    ]
    print_table(columns, cells)
    known = sum(value == value for value in shown.values.reshape(-1).tolist())
    if known > len(rows):
        print(f"{known - len(rows):,} smaller ones are not shown")


def names(axis: "Axis") -> list[str]:
    """The labels as text."""
    return [str(label) for label in axis.labels]


def number(value: float | None) -> str:
    """A number of about three digits, nothing for none."""
    if value is None or value != value:
        return ""
    if value and abs(value) < 5e-4:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 1000 or isinstance(value, int) else f"{value:.3f}"


def rounded(value: float) -> str:
    """A number of three decimals, nothing for none; never minus zero."""
    return "" if value != value else f"{round(value, 3) + 0.0:.3f}"


def bar(share: float) -> str:
    """A bar as long as the share of the largest is; one below zero is hollow."""
    return ("█" if share > 0 else "░") * round(BAR_WIDTH * abs(share))


def view_of(shown: "Labelled") -> "View":
    """The tab of a page for numbers of one axis or two."""
    from cutaway.pages import bars_view, heatmap_view

    if len(shown.axes) == 1:
        unit = shown.unit or "value"
        # Where the places are numbers, their order says something.
        order: Literal["place", "size"] = "place" if shown.axes[0].counts else "size"
        return bars_view(
            names(shown.axes[0]), shown.values, quantity="value", unit=unit, title=shown.title, order=order
        )
    down, across = shown.axes
    return heatmap_view(
        shown.values,
        rows=names(down),
        columns=names(across),
        row_axis=down.name,
        column_axis=across.name,
        quantity=shown.title,
        unit=shown.unit,
        diverging=shown.diverging,
        title=shown.title,
    )


MAX_ROWS, MAX_COLUMNS = 64, 40
"""Of a table on the screen."""
