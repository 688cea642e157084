"""What `cutaway train` says to impossible requests: one sentence, exit code 2, and the last good checkpoint is kept."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from command_line import run
from cutaway.train.checkpoint_folder import read_checkpoint
from training import TEXT

TINY = """
data = "data"
batch_size = 2
steps = 4
eval_every = 2
eval_windows = 1
checkpoint_every = 2
out = "run"
device = "cpu"
[model]
n_layer = 1
n_head = 1
n_embd = 8
block_size = 8
"""


@pytest.fixture(autouse=True)
def _prepared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare("data", TEXT)
    (tmp_path / "run.toml").write_text(TINY)


def prepare(folder, text, validation=0.1):
    Path("text.txt").write_text(text)
    arguments = ["-o", folder, "--tokenizer", "char", "--validation", validation]
    assert run("prepare", "text.txt", *arguments).code == 0


def train(*settings):
    return run("train", "run.toml", "--quiet", *(word for setting in settings for word in ("--set", setting)))


def refused(*settings):
    """The sentence with which a run ends; before it stands only where the losses go."""
    result = train(*settings)
    assert (result.code, result.out) == (2, "")
    *notices, sentence = result.err.splitlines()
    assert len(notices) <= 1
    assert sentence.startswith("cutaway: error: ")
    return sentence


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["data=nowhere"], "nowhere holds no prepared data: there is no manifest.json"),
        (["data=run.toml"], "cannot read run.toml"),
        (
            ["model.block_size=100000"],
            "block_size=100,000 needs at least 100,001 tokens, and there are 2,628; lower it",
        ),
        (["model.vocab_size=5"], "tokens, but model.vocab_size is 5; set it to"),
        (["model.n_head=3"], "n_embd=8 does not divide evenly among n_head=3 heads"),
        (["init=fable"], "model.n_layer=1, but 'fable' has 4; leave it out"),
        (["batch_size=0"], "rows=0 is out of range"),
        (["micro_rows=3"], "micro_rows=3 does not divide the 2 rows of a batch"),
        (["out=run.toml"], "run.toml cannot be written to"),
        (["out=run.toml/below"], "run.toml/below cannot be written to"),
    ],
)
def test_impossible_requests_are_refused_in_one_sentence(settings, message):
    assert message in refused(*settings)


def test_data_of_another_vocabulary_is_refused():
    prepare("other", TEXT + "!")
    assert "other was made with another vocabulary" in refused('held_out={other="other"}')


def test_a_held_out_text_of_one_token_is_refused_before_the_first_step(tmp_path):
    np.save("one.npy", np.zeros(1, np.uint16))
    assert "the held-out text 'one' has 1 tokens, which leaves nothing" in refused('held_out={one="one.npy"}')
    assert not (tmp_path / "run").exists()


def test_a_damaged_shard_is_named():
    (shard,) = Path("data").glob("train-*.bin")
    shard.write_bytes(shard.read_bytes()[:-1])
    assert f"{shard} is truncated" in refused()


def test_a_loss_that_is_no_number_keeps_and_names_the_last_good_checkpoint(tmp_path):
    assert train().code == 0
    rates = ["optimizer.muon_lr=1e30", "optimizer.adamw_lr=1e30", "warmup=0", "decay=0"]
    sentence = refused("steps=99", *rates)
    good = tmp_path / "run" / "checkpoints" / "step-000000004"
    assert "the loss became nan" in sentence
    assert "go on from the last good checkpoint, run/checkpoints/step-000000004, with lower learning rates" in sentence
    assert read_checkpoint(good)[0].step == 4
    assert train("steps=6").code == 0


def test_a_full_disk_keeps_and_names_the_last_good_checkpoint(small_disk):
    subprocess.run(["mount", "-o", "remount,size=200k", str(small_disk)], check=True)
    out, bigger = f"out={small_disk}/run", "model.n_embd=32"
    sentence = refused(out, bigger, "steps=40")
    (good,) = (small_disk / "run" / "checkpoints").iterdir()
    assert "No space left" in sentence
    assert sentence.endswith(f"the last good checkpoint is {good}")
    assert read_checkpoint(good)[0].step == 2
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    assert train(out, bigger, "steps=6").code == 0


def test_a_run_whose_log_cannot_be_written_to_is_refused_and_left_as_it_is(small_disk):
    out = f"out={small_disk}/run"
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    assert train(out).code == 0
    log = (small_disk / "run" / "log.jsonl").read_text()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert "log.jsonl cannot be written to: Read-only file system; the checkpoints are unchanged" in refused(out)
    assert (small_disk / "run" / "log.jsonl").read_text() == log
