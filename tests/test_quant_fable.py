"""What quantising costs the bundled model, by the kernels, on text that it was not fitted to."""

import pytest
import torch

from cutaway.native import NativeModel
from cutaway.quant.calibration import TOKENS, written
from cutaway.quant.cost import in_kernels, in_pytorch, measure
from cutaway.quant.network import quantize
from cutaway.weights import load_model, load_tokenizer
from cutaway.weights.native import load_native
from native_models import needs_kernels

pytestmark = needs_kernels


@pytest.fixture(scope="module")
def model():
    return load_model("fable")


@pytest.fixture(scope="module")
def texts():
    """To fit to, as much as `cutaway quantize` takes, and to measure on."""
    tokenizer = load_tokenizer("fable")
    with load_native("fable") as native:
        return written(native, tokenizer), written(native, tokenizer, 8192, seed=100)


def cost_of(model, texts, precision, method):
    made = quantize(model, texts[0], precision=precision, method=method)
    with NativeModel(model.config, made.packed.tensors, precision=precision) as native:
        return measure(in_pytorch(model), in_kernels(native), texts[1])


def test_in_8_bits_the_likeliest_token_stays_and_perplexity_too(model, texts):
    cost = cost_of(model, texts, "int8", "gptq")
    assert cost.argmax_agreement >= 0.99
    assert abs(cost.perplexity_increase) < 0.005


def test_in_4_bits_perplexity_grows_by_less_than_a_twentieth(model, texts):
    cost = cost_of(model, texts, "int4", "gptq")
    assert cost.perplexity_increase < 0.05
    assert cost.kl_nats < 0.5 * cost_of(model, texts, "int4", "nearest").kl_nats


def test_loaded_as_it_is_and_rounded_to_nearest_it_is_close_in_8_bits(model, texts):
    with load_native("fable", precision="int8") as native:
        cost = measure(in_pytorch(model), in_kernels(native), texts[1])
    assert cost.argmax_agreement > 0.975
    assert abs(cost.perplexity_increase) < 0.005


def test_the_texts_fill_the_models_context(model, texts):
    size = model.config.block_size
    assert [rows.shape for rows in texts] == [torch.Size([TOKENS // size, size]), torch.Size([8192 // size, size])]
