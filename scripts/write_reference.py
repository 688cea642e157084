"""Write the pages of the reference that are made from the program: every command, and every key of a recipe.

Usage: python scripts/write_reference.py    a test fails while a page differs from what this would write
"""

import ast
import dataclasses
import inspect
import re
import sys
from pathlib import Path
from unittest.mock import patch

from cutaway.cli.app import build
from cutaway.config import GPTConfig
from cutaway.train.config import LoRAConfig, OptimizerConfig, Source, TrainConfig

FOLDER = Path(__file__).parents[1] / "docs" / "reference"
TABLES = {
    "The run": TrainConfig,
    "[model]": GPTConfig,
    "[[sources]]": Source,
    "[optimizer]": OptimizerConfig,
    "[lora]": LoRAConfig,
}
HEAD = """# Configuration keys

A recipe for `cutaway train` is a TOML file. These are its tables and their keys; the keys of the run stand at the top
of the file, before any table. Each can be changed on the command line, as `--set optimizer.muon_lr=0.01`.
`cutaway.train.shorthand` describes a few shorter forms.
"""


def command_line() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    # Commands that have commands name themselves by how this program was started.
    with patch.object(sys, "argv", ["cutaway"]):
        text = build().generate_docs(output_format="markdown", heading_level=1, include_hidden=False)
    text = re.sub(r"^```console\n(?!cutaway)", "```console\ncutaway ", text, flags=re.MULTILINE)
    # The page has a table of contents beside it.
    text = re.sub(r"## Table of Contents\n.*?(?=\*\*Commands\*\*)", "", text, flags=re.DOTALL)
    return cleaned(text.replace("# cutaway\n", "# The command line\n", 1))


def configuration() -> str:
    """Every key of a recipe."""
    return cleaned("\n".join([HEAD, *(section(title, owner) for title, owner in TABLES.items())]))


def section(title: str, owner: type) -> str:
    """One table of the file: its keys, their defaults, and what they mean."""
    meanings = documented(owner)
    rows = [
        f"| `{field.name}` | {default(field)} | {meanings.get(field.name, '')} |"
        for field in dataclasses.fields(owner)
        if not dataclasses.is_dataclass(field.default)
    ]
    summary = (inspect.getdoc(owner) or "").partition("\n")[0]
    return "\n".join([f"## {title}\n", f"{summary}\n", "| key | default | |", "|---|---|---|", *rows, ""])


def documented(owner: type) -> dict[str, str]:
    """The text below each field of a dataclass, in one line."""
    (tree,) = ast.parse(inspect.getsource(owner)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(field.target, ast.Name):
            found[field.target.id] = " ".join(str(ast.literal_eval(below.value)).split()).replace("|", "\\|")
    return found


def default(field: "dataclasses.Field[object]") -> str:
    """A key's default as TOML has it; a key that must be there says so."""
    if field.default is dataclasses.MISSING:
        return "must be given"
    if field.default is None:
        return "none"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{str(value).lower() if isinstance(value, bool) else repr(value)}`"


def cleaned(text: str) -> str:
    """One empty line at most, no blanks at the ends of lines, one line end at the end."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


PAGES = {"command-line.md": command_line, "configuration.md": configuration}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, write in PAGES.items():
        (FOLDER / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
