"""Runs that are stopped, politely or by force, and gone on with."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from command_line import environment, run
from cutaway.train.config import OptimizerConfig
from cutaway.train.loop import train
from cutaway.train.run import Run
from cutaway.train.signals import StopSignal
from cutaway.weights import load_model
from training import SMALL, log_of, tiny_run, write_data

STEPS = 40
PATIENCE_S = 300
SLOWLY = "import sys, time; from cutaway.train import run; step = run.Run.train_step; \
run.Run.train_step = lambda self: (time.sleep(0.02 if self.step < int(sys.argv[2]) else 3600), step(self))[1]; \
from cutaway.cli import main; sys.exit(main(['train', sys.argv[1]]))"
"""The command, with steps that take a while, so that a signal can come between them, and one that never ends."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def interruptible(folder, out):
    """A run with all that a checkpoint has to bring back: two optimizers, dropout, statistics of the losses."""
    return tiny_run(
        folder,
        out,
        model=SMALL.replace(dropout=0.2),
        optimizer=OptimizerConfig(weight_decay=0.1),
        steps=STEPS,
        checkpoint_every=3,
        log_every=1,
        eval_every=7,
        outlier_sigmas=4.0,
    )


@pytest.fixture(scope="module")
def uninterrupted(folder, tmp_path_factory):
    """The weights and the log of a run that nobody stopped."""
    config = interruptible(folder, tmp_path_factory.mktemp("whole") / "run")
    model = train(config)
    return model.state_dict(), losses_of(config)


def losses_of(config):
    return [(line["step"], line["loss"]) for line in log_of(config) if "loss" in line]


def command(config, tmp_path, last):
    """Start the run as a process of its own, which stays at its `last` step."""
    (tmp_path / "run.toml").write_text(toml(config))
    arguments = [sys.executable, "-c", SLOWLY, str(tmp_path / "run.toml"), str(last)]
    return subprocess.Popen(arguments, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def toml(config):
    """The configuration as a file: inline tables suffice, for TOML is a superset of what is used here of JSON."""
    values = {name: value for name, value in config.to_dict().items() if value is not None}
    values["model"] = {name: value for name, value in values["model"].items() if value is not None}
    return "\n".join(f"{name} = {inline(value)}" for name, value in values.items())


def inline(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {inline(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


def wait_for_checkpoint(config, after=0):
    """The step of the newest checkpoint, once there is one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = sorted((config.out / "checkpoints").glob("step-*"))
        if found and int(found[-1].name.removeprefix("step-")) > after:
            return int(found[-1].name.removeprefix("step-"))
        time.sleep(0.01)
    raise TimeoutError(f"no checkpoint in {config.out}")


def assert_same(config, uninterrupted):
    weights, losses = uninterrupted
    found = load_model(config.out / "latest").state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in weights.items())
    assert losses_of(config) == losses


def test_killed_at_random_moments_a_run_ends_as_if_it_never_had_been(folder, tmp_path, uninterrupted):
    config = interruptible(folder, tmp_path / "run")
    rng, step = random.Random(0), 0
    for last in (16, 32):
        process = command(config, tmp_path, last)
        step = wait_for_checkpoint(config, after=step)
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    train(config)
    assert_same(config, uninterrupted)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves(folder, tmp_path, monkeypatch, uninterrupted, number, code):
    config = interruptible(folder, tmp_path / "run")
    (tmp_path / "run.toml").write_text(toml(config))
    take_step = Run.train_step

    def interrupted(self):
        if self.step == 4:
            signal.raise_signal(number)
        return take_step(self)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "train_step", interrupted)
        result = run("train", tmp_path / "run.toml")
    assert (result.code, result.out) == (code, "")
    assert "stopped and saved" in result.err
    assert losses_of(config)[-1][0] == 5, "the step should be finished"
    assert wait_for_checkpoint(config) == 5, "no finished step may be lost"
    train(config)
    assert_same(config, uninterrupted)


def test_a_second_signal_ends_the_run_at_once():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal() as stopping:
        assert not stopping()
        signal.raise_signal(signal.SIGTERM)
        assert stopping()
        assert stopping.exit_code == 143
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_whoever_asks_to_stop_is_obeyed_after_the_step(folder, tmp_path):
    config = interruptible(folder, tmp_path / "run")
    wishes = iter([False, False, True])
    train(config, stopping=lambda: next(wishes))
    assert wait_for_checkpoint(config) == 2
