"""Puts under the title of each chapter how long it takes to read: 180 words a minute, and half a minute a figure."""

import re
from typing import Any

WORDS_A_MINUTE = 180
CODE_LINES_A_MINUTE = 15
FENCE = re.compile(r"^(```|:::)(?P<head>.*)\n(?P<body>(?:.*\n)*?)\1$", re.MULTILINE)


def minutes(text: str) -> int:
    """How many minutes a chapter takes to read, its code included."""
    code = sum(match["body"].count("\n") for match in FENCE.finditer(text))
    words = len(FENCE.sub("", text).split())
    return round(words / WORDS_A_MINUTE + code / CODE_LINES_A_MINUTE)


def add(app: Any, docname: str, source: list[str]) -> None:
    """Add the line below the title, where a page is a chapter."""
    if not re.fullmatch(r"guide/\d\d-.*", docname):
        return
    text = source[0]
    note = f"*{minutes(text)} minutes to read.*"
    source[0] = re.sub(r"^# .+\n", lambda title: f"{title.group()}\n{note}\n", text, count=1, flags=re.MULTILINE)


def setup(app: Any) -> dict[str, Any]:
    """Add the time whenever a page is read."""
    app.connect("source-read", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
