"""Several processes train as one does, with the whole network in each of them or with shards of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import several
from command_line import environment
from cutaway.errors import ConfigError
from cutaway.train.checkpoint_folder import step_of
from cutaway.train.config import OptimizerConfig, Source
from cutaway.train.loop import workers_for
from cutaway.train.place import Place
from cutaway.train.processes import ALONE, Group
from cutaway.train.signals import StopSignal
from cutaway.weights import load_model
from several import together
from test_train_interruption import PATIENCE_S, toml, wait_for_checkpoint
from training import SMALL, log_of, tiny_run, write_data

PARALLEL = ("ddp", "fsdp")
ROUNDING = {"rtol": 1e-5, "atol": 1e-5}
"""Of float32: the sums of the gradients are added up in another order."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def shared_run(folder, out, **changes):
    """A run with both optimizers and batches in parts, that is evaluated, sampled and clipped on the way."""
    values = {"micro_rows": 1, "eval_every": 3, "sample_every": 3, "clip": 0.5, "steps": 6, "log_every": 1}
    return tiny_run(folder, out, optimizer=OptimizerConfig(weight_decay=0.1), **(values | changes))


@pytest.fixture(scope="module")
def alone(folder, tmp_path_factory):
    """The configuration and the losses of a run in one process."""
    config = shared_run(folder, tmp_path_factory.mktemp("alone") / "run")
    return config, several.losses(config)


def weights(config):
    return dict(load_model(config.out / "latest").named_parameters())


def assert_same(config, other, **tolerance):
    found, expected = weights(config), weights(other)
    torch.testing.assert_close(found, expected, **(tolerance or {"rtol": 0, "atol": 0}))


def checkpoints(config):
    return [step_of(path) for path in sorted((config.out / "checkpoints").glob("*"))]


# The numbers


@pytest.mark.parametrize("parallel", PARALLEL)
def test_two_processes_learn_what_one_does(folder, tmp_path, alone, parallel):
    config = shared_run(folder, tmp_path / "run", parallel=parallel)
    first, second = together(2, several.losses, config)
    assert first == second
    assert first == pytest.approx(alone[1], rel=1e-5)
    assert_same(config, alone[0], **ROUNDING)
    lines, expected = log_of(config), log_of(alone[0])
    assert [line.keys() for line in lines] == [line.keys() for line in expected], "only one of them may log"
    for line, other in zip(lines, expected, strict=True):
        assert line.get("sample") == other.get("sample")
        for name in {"loss", "grad_norm", "held_out_loss", "final_bits_per_byte"} & line.keys():
            assert line[name] == pytest.approx(other[name], abs=2e-4), f"both are rounded to 4 digits: {name}"


def test_odd_shapes_are_shared_out_too(folder, tmp_path):
    """More processes than some tensors have rows, and rows that do not come out even."""
    odd = {"model": SMALL.replace(n_embd=6, n_head=3, block_size=3), "eval_every": 2, "steps": 3}
    config = shared_run(folder, tmp_path / "alone", **odd)
    expected = several.losses(config)
    [found, *_] = together(4, several.losses, shared_run(folder, tmp_path / "run", parallel="fsdp", **odd))
    assert found == pytest.approx(expected, rel=1e-5)


def test_half_precision_rounds_alike_in_shards(folder, tmp_path):
    lean = {"precision": "bfloat16", "recompute": True, "optimizer": OptimizerConfig(name="adamw"), "steps": 3}
    found = {
        parallel: together(2, several.losses, tiny_run(folder, tmp_path / parallel, parallel=parallel, **lean))[0]
        for parallel in PARALLEL
    }
    assert found["fsdp"] == pytest.approx(found["ddp"], rel=1e-3)


def test_processes_draw_different_random_numbers(folder, tmp_path):
    """One window is all the text, so that only dropout can tell the rows of two processes apart."""
    window = np.load(folder / "text.npy")[: SMALL.block_size + 1]
    np.save(tmp_path / "window.npy", window)
    sources = (Source(path=tmp_path / "window.npy", rows=4),)
    found = {}
    for dropout in (0.0, 0.3):
        config = tiny_run(folder, tmp_path / "run", model=SMALL.replace(dropout=dropout), sources=sources)
        found[dropout] = together(2, several.own_losses, config)
    assert found[0.0][0] == found[0.0][1]
    assert found[0.3][0][0] != found[0.3][1][0]


@pytest.mark.parametrize("parallel", PARALLEL)
def test_gradients_are_exchanged_with_the_last_part_only(folder, tmp_path, parallel):
    config = tiny_run(folder, tmp_path, micro_rows=1, parallel=parallel)
    (before, after), (other_before, other_after) = together(2, several.gradients_after_each_part, config)
    assert after == other_after
    assert before is None or before != other_before


# Checkpoints


@pytest.fixture(scope="module")
def halves(folder, tmp_path_factory):
    """Runs of two processes that were stopped in the middle."""
    made = {}
    for parallel in PARALLEL:
        made[parallel] = shared_run(folder, tmp_path_factory.mktemp("half") / "run", parallel=parallel)
        together(2, several.losses, made[parallel], 3)
    return made


@pytest.mark.parametrize(
    ("saved", "resumed", "processes"),
    [("fsdp", "ddp", 1), ("fsdp", "fsdp", 4), ("fsdp", "ddp", 2), ("ddp", "fsdp", 2)],
)
def test_another_number_of_processes_and_another_layout_go_on(
    folder, tmp_path, alone, halves, saved, resumed, processes
):
    shutil.copytree(halves[saved].out, tmp_path / "run", symlinks=True)
    config = shared_run(folder, tmp_path / "run", parallel=resumed)
    [found, *_] = together(processes, several.losses, config)
    assert found == pytest.approx(alone[1][3:], rel=1e-5)
    assert_same(config, alone[0], **ROUNDING)


@pytest.mark.parametrize(("parallel", "processes"), [("ddp", 4), ("fsdp", 2)])
def test_the_same_number_goes_on_bit_by_bit(folder, tmp_path, parallel, processes):
    chance = {"model": SMALL.replace(dropout=0.2), "parallel": parallel, "outlier_sigmas": 4.0, "steps": 12}
    whole, halved = (shared_run(folder, tmp_path / name, eval_every=100, **chance) for name in ("whole", "halved"))
    [expected, *_] = together(processes, several.losses, whole)
    [first, *_] = together(processes, several.losses, halved, 6)
    [second, *_] = together(processes, several.losses, halved)
    assert first + second == expected
    assert_same(halved, whole)


def test_a_damaged_share_is_noticed_by_all(folder, tmp_path, halves):
    shutil.copytree(halves["fsdp"].out, tmp_path / "run", symlinks=True)
    [share, *_] = (tmp_path / "run" / "checkpoints").glob("*/optimizer/*")
    share.write_bytes(share.read_bytes()[:-1] + b"x")
    first, second = together(2, several.refusal, shared_run(folder, tmp_path / "run", parallel="fsdp"))
    assert f"{share.name} is missing or damaged; delete" in first
    assert first == second


def test_no_checkpoint_holds_a_pickle(halves):
    kinds = {path.suffix for path in halves["fsdp"].out.rglob("*") if path.is_file()}
    assert kinds == {".safetensors", ".json", ".jsonl", ".txt"}


def test_a_full_disk_under_one_process_leaves_the_last_good_checkpoint_and_nothing_else(folder, tmp_path):
    config = shared_run(folder, tmp_path / "run", parallel="fsdp", checkpoint_every=2, eval_every=100)
    first, second = together(2, several.refusal_of_a_full_disk, config)
    assert "No space left on device" in first
    assert first == second
    assert checkpoints(config) == [2]


# What all of them decide


@pytest.mark.parametrize("parallel", PARALLEL)
def test_a_wish_to_stop_at_one_stops_all_with_one_checkpoint(folder, tmp_path, parallel):
    config = shared_run(folder, tmp_path / "run", parallel=parallel, eval_every=100)
    first, second = together(2, several.losses, config, 4, 1)
    assert len(first) == len(second) == 4
    assert checkpoints(config) == [4]


def test_all_go_by_the_first_ones_clock(folder, tmp_path):
    config = shared_run(folder, tmp_path / "run", steps=1000, max_minutes=1, eval_every=1000, sample_every=None)
    first, second = together(2, several.steps_by_own_clocks, config)
    assert first == second
    assert 3 < first < 70


def test_a_loss_that_is_no_number_at_one_ends_all(folder, tmp_path):
    first, second = together(2, several.refusal_after_nan, shared_run(folder, tmp_path / "run"))
    assert "at step 0 the loss became nan" in first
    assert first == second


def test_a_mistake_of_one_is_everybodys(folder, tmp_path):
    found = together(2, several.refusal, shared_run(folder, tmp_path / "run"), 1)
    assert found == ["the tokenizer of one is gone"] * 2


@pytest.mark.parametrize(
    ("processes", "changes", "sentence"),
    [
        (3, {}, "a batch of 4 rows does not divide evenly among 3 processes; change either"),
        (2, {"micro_rows": 4}, None),
    ],
)
def test_rows_that_do_not_divide_are_refused(folder, tmp_path, processes, changes, sentence):
    found = together(processes, several.refusal, tiny_run(folder, tmp_path / "run", **changes))
    assert found == [sentence] * processes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mps", "one device for several processes"),
        ("cuda:1", "choose cuda or cpu"),
        ("cuda", "has no GPU, for it has 1"),
    ],
)
def test_each_process_has_a_device_of_its_own(monkeypatch, name, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    second = Group(Place(rank=1, local_rank=1, world_size=2))
    assert second.device("cpu").type == "cpu"
    with pytest.raises(ConfigError, match=message):
        second.device(name)


def test_one_process_agrees_with_itself():
    assert ALONE.meet(True)
    assert not ALONE.meet(False)
    assert ALONE.sum(2.0, 3) == ALONE.mean(2.0, 3) == (2.0, 3)
    assert ALONE.first(4.5) == 4.5
    assert ALONE.distinct == ()
    assert ALONE.clock(time.monotonic) is time.monotonic


# The environment


def test_the_place_comes_from_the_environment():
    assert Place.from_environment({}) == Place.from_environment({"RANK": "3"}) == Place()
    place = Place.from_environment({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"})
    assert (place.rank, place.local_rank, place.world_size) == (3, 1, 4)
    assert not place.is_first
    assert not place.is_alone


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"RANK": "4", "WORLD_SIZE": "4"}, "RANK=4 is out of range"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "WORLD_SIZE=0 is out of range"),
        ({"RANK": "x", "WORLD_SIZE": "4"}, "RANK='x' in the environment is no number"),
    ],
)
def test_an_impossible_place_is_refused(place, message):
    with pytest.raises(ConfigError, match=message):
        Place.from_environment(place)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parallel": "dpp"}, "did you mean 'ddp'"),
        ({"parallel": "fsdp", "background_checkpoints": True}, "leave one of them out"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(folder, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        tiny_run(folder, tmp_path, **changes)


def test_beside_others_the_threads_share_each_multiplication(folder, tmp_path):
    with workers_for(tiny_run(folder, tmp_path, threads=2)) as workers:
        assert workers.side_by_side


def test_a_patient_process_hears_the_same_signal_twice():
    with StopSignal(patient=True) as stopping:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stopping()


# torchrun

SLOWLY = """
import os, pathlib, sys, time
from cutaway.train import run
step = run.Run.train_step
folder = pathlib.Path(__file__).parent

def slowly(self):
    time.sleep(0.05)
    while self.step >= 12 and (folder / "stay").exists():
        time.sleep(0.05)
    return step(self)

run.Run.train_step = slowly
(folder / (os.environ["RANK"] + ".pid")).write_text(str(os.getpid()))
from cutaway.cli import main
sys.exit(main(["train", str(folder / "run.toml")]))
"""


def torchrun(config, tmp_path, *options):
    """Start two processes of the command, with steps that take a while, and one that they stay at if told to."""
    (tmp_path / "run.toml").write_text(toml(config))
    (tmp_path / "slowly.py").write_text(SLOWLY)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    arguments = [*launcher, f"--master-port={several.free_port()}", *options, str(tmp_path / "slowly.py")]
    return subprocess.Popen(
        arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def test_killed_and_started_again_by_torchrun_they_end_as_if_nothing_had_been(folder, tmp_path):
    changes = {"checkpoint_every": 2, "steps": 24, "model": SMALL.replace(dropout=0.1), "sample_every": None}
    config = shared_run(folder, tmp_path / "run", **changes)
    (tmp_path / "stay").touch()
    process = torchrun(config, tmp_path, "--max-restarts=1")
    wait_for_checkpoint(config)
    os.kill(int((tmp_path / "1.pid").read_text()), signal.SIGKILL)
    (tmp_path / "stay").unlink()
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert out == f"{config.out}\n"
    whole = shared_run(folder, tmp_path / "whole", **changes)
    together(2, several.losses, whole)
    assert_same(config, whole)
    steps = [line["step"] for line in log_of(config) if "loss" in line]
    assert steps == list(range(1, 25))


def test_a_signal_to_torchrun_saves_once_and_says_so_once(folder, tmp_path):
    config = shared_run(folder, tmp_path / "run", steps=1000, checkpoint_every=3, eval_every=1000, sample_every=None)
    process = torchrun(config, tmp_path)
    seen = wait_for_checkpoint(config)
    process.terminate()
    out, err = process.communicate(timeout=PATIENCE_S)
    assert out == ""
    assert err.count("stopped and saved") == 1
    saved = json.loads((config.out / "latest" / "checkpoint.json").read_text())["step"]
    assert saved >= seen
    assert log_of(config)[-1]["step"] == saved, "no finished step may be lost"
