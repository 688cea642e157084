import json

import pytest

from command_line import CORPUS, mistake, run, tiny


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(CORPUS[0])
    return path


def test_a_model_writes_and_is_measured(tmp_path):
    saved = tmp_path / "samples.jsonl"
    result = run("samples", "--model", tiny(), "--n", 3, "--max-tokens", 12, "--seed", 1, "--save", saved)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("3 samples, ")
    assert "self-BLEU" in result.out
    assert len(saved.read_text().splitlines()) == 3
    again = run("samples", saved, "--model", tiny())
    assert again.out == result.out


def test_the_output_of_generate_is_read(tmp_path):
    path = tmp_path / "made.json"
    path.write_text(run("generate", "the cat", "--model", tiny(), "--n", 4, "--max-tokens", 9, "--json").out)
    told = json.loads(run("samples", path, "--model", tiny(), "--json").out)
    assert told["samples"] == 4
    assert json.loads(run("samples", path, "--model", tiny(), "--limit", 2, "--json").out)["samples"] == 2


def test_what_was_copied_is_shown_word_for_word(tmp_path, corpus):
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({"text": "a new mat. once upon a time there was a cat that sang"}))
    result = run("samples", path, "--model", tiny(), "--against", corpus, "--ngram", 5)
    assert result.code == 0
    assert "' mat. once upon a time there was a cat that'" in result.out
    told = json.loads(run("samples", path, "--model", tiny(), "--against", corpus, "--ngram", 5, "--json").out)
    assert told["memorised"]["longest"] >= 5
    assert 0 < told["memorised"]["share"] < 1


def test_data_that_was_prepared_is_searched_too(tmp_path, corpus):
    assert (
        run("prepare", corpus, "-o", tmp_path / "data", "--tokenizer", tiny(), "--validation", 0, "--workers", 1).code
        == 0
    )
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps({"text": CORPUS[0]}))
    told = json.loads(
        run("samples", path, "--model", tiny(), "--against", tmp_path / "data", "--json", "--ngram", 4).out
    )
    assert told["memorised"]["share"] == 1


def test_mistakes_are_one_sentence(tmp_path, corpus):
    path = tmp_path / "samples.jsonl"
    path.write_text('{"text": "the cat"}')
    assert "--prompt and --save belong to" in mistake("samples", path, "--prompt", "a")
    assert "--max-tokens belongs to samples" in mistake("samples", path, "--max-tokens", 3)
    assert "ngram=1 is out of range" in mistake("samples", path, "--ngram", 1)
    assert "limit=0 is out of range" in mistake("samples", path, "--limit", 0)
    assert "cannot read" in mistake("samples", tmp_path / "none.jsonl", "--model", tiny())
    assert "there is no file or folder" in mistake("samples", path, "--model", tiny(), "--against", tmp_path / "none")
    assert "--against-limit belongs to --against" in mistake("samples", path, "--against-limit", 5)
    assert "exists already" in mistake("samples", "--model", tiny(), "--save", path)
    assert "there is no folder" in mistake("samples", "--model", tiny(), "--save", tmp_path / "none" / "x.jsonl")
    assert "n=0 must be an integer from 1 to" in mistake("samples", "--model", tiny(), "--n", 0)
