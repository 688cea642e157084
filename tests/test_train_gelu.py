"""GELU by tables against PyTorch's, for every number there is."""

import pytest
import torch
from torch.nn import functional as F

from cutaway.train.gelu import bend_back, bent, has_table


@pytest.fixture(params=[1, 2], ids=["a thread", "threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def every_number():
    bits = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16)
    return bits.view(torch.bfloat16).view(256, 256)[:, torch.randperm(256, generator=torch.Generator().manual_seed(0))]


def same(ours, expected):
    return torch.allclose(ours, expected, rtol=0, atol=0, equal_nan=True)


def test_every_number_of_bfloat16_is_bent_as_pytorch_bends_it(threads):
    x = every_number()
    assert has_table(x) is (threads == 1)
    assert same(bent(x), F.gelu(x, approximate="tanh"))


@pytest.mark.parametrize("scale", [1.0, -3e-3, 700.0])
def test_so_is_every_gradient_and_both_take_the_place_of_what_came_in(threads, scale):
    x = every_number().contiguous()
    grad = scale * torch.randn(x.shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    expected = torch.ops.aten.gelu_backward(grad, x, approximate="tanh"), F.gelu(x, approximate="tanh")
    bend_back(grad, x)
    assert same(grad, expected[0])
    assert same(x, expected[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wider_formats_are_computed(threads, dtype):
    x = torch.linspace(-9, 9, 999, dtype=dtype)[None].requires_grad_()
    y = F.gelu(x, approximate="tanh")
    (expected,) = torch.autograd.grad(y.sum(), x)
    assert not has_table(x)
    assert torch.equal(bent(x), y)
    grad, below = torch.ones_like(x), x.detach().clone()
    bend_back(grad, below)
    assert torch.equal(grad, expected)
    assert torch.equal(below, y)
