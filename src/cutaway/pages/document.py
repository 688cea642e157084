"""The HTML around the views: one file with its style, its script and its data, forbidden to talk to anybody."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from itertools import chain
from pathlib import Path

from cutaway.atomic_file import write_atomically
from cutaway.errors import ConfigError
from cutaway.pages.view import View

IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
EXPORT = re.compile(r"^export ((?:async )?function |const |class )(\w+)", re.MULTILINE)


def write_page(path: Path | str, *views: View, title: str | None = None) -> None:
    """Write a page of these views, as tabs when they are several, whole or not at all.

    Raises: ConfigError for no view, views that cannot be shown, or a file that cannot be written.
    """
    try:
        # Half a surrogate pair is no Unicode: in a title it becomes ?, in data it is escaped.
        write_atomically(Path(path), (part.encode(errors="replace") for part in page(*views, title=title)))
    except OSError as error:
        raise ConfigError(f"the page cannot be written to {path}: {error.strerror}; name another file") from None


def page(*views: View, title: str | None = None) -> Iterator[str]:
    """The text of a page, in parts, so that bulk never lies in memory as a whole; the same views, the same bytes.

    Without a title it is called what its first view is called.

    Raises: ConfigError for no view at all.
    """
    if not views:
        raise ConfigError("a page needs at least one view")
    return parts(views, html.escape(views[0].title if title is None else title))


def parts(views: tuple[View, ...], title: str) -> Iterator[str]:
    """Head, data, script: in this order a browser shows the title while it still reads the data."""
    yield (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{style()}</style>\n</head>\n<body>\n"
        f'<header><h1>{title}</h1></header>\n<main id="page"><p id="reading">Reading the numbers…</p>\n'
        "<noscript><p>This page draws with JavaScript, which is switched off.</p></noscript></main>\n"
    )
    for number, view in enumerate(views):
        facts = {"kind": view.kind, "title": view.title, **view.facts}
        yield inert(f"view-{number}", in_script(facts))
        for block in view.blocks:
            yield inert(f"view-{number}-{block.name}", base64.b64encode(block.data).decode())
    yield f'<script type="module">{script()}</script>\n</body>\n</html>\n'


def inert(name: str, text: str) -> str:
    """A script element that holds data: no browser runs a type that it does not know."""
    return f'<script type="application/json" id="{html.escape(name)}">{text}</script>\n'


def in_script(value: object) -> str:
    """JSON that cannot end the element it stands in: a token may well be `</script>` or `<!--`."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def policy() -> str:
    """Nothing may be loaded or sent, and nothing may run but the script and the style that are known by their hash."""
    return (
        f"default-src 'none'; script-src '{fingerprint(script())}'; style-src '{fingerprint(style())}'; "
        "base-uri 'none'; form-action 'none'"
    )


def fingerprint(text: str) -> str:
    """A text's hash, as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def script() -> str:
    """All modules in one: a file opened from a disk may not import another."""
    *needed, main = in_order("main")
    return "".join(map(enclosed, needed)) + IMPORT.sub(r"const \1 = $\2;", asset(f"{main}.js"))


def in_order(module: str) -> list[str]:
    """A module after all those it needs, each once."""
    needed = [match[2] for match in IMPORT.finditer(asset(f"{module}.js"))]
    return list(dict.fromkeys([*chain.from_iterable(map(in_order, needed)), module]))


def enclosed(module: str) -> str:
    """A module as a function that is called at once and returns what the module exports."""
    source = asset(f"{module}.js")
    exports = ", ".join(match[2] for match in EXPORT.finditer(source))
    body = EXPORT.sub(r"\1\2", IMPORT.sub(r"const \1 = $\2;", source))
    return f"const ${module} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"


@cache
def style() -> str:
    """The style sheet."""
    return asset("page.css")


@cache
def asset(name: str) -> str:
    """A file that ships with this part, with the same line ends on every system."""
    text = resources.files("cutaway.pages").joinpath("assets", name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")
