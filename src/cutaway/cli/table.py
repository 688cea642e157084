"""Rows and columns: drawn by rich on a terminal, aligned plain text in a pipe."""

from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.cli import terminal

GAP = "  "


@dataclass(frozen=True)
class Column:
    """A heading and on which side its cells stand."""

    heading: str
    right: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Show rows of cells under headings."""
    if terminal.has_colour():
        _draw(columns, rows, title)
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


def _draw(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as Text, for a piece such as `[bold]` is not markup
    Console().print(table)
