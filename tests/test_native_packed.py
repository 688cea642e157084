import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.native import NativeModel
from cutaway.native.packed import ALIGNMENT, FORMATS, PackedMatrix, dequantized, pack, unpack
from cutaway.quant.rounding import nearest as nearest_in_torch
from cutaway.quant.rounding import of_each_input, widest_scales
from cutaway.weights.names import is_transposed
from native_models import SHAPES, all_logits, arrays_of, calm_model, native_model, needs_kernels, tokens_of
from numpy_rounding import rounded

each_precision = pytest.mark.parametrize("precision", FORMATS)


def random_matrix(outputs, inputs, kind, seed=0):
    """Whole numbers and scales of a matrix."""
    rng = np.random.default_rng(seed)
    integers = rng.integers(kind.low, kind.high, size=(outputs, inputs), endpoint=True).astype(np.int8)
    return integers, rng.standard_normal((outputs, kind.groups(inputs))).astype(np.float16)


def packed_tensors(model, precision):
    """The model's tensors, its matrices packed here and not by the kernels."""
    for name, array in arrays_of(model):
        if array.ndim == 1 or name == "wpe.weight":
            yield name, array
        else:
            weight = array.T if is_transposed(name) else array
            kind = FORMATS[precision]
            yield name, pack(*rounded(weight, kind), kind, 3 if "c_attn" in name else 1)


@given(data=st.data(), precision=st.sampled_from(list(FORMATS)))
def test_what_is_packed_can_be_unpacked(data, precision):
    parts = data.draw(st.sampled_from([1, 3]), "parts")
    outputs, inputs = parts * data.draw(st.integers(1, 70), "outputs"), data.draw(st.integers(1, 140), "inputs")
    kind = FORMATS[precision]
    integers, scales = random_matrix(outputs, inputs, kind)
    packed = pack(integers, scales, kind, parts)
    assert (packed.weights.shape, packed.scales.shape) == kind.packed_shapes(inputs, outputs, parts)
    assert packed.weights.ctypes.data % ALIGNMENT == packed.scales.ctypes.data % ALIGNMENT == 0
    for got, expected in zip(unpack(packed, inputs, outputs, kind, parts), (integers, scales), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_weight_is_its_integer_times_the_scale_of_its_group():
    kind = FORMATS["int4"]
    integers, scales = random_matrix(5, 70, kind)
    expected = [[integers[o, i] * np.float32(scales[o, i // 32]) for i in range(70)] for o in range(5)]
    np.testing.assert_array_equal(dequantized(integers, scales, kind), np.array(expected, np.float32))


@pytest.mark.parametrize(("precision", "bytes_a_weight"), [("int8", 1 + 2 / 64), ("int4", 0.5 + 2 / 32)])
def test_a_weight_takes_as_many_bytes_as_it_should(precision, bytes_a_weight):
    kind = FORMATS[precision]
    assert pack(*random_matrix(128, 192, kind), kind).nbytes == 128 * 192 * bytes_a_weight


@needs_kernels
@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
@each_precision
def test_matrices_packed_here_give_the_bits_of_those_that_the_kernels_pack(config, precision):
    model, tokens = calm_model(config), tokens_of(config)
    mapped = NativeModel(config, packed_tensors(model, precision), precision=precision, threads=2)
    np.testing.assert_array_equal(
        all_logits(mapped, tokens), all_logits(native_model(model, precision=precision, threads=2), tokens)
    )


@pytest.mark.parametrize(("precision", "fraction"), [("int8", 0.9), ("int4", 0.94)])
def test_the_scales_found_while_loading_lose_less_than_the_widest(precision, fraction):
    weight, kind = np.random.default_rng(0).standard_normal((300, 256)).astype(np.float32), FORMATS[precision]
    found = dequantized(*rounded(weight, kind), kind)
    scales = widest_scales(torch.from_numpy(weight), kind)
    widest = (nearest_in_torch(torch.from_numpy(weight), of_each_input(scales, 256, kind), kind), scales.half())
    lost = [np.square(got - weight).sum() for got in (found, dequantized(*(part.numpy() for part in widest), kind))]
    assert lost[0] < fraction * lost[1]


@needs_kernels
@each_precision
def test_groups_of_zeros_and_of_the_smallest_numbers_are_packed_alike(precision):
    model = calm_model(TINY)
    with torch.no_grad():
        for row, size in enumerate([0, 1e-45, 1e-9, 4e-6, 1e-3, 1]):
            model.h[0].mlp.c_fc.weight[row] *= size
    mapped = NativeModel(TINY, packed_tensors(model, precision), precision=precision, threads=1)
    packed = native_model(model, precision=precision, threads=1)
    np.testing.assert_array_equal(all_logits(mapped, [1, 2, 3]), all_logits(packed, [1, 2, 3]))


TINY = GPTConfig(block_size=7, vocab_size=11, n_layer=1, n_head=3, n_embd=6)


def with_one(change, name="h.0.mlp.c_fc.weight", precision="int8"):
    """A native model of packed tensors, one of them changed."""
    tensors = dict(packed_tensors(calm_model(TINY), precision))
    return NativeModel(TINY, {**tensors, name: change(tensors.get(name))}.items(), precision=precision, threads=1)


def shifted(array):
    """The same bytes, 2 behind a multiple of 64."""
    room = np.empty(array.nbytes + ALIGNMENT + 2, np.uint8)
    begin = -room.ctypes.data % ALIGNMENT + 2
    moved = room[begin : begin + array.nbytes]
    moved[:] = array.reshape(-1).view(np.uint8)
    return moved


@needs_kernels
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: PackedMatrix(p.weights[:0], p.scales), "has another size"),
        (lambda p: PackedMatrix(p.weights, p.scales[:, :0]), "has another size"),
        (lambda p: PackedMatrix(shifted(p.weights), p.scales), "does not begin at a multiple of 64 bytes"),
        (lambda p: PackedMatrix(p.weights, shifted(p.scales)), "does not begin at a multiple of 64 bytes"),
    ],
)
def test_what_the_kernels_cannot_read_where_it_lies_is_refused(change, message):
    with pytest.raises(CheckpointError, match=f"tensor 'h.0.mlp.c_fc.weight' {message}"):
        with_one(change)


@needs_kernels
@pytest.mark.parametrize("name", ["h.0.mlp.c_fc.bias", "h.1.mlp.c_fc.weight", "lm_head.weight", "wpe.weight"])
def test_a_packed_matrix_that_the_model_has_no_place_for_is_refused(name):
    some = pack(*random_matrix(6, 6, FORMATS["int8"]), FORMATS["int8"])
    with pytest.raises(CheckpointError, match=f"'{name}' is not a tensor of this model"):
        with_one(lambda _: some, name)


@needs_kernels
def test_floats_have_no_place_for_whole_numbers():
    with pytest.raises(CheckpointError, match="is made of whole numbers, which this format is not"):
        NativeModel(TINY, packed_tensors(calm_model(TINY), "int8"), precision="bfloat16", threads=1)


@needs_kernels
def test_a_model_that_stays_moves_what_it_maps_to_memory_of_its_own():
    tokens = tokens_of(TINY)
    tensors = list(packed_tensors(calm_model(TINY), "int8"))
    matrices = [tensor for _, tensor in tensors if isinstance(tensor, PackedMatrix)]
    with NativeModel(TINY, iter(tensors), precision="int8", threads=2) as mapped:
        before = all_logits(mapped, tokens)
        kept = [matrix.weights.copy() for matrix in matrices]
        for matrix in matrices:
            matrix.weights[...] ^= 1
        assert not np.array_equal(all_logits(mapped, tokens), before)
        for matrix, weights in zip(matrices, kept, strict=True):
            matrix.weights[...] = weights
        for _ in range(64 + len(matrices)):
            np.testing.assert_array_equal(all_logits(mapped, tokens), before)
        for matrix in matrices:
            matrix.weights[...] = 0
            matrix.scales[...] = 0
        np.testing.assert_array_equal(all_logits(mapped, tokens), before)


def test_the_model_keeps_what_it_maps_until_it_is_closed():
    model, tokens = calm_model(TINY), tokens_of(TINY)
    tensors = list(packed_tensors(model, "int8"))
    mapped = NativeModel(TINY, iter(tensors), precision="int8", threads=1)
    before = all_logits(mapped, tokens)
    del tensors
    clutter = [np.full(1 << 16, 255, np.uint8) for _ in range(64)]
    np.testing.assert_array_equal(all_logits(mapped, tokens), before)
    mapped.close()
    assert len(clutter) == 64
