import functools
import math
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.config import GPTConfig
from cutaway.errors import CheckpointError, ConfigError, GenerationError
from cutaway.native import PRECISIONS, NativeModel, available
from cutaway.native.library import instruction_sets
from cutaway.native.packed import FORMATS, dequantized
from native_models import (
    SHAPES,
    all_logits,
    arrays_of,
    calm_model,
    native_model,
    needs_kernels,
    plain_logits,
    plain_model,
    tokens_of,
)
from numpy_rounding import rounded

pytestmark = needs_kernels

SETS = instruction_sets() if available() else []
ODD = SHAPES["odd"]

MOST_ROUNDING = {"float32": 1e-5, "bfloat16": 0.01, "int8": 0.003, "int4": 0.02, "w8a8": 0.02}
MOST_DISORDER = {"float32": 1e-5, "bfloat16": 5e-3, "int8": 1e-3, "int4": 0.02, "w8a8": 0.02}

each_shape = pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
each_set = pytest.mark.parametrize("isa", SETS)
each_precision = pytest.mark.parametrize("precision", PRECISIONS)


@pytest.fixture(scope="module")
def model():
    return plain_model(ODD)


@pytest.fixture(scope="module")
def native(model):
    return native_model(model, threads=2)


def as_kept(weight, precision):
    """A matrix (out, in) as the kernels keep it."""
    if precision == "bfloat16":
        return weight.bfloat16().double()
    kind = FORMATS["int4" if precision == "int4" else "int8"]
    return torch.from_numpy(dequantized(*rounded(weight.float().numpy(), kind), kind)).double()


def rounded_model(config, precision):
    """Our model with the weights that the kernels keep: only activations still differ."""
    return keep(calm_model(config), precision)


def keep(model, precision):
    """Round a model's weights to those that the kernels keep."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 2 and name != "wpe.weight" and precision != "float32":
                parameter.copy_(as_kept(parameter, precision))
    return model


def distance(got, expected):
    """The difference as a fraction of the whole, by root mean squares."""
    return np.sqrt(np.mean((got - expected) ** 2) / np.mean(expected**2))


@each_shape
@each_set
def test_logits_are_those_of_the_plain_model(config, isa):
    model = plain_model(config)
    tokens = tokens_of(config)
    got = all_logits(native_model(model, threads=1, isa=isa), tokens)
    np.testing.assert_allclose(got, plain_logits(model, tokens), rtol=0, atol=1e-4)


@each_set
def test_long_sums_keep_their_digits(isa):
    """Added up one after the other, 8192 products would be off by 2e-6 of the whole; PyTorch's are by 6e-7."""
    config = GPTConfig(block_size=24, vocab_size=100, n_layer=2, n_head=12, n_embd=192, n_inner=8192)
    model, tokens = calm_model(config), tokens_of(config)
    got = all_logits(native_model(model, threads=1, isa=isa), tokens)
    assert distance(got, plain_logits(model, tokens)) < 8e-7


@given(data=st.data())
@settings(max_examples=20)
def test_any_shape_gives_the_logits_of_the_plain_model(data):
    n_head = data.draw(st.integers(1, 6), "heads")
    config = GPTConfig(
        block_size=data.draw(st.integers(1, 70), "context"),
        vocab_size=data.draw(st.integers(1, 200), "vocabulary"),
        n_layer=data.draw(st.integers(1, 3), "layers"),
        n_head=n_head,
        n_embd=n_head * data.draw(st.integers(1, 40), "head size"),
        n_inner=data.draw(st.none() | st.integers(1, 200), "inner"),
        tie_word_embeddings=data.draw(st.booleans(), "tied"),
    )
    model, tokens = plain_model(config), tokens_of(config)
    got = all_logits(native_model(model, threads=data.draw(st.integers(1, 3), "threads")), tokens)
    np.testing.assert_allclose(got, plain_logits(model, tokens), rtol=0, atol=1e-4)


@each_shape
@each_precision
@each_set
def test_rounded_weights_give_what_the_plain_model_makes_of_them(config, precision, isa):
    """What is left is the rounding of activations: to 8 bits in bfloat16, to 16 in a group for int8, to 8 otherwise."""
    tokens = tokens_of(config)
    model = calm_model(config)
    expected = plain_logits(model if precision == "float32" else rounded_model(config, precision), tokens)
    got = all_logits(native_model(model, precision=precision, threads=1, isa=isa), tokens)
    assert distance(got, expected) < MOST_ROUNDING[precision]


@each_shape
@each_precision
@pytest.mark.parametrize("isa", SETS[:-1])
def test_every_set_of_instructions_agrees_with_the_portable_one(config, precision, isa):
    model, tokens = calm_model(config), tokens_of(config)
    expected = all_logits(native_model(model, precision=precision, threads=1, isa="portable"), tokens)
    got = all_logits(native_model(model, precision=precision, threads=1, isa=isa), tokens)
    # A sum in another order may put an activation on the other side of a rounding step, and that goes on from there:
    # in models so small, a single step is a third of what all rounding together does.
    assert distance(got, expected) < MOST_DISORDER[precision]


@each_shape
@each_precision
def test_token_by_token_is_bit_for_bit_what_reading_at_once_is(config, precision):
    native, tokens = native_model(plain_model(config), precision=precision, threads=1), tokens_of(config, None)[:70]
    cache = native.cache()
    one_by_one = np.concatenate([native.forward(cache, [0], [[token]]) for token in tokens])
    np.testing.assert_array_equal(one_by_one, all_logits(native, tokens))


@each_precision
def test_a_ragged_batch_is_bit_for_bit_what_its_sequences_are_alone(precision, model):
    native = native_model(model, precision=precision, threads=2)
    cached = [0, 5, 16, 2, 31]
    new = [33, 1, 7, 4, 2]
    texts = [tokens_of(ODD, old + more, seed) for seed, (old, more) in enumerate(zip(cached, new, strict=True))]
    slots = [4, 1, 0, 3, 2]
    cache = native.cache(5)
    for slot, text, old in zip(slots, texts, cached, strict=True):
        if old:
            native.forward(cache, [slot], [text[:old]])
    together = native.forward(cache, slots, [text[old:] for text, old in zip(texts, cached, strict=True)], new)
    alone = [all_logits(native, text)[old:] for text, old in zip(texts, cached, strict=True)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    assert [cache.lengths[slot] for slot in slots] == [len(text) for text in texts]


@each_shape
@each_precision
def test_the_number_of_threads_does_not_change_a_bit(config, precision):
    model, tokens = plain_model(config), tokens_of(config)
    one, *others = (all_logits(native_model(model, precision=precision, threads=n), tokens) for n in (1, 2, 5))
    for other in others:
        np.testing.assert_array_equal(other, one)


def test_more_tokens_than_go_through_at_once_are_read_in_pieces():
    config = SHAPES["long"]
    model = plain_model(config)
    native = native_model(model, threads=2)
    texts = [tokens_of(config, 600), tokens_of(config, 500, seed=1)]
    got = native.forward(native.cache(2), [0, 1], texts, [600, 1])
    expected = np.concatenate([plain_logits(model, texts[0]), plain_logits(model, texts[1])[-1:]])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


def test_answers_are_given_only_where_asked_for(native):
    tokens = tokens_of(ODD)
    every = all_logits(native, tokens)
    cache = native.cache(2)
    got = native.forward(cache, [0, 1], [tokens, tokens[:9]], [3, 0])
    np.testing.assert_array_equal(got, every[-3:])
    np.testing.assert_array_equal(native.forward(cache, [1], [tokens[9:12]]), every[11:12])


@each_precision
@given(data=st.data())
@settings(max_examples=15)
def test_what_is_asked_for_does_not_change_what_is_answered(precision, data):
    native = asked_of(precision)
    counts = data.draw(st.lists(st.integers(1, ODD.block_size - 1), min_size=1, max_size=3), "counts")
    answers = [data.draw(st.integers(0, min(count, 3)), "answers") for count in counts]
    texts = [tokens_of(ODD, count + 1, seed) for seed, count in enumerate(counts)]
    every = [all_logits(native, text) for text in texts]
    cache, slots = native.cache(len(texts)), range(len(texts))
    got = native.forward(cache, slots, [text[:-1] for text in texts], answers)
    asked = [logits[count - n : count] for logits, count, n in zip(every, counts, answers, strict=True)]
    np.testing.assert_array_equal(got, np.concatenate(asked))
    after = native.forward(cache, slots, [text[-1:] for text in texts])
    np.testing.assert_array_equal(after, [logits[-1] for logits in every])


def test_what_was_read_before_leaves_nothing_in_the_padding():
    config = GPTConfig(block_size=9, vocab_size=30, n_layer=1, n_head=5, n_embd=240)
    native, fresh = (native_model(plain_model(config), precision="w8a8", threads=1) for _ in range(2))
    tokens = tokens_of(config)
    all_logits(native, tokens)
    np.testing.assert_array_equal(all_logits(native, tokens[:3]), all_logits(fresh, tokens[:3]))


@functools.cache
def asked_of(precision):
    return native_model(plain_model(ODD), precision=precision, threads=2)


@each_set
def test_the_largest_whole_numbers_do_not_overflow(isa):
    config = GPTConfig(block_size=3, vocab_size=64, n_layer=1, n_head=1, n_embd=64)
    model = plain_model(config)
    with torch.no_grad():
        mlp = model.h[0].mlp.c_fc
        # 15 of 16 steps up from the lowest, all of them, and all activations at the end of what a byte holds.
        mlp.weight.fill_(0.7)
        mlp.weight[:, ::32] = -0.8
        model.h[0].ln_2.weight.zero_()
        model.h[0].ln_2.bias.fill_(-1.0)
        mlp.bias.fill_(43.0)
    tokens = tokens_of(config)
    got = all_logits(native_model(keep(model, "int4"), precision="int4", threads=1, isa=isa), tokens)
    assert distance(got, plain_logits(model, tokens)) < MOST_ROUNDING["int4"]


@each_precision
def test_many_small_probabilities_beside_a_large_one_are_kept(precision):
    config = GPTConfig(block_size=600, vocab_size=8, n_layer=1, n_head=1, n_embd=64, tie_word_embeddings=False)
    model = plain_model(config)
    signs = torch.tensor([1.0, -1]).double().repeat(32)
    other = torch.tensor([1.0, 1, -1, -1]).double().repeat(16)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        layer = model.h[0]
        for norm in (layer.ln_1, layer.ln_2, model.ln_f):
            norm.weight.fill_(1)
        model.wte.weight[0], model.wte.weight[1] = signs, other
        # The first token has half of the attention, 599 others share the rest.
        layer.attn.c_attn.bias[0] = 8.0
        layer.attn.c_attn.weight[64] = signs * math.log(599) / 64
        rising = torch.arange(64).double()[:, None] / 64
        layer.attn.c_attn.weight[128:192] = (other * rising + signs * (1 - rising)) / 64
        layer.attn.c_proj.weight.copy_(torch.eye(64))
        model.lm_head.weight[:] = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    tokens = [0] + [1] * 599
    expected = plain_logits(keep(model, precision), tokens)[-1]
    native = native_model(model, precision=precision, threads=1)
    assert distance(native.forward(native.cache(), [0], [tokens])[0], expected) < MOST_ROUNDING[precision]


@each_precision
def test_a_slot_can_be_used_again_after_a_longer_sequence(precision, model):
    native = native_model(model, precision=precision, threads=1)
    cache = native.cache(1)
    native.forward(cache, [0], [tokens_of(ODD, seed=1)])
    cache.truncate(0, 0)
    tokens = tokens_of(ODD, 6)
    np.testing.assert_array_equal(native.forward(cache, [0], [tokens], [6]), all_logits(native, tokens))


def test_calls_from_several_threads_take_turns(native):
    texts = [tokens_of(ODD, seed=seed) for seed in range(4)]
    expected = [all_logits(native, text) for text in texts]
    got = [None] * len(texts)

    def read(i):
        for _ in range(5):
            got[i] = all_logits(native, texts[i])

    threads = [threading.Thread(target=read, args=(i,)) for i in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_stored_in_any_way_are_taken(model):
    expected = all_logits(native_model(model, threads=1), [1, 2, 3])

    def shifted(array):
        """The same numbers at an odd address."""
        room = np.empty(array.nbytes + 1, np.uint8)
        odd = room[1:].view(np.float32).reshape(array.shape)
        odd[:] = array
        return odd

    for change in (np.asfortranarray, shifted, lambda array: array.astype(np.float64)):
        tensors = [(name, change(array)) for name, array in arrays_of(model)]
        np.testing.assert_array_equal(all_logits(NativeModel(ODD, tensors, threads=1), [1, 2, 3]), expected)


@pytest.mark.parametrize(
    ("slots", "tokens", "answers", "message"),
    [
        ([0], [[1] * 34], None, "34 tokens do not fit a cache of 33; shorten the text"),
        ([0], [[]], None, "at least one new token"),
        ([], [], None, "0 sequences"),
        ([0, 0], [[1], [2]], None, "each slot once"),
        ([0, 1], [[1]], None, "one of each for every slot"),
        ([0], [[1]], [1, 1], "one of each for every slot"),
        ([2], [[1]], None, "no slot 2 in a cache of 2"),
        ([-1], [[1]], None, "no slot -1 in a cache of 2"),
        ([0], [[301]], None, "token id 301 is not in the model's vocabulary of 301"),
        ([0], [[-1]], None, "token id -1 is not in the model's vocabulary"),
        ([0], [[2**70]], None, "is not in the model's vocabulary"),
        ([0], [[1, 2]], [3], "logits after 3 of 2 new tokens"),
        ([0], [[1, 2]], [-1], "logits after -1 of 2 new tokens"),
    ],
)
def test_what_cannot_be_read_is_refused_and_changes_nothing(slots, tokens, answers, message, native):
    cache = native.cache(2)
    with pytest.raises(GenerationError, match=message):
        native.forward(cache, slots, tokens, answers)
    assert cache.lengths == [0, 0]


def test_a_cache_serves_its_own_model_only(native, model):
    with pytest.raises(GenerationError, match="belongs to another model"):
        native.forward(native_model(model, threads=1).cache(), [0], [[1]])


@pytest.mark.parametrize(("slots", "room"), [(0, 5), (-1, 5), (1, 0), (1, 34), (1, -1)])
def test_a_cache_of_impossible_size_is_refused(slots, room, native):
    with pytest.raises(GenerationError, match="cache"):
        native.cache(slots, room)


def test_a_cache_beyond_all_memory_is_refused(native):
    with pytest.raises(GenerationError, match="cannot be had"):
        native.cache(1 << 30)


def test_a_closed_model_or_cache_says_so(model):
    with native_model(model, threads=2) as native:
        cache = native.cache()
        cache.close()
        cache.close()
        with pytest.raises(ConfigError, match="the native cache is closed"):
            native.forward(cache, [0], [[1]])
    native.close()
    with pytest.raises(ConfigError, match="the native model is closed; load it again"):
        native.cache()


def test_a_cache_outliving_its_model_is_no_danger(model):
    native = native_model(model, threads=1)
    cache = native.cache()
    native.close()
    with pytest.raises(ConfigError, match="closed"):
        native.forward(cache, [0], [[1]])
    cache.close()


def test_after_a_fork_the_model_says_so_rather_than_wait_for_threads_that_are_gone(model, monkeypatch):
    native = native_model(model, threads=2)
    cache, here = native.cache(), os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)
    with pytest.raises(ConfigError, match="made before this process forked"):
        native.forward(cache, [0], [[1]])
    monkeypatch.undo()
    assert native.forward(cache, [0], [[1]]).shape == (1, 301)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("h.1.ln_2.bias", lambda a: a[:-1], "'h.1.ln_2.bias' has another size"),
        ("h.2.mlp.c_fc.weight", lambda a: a * np.nan, "'h.2.mlp.c_fc.weight' holds NaN or infinity"),
        ("wpe.weight", lambda a: a * np.inf, "'wpe.weight' holds NaN or infinity"),
        ("h.0.attn.c_attn.bias", lambda a: a * np.inf, "'h.0.attn.c_attn.bias' holds NaN or infinity"),
        ("h.0.attn.c_attn.weight", lambda a: a[1:], "'h.0.attn.c_attn.weight' has another size"),
        ("wte.weight", lambda a: a[1:], "'wte.weight' has another size"),
    ],
)
@each_precision
def test_a_tensor_that_does_not_suit_is_refused_by_name(precision, name, change, message, model):
    tensors = [(key, change(array) if key == name else array) for key, array in arrays_of(model)]
    with pytest.raises(CheckpointError, match=message), np.errstate(invalid="ignore"):
        NativeModel(ODD, tensors, precision=precision, threads=1)


@pytest.mark.parametrize("name", ["h.3.ln_1.bias", "h.99999999999.ln_1.bias", "h.0.attn.bias", "lm_head.weight", "x"])
def test_an_unknown_tensor_is_refused(name, model):
    with pytest.raises(CheckpointError, match=f"file: tensor '{name}' is not a tensor of this model"):
        NativeModel(ODD, [*arrays_of(model), (name, np.ones(35, np.float32))], threads=1, source="file")


def test_a_missing_tensor_is_named(model):
    tensors = [(name, array) for name, array in arrays_of(model) if name != "h.2.attn.c_proj.bias"]
    with pytest.raises(CheckpointError, match=r"file has no tensor 'h\.2\.attn\.c_proj\.bias'"):
        NativeModel(ODD, tensors, threads=1, source="file")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int16"}, "no precision 'int16'; did you mean 'int"),
        ({"threads": 0}, "threads=0 is out of range"),
        ({"threads": 1025}, "threads=1,025 is out of range"),
        ({"isa": "avx1024"}, "kernels for 'avx1024' cannot be used here; "),
    ],
)
def test_a_setting_that_does_not_exist_is_refused(options, message, model):
    with pytest.raises(ConfigError, match=message):
        native_model(model, **options)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory for threads cannot be limited")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer needs the memory itself")
def test_threads_that_the_system_refuses_are_an_error_and_those_that_began_end():
    code = (
        "import resource, numpy; from cutaway.config import GPTConfig; from cutaway.native import NativeModel;"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize();"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2);"
        "NativeModel(GPTConfig(block_size=1, vocab_size=1, n_layer=1, n_head=1, n_embd=1), [], threads=1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "the system refused to start threads; use PyTorch" in done.stderr


def test_heads_too_large_for_the_kernels_are_refused():
    config = GPTConfig(block_size=1, vocab_size=1, n_layer=1, n_head=1, n_embd=1025)
    with pytest.raises(ConfigError, match="heads of more than 1,024 channels are not supported; use PyTorch"):
        NativeModel(config, [], threads=1)


def test_the_environment_chooses_the_instructions(model, monkeypatch):
    monkeypatch.setenv("CUTAWAY_ISA", "portable")
    assert native_model(model, threads=1).isa == "portable"
    assert native_model(model, threads=1, isa=SETS[0]).isa == SETS[0]
