"""How many guesses are read follows what reading costs and how guesses fare, down to none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.generate.pace import LIFETIME, SAMPLES, Pace


def pace_of(costs, rate=None, kind=1, **options):
    """A pace that has measured these sizes, and has seen guesses of a kind come true at a rate."""
    pace = Pace(8, **options)
    for tokens, seconds in costs.items():
        pace.read(tokens, seconds)
    for number in range(0 if rate is None else 400):
        pace.saw(kind, number * rate // 1 > (number - 1) * rate // 1)
    return pace


FREE = dict.fromkeys(range(1, 10), 1.0)
DEAR = {tokens: float(tokens) for tokens in range(1, 10)}
STEEP_AFTER_FOUR = {**dict.fromkeys(range(1, 5), 1.0), **{tokens: float(tokens) for tokens in range(5, 10)}}


@pytest.mark.parametrize(
    ("costs", "rate", "count"),
    [
        (FREE, 1, 8),
        (FREE, 0.5, 6),
        (FREE, 0, 0),
        (DEAR, 1, 0),
        (DEAR, 0.5, 0),
        (STEEP_AFTER_FOUR, 0.5, 3),
        (STEEP_AFTER_FOUR, 0.05, 0),
    ],
)
def test_guesses_are_read_where_they_pay(costs, rate, count):
    assert pace_of(costs, rate).count([1], [20]) == count


def test_nothing_is_guessed_before_a_reading_was_measured():
    assert pace_of({}, 1).count([1], [8]) == 0


def test_a_size_never_measured_is_tried_once():
    pace = pace_of({1: 1.0}, 1)
    assert pace.count([1], [8]) == 8
    pace.read(9, 20.0)
    assert pace.count([1], [8]) == 7
    for size in range(8, 1, -1):
        pace.read(size, 20.0)
    assert pace.count([1], [8]) == 0


def test_what_was_measured_once_in_an_evil_hour_is_mended_by_larger_readings():
    pace = pace_of({1: 1.0, 4: 50.0, 6: 1.2}, 0.9)
    assert pace.cost_s(4) == 1.2


def test_an_interruption_among_many_readings_does_not_count():
    pace = pace_of({})
    for seconds in (1.0, 1.1, 90.0, 1.0, 1.1):
        pace.read(1, seconds)
    assert pace.cost_s(1) == 1.1


def test_a_cost_not_measured_for_long_is_forgotten_so_that_it_is_tried_again():
    pace = pace_of({1: 1.0, **dict.fromkeys(range(2, 10), 20.0)}, 1)
    assert pace.count([1], [8]) == 0
    for _ in range(2 * LIFETIME):
        pace.read(1, 1.0)
    assert pace.count([1], [8]) == 8


def test_what_guessing_costs_counts_too():
    pace = pace_of(FREE, 0.8)
    assert pace.count([1], [8]) == 8
    pace.guessed(2, 0.4)
    assert 0 < pace.count([1], [8]) < 8
    pace.guessed(1, 2.0)
    assert pace.count([1], [8]) > 0, "it was a draft that had to catch up"
    for _ in range(SAMPLES):
        pace.guessed(1, 2.0)
    assert pace.count([1], [8]) == 0


def test_kinds_of_guesses_are_told_apart():
    pace = pace_of(FREE, 1, kind=3)
    for _ in range(100):
        pace.saw(1, right=False)
    assert [pace.count([kind], [8]) for kind in (0, 1, 3)] == [0, 0, 8]


def test_a_kind_that_comes_true_again_is_soon_believed():
    pace = pace_of(FREE, 0)
    assert pace.count([1], [8]) == 0
    for _ in range(3):
        pace.saw(1, right=True)
    assert pace.count([1], [8]) > 0


def test_rows_that_go_on_in_step_are_read_ahead_only_if_all_can_be():
    pace = pace_of(dict.fromkeys(range(1, 30), 1.0), 0.9, kind=3)
    assert pace.count([3, 3], [8, 8]) == 8
    assert pace.count([3, 0], [8, 8]) == 0
    assert pace.count([3, 3], [8, 0]) == 0


@given(
    st.dictionaries(st.integers(1, 9), st.floats(1e-4, 1)),
    st.lists(st.booleans(), max_size=30),
    st.lists(st.integers(0, 12), min_size=1, max_size=3),
    st.booleans(),
)
def test_the_count_keeps_to_its_limits_whatever_was_measured(costs, seen, limits, adaptive):
    pace = pace_of(costs, adaptive=adaptive)
    for right in seen:
        pace.saw(1, right)
    assert 0 <= pace.count([1] * len(limits), limits) <= min(8, *limits)


def test_without_adapting_as_many_are_read_as_allowed():
    assert pace_of(DEAR, 0, adaptive=False).count([1, 0], [5, 6]) == 5


@pytest.mark.parametrize(
    ("costs", "kinds", "limits", "tokens", "shares"),
    [
        (FREE, [1], [8], 99, [8]),
        (FREE, [1, 1], [8, 2], 99, [6, 2]),
        (FREE, [1, 0], [8, 0], 99, [8, 0]),
        (FREE, [1, 1], [8, 8], 3, [1, 2]),
        (FREE, [0, 0], [0, 0], 99, [0, 0]),
        (DEAR, [1, 1], [4, 3], 99, [0, 0]),
        ({}, [1], [8], 99, [0]),
    ],
)
def test_rows_that_go_on_each_by_itself_share_the_guesses_that_pay(costs, kinds, limits, tokens, shares):
    assert pace_of(costs, 1).shares(kinds, limits, tokens) == shares


def test_the_likelier_guesses_go_first():
    pace = pace_of(STEEP_AFTER_FOUR, 0.9)
    for _ in range(400):
        pace.saw(2, False)
    assert pace.shares([2, 1], [8, 8], 99) == [0, 2]


def test_what_is_not_adaptive_reads_all_there_is_room_for_or_nothing():
    pace = pace_of({}, adaptive=False)
    assert pace.shares([1, 0, 1], [3, 9, 20], 11) == [3, 0, 8]
    assert pace.shares([1, 0, 1], [3, 9, 20], 10) == [0, 0, 0]
