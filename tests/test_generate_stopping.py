"""Stop texts are found however they are cut into pieces, and nothing of them is ever shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.generate.stopping import StopTexts, first_stop


def push_all(pieces, stops):
    """What came through, piece by piece, until a stop was met or the pieces ran out."""
    stopping, shown = StopTexts(stops), []
    for piece in pieces:
        shown.append(stopping.push(piece))
        if stopping.met:
            return shown, True
    return [*shown, stopping.flush()], False


pieces = st.lists(st.text("abc", max_size=4), max_size=12)
stops = st.lists(st.text("abc", min_size=1, max_size=4), max_size=4)


@given(pieces, stops)
def test_what_is_shown_is_the_text_before_the_stop_that_is_complete_first(pieces, stops):
    shown, met = push_all(pieces, stops)
    read = ""
    for piece in pieces:
        read += piece
        if any(stop in read for stop in stops):
            break
    starts = [read.index(stop) for stop in stops if stop in read]
    assert met == bool(starts)
    assert "".join(shown) == read[: min(starts, default=None)]


@given(pieces, stops)
def test_nothing_is_held_back_without_need(pieces, stops):
    stopping, read, shown = StopTexts(stops), "", ""
    for piece in pieces:
        read, shown = read + piece, shown + stopping.push(piece)
        if stopping.met:
            break
        held = read[len(shown) :]
        assert any(stop.startswith(held) for stop in stops) or not held


@given(pieces, stops)
def test_nothing_shown_could_have_begun_a_stop(pieces, stops):
    stopping, read, shown = StopTexts(stops), "", ""
    for piece in pieces:
        read, shown = read + piece, shown + stopping.push(piece)
        if stopping.met:
            break
        for n in range(len(read) - len(shown) + 1, len(read) + 1):
            assert not any(stop.startswith(read[-n:]) and len(stop) > n for stop in stops)


@pytest.mark.parametrize(
    ("pieces", "stops", "shown", "met"),
    [
        (["one", " tw", "o th", "ree"], ["two three"], ["one", " ", "", ""], True),
        (["on", "e END", " more"], ["END"], ["on", "e "], True),
        (["a", "E", "N", "D"], ["END"], ["a", "", "", ""], True),
        (["a", "E", "N", "d"], ["END"], ["a", "", "", "ENd", ""], False),
        (["E", "E", "N", "D"], ["END"], ["", "E", "", ""], True),
        (["abab", "ac"], ["abac"], ["ab", ""], True),
        (["x", "\n"], ["\n\n"], ["x", "", "\n"], False),
        (["say cat and dog"], ["dog", "cat"], ["say "], True),
        (["abc", "d"], ["abcd", "c"], ["ab"], True),
        (["abcd"], ["abcd", "c"], [""], True),
        (["a", "b"], [], ["a", "b", ""], False),
    ],
)
def test_examples(pieces, stops, shown, met):
    assert push_all(pieces, stops) == (shown, met)


def test_first_stop_is_the_earliest_in_the_text():
    assert first_stop("one two", ["two", "one"]) == 0
    assert first_stop("one two", ["two", "three"]) == 4
    assert first_stop("one two", ["three"]) is None
    assert first_stop("one two", []) is None
