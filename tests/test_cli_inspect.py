"""`cutaway inspect`: every question with no argument at all, in every form, and asked wrongly."""

import csv
import io
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

import cutaway
from command_line import mistake, run, tiny
from cutaway import inspect
from cutaway.cli.inspect.app import COMMANDS
from cutaway.inspect import Embedding
from cutaway.weights.safetensors_file import write_safetensors

TEXT = "once upon a mat"
ASKED = {
    "attention": [TEXT],
    "attention --all": [TEXT, "--all"],
    "lens": [TEXT],
    "lens --by kl": [TEXT, "--by", "kl"],
    "attribution": [TEXT],
    "attribution --by head": [TEXT, "--by", "head"],
    "attribution --by token": [TEXT, "--by", "token", "--token", 1],
    "attribution --by neuron": [TEXT, "--by", "neuron", "--top", 3],
    "attribution --by layer": [TEXT, "--by", "layer"],
    "heads": ["--length", 6, "--rows", 2],
    "embeddings": [],
    **{
        f"embeddings --study {study}": ["--study", study, "--rows", "0-20"]
        for study in ("statistics", "heat-map", "sigmoid", "curves", "norms", "components", "similarity", "spectrum")
    },
    "embeddings --study look-alikes": ["--study", "look-alikes"],
    "embeddings --study under-trained": ["--study", "under-trained"],
    "embeddings --near": ["--near", " cat", "--top", 4],
    "embeddings --near position": ["--near", "3"],
    "patch": [TEXT, "once upon a cat", "--answer", "."],
    "patch --over head": [TEXT, "once upon a cat", "--over", "head"],
    "surprise": [TEXT],
    "weights": [],
    "weights --name": ["--name", "h.0.mlp.c_fc"],
    "weights --study singular-values": ["--name", "h.1.attn.c_attn", "--study", "singular-values"],
    "compare": [TEXT, "once upon a cat"],
    "compare --with": [TEXT, "--with", tiny()],
}
"""Arguments for a model so small that all of it fits a test."""


@pytest.fixture(scope="module")
def gpt():
    return cutaway.load(tiny(), device="cpu")


def asked(name):
    return ["inspect", name.split()[0], *ASKED[name], "--model", tiny()]


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_question_has_an_answer_with_no_argument_at_all(command):
    result = run("inspect", command)
    assert (result.code, result.err) == (0, ""), result
    assert len(result.out.splitlines()) > 2
    assert "\x1b" not in result.out


@pytest.mark.parametrize("name", ASKED)
def test_every_answer_has_every_form(name, tmp_path):
    paths = {kind: tmp_path / f"a.{kind}" for kind in ("png", "html", "csv", "json")}
    result = run(*asked(name), *(part for kind, path in paths.items() for part in (f"--{kind}", path)))
    assert (result.code, result.err) == (0, ""), result
    assert result.out.splitlines() == [str(path) for path in paths.values()]
    with Image.open(paths["png"]) as picture:
        picture.verify()
    page = paths["html"].read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    table = rows_of(paths["csv"].read_text(encoding="utf-8"))
    assert table or "look-alikes" in name
    assert json.loads(paths["json"].read_text(encoding="utf-8"))


def test_a_picture_can_be_svg_and_pdf(tmp_path):
    svg, pdf = tmp_path / "a.svg", tmp_path / "a.pdf"
    assert run(*asked("heads"), "--svg", svg, "--pdf", pdf).code == 0
    assert svg.read_text(encoding="utf-8").rstrip().endswith("</svg>")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", ASKED)
def test_every_answer_is_shown(name):
    result = run(*asked(name))
    assert (result.code, result.err) == (0, ""), result
    assert result.out.strip()


@pytest.mark.parametrize("spelling", [["--json"], ["--json", "-"], ["--json=-"]])
def test_json_goes_to_stdout_without_a_path(spelling):
    found = json.loads(run("inspect", "lens", *spelling, TEXT, "--model", tiny()).out)
    assert found["tokens"] == cutaway.load(tiny(), device="cpu").tokenizer.pieces(found_ids(TEXT))


def found_ids(text):
    return cutaway.load(tiny(), device="cpu").ids(text)


def test_csv_goes_to_stdout_and_the_names_of_files_do_not(tmp_path):
    result = run(*asked("surprise"), "--csv", "-", "--html", tmp_path / "a.html")
    assert result.err == f"{tmp_path / 'a.html'}\n"
    assert [row["piece"] for row in rows_of(result.out)] == cutaway.load(tiny()).tokenizer.pieces(found_ids(TEXT))


def test_the_text_comes_from_an_argument_a_file_or_a_pipe(tmp_path):
    (tmp_path / "text").write_text(f"{TEXT}\n", encoding="utf-8")
    answers = [
        run("inspect", "surprise", TEXT, "--model", tiny()),
        run("inspect", "surprise", "--file", tmp_path / "text", "--model", tiny()),
        run("inspect", "surprise", "--model", tiny(), stdin=f"{TEXT}\n".encode()),
    ]
    assert len({answer.out for answer in answers}) == 1


def test_a_special_token_in_the_text_counts_where_it_may():
    plain, special = (
        json.loads(run("inspect", "surprise", "<|endoftext|>once", *flag, "-m", tiny(), "--json").out)["tokens"]
        for flag in ([], ["--special"])
    )
    assert special[0]["piece"] == "<|endoftext|>"
    assert len(special) < len(plain)


def test_the_table_of_attention_is_the_pattern(gpt):
    out = run("inspect", "attention", TEXT, "--layer", 1, "--head", 1, "--model", tiny()).out
    pattern = gpt.trace(TEXT, "pattern")["h.1.pattern"][1]
    _, _, header, *rows = out.splitlines()
    assert header.split()[1:] == gpt.tokenizer.pieces(gpt.ids(TEXT))
    for query, row in enumerate(rows):
        assert row.split()[1:] == [f"{weight:.3f}" for weight in pattern[query, : query + 1].tolist()]


def test_attention_of_all_heads_as_numbers(gpt):
    found = json.loads(run("inspect", "attention", TEXT, "--all", "--json", "--model", tiny()).out)
    assert np.allclose(found["values"], gpt.trace(TEXT, "pattern").stack("pattern").numpy(), atol=1e-6)


def test_a_longer_text_shows_where_each_token_looks_most(monkeypatch):
    monkeypatch.setattr("cutaway.cli.inspect.screen.PIPE", 40)
    out = run("inspect", "attention", "the cat sat on the mat. once upon", "--model", tiny()).out
    assert out.splitlines()[2].split() == ["place", "token", "looks", "at"]


def test_a_narrow_screen_gets_fewer_layers(monkeypatch):
    monkeypatch.setattr("cutaway.cli.inspect.screen.PIPE", 32)
    out = run("inspect", "lens", TEXT, "--model", tiny()).out
    assert "do not fit here" in out
    assert out.splitlines()[2].split()[-1] == "end"


def test_lens_knows_as_many_alternatives_as_are_asked_for(gpt):
    found = json.loads(run("inspect", "lens", TEXT, "--top", 3, "--json", "--model", tiny()).out)
    assert [[len(cell) for cell in line] for line in found["predictions"]] == [[3] * len(found["tokens"])] * 3
    expected = gpt.next_tokens(TEXT, 3)[-1].predictions
    assert [piece for piece, _ in found["predictions"][-1][-1]] == [prediction.piece for prediction in expected]


@pytest.mark.parametrize("by", ["part", "layer"])
def test_the_parts_make_the_logit(by):
    found = json.loads(run("inspect", "attribution", TEXT, "--by", by, "--json", "--model", tiny()).out)
    assert sum(found["values"]) == pytest.approx(found["logit"], abs=1e-5)


def test_patching_carries_the_answer_over():
    found = json.loads(run(*asked("patch"), "--json").out)
    values = np.array(found["values"])
    # Whatever differs between the texts enters at the last token, which alone differs.
    assert values[0, -1] == pytest.approx(1, abs=1e-3)
    assert np.allclose(values[:, :-1], 0, atol=1e-3)


def test_patching_asks_for_the_likeliest_token_of_the_clean_text(gpt):
    found = json.loads(run("inspect", "patch", TEXT, "once upon a cat", "--json", "--model", tiny()).out)
    piece = gpt.next_tokens(TEXT, 1)[-1].predictions[0].piece
    assert repr(piece) in found["metric"]


def test_surprise_adds_up(gpt):
    out = run(*asked("surprise")).out
    mean = inspect.surprise(gpt, TEXT).mean_bits
    n_bytes = len(TEXT) - len(gpt.tokenizer.decode(gpt.ids(TEXT)[:1]))
    bits_per_byte = mean * (len(gpt.ids(TEXT)) - 1) / n_bytes
    assert (
        out.splitlines()[-1] == f"{mean:.2f} bits a token, perplexity {2**mean:,.1f}, {bits_per_byte:.2f} bits a byte"
    )


def test_comparing_a_model_with_itself_finds_nothing():
    found = json.loads(run(*asked("compare --with"), "--json").out)
    assert not np.any(found["hidden"]["values"])
    assert not np.any(found["patterns"]["values"])


def test_the_checkpoints_of_a_run_are_set_side_by_side(tmp_path):
    """Whose folders are named by their steps, and are models."""
    gpt = cutaway.load(tiny(), device="cpu")
    for step in (2, 10):
        gpt.save(tmp_path / "checkpoints" / f"step-{step:09}")
    arguments = ["inspect", "compare", TEXT, "--run", tmp_path]
    found = json.loads(run(*arguments, "--json").out)
    assert found["axes"][0] == {"name": "step", "labels": [2, 10]}
    assert found["values"][0] == found["values"][1]
    assert [row.split()[0] for row in run(*arguments).out.splitlines()[3:]] == ["2", "10"]


@pytest.fixture
def bare(tmp_path):
    """A file that holds positions alone, under the name that some checkpoints give them."""
    gpt = cutaway.load(tiny(), device="cpu")
    file = tmp_path / "alone" / "positions.safetensors"
    file.parent.mkdir()
    write_safetensors({"transformer.wpe.weight": gpt.model.wpe.weight.detach().clone()}, file)
    return file


def test_a_file_of_positions_alone_is_studied(bare, gpt):
    found = json.loads(run("inspect", "embeddings", "-m", bare, "--json").out)["tables"]
    figures = inspect.position_embedding(gpt).statistics()
    assert [(table["rows"], table["mean"], table["std"]) for table in found] == [(32, figures.mean, figures.std)]
    assert run("inspect", "embeddings", "-m", bare, "--near", 3).code == 0
    assert "holds no wte" in mistake("inspect", "embeddings", "-m", bare, "--table", "wte")
    assert "name a whole model" in mistake("inspect", "embeddings", "-m", bare, "--study", "under-trained")


def test_a_file_without_tables_is_refused(tmp_path, gpt):
    file = tmp_path / "a.safetensors"
    write_safetensors({"h.0.ln_1.weight": gpt.model.h[0].ln_1.weight.detach().clone()}, file)
    assert "holds neither wpe.weight nor wte.weight" in mistake("inspect", "embeddings", "-m", file)


def test_rows_can_be_chosen(gpt):
    found = json.loads(run("inspect", "embeddings", "--rows", "3-5,9", "--study", "norms", "--json", "-m", tiny()).out)
    norms = gpt.model.wpe.weight.detach().norm(dim=1)[[3, 4, 5, 9]]
    assert found["axes"][0]["labels"] == [3, 4, 5, 9]
    assert found["values"] == pytest.approx(norms.tolist(), abs=1e-6)


def test_look_alikes_are_listed(monkeypatch):
    weight = cutaway.load(tiny()).model.wte.weight.detach().clone()
    weight[5:9] = weight[5]
    embedding = Embedding(title="Rows", kind="token", weight=weight, labels=tuple(range(len(weight))))
    monkeypatch.setattr("cutaway.inspect.token_embedding", lambda gpt: embedding)
    out = run(*asked("embeddings --study look-alikes")).out
    assert out.splitlines()[1].split()[:3] == ["4", "1.000", "5-8"]


def film(*arguments):
    return ["inspect", "attention", "--model", tiny(), *arguments]


def test_a_film_grows_from_the_end_of_text_token(tmp_path):
    path = tmp_path / "a.gif"
    result = run(*film("--gif", path, "--max-tokens", 6, "--layers", "1,0", "--head", 1))
    assert (result.code, result.out) == (0, f"{path}\n"), result
    with Image.open(path) as picture:
        assert picture.n_frames == 6


def test_a_film_of_a_text_begins_after_it_and_is_the_same_each_time(tmp_path):
    paths = [tmp_path / f"{name}.gif" for name in "ab"]
    for path in paths:
        assert run(*film(TEXT, "--gif", path, "--max-tokens", 12, "--seed", 3)).code == 0
    with Image.open(paths[0]) as picture:
        assert picture.n_frames == 12 - len(found_ids(TEXT)) + 1
    assert paths[0].read_bytes() == paths[1].read_bytes()


MISTAKES = {
    ("attention", "--layer", 2): "--layer 2 is out of range; the model has layers 0 to 1",
    ("attention", "--head", -3): "--head -3 is out of range; the model has heads 0 to 1",
    ("attention", "--layers", "0"): "--layers belongs to a film",
    ("attention", "--gif", "a.gif", "--layers", "0-2"): "--layers 0-2 is out of range; the model has layers 0 to 1",
    ("attention", "--gif", "a.gif", "--layers", "x"): "--layers 'x' is not of the form 0-3,7",
    ("attention", "--gif", "a.gif", "--max-tokens", 33): "--max-tokens 33 is out of range",
    ("attention", "--gif", "a.png"): "--gif 'a.png' does not end in .gif",
    ("attention", "a b c d e f g h i j k l m n o p q r s"): "do not fit a context of 32",
    ("lens", "--png", "a.jpg"): "--png 'a.jpg' does not end in .png",
    ("lens", "--json", "a.txt"): "--json 'a.txt' does not end in .json",
    ("lens", "--html", "nowhere/a.html"): "there is no folder 'nowhere'",
    ("lens", "--csv", "-", "--json"): "cannot both go to stdout",
    ("lens", "a", "--target", "no such token"): "is not one token",
    ("lens", "a", "--top", 0): "top=0 is out of range; it must be from 1 to 280",
    ("attribution", "a", "--token", 99): "there is no position 99",
    ("heads", "--length", 99): "choose 2 to",
    ("embeddings", "--rows", "32"): "--rows 32 is out of range; the model has positions 0 to 31",
    ("embeddings", "--near", "a", "--study", "norms"): "--near and --study exclude each other",
    ("embeddings", "--near", "a cat", "--table", "wpe"): "is no position; give its number",
    ("patch", "one"): "patching needs two",
    ("patch", "once", "once upon a mat"): "patching needs as many in both",
    ("weights", "--study", "singular-values"): "needs a matrix; name one",
    ("weights", "--name", "h.0.mlp.c_fx.weight"): "did you mean 'h.0.mlp.c_fc.weight'?",
    ("compare", "one"): "give a second text",
    ("compare", "--with", "a", "--run", "b"): "--with and --run exclude each other",
    ("compare", "one", "two", "--run", "b"): "leave out the second",
    ("compare", "--run", "nowhere"): "'nowhere' holds no checkpoints",
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=lambda asked: " ".join(map(str, asked)))
def test_a_mistake_gets_one_sentence_and_leaves_nothing(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert MISTAKES[arguments] in mistake("inspect", *arguments, "--model", tiny())
    assert not list(tmp_path.iterdir())


def test_a_question_that_does_not_exist_gets_the_nearest():
    assert mistake("inspect", "atention") == "there is no command 'atention'; did you mean 'attention'?"


def test_a_picture_without_matplotlib_names_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'cutaway[plot]'" in mistake(*asked("lens"), "--png", tmp_path / "a.png")


def test_a_film_without_ffmpeg_says_so_before_it_writes(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert "ffmpeg" in mistake(*film("--mp4", tmp_path / "a.mp4"))


def test_too_many_weights_for_numbers_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("cutaway.cli.inspect.attention.MAX_NUMBERS", 10)
    assert "choose one head" in mistake(*asked("attention --all"), "--json", tmp_path / "a.json")
