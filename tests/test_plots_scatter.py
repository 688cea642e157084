from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import ConfigError
from cutaway.plots import draw_scatter
from cutaway.plots.scatter import Box, placed
from pictures import PIECES, assert_tidy, overlap, texts

ROOM = Box(0, 0, 400, 400)
PLACES = st.lists(st.tuples(st.floats(0, 400), st.floats(0, 400)), min_size=1, max_size=40)


@given(PLACES, st.data())
def test_names_of_points_never_meet_and_stay_inside(places, data):
    size = st.none() | st.tuples(st.floats(1, 90), st.floats(5, 12))
    sizes = data.draw(st.lists(size, min_size=len(places), max_size=len(places)))
    found = placed(places, sizes, ROOM)
    boxes = [box for box in found if box is not None]
    assert all(box.lies_in(ROOM) for box in boxes)
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
    assert all(box is None for box, size in zip(found, sizes, strict=True) if size is None)


def test_a_lone_point_has_its_name_at_its_right():
    assert placed([(100, 100)], [(30, 10)], ROOM) == [Box(103, 95, 133, 105)]


def test_a_name_that_finds_no_room_is_left_out_and_the_first_stays():
    found = placed([(200, 200)] * 9, [(100, 10)] * 9, ROOM)
    assert found[0] is not None
    assert None in found


def test_the_names_that_are_drawn_stand_apart():
    rng = np.random.default_rng(0)
    labels = (PIECES * 20)[:200]
    figure = draw_scatter(rng.normal(size=(200, 2)), labels=labels, values=rng.random(200), unit="norm", title="Tokens")
    assert_tidy(figure)
    boxes = texts(figure)
    assert len(figure.axes[0].texts) > 20
    assert not any(overlap(boxes[one], boxes[other]) for one, other in combinations(figure.axes[0].texts, 2))


@pytest.mark.parametrize(
    ("points", "options", "message"),
    [
        (np.zeros((3, 3)), {}, r"shape \(3, 3\) cannot be drawn"),
        (np.full((2, 2), np.nan), {}, "give finite ones"),
        (np.zeros((0, 2)), {}, "cannot be drawn"),
        (np.zeros((2, 2)), {"labels": ["a"]}, r"count \[1, 2\]"),
        (np.zeros((2, 2)), {"values": [1, 2, 3]}, r"count \[2, 3\]"),
    ],
)
def test_points_and_names_must_fit(points, options, message):
    with pytest.raises(ConfigError, match=message):
        draw_scatter(points, **options)
