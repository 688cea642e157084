import pytest
import torch

from cutaway.native.packed import FORMATS, unpack
from cutaway.quant.cost import in_pytorch, measure
from cutaway.quant.network import quantize
from cutaway.quant.rounding import nearest, of_each_input
from cutaway.weights.names import HEAD
from cutaway.weights.packed_file import parts_of
from tiny import prompt_of, tiny_model

ROWS = torch.tensor([prompt_of(32, seed) for seed in range(24)])
FRESH = torch.tensor([prompt_of(32, seed) for seed in range(50, 58)])


def model_of(tied=True):
    return tiny_model(dtype=torch.float32, tie_word_embeddings=tied, n_embd=72)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("method", ["gptq", "nearest"])
def test_every_matrix_is_made_of_whole_numbers_and_the_model_of_them(method, tied):
    model = model_of(tied)
    made = quantize(model, ROWS, precision="int4", method=method)
    kind, packed = FORMATS["int4"], made.packed
    assert (HEAD in packed.matrices) != tied
    assert len(packed.matrices) == len(made.errors) == 2 * 4 + 1 + (not tied)
    for name, matrix in packed.matrices.items():
        weight = made.model.get_parameter(name).detach()
        integers, scales = unpack(matrix, weight.shape[1], weight.shape[0], kind, parts_of(name))
        scale = of_each_input(torch.from_numpy(scales).float(), weight.shape[1], kind)
        assert torch.equal(torch.from_numpy(integers) * scale, weight)
        assert (integers.min(), integers.max()) >= (kind.low, kind.high) or integers.max() <= kind.high
    for name, array in packed.floats.items():
        assert torch.equal(torch.from_numpy(array), made.model.get_parameter(name).detach())


def test_fitting_beats_rounding_to_nearest_on_other_text_and_8_bits_beat_4():
    model = model_of()
    kl = {
        (precision, method): measure(
            in_pytorch(model), in_pytorch(quantize(model, ROWS, precision=precision, method=method).model), FRESH
        ).kl_nats
        for precision in FORMATS
        for method in ("gptq", "nearest")
    }
    assert kl["int4", "gptq"] < kl["int4", "nearest"]
    assert kl["int8", "gptq"] < 0.02 * kl["int4", "gptq"]


def test_the_model_itself_is_left_as_it_was():
    model = model_of()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    quantize(model, ROWS, precision="int4")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_same_text_gives_the_same_numbers():
    one, other = (quantize(model_of(), ROWS, precision="int4") for _ in range(2))
    assert one.errors == other.errors
    for name, tensor in one.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name])


def test_biases_keep_the_mean_of_the_outputs():
    """Of the first matrix, whose inputs are the same but for the embedding."""
    model = model_of(tied=False)
    with torch.no_grad():  # an embedding that rounding leaves alone, so that the first layer reads what it did
        scales = torch.ones(len(model.wte.weight), 1) / 8
        model.wte.weight.copy_(nearest(model.wte.weight, scales, FORMATS["int4"]) * scales)
        model.wte.weight[:, ::32] = -1
    made = quantize(model, ROWS, precision="int4")
    outputs = []
    for one in (model, made.model):
        seen = []
        hook = one.h[0].attn.c_attn.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out.detach()))
        one(ROWS)
        hook.remove()
        outputs.append(seen[0])
    assert torch.equal(model.wte.weight, made.model.wte.weight)
    assert (outputs[0] - outputs[1]).abs().max() > 0.01
    torch.testing.assert_close(outputs[0].mean((0, 1)), outputs[1].mean((0, 1)), rtol=0, atol=1e-4)


def test_each_matrix_is_told_of_when_its_turn_comes():
    told = []
    quantize(model_of(), ROWS, precision="int8", tell=told.append)
    assert told[0] == "h.0.attn.c_attn"
    assert len(told) == 8
