import pytest

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError
from cutaway.model import GPT
from cutaway.weights.names import check_shapes, is_transposed, our_names, stored_shapes

TINY = GPTConfig(block_size=7, vocab_size=11, n_layer=2, n_head=3, n_embd=6)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("n_inner", [None, 5])
def test_the_names_and_shapes_are_those_of_the_built_network(tied, n_inner):
    config = TINY.replace(tie_word_embeddings=tied, n_inner=n_inner)
    built = {
        name: tuple(reversed(parameter.shape)) if is_transposed(name) else tuple(parameter.shape)
        for name, parameter in GPT(config).named_parameters()
    }
    assert stored_shapes(config) == built


def test_only_the_four_conv1d_weights_of_a_layer_are_transposed():
    transposed = [name for name in stored_shapes(TINY) if is_transposed(name) and name.startswith("h.1.")]
    assert transposed == [f"h.1.{name}.weight" for name in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")]


def test_the_prefix_is_taken_off_and_the_old_buffers_left_out():
    stored = ["transformer.wte.weight", "transformer.h.0.attn.bias", "h.11.attn.masked_bias", "lm_head.weight"]
    assert our_names(stored, "a file") == {"wte.weight": "transformer.wte.weight", "lm_head.weight": "lm_head.weight"}


def test_a_bias_that_is_a_weight_is_no_buffer():
    assert our_names(["h.0.attn.c_attn.bias"], "a file") == {"h.0.attn.c_attn.bias": "h.0.attn.c_attn.bias"}


def test_the_same_tensor_under_two_names_is_refused():
    with pytest.raises(CheckpointError, match=r"f\.safetensors holds both 'wte.weight' and 'transformer.wte.weight'"):
        our_names(["wte.weight", "transformer.wte.weight"], "f.safetensors")


def test_a_missing_tensor_is_named():
    found = stored_shapes(TINY)
    del found["h.1.mlp.c_fc.weight"]
    with pytest.raises(CheckpointError, match=r"f has no tensor 'h.1.mlp.c_fc.weight'"):
        check_shapes(found, TINY, "f")


def test_of_many_missing_tensors_the_first_is_named_and_the_rest_counted():
    found = {name: shape for name, shape in stored_shapes(TINY).items() if not name.startswith("h.1.")}
    with pytest.raises(CheckpointError, match=r"'h.1.attn.c_attn.bias' \(11 more like it\)"):
        check_shapes(found, TINY, "f")


def test_an_unexpected_tensor_is_named():
    with pytest.raises(CheckpointError, match=r"f has a tensor 'score.weight'"):
        check_shapes(stored_shapes(TINY) | {"score.weight": (2, 6)}, TINY, "f")


def test_a_wrong_shape_is_named_with_both_shapes():
    found = stored_shapes(TINY) | {"wpe.weight": (9, 6)}
    with pytest.raises(
        CheckpointError, match=r"'wpe.weight' has the shape \(9, 6\), but its config.json asks for \(7, 6\)"
    ):
        check_shapes(found, TINY, "f")


def test_a_tied_head_may_be_stored_and_must_then_fit():
    check_shapes(stored_shapes(TINY) | {"lm_head.weight": (11, 6)}, TINY, "f")
    with pytest.raises(CheckpointError, match=r"lm_head.weight"):
        check_shapes(stored_shapes(TINY) | {"lm_head.weight": (12, 6)}, TINY, "f")
