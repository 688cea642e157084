"""Curves from logs: what is read, and that a picture comes of it where matplotlib is."""

import importlib.util
import json

import pytest

from command_line import mistake, run
from cutaway.cli.train_plot import names, panels_of
from cutaway.errors import MissingExtraError, TrainingError
from cutaway.plots import Panel, draw_curves
from cutaway.train.history import curves, read_log

LINES = [
    {"step": 1, "elapsed_s": 0.5, "loss": 3.0},
    {"step": 2, "elapsed_s": 1.5, "loss": 2.0},
    {"step": 2, "elapsed_s": 1.6, "bits_per_byte": {"a": 2.5, "b": 3.5}},
    {"step": 2, "elapsed_s": 1.7, "sample": "the cat"},
]

needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib, the extra `plot`, is not installed"
)


def write_log(folder, lines=LINES, rest=""):
    folder.mkdir()
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + rest)
    return folder


def test_curves_run_along_steps_or_seconds():
    assert curves(LINES, "loss") == {"": [(1, 3), (2, 2)]}
    assert curves(LINES, "loss", "elapsed_s") == {"": [(0.5, 3), (1.5, 2)]}
    assert curves(LINES, "bits_per_byte") == {"a": [(2, 2.5)], "b": [(2, 3.5)]}
    assert curves(LINES, "held_out_loss") == {}


def test_a_line_that_is_being_written_is_left_for_later(tmp_path):
    assert read_log(write_log(tmp_path / "run", rest='{"step": 3, "lo')) == LINES


def test_the_log_may_be_named_itself(tmp_path):
    assert read_log(write_log(tmp_path / "run") / "log.jsonl") == LINES


@pytest.mark.parametrize(
    "content", ["no json\n", "[]\n", "{}\n", '{"step": "1"}\n', "x" * (1 << 20), "[" * 10_000 + "\n"]
)
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "log.jsonl").write_text(content)
    with pytest.raises(TrainingError, match="is not the log of a run"):
        read_log(tmp_path)


def test_a_folder_without_a_log_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="give the folder of a run"):
        read_log(tmp_path)


def test_runs_share_the_panels(tmp_path):
    logs = {"first": LINES, "second": LINES[:2]}
    panels = list(panels_of(logs, "step"))
    assert [list(panel.curves) for panel in panels] == [["first", "second"], ["first · a", "first · b"]]


def test_runs_are_called_by_their_folders_as_long_as_those_differ(tmp_path):
    for name in ("one", "two"):
        write_log(tmp_path / name)
        (tmp_path / name / "run").mkdir()
    one, two = tmp_path / "one", tmp_path / "two"
    assert names([one / "log.jsonl", two]) == ["one", "two"]
    assert names([one / "run", two / "run"]) == [str(one / "run"), str(two / "run")]


def test_without_a_run_or_without_losses_there_is_nothing_to_plot(tmp_path):
    assert "no run to plot" in mistake("train", "plot")
    assert "no losses yet" in mistake("train", "plot", write_log(tmp_path / "run", []))


@needs_matplotlib
def test_the_picture_is_a_png(tmp_path):
    runs = [write_log(tmp_path / name) for name in ("one", "two")]
    result = run("train", "plot", *runs, "-o", tmp_path / "curves.png")
    assert (result.code, result.out) == (0, f"{tmp_path / 'curves.png'}\n"), result
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob(".*"))


@needs_matplotlib
def test_a_picture_that_cannot_be_written_is_refused(tmp_path):
    target = tmp_path / "missing" / "curves.png"
    assert "choose another place" in mistake("train", "plot", write_log(tmp_path / "run"), "-o", target)


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is not None, reason="matplotlib is installed")
def test_a_missing_matplotlib_names_the_extra():
    with pytest.raises(MissingExtraError, match="drawing needs matplotlib"):
        draw_curves([Panel(title="", x_label="", curves={"": [(0, 1)]})])
