"""The directive `source`: a function or class of the package as it stands in its file, with a link to its lines.

    :::{source} cutaway.model.attention_pattern
    :::

Nothing is copied into the page's text: the object is looked up when the page is built, so it is always the present one.
The link goes to a page of the site that shows the whole file, at the line; one is made for every file referred to.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.util.docutils import SphinxDirective

PAGES = "source"
TYPE_REMARK = re.compile(r"  # type: ignore\[[\w-]+\]$", re.MULTILINE)
"""What only a type checker reads."""


class Source(SphinxDirective):
    """Shows the source of what its argument names, or from and to the lines that begin as `:from:` and `:to:` say."""

    required_arguments = 1
    option_spec = {"from": str, "to": str}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """The caption with its link, and the code."""
        name = self.arguments[0]
        module, found = located(name)
        lines, first = inspect.getsourcelines(found)
        start, stop = part(lines, self.options.get("from"), self.options.get("to"))
        self.env.note_dependency(inspect.getfile(module))
        referred(self.env).setdefault(self.env.docname, set()).add(module.__name__)
        code = inspect.cleandoc("\n" + TYPE_REMARK.sub("", "".join(lines[start:stop])))
        block = nodes.literal_block(code, code, language="python")
        caption = nodes.caption("", "", *self.caption(name, module, first + start, first + stop - 1))
        return [nodes.container("", caption, block, classes=["literal-block-wrapper", "source"], literal_block=True)]

    def caption(self, name: str, module: ModuleType, first: int, last: int) -> Iterator[nodes.Node]:
        """The name, and where it stands."""
        yield nodes.literal("", name.removeprefix(f"{module.__name__}."))
        yield nodes.Text(" · ")
        where = f"{path_of(module)}, lines {first}–{last}"
        root = "../" * self.env.docname.count("/")
        yield nodes.reference("", where, internal=True, refuri=f"{root}{page_of(module.__name__)}.html#line-{first}")


def located(name: str) -> tuple[ModuleType, Any]:
    """The module that `cutaway.model.Attention.attend` stands in, and the object itself."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        found: Any = module
        for attribute in parts[length:]:
            found = getattr(found, attribute)
        found = found.fget if isinstance(found, property) else found
        return module, inspect.unwrap(found)
    raise ModuleNotFoundError(name)


def part(lines: list[str], first: str | None, last: str | None) -> tuple[int, int]:
    """Which of the lines to show: from the one that begins so to the one that begins so."""
    bare = [line.strip() for line in lines]
    start = next(i for i, line in enumerate(bare) if line.startswith(first)) if first else 0
    stop = next(i for i, line in enumerate(bare) if i >= start and line.startswith(last)) + 1 if last else len(lines)
    return start, stop


def path_of(module: ModuleType) -> str:
    """The file's path below `src`."""
    file = Path(inspect.getfile(module))
    return Path(*file.parts[file.parts.index("cutaway") :]).as_posix() if "cutaway" in file.parts else file.name


def page_of(module: str) -> str:
    """The page that shows a module."""
    return f"{PAGES}/{module.replace('.', '/')}"


def referred(env: Any) -> dict[str, set[str]]:
    """Which modules each page refers to."""
    if not hasattr(env, "modules_referred_to"):
        env.modules_referred_to = {}
    return env.modules_referred_to  # type: ignore[no-any-return]


def forget(app: Any, env: Any, docname: str) -> None:
    """A page is read anew."""
    referred(env).pop(docname, None)


def merge(app: Any, env: Any, docnames: set[str], other: Any) -> None:
    """Pages were read by another process."""
    referred(env).update({docname: modules for docname, modules in referred(other).items() if docname in docnames})


def pages(app: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file referred to, its lines numbered."""
    for name in sorted(set().union(*referred(app.env).values())):
        module = importlib.import_module(name)
        body = f'<h1>{path_of(module)}</h1>\n<div class="whole-file">{numbered(Path(inspect.getfile(module)))}</div>'
        yield page_of(name), {"title": path_of(module), "body": body}, "page.html"


def numbered(file: Path) -> str:
    """A file as HTML, its lines numbered and each to be linked to."""
    code = file.read_text(encoding="utf-8")
    shown = highlight(code, PythonLexer(stripnl=False), HtmlFormatter(linenos="inline", cssclass="highlight"))
    numbers = count(1)
    return re.sub(r'<span class="linenos">', lambda _: f'<span id="line-{next(numbers)}" class="linenos">', shown)


def setup(app: Any) -> dict[str, Any]:
    """Offer the directive `source`."""
    app.add_directive("source", Source)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
