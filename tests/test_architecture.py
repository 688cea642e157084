"""The floors: a part imports only from lower ones. Read from the source, so that lazy imports count too."""

import ast
import re
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "cutaway"

FLOORS = {
    "errors": 1,
    **dict.fromkeys(["config", "atomic_file", "machine", "window"], 2),
    **dict.fromkeys(["tokenizer", "cache", "sampling", "data", "anatomy", "plots", "pages"], 3),
    **dict.fromkeys(["model", "native", "labelled"], 4),
    **dict.fromkeys(["weights", "generate"], 5),
    "engine": 6,
    **dict.fromkeys(["quant", "train", "evals", "inspect", "text_generator", "verify", "speed", "samples"], 7),
    "language_model": 8,
    **dict.fromkeys(["server", "ray_data", "guide"], 9),
    "cli": 10,
}
# `cutaway` itself hands out names from every floor up to language_model.
FACADE = {"__init__": "the lazy public names", "__main__": "python -m cutaway"}

TORCHLESS = {part for part, floor in FLOORS.items() if floor <= 3} - {"cache"} | {
    "native",
    "labelled",
    "text_generator",
}
DOORS = {
    "tiktoken": {"tokenizer"},
    "tokenizers": {"tokenizer"},
    "regex": {"tokenizer"},
    "array_api_compat": {"sampling"},
    "pyarrow": {"data"},
    "zstandard": {"data"},
    "huggingface_hub": {"weights"},
    "safetensors": {"weights"},
    "onnx": {"weights"},
    "cyclopts": {"cli"},
    "rich": {"cli"},
    "matplotlib": {"plots"},
    "PIL": {"plots"},
    "pandas": {"labelled"},
    "wandb": {"train"},
    "fastapi": {"server"},
    "starlette": {"server"},
    "pydantic": {"server"},
    "uvicorn": {"server"},
    "prometheus_client": {"server"},
    "ray": {"server", "ray_data"},
    "lm_eval": {"evals"},
}
EVERYWHERE = {"torch", "numpy"}
# A peer is a witness: only `verify` asks it, and only where somebody has installed it.
PEERS = {"transformers": {Path("verify/peer.py")}}
NOUNLESS = {"utils", "util", "common", "helpers", "helper", "misc", "base", "manager", "tools", "core"}
MAX_LINES = 400
LAZY_NAME = re.compile(r"cutaway(\.\w+)+(:\w+)?")

FILES = sorted(SOURCE.rglob("*.py"))
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))


def part_of(file):
    """The part a file belongs to: `weights` for weights/hub.py, `model` for model.py."""
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(file):
    """Dotted names of all that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file.name}:{node.lineno} imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def named_modules(file):
    """Modules of this package that a file names in a string, as lazy commands and lazy names do."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and LAZY_NAME.fullmatch(str(node.value)):
            yield node.value.replace(":", ".")


def own_parts(file):
    """Parts of this package that a file imports or names."""
    for name in (*imports(file), *named_modules(file)):
        package, _, rest = name.partition(".")
        part = rest.partition(".")[0]
        if package == "cutaway" and part != "__version__":
            # `cutaway` as a whole, or a public name of it, reaches as high as that which it hands out.
            yield part if part in FLOORS else "language_model"


@each_file
def test_every_file_stands_on_a_floor(file):
    assert part_of(file) in FLOORS.keys() | FACADE


@each_file
def test_imports_go_down(file):
    part = part_of(file)
    if part in FACADE:
        assert set(own_parts(file)) <= FLOORS.keys()
    else:
        not_below = {other for other in own_parts(file) if other != part and FLOORS[other] >= FLOORS[part]}
        assert not not_below, f"{part} (floor {FLOORS[part]}) imports {not_below}"


@pytest.mark.parametrize("package", sorted({file.parent for file in FILES}), ids=lambda path: path.name)
def test_no_module_imports_itself_through_others(package):
    """Between parts the floors forbid cycles; this looks among the files of one folder."""
    prefix = ".".join(package.relative_to(SOURCE.parent).parts)
    files = {file.stem: file for file in package.glob("*.py")}
    graph = {
        stem: {name[len(prefix) + 1 :].partition(".")[0] for name in imports(file) if name.startswith(f"{prefix}.")}
        & files.keys() - {stem, "__init__"}
        for stem, file in files.items()
    }
    while free := {stem for stem, needs in graph.items() if not needs & graph.keys()}:
        graph = {stem: needs for stem, needs in graph.items() if stem not in free}
    assert not graph, f"these import each other in a circle: {sorted(graph)}"


@each_file
def test_each_library_has_its_door(file):
    outside = {name.partition(".")[0] for name in imports(file)} - sys.stdlib_module_names - {"cutaway"}
    called = {peer for peer in outside & PEERS.keys() if file.relative_to(SOURCE) not in PEERS[peer]}
    assert not called, f"{called} may not be imported here"
    outside -= PEERS.keys()
    assert outside <= DOORS.keys() | EVERYWHERE, f"a library without a door: {outside}"
    if part_of(file) in TORCHLESS:
        assert "torch" not in outside
    strangers = {library for library in outside - EVERYWHERE if part_of(file) not in DOORS[library]}
    assert not strangers, f"{part_of(file)} is not the door of {strangers}"


@each_file
def test_only_the_command_line_prints(file):
    calls = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    prints = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    allowed = part_of(file) == "cli" or file.stem == "__main__"
    assert allowed or not prints, f"{file.name} prints in lines {prints}"


@each_file
def test_a_file_is_about_one_noun_and_short(file):
    assert file.stem not in NOUNLESS
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
