"""`cutaway generate` without a prompt: a person types the beginning of a text, the model goes on."""

import contextlib

from cutaway.cli import source_text, terminal
from cutaway.cli.writing import Writer
from cutaway.errors import CutawayError


def converse(writer: Writer) -> None:
    """Ask for prompts and continue each, until Ctrl-D. Ctrl-C ends the text that is being written, not the session."""
    with contextlib.suppress(ImportError):  # there is none on Windows, whose console edits lines by itself
        import readline  # noqa: F401  # its import is what makes input() editable

    terminal.notice("Type the beginning of a text; Ctrl-C stops a text, Ctrl-D leaves.")
    while True:
        try:
            prompt = source_text.checked_argument(input("> "))
        except EOFError:
            print()
            return
        if prompt:
            answer(writer, prompt)


def answer(writer: Writer, prompt: str) -> None:
    """Continue one prompt; a mistake in it does not end the session."""
    try:
        writer.write(prompt)
    except KeyboardInterrupt:
        terminal.notice("stopped")
    except CutawayError as error:
        terminal.notice(f"cutaway: error: {error}")
