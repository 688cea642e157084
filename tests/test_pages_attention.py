import base64
import json
import re
import zlib

import numpy as np
import pytest

from cutaway.errors import ConfigError
from cutaway.pages import attention_page, attention_view
from cutaway.pages.attention import THUMBNAIL, pooled
from cutaway.pages.quantization import dequantize, unpack
from page_samples import patterns_of


def blocks_of(view):
    return {block.name: block.data for block in view.blocks}


@pytest.mark.parametrize("bits", [None, 4, 8, 9, 16])
def test_the_page_holds_the_lower_triangles(bits):
    patterns = patterns_of(tokens=7, layers=2, heads=3)
    view = attention_view(list("abcdefg"), patterns, bits=bits)
    blocks = blocks_of(view)
    for layer, head, pattern in patterns:
        kept = dequantize(unpack(blocks[f"pattern-{layer}-{head}"], view.facts["bits"]), view.facts["bits"])
        assert np.abs(kept - pattern[np.tri(7, dtype=bool)]).max() <= view.facts["error"]


def test_bits_are_16_for_a_short_text_and_8_for_a_long_one():
    assert attention_view(["a"] * 256, []).facts["bits"] == 16
    assert attention_view(["a"] * 257, []).facts["bits"] == 8


def test_the_averages_say_where_a_head_looks():
    previous = np.eye(5, k=-1)
    previous[0, 0] = 1
    uniform = np.tril(np.ones((5, 5))) / np.arange(1, 6)[:, None]
    blocks = blocks_of(attention_view(list("abcde"), [(1, 0, uniform), (0, 0, previous)]))
    first, second = json.loads(zlib.decompress(blocks["heads"]))
    assert (first["layer"], second["layer"]) == (0, 1)
    assert (first["to_previous"], first["to_itself"], first["entropy_bits"]) == (1, 0.2, 0)
    assert second["to_first"] == round(float(np.mean(1 / np.arange(1, 6))), 4)
    assert second["entropy_bits"] == round(float(np.mean(np.log2(np.arange(1, 6)))), 4)


def test_a_thumbnail_keeps_a_single_bright_cell():
    pattern = np.zeros((1000, 1000), np.float32)
    pattern[777, 123] = 1
    small = pooled(pattern)
    assert small.shape == (THUMBNAIL, THUMBNAIL)
    assert small.sum() == 1


@pytest.mark.parametrize("size", [THUMBNAIL + 1, 3 * THUMBNAIL, 331])
def test_a_pixel_is_the_largest_weight_of_its_neighbourhood(size):
    pattern = np.tril(np.random.default_rng(size).random((size, size), np.float32))
    place = np.minimum((np.arange(size) * THUMBNAIL + THUMBNAIL - 1) // size, THUMBNAIL - 1)
    expected = np.zeros((THUMBNAIL, THUMBNAIL), np.float32)
    np.maximum.at(expected, (place[:, None], place), pattern)
    assert np.array_equal(pooled(pattern), expected)


@pytest.mark.parametrize("size", [1, 2, THUMBNAIL - 1, THUMBNAIL])
def test_a_short_pattern_is_its_own_thumbnail(size):
    pattern = np.tril(np.random.default_rng(0).random((size, size), np.float32))
    assert np.array_equal(pooled(pattern), pattern)


def test_patterns_are_taken_one_at_a_time():
    taken = []

    def watched():
        for layer, head, pattern in patterns_of(tokens=4, layers=2, heads=2):
            taken.append((layer, head))
            yield layer, head, pattern

    page = attention_page(list("abcd"), watched())
    for part in page:
        if match := re.search(r'id="view-0-pattern-(\d)-(\d)"', part):
            assert taken[-1] == tuple(map(int, match.groups()))
    assert len(taken) == 4


def test_an_overview_is_the_whole_without_its_patterns():
    patterns = patterns_of(tokens=7, layers=2, heads=3)
    whole, overview = (blocks_of(attention_view(list("abcdefg"), patterns, overview=only)) for only in (False, True))
    assert overview == {name: whole[name] for name in ("heads", "thumbnails")}


def test_any_heads_may_be_shown():
    pattern = patterns_of(tokens=3, layers=1, heads=1)[0][2]
    blocks = blocks_of(attention_view(list("abc"), [(11, 7, pattern)]))
    assert blocks.keys() == {"pattern-11-7", "heads", "thumbnails"}


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ([], "no patterns to show"),
        ([(0, 0, np.eye(3))], r"shape \(3, 3\); for these tokens it must be \(2, 2\)"),
        ([(0, 0, np.full((2, 2), 0.5))], "looks ahead"),
        ([(0, 0, np.diag([1.0, 2.0]))], "reaches from 0 to 2; weights lie between 0 and 1"),
        ([(0, 0, np.diag([1.0, np.nan]))], "weights lie between 0 and 1"),
        ([(0, 0, np.eye(2)), (0, 0, np.eye(2))], "layer 0, head 0 came twice"),
        ([(0, -1, np.eye(2))], "is negative"),
        ([(0, 0, [["a"]])], "must be real numbers"),
    ],
)
def test_what_is_not_causal_attention_is_refused(patterns, message):
    with pytest.raises(ConfigError, match=message):
        blocks_of(attention_view(["a", "b"], patterns))


@pytest.mark.parametrize("bits", [0, 3, 17])
def test_impossible_bits_are_refused(bits):
    with pytest.raises(ConfigError, match=f"bits = {bits} is outside 4 to 16"):
        attention_view(["a"], [], bits=bits)


@pytest.mark.parametrize("count", [0, 4097])
def test_too_many_tokens_are_refused(count):
    with pytest.raises(ConfigError, match="1 to 4,096 tokens"):
        attention_view(["a"] * count, [])


def test_a_page_of_many_tokens_stays_small():
    """Attention of a trained head is mostly zeros: far less than a byte each."""
    T = 512
    distance = np.arange(T)[:, None] - np.arange(T)
    scores = np.where(distance < 0, -np.inf, -0.8 * distance)
    pattern = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    block = blocks_of(attention_view(["a"] * T, [(0, 0, pattern)]))["pattern-0-0"]
    assert len(base64.b64encode(block)) < 0.15 * T * (T + 1) / 2
