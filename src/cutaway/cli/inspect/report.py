"""What every command of `inspect` has to give, and how it reaches screen and files."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cutaway.atomic_file import write_atomically
from cutaway.cli import terminal
from cutaway.cli.inspect.options import STDOUT, Files
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutaway.pages import View


class Report(Protocol):
    """An answer in all its forms; each is made only if it is asked for."""

    def show(self) -> None:
        """Print it for people."""
        ...

    def figure(self) -> Any:
        """Draw it with matplotlib."""
        ...

    def views(self) -> "Sequence[View]":
        """The tabs of an interactive page."""
        ...

    def csv(self) -> str:
        """The numbers as a table."""
        ...

    def json(self) -> Any:
        """The numbers, ready for JSON."""
        ...


def deliver(report: Report, files: Files) -> None:
    """Write the files and name them; without any, show the answer here."""
    if not files.asked:
        report.show()
        return
    write(report, files)
    name(files.asked, files)


def name(written: Iterable[Path], files: Files) -> None:
    """Say what was written; where stdout holds numbers, names of files must not come between them."""
    say = terminal.notice if STDOUT in files.asked else print
    for path in written:
        if path != STDOUT:
            say(str(path))


def write(report: Report, files: Files) -> None:
    """Write what was asked for."""
    if files.pictures:
        from cutaway.plots import save

        figure = report.figure()
        for path in files.pictures:
            save(figure, path)
    if files.html is not None:
        from cutaway.pages import write_page

        write_page(files.html, *report.views())
    if files.csv is not None:
        put(files.csv, report.csv())
    if files.json is not None:
        put(files.json, json.dumps(report.json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def put(path: Path, text: str) -> None:
    """Write text to a file, or to stdout.

    Raises: ConfigError when the file cannot be written.
    """
    if path == STDOUT:
        print(text, end="")
        return
    try:
        write_atomically(path, [text.encode()])
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}; choose another place") from None


def table_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows of equal names as CSV."""
    rows = list(rows)
    lines = io.StringIO(newline="")
    writer = csv.DictWriter(lines, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return lines.getvalue()


@contextmanager
def progress(what: str) -> "Iterator[Callable[[int, int], None]]":
    """A bar on stderr, where somebody looks at it: told how many of how many are done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
