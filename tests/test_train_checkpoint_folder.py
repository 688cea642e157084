"""Checkpoints appear whole or not at all, and the ones worth keeping stay."""

import errno
import json
import time

import pytest
import torch

import cutaway
from cutaway.errors import TrainingError
from cutaway.train import checkpoint_folder
from cutaway.train import run as training_run
from cutaway.train.checkpoint_folder import CheckpointFolder, read_checkpoint
from cutaway.train.config import TrainConfig
from cutaway.train.run import Run
from cutaway.train.workers import Workers
from training import tiny_run, write_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def run(folder, tmp_path):
    with Workers(1) as workers:
        run = Run(tiny_run(folder, tmp_path / "run"), workers, time.monotonic)
        run.checkpoints.prepare()
        yield run


def steps(run):
    return [checkpoint_folder.step_of(path) for path in run.checkpoints.all()]


def save_with(run, *losses):
    """Checkpoints of one step after another with these losses on held-out text."""
    for loss in losses:
        run.step += 1
        run.save(loss)


def test_the_latest_and_the_best_stay(run):
    save_with(run, 3.0, 1.0, 2.0, None, 4.0)
    assert steps(run) == [2, 4, 5]
    assert (run.config.out / "latest").resolve() == run.checkpoints.latest()
    assert (run.config.out / "best").resolve() == run.checkpoints.best() == run.checkpoints.all()[0]


def test_a_better_one_lets_the_old_best_go(run):
    save_with(run, 3.0, 5.0, 5.0, 1.0)
    assert steps(run) == [3, 4]


def test_without_measurements_there_is_no_best(run):
    save_with(run, None)
    assert run.checkpoints.best() is None
    assert not (run.config.out / "best").exists()


def test_a_checkpoint_is_a_model_that_loads_by_itself(run):
    run.train_step()
    path = run.save()
    loaded = cutaway.load(path, device="cpu")
    assert loaded.tokenizer == run.tokenizer
    idx = torch.arange(16)[None]
    with torch.no_grad():
        assert torch.equal(loaded.model(idx)[0], run.model.eval()(idx)[0])


def test_it_says_what_made_it(run):
    record = json.loads((run.save(1.5) / "checkpoint.json").read_text())
    assert TrainConfig.from_dict(record["config"]) == run.config
    assert record["versions"]["torch"] == torch.__version__
    assert record["data"]["sources"][0]["file_bytes"] > 0
    assert record["held_out_loss"] == 1.5
    assert set(record["sha256"]) >= {"model.safetensors", "config.json", "state.safetensors", "tokenizer.json"}


def test_a_step_is_saved_once(run):
    first = run.save()
    written = first.stat().st_mtime_ns
    assert run.save() == first
    assert first.stat().st_mtime_ns == written


@pytest.mark.parametrize("file", ["model.safetensors", "state.safetensors", "config.json", "merges.txt"])
@pytest.mark.parametrize("gone", [False, True])
def test_damage_is_noticed_whatever_the_file(run, file, gone):
    path = run.save()
    content = bytearray((path / file).read_bytes())
    content[-1] ^= 1
    (path / file).write_bytes(content)
    if gone:
        (path / file).unlink()
    with pytest.raises(TrainingError, match=f"{file} is missing or damaged; delete .* the checkpoint before it"):
        run.load(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"sha256": 3}', b"[" * 100_000])
def test_a_damaged_record_is_noticed(run, content):
    path = run.save()
    (path / "checkpoint.json").write_bytes(content)
    with pytest.raises(TrainingError, match=r"checkpoint\.json cannot be read"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("module", "function"),
    [(training_run, "save_model"), (checkpoint_folder, "save_run"), (checkpoint_folder, "write_synced")],
)
def test_a_full_disk_leaves_the_last_good_checkpoint_and_nothing_else(run, monkeypatch, module, function):
    good = run.save()
    before = {file.name: file.read_bytes() for file in good.iterdir()}

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, function, full)
    run.step += 1
    with pytest.raises(TrainingError, match=rf"No space left on device.*the last good checkpoint is {good}"):
        run.save()
    assert {file.name: file.read_bytes() for file in good.iterdir()} == before
    assert [path.name for path in run.checkpoints.folder.iterdir()] == [good.name]


def test_what_a_killed_process_left_is_cleared_away(run):
    good = run.save()
    (run.checkpoints.folder / ".step-abc").mkdir()
    (run.checkpoints.folder / ".step-abc" / "model.safetensors").touch()
    run.checkpoints.prepare()
    assert list(run.checkpoints.folder.iterdir()) == [good]


def test_an_output_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match=r"cannot be written to: .*; choose another `out`"):
        CheckpointFolder(tmp_path / "file", keep=1).prepare()


def test_other_data_than_the_checkpoints_is_refused(run):
    path = run.save()
    run.data["sources"][0]["file_bytes"] += 2
    with pytest.raises(TrainingError, match="learned from other data than there is now"):
        run.load(path)
