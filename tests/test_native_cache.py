import numpy as np
import pytest

from cutaway.errors import GenerationError
from cutaway.native import PRECISIONS
from native_models import SHAPES, native_model, needs_kernels, plain_model, tokens_of

pytestmark = needs_kernels

CONFIG = SHAPES["odd"]


@pytest.fixture(scope="module", params=PRECISIONS)
def native(request):
    return native_model(plain_model(CONFIG), precision=request.param, threads=1)


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 32])
def test_a_copied_slot_goes_on_like_the_original_and_apart_from_it(length, native):
    cache = native.cache(3)
    native.forward(cache, [2], [tokens_of(CONFIG, length)])
    cache.copy(2, 0)
    assert cache.lengths == [length, 0, length]
    together = native.forward(cache, [2, 0], [[7], [8]])
    alone = native.cache()
    native.forward(alone, [0], [tokens_of(CONFIG, length)])
    np.testing.assert_array_equal(together[1:], native.forward(alone, [0], [[8]]))
    alone.truncate(0, length)
    np.testing.assert_array_equal(together[:1], native.forward(alone, [0], [[7]]))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 20])
def test_the_first_tokens_of_a_slot_are_copied(count, precision):
    native = native_model(plain_model(CONFIG), threads=1, precision=precision)
    cache, text, other = native.cache(2), tokens_of(CONFIG, 20), tokens_of(CONFIG, 5, seed=1)
    native.forward(cache, [0, 1], [text, other])
    cache.copy(0, 1, tokens=count)
    assert cache.lengths == [20, count]
    alone = native.cache()
    native.forward(alone, [0], [[*text[:count], *other]])
    native.forward(cache, [1], [other])
    np.testing.assert_array_equal(native.forward(cache, [1], [[3]]), native.forward(alone, [0], [[3]]))


def test_more_tokens_than_a_slot_holds_are_not_copied(native):
    cache = native.cache(2)
    native.forward(cache, [0], [tokens_of(CONFIG, 9)])
    with pytest.raises(GenerationError, match="10 tokens cannot be copied from a slot of 9"):
        cache.copy(0, 1, tokens=10)


def test_a_slot_is_copied_into_a_cache_of_another_size(native):
    small, large = native.cache(1, 10), native.cache(2, 33)
    native.forward(small, [0], [tokens_of(CONFIG, 9)])
    small.copy(0, 1, large)
    np.testing.assert_array_equal(native.forward(small, [0], [[3]]), native.forward(large, [1], [[3]]))


def test_what_does_not_fit_is_not_copied(native):
    large, small = native.cache(1), native.cache(1, 8)
    native.forward(large, [0], [tokens_of(CONFIG, 9)])
    with pytest.raises(GenerationError, match="9 tokens do not fit a slot of 8"):
        large.copy(0, 0, small)
    with pytest.raises(GenerationError, match="no slot 1 in a cache of 1"):
        large.copy(0, 1)


def test_a_slot_is_not_copied_to_another_model(native):
    other = native_model(plain_model(CONFIG), threads=1)
    with pytest.raises(GenerationError, match="belongs to another model"):
        native.cache().copy(0, 0, other.cache())


def test_a_guess_is_taken_back(native):
    tokens = tokens_of(CONFIG, 20)
    cache = native.cache()
    first = native.forward(cache, [0], [tokens], [4])
    cache.truncate(0, 17)
    np.testing.assert_array_equal(native.forward(cache, [0], [tokens[17:]], [3]), first[1:])


@pytest.mark.parametrize("length", [-1, 4])
def test_a_slot_cannot_be_cut_to_what_it_does_not_hold(length, native):
    cache = native.cache()
    native.forward(cache, [0], [[1, 2, 3]])
    with pytest.raises(GenerationError, match=f"a slot of 3 tokens cannot be cut to {length}"):
        cache.truncate(0, length)


def test_room_is_what_was_asked_for(native):
    cache = native.cache(1, 3)
    native.forward(cache, [0], [[1, 2]])
    with pytest.raises(GenerationError, match="4 tokens do not fit a cache of 3"):
        native.forward(cache, [0], [[1, 2]])
    assert native.forward(cache, [0], [[1]]).shape == (1, CONFIG.vocab_size)
