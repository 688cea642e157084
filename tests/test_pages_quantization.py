import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cutaway.pages.quantization import dequantize, max_error, pack, quantize, top_level, unpack

BITS = st.integers(4, 16)
WEIGHTS = arrays.arrays(np.float32, st.integers(1, 200), elements=st.floats(0, 1, width=32))


@given(WEIGHTS, BITS)
def test_what_is_read_back_lies_within_the_stated_error(weights, bits):
    errors = np.abs(dequantize(quantize(weights, bits), bits) - weights.astype(np.float64))
    # The square root of a float32 is itself rounded to a float32.
    assert all(error <= max_error(bits, weight) + 1e-7 for error, weight in zip(errors, weights, strict=True))
    assert errors.max() <= max_error(bits) + 1e-7


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_the_stated_error_is_not_far_above_the_real_one(bits):
    weights = np.linspace(0, 1, 200_001)
    errors = np.abs(dequantize(quantize(weights, bits), bits) - weights)
    assert errors.max() > 0.95 * max_error(bits)


@given(st.integers(4, 16))
def test_nothing_and_everything_are_exact(bits):
    assert dequantize(quantize(np.array([0.0, 1.0]), bits), bits).tolist() == [0, 1]


@given(st.data(), BITS)
def test_unpacking_gives_the_levels_that_were_packed(data, bits):
    kind = np.uint8 if bits <= 8 else np.uint16
    levels = data.draw(arrays.arrays(kind, st.integers(0, 300), elements=st.integers(0, top_level(bits))))
    restored = unpack(pack(levels), bits)
    assert restored.dtype == levels.dtype
    assert restored.tolist() == levels.tolist()


def test_eight_bits_of_diffuse_attention_take_under_three_bits_each():
    """A softmax of small random scores over 1,024 keys is the worst that attention does to a packer."""
    scores = np.random.default_rng(0).normal(0, 0.3, (256, 1024))
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert 8 * len(pack(quantize(weights, 8))) / weights.size < 3
