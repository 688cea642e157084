"""Measuring with a clock of our own: what takes how long is decided here, so every figure is known."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command_line import tiny
from cutaway.anatomy import anatomy
from cutaway.errors import ConfigError
from cutaway.speed import SpeedReport, compare, measure
from cutaway.speed.compare import Change, differences
from cutaway.speed.contestants import ids, prompts, training
from cutaway.speed.report import bound, figure
from cutaway.speed.timing import Contestant, Spread, take_turns
from native_models import needs_kernels
from tiny import config


class Clock:
    """A clock that stands still but when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


def ticking():
    """A clock that goes on by a millisecond each time it is asked."""
    clock = Clock()

    def ask():
        clock.wait(1e-3)
        return clock.now

    return ask


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=20))
def test_the_quarters_lie_around_the_median(values):
    spread = Spread.of(values)
    assert min(values) <= spread.low <= spread.median <= spread.high <= max(values)
    assert spread.noise >= 0


def test_figures_are_work_by_time_or_time_itself():
    clock = Clock()
    slow = Contestant(name="slow", unit="ms", run=lambda: clock.wait(2))
    fast = Contestant(name="fast", unit="tokens/s", run=lambda: clock.wait(0.5), work=100)
    figures = take_turns([slow, fast], 10, clock)
    assert set(figures["slow"]) == {2000}
    assert set(figures["fast"]) == {200}


def test_a_round_begins_only_if_it_fits_and_one_is_always_made():
    clock = Clock()
    contestant = Contestant(name="slow", unit="ms", run=lambda: clock.wait(4))
    assert len(take_turns([contestant], 13, clock)["slow"]) == 2  # after the warm-up 4 + 4, and 4 do not fit any more
    assert len(take_turns([contestant], 1, clock)["slow"]) == 1


def test_what_is_prepared_is_not_timed():
    clock = Clock()
    contestant = Contestant(name="it", unit="ms", run=lambda: clock.wait(1), prepare=lambda: clock.wait(50))
    assert set(take_turns([contestant], 200, clock)["it"]) == {1000}


def test_what_is_short_runs_several_times_a_turn():
    clock = Clock()
    short = Contestant(name="short", unit="ms", run=lambda: clock.wait(0.01))
    long = Contestant(name="long", unit="ms", run=lambda: clock.wait(2))
    figures = take_turns([short, long], 5, clock)
    assert len(figures["short"]) == 10 * len(figures["long"])


def test_it_is_told_what_is_timed():
    told, clock = [], Clock()
    take_turns([Contestant(name="it", unit="ms", run=lambda: clock.wait(1))], 2, clock, told.append)
    assert told == ["warming up it", "round 1: it"]


def test_prompts_that_do_not_fit_give_way_to_the_whole_context():
    assert prompts(1024) == [64, 512]
    assert prompts(256) == [64, 256]
    assert prompts(32) == [32]


def test_random_ids_are_of_the_vocabulary_and_repeat_by_seed():
    shape = config()
    assert ids(shape, 9) == ids(shape, 9) != ids(shape, 9, seed=1)
    assert max(ids(shape, 500)) < shape.vocab_size


def test_a_training_step_learns():
    step = training(config())
    first = step.run()
    assert min(step.run() for _ in range(20)) < first
    assert step.work == 4 * 32


def test_what_bounds_a_figure():
    shape = config()
    flops = anatomy(shape, 8).forward_flops_per_token
    assert bound("float32: prefill 16", shape) == ("matrix product float32", flops)
    assert bound("int8: prefill 16", shape)[0] == "matrix product bfloat16"
    one, four = bound("float32: decode 1", shape), bound("float32: decode 4", shape)
    assert one == ("read bandwidth", pytest.approx(4 * anatomy(shape).multiplied_parameters))
    assert four[1] == one[1] / 4
    assert bound("float32: load", shape) == ("", 0.0)


def small_report(seconds=0.01):
    return measure(tiny(), ["torch"], seconds=seconds, clock=ticking())


def test_a_report_has_every_figure_its_shares_and_what_it_depends_on():
    report = small_report()
    assert [one.name for one in report.figures] == [
        "read bandwidth",
        "matrix product float32",
        "matrix product bfloat16",
        "torch: load",
        "torch: first token",
        "torch: prefill 32",
        "torch: decode 1",
        "torch: decode 4",
        "torch: decode 16",
        "torch: training step",
    ]
    assert all((one.share is None) == (one.ceiling is None) for one in report.figures)
    assert report.environment["versions"].keys() == {"cutaway", "torch", "numpy"}
    assert set(report.memory_bytes) == {"torch"}


@needs_kernels
def test_native_precisions_are_measured_side_by_side():
    report = measure(tiny(), ["float32", "int4"], seconds=0.01, clock=ticking(), train=False)
    names = [one.name for one in report.figures]
    assert {"float32: decode 16", "int4: decode 16"} < set(names)
    assert "torch: training step" not in names


def test_a_report_comes_back_from_its_file(tmp_path):
    report = small_report()
    path = tmp_path / "a.json"
    path.write_text(json.dumps(report.to_dict()))
    assert SpeedReport.read(path) == report


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 0}', '{"format": 1, "figures": [{}]}', '{"format": 1}']
)
def test_files_that_are_no_reports_are_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="measure again"):
        SpeedReport.read(path)
    with pytest.raises(ConfigError, match="cannot read"):
        SpeedReport.read(tmp_path / "none.json")


def spread(low, median, high, repeats=9):
    return Spread(low=low, median=median, high=high, repeats=repeats)


@pytest.mark.parametrize(
    ("unit", "before", "after", "ratio", "verdict"),
    [
        ("tokens/s", spread(90, 100, 110), spread(190, 200, 210), 2, "faster"),
        ("tokens/s", spread(190, 200, 210), spread(90, 100, 110), 0.5, "slower"),
        ("ms", spread(190, 200, 210), spread(90, 100, 110), 2, "faster"),
        ("ms", spread(90, 100, 110), spread(105, 120, 130), 100 / 120, "noise"),
        ("ms", spread(100, 100, 100, repeats=1), spread(50, 50, 50, repeats=1), 2, "noise"),
    ],
)
def test_a_change_is_one_only_where_the_middle_halves_do_not_overlap(unit, before, after, ratio, verdict):
    change = Change(name="it", unit=unit, before=before, after=after)
    assert change.ratio == pytest.approx(ratio)
    assert change.verdict == change.to_dict()["verdict"] == verdict


def test_reports_are_compared_by_the_figures_they_share():
    one = small_report()
    two = measure(tiny(), ["torch"], seconds=0.01, clock=ticking(), train=False)
    assert [change.name for change in compare(one, two)] == [one.name for one in two.figures]
    assert list(differences(one, two)) == []


def test_other_machines_and_models_are_told():
    report = small_report()
    values = report.to_dict()
    other = SpeedReport(
        model="else",
        config=report.config,
        environment={**values["environment"], "processor": "abacus"},
        figures=report.figures,
        memory_bytes={},
    )
    told = list(differences(report, other))
    assert told[0].startswith("the models differ")
    assert told[1].endswith("and abacus")


def test_nothing_to_measure_is_refused():
    with pytest.raises(ConfigError, match="name a precision"):
        measure(tiny(), [], seconds=1, clock=ticking())


def test_a_share_is_of_the_best_that_was_seen_of_its_ceiling():
    figures = {"float32: decode 1": [9.0, 10.0, 11.0], "read bandwidth": [1e6, 4e6, 2e6]}
    contestant = Contestant(name="float32: decode 1", unit="tokens/s", run=lambda: None)
    found = figure(contestant, figures, config())
    assert found.share == pytest.approx(10 * bound("float32: decode 1", config())[1] / 4e6)
    assert figure(contestant, {"float32: decode 1": [9.0]}, config()).share is None
