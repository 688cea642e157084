"""Number formats against ggml's: its Python package where it is installed, and bytes that it made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cutaway.errors import ConfigError
from cutaway.weights.gguf.formats import FORMATS, format_named

RAMP = (np.arange(32, dtype=np.float32) - 16) * np.float32(0.3)

# gguf.quants.quantize(RAMP, …) of the package gguf 0.19.
GOLDEN = {
    "Q8_0": "d62881899199a1a9b1b9c0c8d0d8e0e8f0f8000810182028303840474f575f676f77",
    "Q4_0": "cd38809191a2a2b3b3c4c4d5d5e6e6f7f7f8",
    "BF16": (
        "9ac090c086c07ac066c053c040c02dc01ac006c0e6bfc0bf9abf66bf1abf9abe00009a3e1a3f663f"
        "9a3fc03fe63f06401a402d404040534066407a4086409040"
    ),
}
blocks = arrays(np.float32, (3, 64), elements=st.floats(-1e4, 1e4, width=32))


@pytest.mark.parametrize("name", GOLDEN)
def test_a_ramp_becomes_the_bytes_that_ggml_makes(name):
    assert FORMATS[name].encode(RAMP).tobytes().hex() == GOLDEN[name]


@given(blocks, st.sampled_from(sorted(FORMATS)))
def test_every_row_becomes_what_ggml_makes_of_it(rows, name):
    gguf = pytest.importorskip("gguf")
    theirs = gguf.quants.quantize(rows, gguf.GGMLQuantizationType[name])
    ours = FORMATS[name].encode(rows)
    back = gguf.quants.dequantize(theirs, gguf.GGMLQuantizationType[name]).reshape(rows.shape)
    np.testing.assert_array_equal(FORMATS[name].decode(theirs.reshape(-1)).reshape(rows.shape), back)
    differs = FORMATS[name].decode(ours).reshape(rows.shape) != back
    # The Python package computes Q4_0 in float64, its C code in float32: halfway they may go different ways.
    assert not (differs & ~(halfway(rows) if name == "Q4_0" else False)).any()


def halfway(rows):
    """Where a number lies between two of the sixteen, but for rounding."""
    cut = rows.astype(np.float64).reshape(-1, 32)
    furthest = np.take_along_axis(cut, np.abs(cut).argmax(axis=1, keepdims=True), axis=1)
    places = np.divide(cut * -8, furthest, out=np.zeros_like(cut), where=furthest != 0) + 0.5
    return (np.abs(places - np.round(places)) < 1e-5).reshape(rows.shape)


def test_random_weights_become_what_ggml_makes_of_them():
    gguf = pytest.importorskip("gguf")
    rows = np.random.default_rng(0).normal(0, 0.02, (400, 768)).astype(np.float32)
    for name, ours in FORMATS.items():
        theirs = gguf.quants.quantize(rows, gguf.GGMLQuantizationType[name])
        assert ours.encode(rows).tobytes() == theirs.tobytes(), name


@given(blocks)
def test_what_comes_back_is_within_half_a_step(rows):
    steps = {"Q8_0": 1 / 127, "Q4_0": 1 / 8}
    for name, step in steps.items():
        back = FORMATS[name].decode(FORMATS[name].encode(rows)).reshape(-1, 32)
        largest = np.abs(rows.reshape(-1, 32)).max(axis=1, keepdims=True)
        # Half a step, or a whole one for 4 bits where the opposite end is cut off; and the rounding of
        # the scale, of which the smallest are 2**-24 apart.
        bound = largest * step * (0.5 if name == "Q8_0" else 1) * 1.001 + largest * 2**-10 + 2**-17
        assert (np.abs(back - rows.reshape(-1, 32)) <= bound).all(), name


@given(arrays(np.float32, 64, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_float32_comes_back_to_the_bit(row):
    assert FORMATS["F32"].decode(FORMATS["F32"].encode(row)).tobytes() == row.tobytes()


@pytest.mark.parametrize("name", FORMATS)
def test_zeros_stay_zeros(name):
    assert not FORMATS[name].decode(FORMATS[name].encode(np.zeros(64, np.float32))).any()


@pytest.mark.parametrize("name", FORMATS)
def test_the_largest_number_stays_finite(name):
    largest = np.full(32, FORMATS[name].largest, np.float32)
    assert np.isfinite(FORMATS[name].decode(FORMATS[name].encode(largest))).all()


def test_formats_have_the_names_of_either_side():
    assert format_named("q8_0") is FORMATS["Q8_0"]
    assert format_named("bfloat16") is FORMATS["BF16"]


def test_an_unknown_format_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="GGUF has no 'Q8_1' here; did you mean 'Q8_0'"):
        format_named("Q8_1")
