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
    before, after = (out.mean((0, 1)).view(3, -1)[[0, 2]] for out in outputs)  # keys have another mean on purpose
    torch.testing.assert_close(before, after, rtol=0, atol=1e-4)


def test_keys_are_centred_which_changes_no_attention():
    made = quantize(model_of(), ROWS, precision="int8")
    keys, patterns = heard(made.model, "k", "pattern")
    for mean, size in zip((k.mean((0, 2)) for k in keys), (k.square().mean().sqrt() for k in keys), strict=True):
        assert mean.abs().max() < 1e-4 * size
    with torch.no_grad():
        for layer in made.model.h:
            layer.attn.c_attn.bias[72:144] += torch.linspace(-3, 3, 72)
    moved, same = heard(made.model, "k", "pattern")
    assert (moved[0] - keys[0]).abs().max() > 2
    for before, after in zip(patterns, same, strict=True):
        torch.testing.assert_close(after, before, rtol=0, atol=1e-4)


def heard(model, *points):
    """What was at some points of each layer while the text was read."""
    listener = Listener(points)
    with torch.no_grad():
        model(ROWS, observer=listener)
    return [listener.heard[point] for point in points]


class Listener:
    def __init__(self, points):
        self.heard = {point: [] for point in points}

    def wants(self, name):
        return name.rpartition(".")[2] in self.heard

    def __call__(self, name, x):
        if self.wants(name):
            self.heard[name.rpartition(".")[2]].append(x)
        return x


def test_each_matrix_is_told_of_when_its_turn_comes():
    told = []
    quantize(model_of(), ROWS, precision="int8", tell=told.append)
    assert told[0] == "h.0.attn.c_attn"
    assert len(told) == 8
