"""`cutaway explain`: the walk through the network, printed."""

import json

import pytest

import cutaway
from command_line import mistake, run, tiny
from cutaway.inspect import all_names, steps

TEXT = "once upon a mat"


@pytest.fixture(scope="module")
def gpt():
    return cutaway.load(tiny(), device="cpu")


def lines(*arguments):
    result = run("explain", *arguments)
    assert (result.code, result.err) == (0, ""), result
    return result.out.splitlines()


def test_the_bundled_model_is_explained_with_no_argument_at_all():
    shown = lines()
    assert shown[0] == "1. The text is cut into tokens; each has a number (T = 4 of them)"
    assert shown[-1].startswith("61 steps by hand; the largest difference")


def test_every_step_has_its_shape_and_its_difference(gpt):
    shown = [line for line in lines(TEXT, "--model", tiny()) if " …" in line]
    assert [line.split()[0] for line in shown] == [step.name.rpartition(".")[2] for step in steps(gpt, TEXT)]
    pattern = next(line for line in shown if line.startswith("pattern"))
    T = len(gpt.ids(TEXT))
    assert f" 2 × {T} × {T} " in pattern


def test_what_happens_is_said_for_one_layer_or_for_all(gpt):
    once, each = (" ".join(lines(TEXT, *flag, "--model", tiny())) for flag in ([], ["--all"]))
    assert once.count("what each token looks for, in each head") == 1
    assert each.count("what each token looks for, in each head") == 2


def test_a_narrow_screen_goes_without_formulas(monkeypatch):
    monkeypatch.setattr("cutaway.cli.inspect.screen.PIPE", 80)
    assert "softmax(q @ k.T / √D), causal" not in " ".join(lines(TEXT, "--all", "--model", tiny()))


def test_it_ends_with_what_the_model_expects(gpt):
    likeliest = gpt.next_tokens(TEXT, 3)[-1].predictions
    shown = lines(TEXT, "--top", 3, "--model", tiny())
    assert [line.split()[0] for line in shown[-5:-2]] == [expected.piece for expected in likeliest]


def test_everything_comes_as_json(gpt):
    found = json.loads(run("explain", TEXT, "--json", "--model", tiny()).out)
    assert [token["token"] for token in found["tokens"]] == gpt.ids(TEXT)
    assert [step["name"] for step in found["steps"]] == [*all_names(2), "probabilities"]
    assert all(step["difference"] < 1e-4 for step in found["steps"][:-1])
    assert [len(token["predictions"]) for token in found["next"]] == [5] * len(gpt.ids(TEXT))


def test_a_text_longer_than_the_context_is_refused():
    assert "do not fit a context of 32" in mistake("explain", "a " * 40, "--model", tiny())


def test_an_impossible_number_of_tokens_is_refused():
    assert mistake("explain", "--top", 0) == "top=0 must be an integer from 1 to 100"
