from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.plots import glyphs, ticks
from pictures import PIECES

LABELS = st.one_of(
    st.integers(1, 2000).map(range),
    st.lists(
        st.one_of(st.sampled_from(PIECES), st.text(max_size=30), st.integers(-(10**6), 10**6)), min_size=1, max_size=300
    ),
)
PITCHES = st.floats(0.1, 200)


@given(PITCHES, st.floats(0.1, 300))
def test_the_step_is_the_smallest_round_one_with_room(pitch, extent):
    step = ticks.step_for(pitch, extent)
    smaller = [other for other in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if other < step]
    assert step * pitch >= extent
    assert all(other * pitch < extent for other in smaller)


@given(LABELS, PITCHES)
def test_labels_of_columns_never_touch(labels, pitch):
    chosen = ticks.across(labels, pitch)
    apart = [(b - a) * pitch for a, b in pairwise(chosen.places)]
    widths = [glyphs.width(text, chosen.size) for text in chosen.texts]
    needed = [chosen.line if chosen.upright else (one + other) / 2 for one, other in pairwise(widths)]
    assert all(distance >= room for distance, room in zip(apart, needed, strict=True))


@given(LABELS, PITCHES)
def test_labels_of_rows_never_touch(labels, pitch):
    chosen = ticks.down(labels, pitch)
    assert all((b - a) * pitch >= chosen.line for a, b in pairwise(chosen.places))


@given(LABELS, PITCHES)
def test_the_first_place_has_its_label_and_the_others_theirs(labels, pitch):
    for chosen in (ticks.across(labels, pitch), ticks.down(labels, pitch)):
        assert chosen.places[0] == 0
        assert chosen.texts == tuple(glyphs.label(labels[place]) for place in chosen.places)


def test_all_labels_are_shown_where_there_is_room():
    assert ticks.across(["to", "be"], 40) == ticks.Ticks(places=(0, 1), texts=("to", "be"), size=8.0)
    assert ticks.down(range(3), 20).texts == ("0", "1", "2")


def test_words_are_turned_upright_before_they_are_left_out_and_numbers_are_left_out():
    words = ticks.across([f"word{i}" for i in range(20)], 12)
    assert (len(words.places), words.upright) == (20, True)
    numbers = ticks.across(range(1000, 1100), 12)
    assert (numbers.places[:3], numbers.upright) == ((0, 2, 4), False)


@pytest.mark.parametrize(("pitch", "size"), [(100, 8.0), (8.75, 7.0), (1, 5.5)])
def test_letters_shrink_only_so_far(pitch, size):
    assert ticks.down(["to"] * 9, pitch).size == size
