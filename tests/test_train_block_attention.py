"""Attention in blocks against PyTorch's fused attention, forwards and backwards."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from cutaway.model import GPT, attention_pattern
from cutaway.train.block_attention import BLOCK_BYTES, attend_in_blocks, block_attention
from tiny import config

LENGTHS = st.sampled_from([1, 2, 31, 32, 33, 64, 65, 100])
"""Around the blocks of 32 that float64 has."""


def heads(B, H, T, D, *, dtype=torch.float64, seed=0):
    """Queries, keys and values as the model makes them: views of one tensor."""
    x = torch.randn(B, T, 3 * H * D, dtype=dtype, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    return x, [part.view(B, T, H, D).transpose(1, 2) for part in x.split(H * D, dim=2)]


def fused(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def results(attention, x, parts, weights):
    out = attention(*parts)
    return out, torch.autograd.grad((out * weights).sum(), x, retain_graph=True)[0]


@settings(max_examples=40)
@given(st.integers(1, 3), st.integers(1, 3), LENGTHS, st.integers(1, 9), st.integers(0, 99))
def test_blocks_give_what_fused_attention_gives(B, H, T, D, seed):
    assert BLOCK_BYTES // 8 == 32
    x, parts = heads(B, H, T, D, seed=seed)
    weights = torch.randn(B, H, T, D, dtype=x.dtype, generator=torch.Generator().manual_seed(seed + 1))
    out, grad = results(block_attention, x, parts, weights)
    expected, expected_grad = results(fused, x, parts, weights)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(grad, expected_grad, rtol=1e-10, atol=1e-12)


def test_the_gradient_is_the_slope():
    q, k, v = (torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)[None] for _ in range(3))
    assert torch.autograd.gradcheck(block_attention, (q, k, v))


def test_bfloat16_stays_as_near_to_the_truth_as_bfloat16_is():
    _, exact = heads(2, 2, 200, 16)
    rounded = [part.bfloat16() for part in exact]
    out = block_attention(*rounded)
    assert out.dtype == torch.bfloat16
    assert (out - attention_pattern(*exact[:2]) @ exact[2]).abs().max() < 0.03


def test_autocast_does_not_reach_inside():
    _, parts = heads(1, 2, 40, 8, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        out = block_attention(*parts)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, fused(*parts))


def test_heads_lie_side_by_side_both_ways():
    _, parts = heads(2, 3, 40, 8)
    out = block_attention(*parts)
    for x in (out, *torch.autograd.grad(out.sum(), parts)):
        assert x.transpose(1, 2).is_contiguous()


@pytest.mark.parametrize("grad", [True, False])
def test_a_model_that_attends_in_blocks_is_the_same_model(grad):
    torch.manual_seed(0)
    model = GPT(config(block_size=80)).double()
    idx = torch.randint(model.config.vocab_size, (2, 80))
    expected = model(idx)[0]
    attend_in_blocks(model)
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(model(idx)[0], expected, rtol=1e-10, atol=1e-10)


def test_blocks_are_used_only_where_gradients_are_wanted(monkeypatch):
    model, used = GPT(config()), []
    attend_in_blocks(model)
    monkeypatch.setattr(
        "cutaway.train.block_attention.block_attention", lambda q, k, v: used.append(q.shape) or fused(q, k, v)
    )
    idx = torch.zeros(1, 7, dtype=torch.long)
    model(idx)
    assert len(used) == model.config.n_layer
    with torch.no_grad():
        model(idx)
    assert len(used) == model.config.n_layer
