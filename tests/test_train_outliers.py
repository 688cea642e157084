"""Batches far from the ordinary, and gradients that float16 cannot hold."""

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cutaway.errors import TrainingError
from cutaway.train.loop import train
from cutaway.train.loss_scale import GROWTH_INTERVAL, LossScale
from cutaway.train.outliers import FIRST, Outliers, RunningStatistics
from cutaway.train.run import Run
from cutaway.train.workers import Workers
from training import log_of, tiny_run, write_data


def test_the_statistics_of_few_values_are_exact():
    values = np.random.default_rng(0).normal(3, 2, 90)
    statistics = RunningStatistics()
    for value in values:
        statistics.add(value)
    assert statistics.mean == pytest.approx(values.mean())
    assert statistics.variance == pytest.approx(values.var())


def test_old_values_are_forgotten():
    statistics = RunningStatistics()
    for value in [1000.0] * 100 + [1.0] * 2000:
        statistics.add(value)
    assert statistics.mean == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
def test_what_is_far_above_the_usual_is_named_and_what_is_below_is_not(name):
    outliers = Outliers(6.0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert outliers.reason(loss=rng.normal(3, 0.1), grad_norm=rng.normal(1, 0.1)) is None
    usual = {"loss": 3.0, "grad_norm": 1.0}
    assert f"{name} 9 is" in outliers.reason(**{**usual, name: 9.0})
    assert outliers.reason(**{**usual, name: -9.0}) is None


def test_nothing_is_judged_at_first_or_without_a_limit():
    outliers, unlimited = Outliers(1.0), Outliers(None)
    for value in range(FIRST):
        assert outliers.reason(loss=10.0**value) is None
    assert outliers.reason(loss=10.0**FIRST) is not None
    assert unlimited.reason(loss=1e9) is None


def test_the_statistics_can_be_saved():
    first, second = Outliers(3.0), Outliers(3.0)
    for value in range(80):
        first.reason(loss=value % 7, grad_norm=1.0)
    second.load_state(first.state())
    assert second.state() == first.state()
    assert first.state()["loss.count"] > 0


def test_a_step_that_is_skipped_leaves_the_weights_is_counted_and_logged(tmp_path):
    config = tiny_run(write_data(tmp_path), tmp_path / "run", steps=3, log_every=1, outlier_sigmas=2.0)
    readings = []

    def watch(reading):
        readings.append(reading)

    def nearly_all(self, **values):
        return None if len(readings) != 1 else "it looks odd"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outliers, "reason", nearly_all)
        train(config, watch=watch)
    assert [reading.skipped for reading in readings] == [0, 1, 1]
    assert [(line["step"], line["skipped"]) for line in log_of(config) if "skipped" in line] == [(2, "it looks odd")]


def test_skipping_changes_no_weight(tmp_path):
    with Workers(1) as workers:
        run = Run(tiny_run(write_data(tmp_path), tmp_path / "run"), workers, time.monotonic)
        run.train_step()
        before = [parameter.clone() for parameter in run.parameters]
        run.outliers = SimpleNamespace(reason=lambda **values: "it looks odd")
        run.train_step()
    assert all(torch.equal(a, b) for a, b in zip(before, run.parameters, strict=True))
    assert all(parameter.grad is None for parameter in run.parameters)


def test_the_loss_scale_is_halved_by_an_overflow_and_doubled_after_a_long_time_without():
    scale = LossScale("float16")
    start = scale.value
    scale.overflowed()
    assert scale.value == start / 2
    for _ in range(GROWTH_INTERVAL):
        scale.held()
    assert scale.value == start


def test_in_other_formats_the_loss_is_not_scaled():
    scale = LossScale("bfloat16")
    for _ in range(2 * GROWTH_INTERVAL):
        scale.held()
    assert scale.value == 1.0


def test_an_overflow_is_skipped_in_float16_and_ends_the_run_elsewhere(tmp_path):
    with Workers(1) as workers:
        run = Run(tiny_run(write_data(tmp_path), tmp_path / "run"), workers, time.monotonic)
        run.loss_scale = LossScale("float16")
        assert run.judged(3.0, math.inf).skipped == "a gradient overflowed float16"
        assert run.judged(3.0, 1.0).skipped is None
        run.loss_scale = LossScale("float32")
        with pytest.raises(TrainingError, match="the gradient norm inf"):
            run.judged(3.0, math.inf)
