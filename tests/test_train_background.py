"""Work beside the training: done in order, its errors raised, its checkpoints those of their moment."""

import threading
import time

import pytest
import torch

from cutaway.errors import TrainingError
from cutaway.train import run as training_run
from cutaway.train.background import Background
from cutaway.train.loop import train
from cutaway.train.run import Run
from cutaway.train.workers import Workers
from cutaway.weights import load_model
from training import tiny_run, write_data


def test_work_does_not_hold_up_whoever_begins_it():
    background, go = Background(), threading.Event()
    done = []
    background.begin(lambda: done.append(go.wait(60)))
    assert done == []
    go.set()
    background.wait()
    assert done == [True]


def test_one_piece_comes_after_the_other():
    background, done = Background(), []
    for number in range(5):
        background.begin(lambda number=number: done.append(number))
    background.wait()
    assert done == list(range(5))


def test_an_error_is_raised_once_where_somebody_waits():
    background = Background()
    background.begin(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        background.wait()
    background.wait()


def test_a_checkpoint_in_the_background_is_that_of_its_moment(tmp_path, monkeypatch):
    config = tiny_run(write_data(tmp_path), tmp_path / "run", background_checkpoints=True)
    go, save_model = threading.Event(), training_run.save_model

    def slowly(*arguments):
        go.wait(60)
        save_model(*arguments)

    monkeypatch.setattr(training_run, "save_model", slowly)
    with Workers(1) as workers:
        run = Run(config, workers, time.monotonic)
        run.checkpoints.prepare()
        run.train_step()
        expected = [parameter.clone() for parameter in run.parameters]
        path = run.save()
        following = [run.train_step() for _ in range(2)]
        go.set()
        run.writing.wait()
        resumed = Run(config, workers, time.monotonic)
        resumed.load(path)
        assert [resumed.train_step() for _ in range(2)] == following
    saved = [parameter for _, parameter in load_model(path).named_parameters()]
    assert all(torch.equal(a, b) for a, b in zip(saved, expected, strict=True))


def test_a_whole_run_ends_with_its_last_checkpoint_written(tmp_path):
    folder = write_data(tmp_path)
    train(tiny_run(folder, tmp_path / "beside", background_checkpoints=True, checkpoint_every=1))
    train(tiny_run(folder, tmp_path / "plain", checkpoint_every=1))
    weights = [(tmp_path / name / "latest" / "model.safetensors").read_bytes() for name in ("beside", "plain")]
    assert weights[0] == weights[1]


def test_a_failure_in_the_background_ends_the_run(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(training_run, "save_model", full)
    with pytest.raises(TrainingError, match="No space left on device"):
        train(tiny_run(write_data(tmp_path), tmp_path / "run", background_checkpoints=True, checkpoint_every=2))
