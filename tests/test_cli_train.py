"""`cutaway train`, as a person types it."""

import json

import pytest

from command_line import mistake, run
from cutaway.cli.training_progress import duration, in_a_line
from cutaway.train.meter import Reading
from training import write_data

TINY = """
tokenizer = "{folder}"
out = "{folder}/run"
steps = 2
eval_every = 1
eval_windows = 1
log_every = 1
sample_every = 2
sample_tokens = 3
device = "cpu"
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


@pytest.fixture
def toml(tmp_path):
    write_data(tmp_path)
    (tmp_path / "run.toml").write_text(TINY.format(folder=tmp_path.as_posix()))
    return tmp_path / "run.toml"


def test_a_run_says_what_it_found_on_the_way_and_names_its_folder(toml):
    result = run("train", toml)
    assert (result.code, result.out) == (0, f"{toml.parent / 'run'}\n")
    for text in ("step 1: bits per byte text ", "step 2: held out loss text ", "step 2: sample "):
        assert text in result.err


def test_quiet_leaves_that_out(toml):
    assert "bits per byte" not in run("train", toml, "--quiet").err


def test_settings_and_the_environment_change_values(toml, monkeypatch):
    monkeypatch.setenv("CUTAWAY_TRAIN_STEPS", "5")
    monkeypatch.setenv("CUTAWAY_TRAIN_SEED", "7")
    assert run("train", toml, "--set", "steps=1", "--set", "optimizer.adamw_lr=3e-4").code == 0
    record = json.loads((toml.parent / "run" / "latest" / "checkpoint.json").read_text())
    assert (record["config"]["steps"], record["config"]["seed"]) == (1, 7)
    assert record["config"]["optimizer"]["adamw_lr"] == 3e-4


def test_an_unknown_setting_is_refused_with_the_nearest_name(toml):
    assert "did you mean 'steps'" in mistake("train", toml, "--set", "stepz=3")


def test_a_dry_run_tells_what_a_run_would_take_and_writes_nothing(toml):
    before = set(toml.parent.iterdir())
    result = run("train", toml, "--dry-run")
    assert result.code == 0
    for text in ("parameters", "weights", "tokens", "FLOP", "tokens/s", "time"):
        assert text in result.out
    assert set(toml.parent.iterdir()) == before


def test_a_dry_run_as_json_has_the_numbers(toml):
    found = json.loads(run("train", toml, "--dry-run", "--json").out)
    assert found["parameters"] == found["trained_parameters"] == found["weight_bytes"] // 4
    assert found["tokens"] == 2 * 2 * 8
    assert found["total_s"] > 0
    assert found["epochs"] == pytest.approx([2 * 2 * 8 / 2920], rel=0.01)


def test_a_broken_run_is_one_sentence(toml):
    (toml.parent / "text.npy").write_bytes(b"")
    assert "prepare the data first" in run("train", toml).err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.4, "3 s"), (61, "1 min 1 s"), (3 * 3600 + 120, "3 h 2 min"), (86400 * 12 + 3600 * 5, "12 d 5 h")],
)
def test_durations_have_two_units(seconds, text):
    assert duration(seconds) == text


def reading(**changes):
    values = {"step": 3, "steps": 12, "share": 0.25, "elapsed_s": 30.0, "loss": 2.5, "tokens_per_s": 1234.0}
    rest = {"flops_per_s": 5e9, "utilisation": None, "memory_bytes": 3e8, "skipped": 0}
    return Reading(**values | rest | changes)


def test_the_line_says_where_the_run_stands():
    text = in_a_line(reading())
    assert text == "step 3/12 · loss 2.500 · 1.23 ktokens/s · 5 GFLOP/s · 300 MB · 1 min 30 s left"


def test_the_line_says_how_much_of_the_device_is_used_where_that_is_known():
    assert "5 GFLOP/s · 37% MFU · 300 MB" in in_a_line(reading(utilisation=0.372))


def test_the_line_counts_skipped_steps_and_leaves_out_what_is_unknown():
    text = in_a_line(reading(skipped=2, memory_bytes=None, share=0.0))
    assert text == "step 3/12 · loss 2.500 · 1.23 ktokens/s · 5 GFLOP/s · 2 skipped"
