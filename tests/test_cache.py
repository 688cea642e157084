import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.cache import KVCache
from cutaway.config import GPTConfig
from cutaway.errors import GenerationError

CONFIG = GPTConfig(block_size=8, vocab_size=11, n_layer=2, n_head=3, n_embd=12)


def filled(batch_size, tokens, room=8):
    """A cache whose entries say where they are: row, position, layer; values are the negative of keys."""
    cache = KVCache(CONFIG, batch_size, room)
    positions = cache.positions(tokens)
    for layer in range(CONFIG.n_layer):
        k = 100 * torch.arange(batch_size)[:, None] + 10 * positions + layer
        k = k[:, None, :, None].expand(batch_size, 3, tokens, 4).float()
        cache.append(layer, positions, k, -k)
    cache.advance(tokens)
    return cache


def test_a_new_cache_is_empty():
    cache = KVCache(CONFIG, batch_size=2, max_tokens=5)
    assert cache.lengths == [0, 0]
    assert cache.max_tokens == 5
    assert cache.keys.shape == cache.values.shape == (2, 2, 3, 5, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_bytes_are_those_of_both_tensors(dtype):
    cache = KVCache(CONFIG, 2, 5, dtype=dtype)
    assert cache.keys.dtype == cache.values.dtype == dtype
    assert cache.kv_bytes == cache.keys.nbytes + cache.values.nbytes


@pytest.mark.parametrize("max_tokens", [0, -1, 9])
def test_a_cache_longer_than_the_context_or_empty_is_refused(max_tokens):
    with pytest.raises(GenerationError, match=f"a cache for {max_tokens} tokens does not suit a context of 8"):
        KVCache(CONFIG, 1, max_tokens)


def test_a_cache_without_rows_is_refused():
    with pytest.raises(GenerationError, match="0 rows"):
        KVCache(CONFIG, 0, 8)


def test_new_tokens_stand_after_those_held():
    cache = filled(2, 4)
    cache.truncate([1, 3])
    assert cache.positions(2).tolist() == [[1, 2], [3, 4]]


def test_tokens_that_do_not_fit_are_refused():
    cache = filled(2, 4, room=5)
    cache.truncate([1, 4])
    assert cache.positions(1).tolist() == [[1], [4]]
    with pytest.raises(GenerationError, match="6 tokens do not fit a cache of 5"):
        cache.positions(2)


def test_append_returns_old_and_new_together():
    cache = filled(2, 3)
    positions = cache.positions(1)
    new = torch.full((2, 3, 1, 4), 7.0)
    keys, values = cache.append(1, positions, new, new + 1)
    assert keys.shape == values.shape == (2, 3, 4, 4)
    assert keys[:, 0, :, 0].tolist() == [[1, 11, 21, 7], [101, 111, 121, 7]]
    assert values[:, 0, :, 0].tolist() == [[-1, -11, -21, 8], [-101, -111, -121, 8]]


def test_append_writes_only_its_layer():
    cache = filled(1, 2)
    before = cache.keys[0].clone()
    cache.append(1, cache.positions(1), torch.ones(1, 3, 1, 4), torch.ones(1, 3, 1, 4))
    assert torch.equal(cache.keys[0], before)


def test_append_puts_each_row_at_its_own_place():
    cache = filled(2, 3)
    cache.truncate([1, 3])
    new = torch.full((2, 3, 1, 4), 7.0)
    keys, _ = cache.append(0, cache.positions(1), new, new)
    # What lies beyond a row's length is left over, and for the attention mask to hide.
    assert keys[:, 2, :, 3].tolist() == [[0, 7, 20, 0], [100, 110, 120, 7]]


def test_appending_counts_nothing_until_every_layer_is_done():
    cache = filled(2, 3)
    cache.append(0, cache.positions(2), torch.ones(2, 3, 2, 4), torch.ones(2, 3, 2, 4))
    assert cache.lengths == [3, 3]
    cache.advance(2)
    assert cache.lengths == [5, 5]


def test_truncate_keeps_what_comes_before():
    cache = filled(2, 4)
    before = cache.keys[:, :, :, :2].clone()
    cache.truncate([2, 4])
    assert cache.lengths == [2, 4]
    assert torch.equal(cache.keys[:, :, :, :2], before)


@pytest.mark.parametrize("lengths", [[5, 4], [-1, 4], [4], [4, 4, 4], []])
def test_a_cache_cannot_be_cut_to_more_than_it_holds(lengths):
    cache = filled(2, 4)
    with pytest.raises(GenerationError, match=r"a cache with rows of \[4, 4\] tokens cannot be cut to"):
        cache.truncate(lengths)
    assert cache.lengths == [4, 4]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_select_copies_rows_with_their_lengths(rows, lengths):
    cache = filled(3, 4)
    cache.truncate(lengths)
    keys, values = cache.keys.clone(), cache.values.clone()
    cache.select(rows)
    assert cache.lengths == [lengths[row] for row in rows]
    assert torch.equal(cache.keys, keys[:, rows])
    assert torch.equal(cache.values, values[:, rows])


def test_selected_copies_go_their_own_ways():
    cache = filled(1, 2)
    cache.select([0, 0])
    new = torch.tensor([5.0, 6.0])[:, None, None, None].expand(2, 3, 1, 4)
    keys, _ = cache.append(0, cache.positions(1), new, new)
    assert keys[:, 0, :, 0].tolist() == [[0, 10, 5], [0, 10, 6]]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
def test_a_part_is_read_on_apart_and_put_back(rows):
    cache, part = filled(4, 3), filled(4, 3)
    part.select(rows)
    part.append(1, part.positions(2), torch.full((len(rows), 3, 2, 4), 7.0), torch.full((len(rows), 3, 2, 4), 8.0))
    part.advance(2)
    cache.put(rows, part)
    assert cache.lengths == [5 if row in rows else 3 for row in range(4)]
    assert torch.equal(cache.keys[:, rows], part.keys)
    assert torch.equal(cache.values[:, rows], part.values)
    others = [row for row in range(4) if row not in rows]
    assert torch.equal(cache.keys[:, others], filled(4, 3).keys[:, others])


@pytest.mark.parametrize("rows", [[], [3], [0, -1]])
def test_rows_that_do_not_exist_cannot_be_selected(rows):
    cache = filled(3, 4)
    with pytest.raises(GenerationError, match="cannot select rows"):
        cache.select(rows)
    assert cache.lengths == [4, 4, 4]
