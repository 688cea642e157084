"""`next`, `info`, `models`, `doctor` and `train`: the commands that report."""

import json
from pathlib import Path

import numpy as np
import pytest

import cutaway
from command_line import mistake, run, tiny
from cutaway import Tokenizer
from cutaway.anatomy import anatomy
from cutaway.cli import checks
from cutaway.cli.quantities import scaled
from cutaway.config import PRESETS, GPTConfig
from cutaway.weights import DEFAULT_MODEL


def table(*arguments):
    result = run(*arguments)
    assert (result.code, result.err) == (0, "")
    return result.out.splitlines()


@pytest.fixture(scope="module")
def scores():
    return cutaway.load(tiny(), device="cpu").next_tokens("once upon", top=3)


def test_next_has_a_row_for_each_token(scores):
    header, *rows = table("next", "once upon", "--model", tiny(), "--top", 3)
    assert header.split() == ["token", "bits", "rank", "expected", "next"]
    assert [row.split()[0] for row in rows] == [score.piece for score in scores]
    assert rows[1].split()[1:3] == [f"{scores[1].surprise_bits:.2f}", str(scores[1].rank)]


def test_next_has_json(scores):
    found = json.loads(run("next", "once upon", "--model", tiny(), "--top", 3, "--json").out)
    assert found["text"] == "once upon"
    assert [token["token"] for token in found["tokens"]] == [score.token for score in scores]
    assert found["tokens"][0]["surprise_bits"] is None
    assert [len(token["predictions"]) for token in found["tokens"]] == [3] * len(scores)


def test_next_last_shows_what_follows_the_whole_text(scores):
    _, *rows = table("next", "once upon", "--model", tiny(), "--top", 3, "--last")
    assert [row.split()[0] for row in rows] == [expected.piece for expected in scores[-1].predictions]
    found = json.loads(run("next", "once upon", "--model", tiny(), "--top", 3, "--last", "--json").out)
    assert [token["position"] for token in found["tokens"]] == [len(scores) - 1]


def test_next_reads_a_pipe_without_its_last_line_end(scores):
    piped = run("next", "--model", tiny(), "--top", 3, stdin=b"once upon\n")
    assert piped.out.splitlines() == table("next", "once upon", "--model", tiny(), "--top", 3)


@pytest.mark.parametrize("top", [0, -1, 101])
def test_next_refuses_an_impossible_number_of_tokens(top):
    assert mistake("next", "a", f"--top={top}") == f"top={top} must be an integer from 1 to 100"


@pytest.mark.parametrize("name", PRESETS)
def test_info_has_json_with_the_whole_anatomy(name):
    found = json.loads(run("info", name, "--json").out)
    assert found == json.loads(json.dumps({"model": name, **anatomy(GPTConfig.preset(name)).to_dict()}))


def test_info_shows_the_published_number_of_parameters():
    out = run("info", "gpt2-xl").out
    assert "1,557,611,200" in out
    assert "48 layers, 25 heads, 1,600 channels, context 1,024, vocabulary 50,257" in out


def test_info_lists_all_layers_together_or_every_tensor():
    names = [tensor.name for tensor in anatomy(GPTConfig.preset("gpt2")).tensors]
    together, each = table("info", "gpt2"), table("info", "gpt2", "--tensors")
    assert [line.split()[0] for line in together[3:12]] == [
        "wte",
        "wpe",
        "h.0-11.ln_1",
        "h.0-11.attn.c_attn",
        "h.0-11.attn.c_proj",
        "h.0-11.ln_2",
        "h.0-11.mlp.c_fc",
        "h.0-11.mlp.c_proj",
        "ln_f",
    ]
    assert [line.split()[0] for line in each[3 : 3 + len(names)]] == names


def test_the_rows_of_info_add_up():
    counts = [int(line.split()[-2].replace(",", "")) for line in table("info", "gpt2")[3:12]]
    assert sum(counts) == anatomy(GPTConfig.preset("gpt2")).parameters


def test_info_counts_for_a_context():
    short, full = run("info", "gpt2", "--context", 1).out, run("info", "gpt2").out
    assert "at a context of 1\n" in short
    assert "at a context of 1,024\n" in full


@pytest.mark.parametrize("source", ["", "config.json"])
def test_info_reads_a_folder_or_a_config(source):
    assert "2 layers, 2 heads, 16 channels, context 32, vocabulary 280" in run("info", Path(tiny()) / source).out


def test_info_refuses_an_impossible_context():
    assert mistake("info", "gpt2", "--context", 1025).startswith("context=1,025 is out of range")


def test_info_of_an_unknown_model_gets_the_nearest():
    assert "did you mean 'gpt2-large'?" in mistake("info", "gpt-large")


def test_info_fetches_nothing():
    assert "cutaway generate --model owner/name" in mistake("info", "owner/name")


def test_models_lists_the_published_ones_as_table_and_json():
    lines = table("models")
    found = json.loads(run("models", "--json").out)
    assert found["default"] == DEFAULT_MODEL
    assert {model["name"] for model in found["models"]} >= set(PRESETS)
    assert all(model["state"] in ("bundled", "cached", "downloadable") for model in found["models"])
    assert [line.split()[0] for line in lines[1 : 1 + len(found["models"])]] == [m["name"] for m in found["models"]]


@pytest.fixture
def quick_doctor(monkeypatch):
    """The doctor with a small model in place of the bundled one."""
    monkeypatch.setattr("cutaway.weights.locate.DEFAULT_MODEL", tiny())


def test_doctor_finds_a_whole_installation(quick_doctor):
    result = run("doctor", "--json")
    found = json.loads(result.out)
    assert (result.code, found["healthy"], result.err) == (0, True, "")
    assert {"topic", "name", "detail", "state"} == found["findings"][0].keys()
    names = {finding["name"] for finding in found["findings"]}
    assert names >= {"cutaway", "Python", "system", "processor", "torch", "numpy", "cpu", "cuda", "cache", "network"}


def test_doctor_prints_a_table(quick_doctor):
    header, *rows = table("doctor")
    assert header.split() == ["about", "what", "state", "finding"]
    assert any(row.split()[1:3] == ["cutaway", "ok"] for row in rows)


def test_doctor_fails_when_the_bundled_model_is_broken(monkeypatch, tmp_path):
    monkeypatch.setattr("cutaway.weights.locate.DEFAULT_MODEL", str(tmp_path))
    result = run("doctor")
    assert result.code == 1
    assert "cutaway: bundled model is broken" in result.err


def test_a_missing_library_is_broken_and_a_missing_extra_only_absent(monkeypatch):
    monkeypatch.setattr(checks, "requirements", lambda: [("nosuchlib", None), ("nosuchextra", "data")])
    (library,), (extra,) = checks.dependencies(), checks.extras()
    assert (library.state, library.detail) == ("broken", "not installed: pip install nosuchlib")
    assert (extra.state, extra.detail) == ("absent", "not installed: pip install 'cutaway[data]'")


def test_the_requirements_are_those_of_the_package():
    found = dict(checks.requirements())
    assert found["torch"] is None
    assert found["tokenizers"] in ("data", "dev")


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HUB_CACHE": "/a/b"}, "/a/b"),
        ({"HF_HOME": "/a"}, "/a/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
    ],
)
def test_the_hub_cache_is_where_the_hubs_library_has_it(monkeypatch, variables, folder):
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert checks.hub_cache() == Path(folder)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0 B"), (999, "999 B"), (999.9, "1 kB"), (1234, "1.23 kB"), (548_105_171, "548 MB"), (10**21, "1e+03 EB")],
)
def test_quantities_have_a_prefix(value, shown):
    assert scaled(value, "B") == shown


def test_train_refuses_a_configuration_that_is_not_there():
    assert "no.toml" in mistake("train", "no.toml")


def test_train_needs_a_configuration():
    assert "CONFIG" in mistake("train")


TINY_RUN = """
tokenizer = "{folder}"
out = "{folder}/run"
steps = 2
micro_rows = 2
eval_windows = 1

[model]
n_layer = 1
n_head = 1
n_embd = 8
block_size = 8
vocab_size = 257

[[sources]]
path = "{folder}/text.npy"
rows = 2

[held_out]
text = "{folder}/text.npy"
"""


def test_train_runs_a_configuration_and_names_its_folder(tmp_path):
    Tokenizer.train([], 257).save(tmp_path)
    np.save(tmp_path / "text.npy", np.arange(200, dtype=np.uint16))
    (tmp_path / "run.toml").write_text(TINY_RUN.format(folder=tmp_path.as_posix()), encoding="utf-8")
    result = run("train", tmp_path / "run.toml")
    assert (result.code, result.out) == (0, f"{tmp_path / 'run'}\n"), result
    assert "losses go to" in result.err
    assert "final_bits_per_byte" in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8")
