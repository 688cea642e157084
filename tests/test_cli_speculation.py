"""Reading ahead from the command line: quicker, and the same text."""

import re

import pytest

from command_line import mistake, run, tiny
from cutaway import load, load_generator
from cutaway.cli.speculation_options import SpeculationOptions
from cutaway.cli.writing import Decoding, Writer
from cutaway.generate import Speculation, speculation
from cutaway.language_model import LanguageModel
from cutaway.native.library import LIBRARY_VARIABLE
from cutaway.sampling import SamplingParams
from native_models import needs_kernels
from tiny import TOKENIZER, tiny_model

OPTIONS = ["once upon a mat.", "--max-tokens", 60, "--ignore-eot", "--seed", 4, "--model"]


def text(*arguments):
    result = run("generate", *OPTIONS, tiny(), *arguments)
    assert (result.code, result.err) == (0, ""), result
    return result.out


@pytest.fixture(scope="module")
def plain():
    return text("--speculate", "none")


@needs_kernels
@pytest.mark.parametrize("way", [[], ["--speculate", "lookup"], ["--speculate", "auto"], ["--draft", "ITSELF"]])
def test_every_way_writes_the_same(way, plain):
    assert text(*[tiny() if word == "ITSELF" else word for word in way]) == plain


@needs_kernels
def test_samples_and_json_are_the_same_too():
    options = ["--n", 3, "--temperature", 0.5, "--json"]
    assert text(*options, "--speculate", "lookup") == text(*options, "--speculate", "none")


@needs_kernels
@pytest.mark.parametrize(("parameters", "n", "speculates"), [(30e6, 1, True), (29e6, 1, False), (30e6, 2, False)])
def test_of_itself_it_guesses_for_one_sample_of_a_large_model(parameters, n, speculates, monkeypatch):
    monkeypatch.setattr(speculation, "num_parameters", lambda config: parameters)
    decoding, gpt = Decoding(params=SamplingParams(n=n)), load_generator(tiny(), device="cpu")
    assert (SpeculationOptions().speculation(gpt, decoding) is not None) == speculates
    assert SpeculationOptions(speculate="none").speculation(gpt, decoding) is None
    assert SpeculationOptions(speculate="lookup").speculation(gpt, decoding) is not None
    assert SpeculationOptions().speculation(load(tiny(), device="cpu"), decoding) is None


@needs_kernels
def test_verbose_says_how_many_guesses_came_true():
    result = run("generate", *OPTIONS, tiny(), "--draft", tiny(), "--verbose")
    right, guessed = re.search(r" ms, (\d+) of (\d+) guesses right, seed 4\n", result.err).groups()
    assert 0 <= int(right) <= int(guessed)
    assert int(guessed) > 0
    assert "guesses" not in run("generate", *OPTIONS, tiny(), "--speculate", "none", "--verbose").err


def test_guesses_are_counted_afresh_for_each_text(capsys):
    decoding = Decoding(params=SamplingParams(max_tokens=60, temperature=0, ignore_eot=True))
    writer = Writer(load(tiny(), device="cpu"), decoding, Speculation(adaptive=False), verbose=True)
    for _ in range(2):
        writer.generation(OPTIONS[0])
    one, other = re.findall(r"\d+ of \d+ guesses", capsys.readouterr().err)
    assert one == other


@needs_kernels
def test_without_kernels_another_model_guesses_in_pytorch(monkeypatch, tmp_path, plain):
    load(tiny(), device="cpu").save(tmp_path / "copy")
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "nothing.so"))
    assert text("--draft", tmp_path / "copy", "--dtype", "float64") == plain
    sentence = f"{tiny()} can guess for itself only by the native kernels; take a smaller model as a draft"
    assert mistake("generate", *OPTIONS, tiny(), "--draft", tiny()) == sentence


def test_a_draft_of_another_vocabulary_is_refused(tmp_path):
    LanguageModel(tiny_model(), TOKENIZER).save(tmp_path / "other")
    sentence = mistake("generate", *OPTIONS, tiny(), "--draft", tmp_path / "other")
    assert sentence == f"{tmp_path / 'other'} has another vocabulary than {tiny()}; a draft needs the same"


@pytest.mark.parametrize(
    ("arguments", "pair"),
    [
        (["--draft", "a", "--speculate", "lookup"], "--draft and --speculate"),
        (["--draft", "a", "--speculate", "none"], "--draft and --speculate"),
        (["--beams", "2", "--draft", "a"], "--beams and --draft"),
        (["--contrastive-alpha", "0.5", "--speculate", "lookup"], "--contrastive-alpha and --speculate"),
    ],
)
def test_options_that_exclude_each_other_are_refused(arguments, pair):
    assert mistake("generate", "a", *arguments) == f"{pair} exclude each other; leave one out"


def test_a_draft_that_is_not_there_is_named(tmp_path):
    assert str(tmp_path / "none") in mistake("generate", *OPTIONS, tiny(), "--draft", tmp_path / "none")


@pytest.mark.parametrize("rule", ["half", "slide"])
def test_the_rule_past_the_context_can_be_chosen(rule):
    expected = load(tiny(), device="cpu").generate(OPTIONS[0], seed=4, max_tokens=60, ignore_eot=True,
                                                   past_context=rule).text  # fmt: skip
    assert text("--past-context", rule) == f"{OPTIONS[0]}{expected}\n"
