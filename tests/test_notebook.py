"""The notebook: run from top to bottom as a notebook would run it, and kept as it should be."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import environment

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "inside.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the cells print, and the folder of what they show and write."""
    folder = tmp_path_factory.mktemp("notebook")
    command = [sys.executable, "-W", "error", str(ROOT / "scripts" / "run_notebook.py"), str(NOTEBOOK), "shown"]
    result = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, folder


def test_every_cell_runs(ran):
    folder = ran[1]
    pictures = list((folder / "shown").glob("*.png"))
    assert len(pictures) >= 8
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert (folder / "attention.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_tokens_are_those_of_gpt2(ran):
    assert "[15496, 2159, 13, 770, 318, 2449, 1681]" in ran[0]
    assert "[18435, 2159, 13, 770, 318, 2449, 1681]" in ran[0]
    assert "['Ag', 'ney', 'Ġloves', 'Ġto', 'Ġtrain', 'ĠDL', 'Ġmodels']" in ran[0]
    assert "[363, 1681, 10408, 284, 4512, 23641, 4981] without" in ran[0]


def test_the_steps_by_hand_equal_the_model(ran):
    differences = re.findall(r"^\S+ +.+\) +(\d\.\de[+-]\d+)$", ran[0], re.MULTILINE)
    assert len(differences) == 60
    assert max(map(float, differences)) < 1e-3
    assert "\nTrue\n" in ran[0]


def test_the_notebook_is_saved_without_outputs():
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in CELLS if cell["cell_type"] == "code")
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)


def test_only_the_first_cell_names_the_model():
    code = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]
    assert code[0] == 'MODEL = "fable"'
    assert not any(re.search(r"^MODEL *=", cell, re.MULTILINE) for cell in code[1:])


def test_every_section_of_such_a_notebook_is_there():
    headings = re.findall(r"^#+ (.+)", "\n".join("".join(c["source"]) + "\n" for c in CELLS), re.MULTILINE)
    for topic in ("Tokens", "Embeddings", "step by step", "attention", "All heads", "next token", "choose", "Few-shot"):
        assert any(topic.lower() in heading.lower() for heading in headings), topic
    for topic in ("Questions", "summary", "lens", "Attribution", "Patching", "Heads", "Surprise"):
        assert any(topic.lower() in heading.lower() for heading in headings), topic
