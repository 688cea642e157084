"""Where output goes: stdout is the product, stderr is for progress and notices."""

import contextlib
import io
import json
import os
import sys
from typing import Any

DIM, RESET = "\x1b[2m", "\x1b[0m"

VISIBLE_CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"}
VISIBLE_CONTROLS |= {0x7F: "␡", **dict.fromkeys(range(0x80, 0xA0), "\ufffd")}


def set_up() -> None:
    """Write UTF-8 whatever the console's code page, and never fail over a character that cannot be shown."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def is_interactive() -> bool:
    """Whether a person sits at both ends: at the keyboard and before the screen."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def has_colour() -> bool:
    """Whether stdout takes colours. Source: no-color.org."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def dim(text: str) -> str:
    """The text in a fainter colour, where there are colours."""
    return f"{DIM}{text}{RESET}" if text and has_colour() else text


def harmless(text: str) -> str:
    """On a terminal, the text with control characters made visible: a model may write some, and terminals obey them."""
    return text.translate(VISIBLE_CONTROLS) if sys.stdout.isatty() else text


def write(text: str) -> None:
    """Show text at once, without a new line."""
    print(text, end="", flush=True)


def print_json(value: Any) -> None:
    """A value as JSON that any parser accepts."""
    print(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def notice(text: str) -> None:
    """A remark that is not part of the product."""
    print(text, file=sys.stderr, flush=True)


def progress(text: str) -> None:
    """How far something is, in one line that the next one replaces; an empty text takes it away. Only on a screen."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def stop() -> None:
    """After Ctrl-C: show what is still buffered."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    notice("cutaway: interrupted")


def abandon_output() -> None:
    """After the reader has gone: let what is still buffered go nowhere, or Python complains on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
