"""Run a notebook without Jupyter: its code cells in order, in one namespace, what each shows printed or saved.

Usage: python scripts/run_notebook.py NOTEBOOK [FOLDER]    FOLDER takes the pictures and tables that the cells show
"""

import ast
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def code_cells(notebook: Path) -> Iterator[tuple[int, str]]:
    """The number of each cell of code, and the code."""
    for number, cell in enumerate(json.loads(notebook.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            yield number, "".join(cell["source"])


def run_cell(code: str, namespace: dict[str, Any], name: str) -> Any:
    """Run a cell; the value of its last line if that is an expression, as a notebook shows it."""
    *lines, last = ast.parse(code).body
    shown = ast.Expression(last.value) if isinstance(last, ast.Expr) else None
    exec(compile(ast.Module(lines if shown else [*lines, last], []), name, "exec"), namespace)
    return eval(compile(shown, name, "eval"), namespace) if shown else None


def show(value: Any, name: str, folder: Path | None) -> None:
    """Show a value as a notebook would: as picture, as table, or as text."""
    for suffix in ("png", "html"):
        form = getattr(value, f"_repr_{suffix}_", None)
        if form is not None:
            content = form()
            data = content if isinstance(content, bytes) else content.encode()
            print(f"[{suffix}, {len(data):,} bytes]")
            if folder is not None:
                (folder / f"{name}.{suffix}").write_bytes(data)
            return
    if value is not None:
        print(repr(value))


def main(notebook: Path, folder: Path | None = None) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, code in code_cells(notebook):
        start = time.perf_counter()
        show(run_cell(code, namespace, f"cell {number}"), f"cell-{number:02}", folder)
        print(f"--- cell {number}: {time.perf_counter() - start:.2f} s", file=sys.stderr)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
