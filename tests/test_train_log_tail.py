"""A log is read on from where one was, whatever happens to it meanwhile."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import TrainingError
from cutaway.train import log_tail
from cutaway.train.history import read_log
from cutaway.train.log import LOG, RunLog
from cutaway.train.log_tail import START, Cursor, read_end, read_on


@pytest.fixture
def log(tmp_path):
    return RunLog(tmp_path / LOG)


def write(log, *steps, **values):
    for step in steps:
        log.append(step=step, **values)


def steps(page):
    return [line["step"] for line in page.lines]


def test_only_what_is_new_is_read(log, tmp_path):
    write(log, 1, 2)
    first = read_on(tmp_path)
    assert (steps(first), first.from_start) == ([1, 2], True)
    assert steps(read_on(tmp_path, first.cursor)) == []
    write(log, 3)
    second = read_on(tmp_path, first.cursor)
    assert (steps(second), second.from_start) == ([3], False)
    assert read_end(tmp_path).cursor == second.cursor


def test_a_line_is_not_read_before_it_is_whole(log, tmp_path):
    write(log, 1)
    with log.path.open("a") as file:
        file.write('{"step": 2, "lo')
    page = read_on(tmp_path)
    assert steps(page) == [1]
    assert read_end(tmp_path).line["step"] == 1
    with log.path.open("a") as file:
        file.write('ss": 3.0}\n')
    assert read_on(tmp_path, page.cursor).lines == [{"step": 2, "loss": 3.0}]


def test_a_log_that_began_anew_is_read_from_its_beginning(log, tmp_path):
    write(log, 1, 2, 3, loss=1.0)
    before = read_on(tmp_path).cursor
    log.forget_after(1)
    write(log, 2, 3, 4, loss=2.0)
    again = read_on(tmp_path, before)
    assert (steps(again), again.from_start) == ([1, 2, 3, 4], True)


def test_a_resumed_run_that_forgot_nothing_is_read_on(log, tmp_path):
    write(log, 1, 2, 3)
    before = read_on(tmp_path).cursor
    log.forget_after(3)
    write(log, 4)
    after = read_on(tmp_path, before)
    assert (steps(after), after.from_start) == ([4], False)


def test_a_shorter_log_is_read_from_its_beginning(log, tmp_path):
    write(log, 1, 2, 3)
    before = read_on(tmp_path).cursor
    log.forget_after(2)
    assert read_on(tmp_path, before).from_start
    assert read_on(tmp_path, Cursor(offset=10**14)).from_start


@given(sizes=st.lists(st.integers(0, 120), max_size=30), page=st.integers(300, 700))
def test_pages_together_are_the_log(tmp_path_factory, sizes, page):
    folder = tmp_path_factory.mktemp("run")
    log = RunLog(folder / LOG)
    for step, size in enumerate(sizes):
        log.append(step=step, sample="ä" * size)
    lines, cursor, more = [], START, True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_tail, "PAGE_BYTES", page)
        while more:
            found = read_on(folder, Cursor.parse(str(cursor)))
            assert found.from_start == (not lines)
            lines, cursor, more = [*lines, *found.lines], found.cursor, found.more
        end = read_end(folder)
    assert lines == (read_log(folder) if sizes else [])
    assert (end.line if sizes else end) == (lines[-1] if sizes else None)


def test_a_number_that_is_none_is_none(log, tmp_path):
    write(log, 1, loss=math.inf, other=math.nan)
    with log.path.open("a") as file:
        file.write('{"step": 2, "loss": 1e999}\n')
    assert read_on(tmp_path).lines == [{"step": 1, "loss": None, "other": None}, {"step": 2, "loss": None}]
    assert json.dumps(read_on(tmp_path).lines, allow_nan=False)


def test_before_the_first_line_there_is_none(tmp_path):
    page = read_on(tmp_path)
    assert (page.lines, page.cursor, page.more) == ([], START, False)
    assert read_end(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [b"no JSON\n", b"[1]\n", b'{"loss": 1}\n', b'{"step": true}\n', b'{"step": "1"}\n', b"\xff\n", b"[" * 9999 + b"\n"],
)
def test_something_else_is_refused(tmp_path, content):
    (tmp_path / LOG).write_bytes(content)
    for read in (read_on, read_end):
        with pytest.raises(TrainingError, match="is not the log of a run"):
            read(tmp_path)


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(log_tail, "PAGE_BYTES", 100)
    (tmp_path / LOG).write_bytes(b"x" * 101)
    with pytest.raises(TrainingError, match="without end"):
        read_on(tmp_path)


def test_a_folder_that_is_gone_is_told(tmp_path):
    for read in (read_on, read_end):
        with pytest.raises(TrainingError, match="is gone; bring it back"):
            read(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["x", "-1.00000000", "1", "1.0", "1e3.00000000", "9" * 16 + ".00000000", "1.zzzzzzzz"])
def test_a_cursor_is_one_that_was_given(text):
    with pytest.raises(TrainingError, match="no place in a log"):
        Cursor.parse(text)
