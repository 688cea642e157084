"""The network against transformers' on random weights, against itself by every other route, and seen from inside."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.testing import assert_close

import peers
from cutaway.cache import KVCache
from cutaway.config import GPTConfig
from cutaway.errors import GenerationError
from cutaway.model import GPT, IGNORED_TARGET, attention_pattern

SHAPES = {
    "three heads, odd vocabulary": GPTConfig(block_size=16, vocab_size=97, n_layer=2, n_head=3, n_embd=24),
    "one layer, one head, context 7": GPTConfig(block_size=7, vocab_size=101, n_layer=1, n_head=1, n_embd=8),
    "five heads of three, narrow MLP": GPTConfig(
        block_size=11, vocab_size=50, n_layer=3, n_head=5, n_embd=15, n_inner=13
    ),
    "untied head": GPTConfig(block_size=9, vocab_size=33, n_layer=2, n_head=2, n_embd=16, tie_word_embeddings=False),
    "another epsilon": GPTConfig(block_size=8, vocab_size=64, n_layer=2, n_head=4, n_embd=16, layer_norm_epsilon=1e-2),
    "one token of context": GPTConfig(block_size=1, vocab_size=5, n_layer=1, n_head=1, n_embd=4),
}
SMALL = SHAPES["three heads, odd vocabulary"]
each_shape = pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)

POINTS_OF_A_LAYER = [
    "resid_pre", "ln_1", "q", "k", "v", "pattern", "z", "attn_out", "resid_mid",
    "ln_2", "mlp_pre", "mlp_post", "mlp_out", "resid_post",
]  # fmt: skip
POINTS = [
    "embed",
    "pos_embed",
    *(f"h.{layer}.{point}" for layer in range(SMALL.n_layer) for point in POINTS_OF_A_LAYER),
    "ln_f",
    "logits",
]


class Recorder:
    """Keeps all that it sees, asks for the patterns if told to, and changes what `edits` names."""

    def __init__(self, *, patterns=False, edits=None):
        self.patterns, self.edits, self.seen = patterns, edits or {}, {}

    def wants(self, name):
        return self.patterns and name.endswith(".pattern")

    def __call__(self, name, x):
        assert name not in self.seen
        self.seen[name] = x
        return self.edits[name](x) if name in self.edits else x


@st.composite
def configs(draw):
    heads = draw(st.integers(1, 5))
    return GPTConfig(
        block_size=draw(st.integers(1, 12)),
        vocab_size=draw(st.integers(2, 40)),
        n_layer=draw(st.integers(1, 3)),
        n_head=heads,
        n_embd=heads * draw(st.integers(1, 6)),
        n_inner=draw(st.none() | st.integers(1, 30)),
        layer_norm_epsilon=draw(st.sampled_from([1e-5, 1e-3])),
        tie_word_embeddings=draw(st.booleans()),
    )


def random_ids(config, batch_size=2, length=None, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(config.vocab_size, (batch_size, length or config.block_size), generator=generator)


def twins(config, dtype=torch.float64):
    peer = peers.random_peer(config, dtype=dtype)
    return peer, peers.twin_of(peer, config)


@pytest.fixture(scope="module")
def small():
    """A model of the small shape with random weights, in float64 so that equal means equal."""
    return twins(SMALL)[1].requires_grad_(False)


# Against transformers


@each_shape
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@torch.no_grad()
def test_logits_equal_those_of_transformers(config, dtype, tolerance):
    peer, model = twins(config, dtype)
    idx = random_ids(config)
    assert_close(model(idx)[0], peer(idx).logits, rtol=0, atol=tolerance)


@given(configs(), st.data())
@settings(max_examples=25)
@torch.no_grad()
def test_logits_of_any_shape_equal_those_of_transformers(config, data):
    peer, model = twins(config)
    idx = random_ids(config, data.draw(st.integers(1, 3)), data.draw(st.integers(1, config.block_size)))
    assert_close(model(idx)[0], peer(idx).logits, rtol=0, atol=1e-10)


@pytest.mark.parametrize("config", [config for config in SHAPES.values() if config.block_size > 1])
def test_loss_and_every_gradient_equal_those_of_transformers(config):
    peer, model = twins(config)
    idx = random_ids(config, batch_size=3)
    expected = peer(idx, labels=idx)
    _, loss = model(idx[:, :-1], idx[:, 1:])
    # transformers rounds the logits to float32 for its loss, so the gradients come from the logits themselves.
    assert_close(loss.float(), expected.loss.float(), rtol=0, atol=1e-6)
    F.cross_entropy(expected.logits[:, :-1].flatten(0, 1), idx[:, 1:].flatten()).backward()
    loss.backward()

    expected_gradients = dict(peers.ours(name, parameter.grad) for name, parameter in peer.named_parameters())
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in gradients.items():
        assert_close(gradient, expected_gradients[name], rtol=0, atol=1e-10, msg=name)


@torch.no_grad()
def test_targets_left_out_do_not_count():
    peer, model = twins(SMALL)
    idx = random_ids(SMALL)
    labels = torch.where(torch.rand(idx.shape) < 0.4, IGNORED_TARGET, idx)
    _, loss = model(idx[:, :-1], labels[:, 1:])
    assert_close(loss.float(), peer(idx, labels=labels).loss.float(), rtol=0, atol=1e-6)


@each_shape
@torch.no_grad()
def test_hidden_states_and_patterns_equal_those_of_transformers(config):
    peer, model = twins(config)
    idx = random_ids(config)
    expected = peer(idx, output_hidden_states=True, output_attentions=True)
    recorder = Recorder(patterns=True)
    model(idx, observer=recorder)

    states = [recorder.seen[f"h.{layer}.resid_pre"] for layer in range(config.n_layer)] + [recorder.seen["ln_f"]]
    patterns = [recorder.seen[f"h.{layer}.pattern"] for layer in range(config.n_layer)]
    assert_close(states, list(expected.hidden_states), rtol=0, atol=1e-10)
    assert_close(patterns, list(expected.attentions), rtol=0, atol=1e-10)


# Cached, batched, ragged


@each_shape
@torch.no_grad()
def test_one_token_at_a_time_equals_all_at_once(config):
    _, model = twins(config)
    idx = random_ids(config)
    cache = KVCache(config, batch_size=2, max_tokens=config.block_size, dtype=torch.float64)
    steps = [model(idx[:, t : t + 1], cache=cache)[0] for t in range(config.block_size)]
    assert_close(torch.cat(steps, dim=1), model(idx)[0], rtol=0, atol=1e-10)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6).filter(lambda sizes: sum(sizes) <= SMALL.block_size))
@torch.no_grad()
def test_any_chunks_equal_the_whole(small, sizes):
    idx = random_ids(SMALL, length=sum(sizes))
    cache = KVCache(SMALL, batch_size=2, max_tokens=sum(sizes), dtype=torch.float64)
    parts = [small(chunk, cache=cache)[0] for chunk in idx.split(sizes, dim=1)]
    assert cache.lengths == [sum(sizes)] * 2
    assert_close(torch.cat(parts, dim=1), small(idx)[0], rtol=0, atol=1e-10)


@torch.no_grad()
def test_rows_of_a_batch_do_not_meet(small):
    idx = random_ids(SMALL, batch_size=4)
    alone = torch.cat([small(row[None])[0] for row in idx])
    assert_close(small(idx)[0], alone, rtol=0, atol=1e-10)


@torch.no_grad()
def test_the_future_does_not_reach_the_past(small):
    idx = random_ids(SMALL)
    changed = idx.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % SMALL.vocab_size
    assert torch.equal(small(idx)[0][:, :9], small(changed)[0][:, :9])
    assert not torch.allclose(small(idx)[0][:, 9:], small(changed)[0][:, 9:])


@given(st.lists(st.integers(1, 10), min_size=1, max_size=4), st.lists(st.integers(1, 3), max_size=3))
@torch.no_grad()
def test_ragged_rows_equal_single_ones(small, lengths, later):
    texts = random_ids(SMALL, batch_size=len(lengths), length=20)
    prompts = torch.stack([torch.where(torch.arange(max(lengths)) < n, row[: max(lengths)], 0)
                           for row, n in zip(texts, lengths, strict=True)])  # fmt: skip
    cache = KVCache(SMALL, len(lengths), SMALL.block_size, dtype=torch.float64)
    logits = small(prompts, cache=cache)[0]
    cache.truncate(lengths)
    rows = [[logits[b, :n]] for b, n in enumerate(lengths)]
    for T in later:
        if max(cache.lengths) + T > SMALL.block_size:
            break
        new = torch.stack([row[n : n + T] for row, n in zip(texts, cache.lengths, strict=True)])
        logits = small(new, cache=cache)[0]
        for b, row in enumerate(rows):
            row.append(logits[b])
    for text, row, n in zip(texts, rows, cache.lengths, strict=True):
        assert_close(torch.cat(row), small(text[None, :n])[0][0], rtol=0, atol=1e-10)


@torch.no_grad()
def test_a_rejected_guess_leaves_no_trace(small):
    idx = random_ids(SMALL, batch_size=1)
    cache = KVCache(SMALL, 1, SMALL.block_size, dtype=torch.float64)
    small(idx[:, :5], cache=cache)
    small(torch.full((1, 4), 3), cache=cache)
    cache.truncate([5])
    assert_close(small(idx[:, 5:], cache=cache)[0], small(idx)[0][:, 5:], rtol=0, atol=1e-10)


@torch.no_grad()
def test_hidden_and_head_together_are_the_logits(small):
    idx = random_ids(SMALL)
    assert torch.equal(small.lm_head(small.hidden(idx)), small(idx)[0])


def test_a_text_longer_than_the_context_is_refused(small):
    with pytest.raises(GenerationError, match="17 tokens do not fit a context of 16; shorten the text"):
        small(random_ids(SMALL, length=17))


def test_tokens_beyond_the_room_in_the_cache_are_refused_and_leave_it_as_it_was(small):
    cache = KVCache(SMALL, 1, 4, dtype=torch.float64)
    small(random_ids(SMALL, 1, 3), cache=cache)
    with pytest.raises(GenerationError, match="5 tokens do not fit a cache of 4"):
        small(random_ids(SMALL, 1, 2), cache=cache)
    assert cache.lengths == [3]


# By document


def packed(lengths):
    """A row of documents and the number of each token's document."""
    return torch.cat([torch.full((n,), number) for number, n in enumerate(lengths)])[None]


documents_of_a_row = st.lists(st.integers(1, 8), min_size=1, max_size=6).filter(
    lambda sizes: sum(sizes) <= SMALL.block_size
)


@given(documents_of_a_row)
@torch.no_grad()
def test_documents_in_a_row_have_the_logits_of_each_alone(small, lengths):
    idx = random_ids(SMALL, batch_size=1, length=sum(lengths))
    alone = [small(document)[0] for document in idx.split(lengths, dim=1)]
    assert_close(small(idx, documents=packed(lengths))[0], torch.cat(alone, dim=1), rtol=0, atol=1e-10)


@torch.no_grad()
def test_rows_may_have_different_documents(small):
    idx = random_ids(SMALL, batch_size=2, length=9)
    together = small(idx, documents=torch.cat([packed([4, 5]), packed([1, 2, 6])]))[0]
    alone = [[small(document[None])[0][0] for document in row.split(lengths)]
             for row, lengths in zip(idx, ([4, 5], [1, 2, 6]), strict=True)]  # fmt: skip
    assert_close(together, torch.stack([torch.cat(parts) for parts in alone]), rtol=0, atol=1e-10)


def test_documents_in_a_row_have_the_loss_and_the_gradients_of_each_alone():
    _, model = twins(SMALL)
    idx, lengths = random_ids(SMALL, batch_size=1, length=14), [3, 1, 6, 4]
    targets = random_ids(SMALL, batch_size=1, length=14, seed=2)
    alone = [model(*part)[1] * len(part[0][0])
             for part in zip(idx.split(lengths, dim=1), targets.split(lengths, dim=1), strict=True)]  # fmt: skip
    (sum(alone) / 14).backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    _, loss = model(idx, targets, documents=packed(lengths))
    loss.backward()
    assert_close(loss, sum(alone) / 14, rtol=0, atol=1e-10)
    for name, parameter in model.named_parameters():
        assert_close(parameter.grad, expected[name], rtol=0, atol=1e-10, msg=name)


@torch.no_grad()
def test_one_document_a_row_is_plain_causal_reading(small):
    idx = random_ids(SMALL)
    assert_close(small(idx, documents=torch.zeros_like(idx))[0], small(idx)[0], rtol=0, atol=1e-12)


@torch.no_grad()
def test_no_head_looks_into_another_document(small):
    recorder = Recorder(patterns=True)
    small(random_ids(SMALL, length=7), documents=packed([3, 4]).expand(2, -1), observer=recorder)
    within = torch.block_diag(torch.ones(3, 3), torch.ones(4, 4)).tril().bool()
    for layer in range(SMALL.n_layer):
        assert torch.equal(recorder.seen[f"h.{layer}.pattern"] > 0, within.expand(2, SMALL.n_head, -1, -1))


def test_a_cache_does_not_take_several_documents(small):
    cache = KVCache(SMALL, 1, 4, dtype=torch.float64)
    with pytest.raises(GenerationError, match="read several documents without it"):
        small(random_ids(SMALL, 1, 3), documents=packed([1, 2]), cache=cache)


# Seen from inside


@torch.no_grad()
def test_an_observer_meets_every_point_in_order(small):
    recorder = Recorder(patterns=True)
    small(random_ids(SMALL), observer=recorder)
    assert list(recorder.seen) == POINTS


@torch.no_grad()
def test_patterns_are_formed_only_on_request(small):
    recorder = Recorder()
    small(random_ids(SMALL), observer=recorder)
    assert list(recorder.seen) == [point for point in POINTS if not point.endswith(".pattern")]


@torch.no_grad()
def test_activations_have_the_shapes_one_expects(small):
    recorder = Recorder(patterns=True)
    small(random_ids(SMALL, length=5), observer=recorder)
    shape = {name.removeprefix("h.1."): tuple(x.shape) for name, x in recorder.seen.items()}
    B, T, C, H, D, M, V = 2, 5, 24, 3, 8, 96, 97
    stream = ["embed", "resid_pre", "ln_1", "attn_out", "resid_mid", "ln_2", "mlp_out", "resid_post", "ln_f"]
    assert {shape[name] for name in stream} == {(B, T, C)}
    assert {shape[name] for name in ("q", "k", "v", "z")} == {(B, H, T, D)}
    assert {shape[name] for name in ("mlp_pre", "mlp_post")} == {(B, T, M)}
    assert (shape["pos_embed"], shape["pattern"], shape["logits"]) == ((1, T, C), (B, H, T, T), (B, T, V))


@torch.no_grad()
def test_reading_changes_nothing_bit_for_bit(small):
    idx = random_ids(SMALL)
    assert torch.equal(small(idx, observer=Recorder())[0], small(idx)[0])


@torch.no_grad()
def test_attention_through_its_pattern_equals_fused_attention(small):
    idx = random_ids(SMALL)
    assert_close(small(idx, observer=Recorder(patterns=True))[0], small(idx)[0], rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_cached_token_shows_the_last_row_of_the_pattern(small):
    idx = random_ids(SMALL)
    whole, last = Recorder(patterns=True), Recorder(patterns=True)
    small(idx, observer=whole)
    cache = KVCache(SMALL, 2, SMALL.block_size, dtype=torch.float64)
    small(idx[:, :-1], cache=cache)
    small(idx[:, -1:], cache=cache, observer=last)
    assert_close(last.seen["h.1.pattern"], whole.seen["h.1.pattern"][:, :, -1:], rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_chunk_without_a_mask_sees_all_before_it():
    q, k = torch.randn(1, 1, 2, 4), torch.randn(1, 1, 5, 4)
    assert torch.equal(attention_pattern(q, k)[0, 0] > 0, torch.ones(2, 5).tril(3).bool())


@given(st.integers(1, 4), st.integers(1, 6))
@torch.no_grad()
def test_every_row_of_a_pattern_is_a_distribution(heads, T):
    pattern = attention_pattern(torch.randn(2, heads, T, 4), torch.randn(2, heads, T, 4))
    assert_close(pattern.sum(-1), torch.ones(2, heads, T))
    assert torch.equal(pattern.triu(1), torch.zeros_like(pattern))


@pytest.mark.parametrize("name", POINTS)
@torch.no_grad()
def test_what_an_observer_returns_is_what_the_network_goes_on_with(small, name):
    idx = random_ids(SMALL)
    edited = small(idx, observer=Recorder(patterns=True, edits={name: torch.zeros_like}))[0]
    assert not torch.allclose(edited, small(idx)[0])


@pytest.mark.parametrize("head", range(SMALL.n_head))
@torch.no_grad()
def test_silencing_a_head_equals_cutting_its_wires(head):
    _, model = twins(SMALL)
    idx = random_ids(SMALL)

    def silence(z):
        z = z.clone()
        z[:, head] = 0
        return z

    silenced = model(idx, observer=Recorder(edits={"h.1.z": silence}))[0]
    D = SMALL.head_size
    model.h[1].attn.c_proj.weight[:, head * D : (head + 1) * D] = 0
    assert_close(model(idx)[0], silenced, rtol=0, atol=1e-12)


@torch.no_grad()
def test_patching_the_last_stream_of_one_text_into_another_gives_its_logits(small):
    one, other = random_ids(SMALL, seed=1), random_ids(SMALL, seed=2)
    recorder = Recorder()
    expected = small(other, observer=recorder)[0]
    patch = {"h.1.resid_post": lambda _: recorder.seen["h.1.resid_post"]}
    assert torch.equal(small(one, observer=Recorder(edits=patch))[0], expected)


def test_gradients_reach_what_was_observed():
    _, model = twins(SMALL)
    recorder = Recorder(patterns=True)
    idx = random_ids(SMALL)
    _, loss = model(idx[:, :-1], idx[:, 1:], observer=recorder)
    gradients = torch.autograd.grad(loss, [recorder.seen["h.0.pattern"], recorder.seen["h.0.z"]])
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


@torch.no_grad()
def test_without_an_observer_the_network_is_one_unbroken_graph(small):
    torch._dynamo.reset()
    explained = torch._dynamo.explain(small)(random_ids(SMALL))
    assert (explained.graph_count, explained.graph_break_count) == (1, 0)


# Built anew


@pytest.fixture(scope="module")
def fresh():
    torch.manual_seed(0)
    return GPT(GPTConfig(block_size=128, vocab_size=1000, n_layer=8, n_head=4, n_embd=128))


@pytest.mark.parametrize(
    ("ending", "std"),
    [
        ("wte.weight", 0.02),
        ("wpe.weight", 0.02),
        ("c_attn.weight", 0.02),
        ("c_fc.weight", 0.02),
        ("c_proj.weight", 0.02 / math.sqrt(2 * 8)),
    ],
)
def test_weights_begin_with_the_published_spread(fresh, ending, std):
    weights = [parameter for name, parameter in fresh.named_parameters() if name.endswith(ending)]
    assert weights
    for weight in weights:
        assert weight.std().item() == pytest.approx(std, rel=0.03)
        assert abs(weight.mean().item()) < 0.03 * std


def test_biases_begin_at_zero_and_layer_norms_at_one(fresh):
    for name, parameter in fresh.named_parameters():
        if name.endswith(".bias"):
            assert not parameter.any()
        if ".ln_" in name and name.endswith(".weight"):
            assert torch.equal(parameter, torch.ones_like(parameter))


@torch.no_grad()
def test_an_untrained_model_knows_nothing(fresh):
    idx = random_ids(fresh.config, batch_size=4)
    _, loss = fresh(idx[:, :-1], idx[:, 1:])
    assert loss.item() == pytest.approx(math.log(1000), abs=0.05)


def test_a_tied_head_stays_the_embedding(fresh):
    assert fresh.lm_head.weight is fresh.wte.weight
    moved = GPT(SMALL).to(torch.float64)
    assert moved.lm_head.weight is moved.wte.weight
    assert moved.dtype == torch.float64


def test_an_untied_head_is_its_own():
    torch.manual_seed(0)
    model = GPT(SMALL.replace(tie_word_embeddings=False))
    assert not torch.equal(model.lm_head.weight, model.wte.weight)
    assert model.lm_head.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_a_model_can_be_built_without_memory():
    with torch.device("meta"):
        model = GPT(GPTConfig.preset("gpt2-xl"))
    assert model.num_parameters() == 1_557_611_200
    assert model.device.type == "meta"


@torch.no_grad()
def test_dropout_acts_in_training_and_only_there():
    torch.manual_seed(0)
    model = GPT(SMALL.replace(dropout=0.3)).double()
    idx = random_ids(SMALL)
    assert not torch.equal(model.train()(idx)[0], model(idx)[0])
    assert torch.equal(model.eval()(idx)[0], model(idx)[0])


@pytest.mark.parametrize("patterns", [False, True])
@torch.no_grad()
def test_attention_drops_from_the_pattern_on_both_routes(patterns):
    """With ones for values, a query's output is the sum of what is left of its pattern, scaled up by 1 / (1 - p)."""
    torch.manual_seed(0)
    attention = GPT(SMALL.replace(dropout=0.5)).h[0].attn.train()
    q, k, v = torch.randn(64, 3, 16, 8), torch.randn(64, 3, 16, 8), torch.ones(64, 3, 16, 8)
    z = attention.attend(q, k, v, None, Recorder(patterns=patterns))
    first = z[:, :, 0, 0]
    assert set(first.flatten().tolist()) == {0.0, 2.0}
    assert z.mean().item() == pytest.approx(1, abs=0.05)
