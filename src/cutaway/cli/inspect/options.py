"""What the commands of `inspect` share: the text, and the files to write."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import Group, Parameter

from cutaway.cli import source_text
from cutaway.cli.options import OUTPUT, Flag
from cutaway.errors import ConfigError

if TYPE_CHECKING:
    from cutaway.language_model import LanguageModel

FILES = Group("Files", sort_key=5)
DEFAULT_TEXT = "Once upon a time there was a little fox. The little fox"
"""What is looked at when nobody gives a text; it repeats itself, so that heads which copy have something to do."""

STDOUT = Path("-")

TEXT_HELP = "The text, in quotes; without one a file, a pipe, or an example."
Text: TypeAlias = Annotated[str | None, Parameter(help=TEXT_HELP)]


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class TextOptions:
    """Where else the text may come from."""

    file: Path | None = None
    """Read the text from a file; its final line end is dropped."""
    special: Flag = False
    """Take <|endoftext|> in the text for the special token, not for ordinary text."""

    def read(self, text: str | None) -> str | None:
        """The text, None when there is none anywhere.

        Raises: CutawayError for two texts at once, or one that cannot be read.
        """
        if text is not None or self.file is not None:
            found = source_text.read_text(text, self.file)
        else:
            found = source_text.piped_text()
        return found if text is not None or found is None else source_text.without_final_newline(found)

    def ids(self, gpt: "LanguageModel", text: str) -> list[int]:
        """The tokens of the text."""
        return gpt.ids(gpt.tokenizer.encode(text, allowed_special="all") if self.special else text)


@Parameter(name="*", group=FILES)
@dataclass(frozen=True, kw_only=True)
class Files:
    """What to write instead of showing it here; several at once are fine."""

    png: Path | None = None
    """Draw a picture."""
    svg: Path | None = None
    """Draw a picture of lines and letters."""
    pdf: Path | None = None
    """The same as PDF."""
    html: Path | None = None
    """Write an interactive page: one file that needs no network."""
    csv: Path | None = None
    """Write the numbers as a table, - to stdout."""
    json: Path | None = None
    """Write the numbers as JSON; without a path, or with -, to stdout."""

    @property
    def pictures(self) -> list[Path]:
        """Still pictures."""
        return [path for path in (self.png, self.svg, self.pdf) if path is not None]

    @property
    def asked(self) -> list[Path]:
        """All that is to be written."""
        return [path for _, path in self._named()]

    def check(self) -> None:
        """Refuse what could only fail after long work.

        Raises: ConfigError for a wrong suffix, a folder that is not there or closed, or a file named twice;
            MissingExtraError where pictures are wanted and cannot be drawn.
        """
        check_places(dict(self._named()))
        if self.pictures:
            check_drawing()

    def _named(self) -> Iterator[tuple[str, Path]]:
        for kind in ("png", "svg", "pdf", "html", "csv", "json"):
            path = getattr(self, kind)
            if path is not None:
                yield kind, path


def check_places(files: dict[str, Path]) -> None:
    """Refuse paths that cannot be written, before any work.

    Raises: ConfigError for a wrong suffix, a folder that is not there or closed, or a file named twice.
    """
    for kind, path in files.items():
        if path == STDOUT and kind in ("csv", "json"):
            continue
        if path.suffix.lower() not in (f".{kind}", ".htm" if kind == "html" else ""):
            raise ConfigError(f"--{kind} {str(path)!r} does not end in .{kind}; name a file that does")
        if path.is_dir():
            raise ConfigError(f"--{kind} {str(path)!r} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise ConfigError(f"--{kind}: there is no folder {str(path.parent)!r}; make it, or choose another place")
        if not os.access(path.parent, os.W_OK):
            raise ConfigError(f"--{kind}: the folder {str(path.parent)!r} cannot be written to; choose another place")
    if list(files.values()).count(STDOUT) > 1:
        raise ConfigError("--csv and --json cannot both go to stdout; give one of them a path")


def check_drawing() -> None:
    """Refuse pictures where there is nothing to draw them with.

    Raises: MissingExtraError naming what to install.
    """
    from cutaway.plots.library import matplotlib

    matplotlib()
