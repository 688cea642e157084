"""`cutaway generate` without a prompt: a person types the beginning of a text, the model goes on."""

import contextlib

from cutaway.cli import source_text, terminal
from cutaway.cli.writing import Writer
from cutaway.errors import CutawayError


def converse(writer: Writer) -> None:
    """Ask for prompts and continue each, until Ctrl-D. Ctrl-C ends the text that is being written, not the session."""
    with contextlib.suppress(ImportError):  # there is none on Windows, whose console edits lines by itself
        import readline  # noqa: F401  # makes input() editable

    terminal.notice("Type the beginning of a text; Ctrl-C stops a text, Ctrl-D leaves.")
    while True:
        try:
            line = input("> ")
        except EOFError:
            print()
            return
        if line:
            answer(writer, line)


def answer(writer: Writer, line: str) -> None:
    """Continue one line; a mistake in it does not end the session."""
    try:
        writer.write(source_text.checked_argument(line))
    except KeyboardInterrupt:
        terminal.notice("stopped")
    except CutawayError as error:
        terminal.notice(f"cutaway: error: {error}")
