import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.data.permutation import Permutation, mix, mix_all
from cutaway.errors import ConfigError

KEYS = st.lists(st.integers(0, (1 << 63) - 1), min_size=1, max_size=3)


@given(n=st.integers(1, 2000), key=KEYS)
def test_every_number_occurs_once(n, key):
    permutation = Permutation(n, *key)
    assert sorted(permutation[place] for place in range(n)) == list(range(n))


@given(n=st.integers(1, 1 << 62), key=KEYS, data=st.data())
def test_huge_ranges_need_no_memory_and_keep_places_apart(n, key, data):
    permutation = Permutation(n, *key)
    places = data.draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=8))
    assert len({permutation[place] for place in places}) == len(places)
    assert all(0 <= permutation[place] < n for place in places)


def test_the_same_key_gives_the_same_order_everywhere():
    # Figures, not another instance: a change of the order would make every resumed run see other data.
    assert [Permutation(10, 1, 2)[place] for place in range(10)] == [3, 6, 5, 9, 8, 7, 4, 1, 2, 0]


def test_another_key_gives_another_order():
    orders = {tuple(Permutation(50, seed)[place] for place in range(50)) for seed in range(20)}
    assert len(orders) == 20


def test_each_number_comes_first_about_equally_often():
    first = [Permutation(4, seed)[0] for seed in range(2000)]
    assert all(420 < first.count(number) < 580 for number in range(4))


def test_neighbours_are_torn_apart():
    permutation = Permutation(10_000, 7)
    steps = [abs(permutation[place + 1] - permutation[place]) for place in range(9_999)]
    assert 3000 < sum(steps) / len(steps) < 3700  # a third of the range, as for a random order


def test_splitmix_gives_its_published_numbers():
    # Source: Vigna, splitmix64.c, started at 0: the state advances by the constant before each output.
    assert mix(0) == 0xE220A8397B1DCDAF
    assert mix(0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4


def test_the_order_of_the_values_matters():
    assert mix_all(1, 2) != mix_all(2, 1)


@pytest.mark.parametrize("place", [-1, 5])
def test_a_place_outside_is_an_index_error(place):
    with pytest.raises(IndexError):
        Permutation(5, 0)[place]


def test_an_empty_range_is_refused():
    with pytest.raises(ConfigError, match="n=0 is out of range"):
        Permutation(0, 1)
