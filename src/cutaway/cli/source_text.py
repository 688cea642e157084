"""The text that a command works on: an argument, a file, or what is piped in."""

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

from cutaway.cli import terminal
from cutaway.errors import CutawayError

MAX_TEXT_BYTES = 64 << 20


def read_text(text: str | None, file: Path | None) -> str | None:
    """The text from wherever it comes; None when there is none and a person could be asked.

    Raises: CutawayError for two texts at once, none at all, or one that cannot be read as UTF-8.
    """
    if text is not None and file is not None:
        raise CutawayError("there are two texts, the argument and --file; give one")
    if text is not None:
        return checked_argument(text)
    if file is not None:
        return read_file(file)
    return None if terminal.is_interactive() else read_stdin()


def required_text(text: str | None, file: Path | None) -> str:
    """The text from wherever it comes.

    Raises: CutawayError as `read_text` does, and when there is none.
    """
    found = read_text(text, file)
    if found is None:
        raise CutawayError("there is no text; give one as an argument, with --file, or through a pipe")
    return found


def piped_text() -> str | None:
    """What is piped in; None when nothing is, for those who have an example to fall back on."""
    if sys.stdin is None or sys.stdin.isatty():
        return None
    return read_stream(sys.stdin.buffer, "standard input") or None


def without_final_newline(text: str) -> str:
    """The text without the line end that editors and `echo` put after it, for a model would go on after it."""
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def checked_argument(text: str) -> str:
    """An argument, or a typed line, as whole characters.

    Raises: CutawayError when the bytes behind it are not UTF-8.
    """
    try:
        text.encode()
        return text
    except UnicodeEncodeError as error:
        # In the C locale Python takes UTF-8 for single bytes, and keeps them; so they can be had back.
        with contextlib.suppress(UnicodeError):
            return os.fsencode(text).decode()
        raise CutawayError(f"the text is not UTF-8 at character {error.start:,}; give it by --file") from None


def read_file(file: Path) -> str:
    """The text in a file."""
    try:
        with file.open("rb") as stream:
            return read_stream(stream, str(file))
    except OSError as error:
        raise CutawayError(f"cannot read {str(file)!r}: {error.strerror}; check the path") from None


def read_stdin() -> str:
    """The text that is piped in."""
    if sys.stdin is None or sys.stdin.isatty():
        raise CutawayError("there is no text; give one as an argument, with --file, or through a pipe")
    text = read_stream(sys.stdin.buffer, "standard input")
    if not text:
        raise CutawayError("standard input is empty; give a text as an argument, with --file, or through a pipe")
    return text


def read_stream(stream: BinaryIO, name: str) -> str:
    """UTF-8 text from bytes, up to a limit."""
    content = stream.read(MAX_TEXT_BYTES + 1)
    if len(content) > MAX_TEXT_BYTES:
        raise CutawayError(f"{name} is longer than {MAX_TEXT_BYTES >> 20} MiB; give a part of it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CutawayError(f"{name} is not UTF-8 text (byte {error.start:,}); convert it first") from None
