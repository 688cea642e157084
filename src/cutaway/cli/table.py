"""Rows and columns: drawn by rich on a terminal, aligned plain text in a pipe."""

from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.cli import terminal
from cutaway.cli.shades import ground

GAP = "  "


@dataclass(frozen=True)
class Column:
    """A heading and on which side its cells stand."""

    heading: str
    right: bool = False


Shades = Sequence[Sequence[float | None]]
"""How strongly each cell is coloured, from 0 to 1 (below zero in the other colour); None for not at all."""


def print_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "", shades: Shades | None = None
) -> None:
    """Show rows of cells under headings; where there are colours, on a ground as strong as their shade."""
    if terminal.has_colour():
        _draw(columns, rows, title, shades)
    else:
        print("\n".join([title] * bool(title) + lines(columns, rows)))


def lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """The table as aligned text, one line a row."""
    cells = [[column.heading for column in columns], *rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return [
        GAP.join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ).rstrip()
        for row in cells
    ]


def width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """How many letters wide the table would be."""
    return max(map(len, lines(columns, rows)))


def _draw(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str, shades: Shades | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", overflow="fold")
    for row, strengths in zip(rows, shades or [[None] * len(columns)] * len(rows), strict=True):
        # As Text, for a piece such as `[bold]` is not markup.
        table.add_row(*(Text(cell, style=ground(shade)) for cell, shade in zip(row, strengths, strict=True)))
    Console().print(table)
