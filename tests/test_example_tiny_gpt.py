"""The one-file example: it learns, sees nothing of the future, writes, and needs nothing but torch."""

import ast
import importlib.util
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch

from command_line import environment

PATH = Path(__file__).parents[1] / "examples" / "tiny_gpt.py"
TEXT = "the fox met an owl, and the owl said: who are you? " * 40


@pytest.fixture(scope="module")
def tiny_gpt():
    spec = importlib.util.spec_from_file_location("tiny_gpt", PATH)
    module = sys.modules["tiny_gpt"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["tiny_gpt"]


@pytest.fixture
def letters(tiny_gpt):
    return tiny_gpt.Letters(TEXT)


@pytest.fixture
def model(tiny_gpt, letters):
    torch.manual_seed(0)
    return tiny_gpt.TinyGPT(tiny_gpt.Shape(n_letters=len(letters.known), context=16, n_layer=2, n_head=2, n_embd=16))


def example(*arguments):
    command = [sys.executable, "-W", "error", str(PATH), *map(str, arguments)]
    return subprocess.run(
        command, env=environment(), capture_output=True, text=True, encoding="utf-8", check=False, timeout=300
    )


def test_it_is_one_short_file_that_needs_torch_alone():
    source = PATH.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 200
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    assert names - sys.stdlib_module_names == {"torch"}


def test_letters_come_back(letters):
    assert letters.decode(letters.encode("an owl")) == "an owl"


def test_a_letter_that_was_never_seen_is_refused_by_name(letters):
    with pytest.raises(SystemExit, match="no 'z'"):
        letters.encode("zoo")


def test_the_loss_falls_from_that_of_guessing(tiny_gpt, letters, model):
    ids = torch.tensor(letters.encode(TEXT))
    losses = list(tiny_gpt.train(model, ids, steps=150, rate=1e-2))
    assert losses[0] == pytest.approx(torch.tensor(len(letters.known)).log().item(), abs=0.2)
    assert sum(losses[-5:]) / 5 < 0.6 * losses[0]


def test_letters_to_come_change_nothing(letters, model):
    ids = torch.tensor([letters.encode("the fox met an")])
    other = ids.clone()
    other[0, -1] = letters.encode("w")[0]
    assert torch.equal(model(ids)[0, :-1], model(other)[0, :-1])
    assert not torch.equal(model(ids)[0, -1], model(other)[0, -1])


def test_pieces_of_the_text_may_begin_anywhere_in_it(tiny_gpt):
    torch.manual_seed(0)
    rows = tiny_gpt.some_rows(torch.arange(6), 500, 4)
    assert {tuple(row) for row in rows.tolist()} == {(i, i + 1, i + 2, i + 3) for i in range(3)}


def test_it_writes_on_past_its_context(tiny_gpt, letters, model):
    torch.manual_seed(0)
    written = list(islice(tiny_gpt.write(model, letters.encode("the"), 40), 40))
    assert len(written) == 40
    assert set(written) <= set(range(len(letters.known)))


def test_the_coldest_draw_is_the_likeliest_letter(tiny_gpt, letters, model):
    ids = letters.encode("the fox")
    (chosen,) = tiny_gpt.write(model, ids, 1, temperature=1e-4)
    assert chosen == model(torch.tensor([ids]))[0, -1].argmax()


def test_it_runs_on_a_text_of_ones_own(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    result = example(tmp_path / "text.txt", "--steps", 3, "--length", 12, "--prompt", "the owl")
    assert (result.returncode, result.stderr) == (0, "")
    assert "step     3   loss" in result.stdout
    written = result.stdout.partition("\n\n")[2]
    assert written.startswith("the owl")
    assert len(written) == len("the owl") + 12 + 1


def test_without_a_text_it_reads_the_manual(tiny_gpt):
    assert "statement" in tiny_gpt.python_manual()


def test_a_text_too_short_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "text.txt").write_text("too short", encoding="utf-8")
    result = example(tmp_path / "text.txt", "--prompt", "t")
    assert result.returncode == 1
    assert result.stderr == "9 letters are too few to learn from; take a text of 10,000 or more\n"
