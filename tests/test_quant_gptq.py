"""GPTQ against the formula it is a fast form of, and both against every rounding there is."""

import itertools

import pytest
import torch

from cutaway.native.packed import FORMATS, IntegerFormat
from cutaway.quant.gptq import gptq, inverse_factor
from cutaway.quant.rounding import best_scales, nearest, of_each_input, widest_scales

TINY = IntegerFormat(bits=4, group=4, low=-1, high=1)


def problem(outputs=5, inputs=70, seed=0):
    """A matrix and E[x xᵀ] of inputs that depend on each other."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64)
    mixing = torch.randn(inputs, inputs, generator=generator, dtype=torch.float64)
    mixing *= torch.rand(inputs, generator=generator, dtype=torch.float64) ** 2
    hessian = mixing @ mixing.T / inputs + 0.01 * torch.eye(inputs, dtype=torch.float64)
    return weight, hessian


def loss(weight, rounded, hessian):
    error = weight - rounded
    return ((error @ hessian) * error).sum(1)


def plain_obq(weight, hessian, scales, kind):
    """One output at a time, one weight after the other in the order of H_jj: round it, let the others make up for it by
    -e / [H⁻¹]_jj [H⁻¹]_j, and take it out of H⁻¹ (Optimal Brain Compression, equations 3 and 4)."""
    scale = of_each_input(scales, weight.shape[1], kind)
    integers = torch.empty_like(weight)
    order = hessian.diagonal().argsort(descending=True, stable=True).tolist()
    for row, left in enumerate(weight.clone()):
        inverse = torch.linalg.inv(hessian)
        for j in order:
            integers[row, j] = nearest(left[j], scale[row, j], kind)
            error = left[j] - integers[row, j] * scale[row, j]
            left = left - error / inverse[j, j] * inverse[j]
            inverse = inverse - torch.outer(inverse[:, j], inverse[j]) / inverse[j, j]
    return integers


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("inputs", [3, 64, 70, 200])
def test_it_equals_the_plain_formula(precision, inputs):
    kind = FORMATS[precision]
    weight, hessian = problem(inputs=inputs)
    scales = widest_scales(weight, kind)
    assert torch.equal(gptq(weight, hessian, scales, kind), plain_obq(weight, hessian, scales, kind))


def test_it_lies_between_rounding_to_nearest_and_the_best_of_all():
    """Three values a weight and six weights: 729 roundings, all tried."""
    weight, hessian = problem(outputs=40, inputs=6, seed=1)
    scales = best_scales(weight, hessian.diagonal(), TINY)
    scale = of_each_input(scales, 6, TINY)
    every = torch.tensor(list(itertools.product([-1.0, 0.0, 1.0], repeat=6)), dtype=torch.float64)
    best = torch.stack([loss(weight, one * scale, hessian) for one in every]).min(0).values
    to_nearest = loss(weight, nearest(weight, scale, TINY) * scale, hessian)
    ours = loss(weight, gptq(weight, hessian, scales, TINY) * scale, hessian)
    assert (ours >= best - 1e-9).all()
    assert best.sum() <= ours.sum() < 0.8 * to_nearest.sum()


@pytest.mark.parametrize("precision", FORMATS)
def test_outputs_change_less_than_by_rounding_to_nearest(precision):
    kind = FORMATS[precision]
    weight, hessian = problem(outputs=30, inputs=150)
    scales = best_scales(weight, hessian.diagonal(), kind)
    scale = of_each_input(scales, 150, kind)
    ours = loss(weight, gptq(weight, hessian, scales, kind) * scale, hessian).sum()
    assert ours < 0.6 * loss(weight, nearest(weight, scale, kind) * scale, hessian).sum()


def test_where_inputs_are_independent_it_is_rounding_to_nearest():
    kind = FORMATS["int4"]
    weight, _ = problem()
    scales = widest_scales(weight, kind)
    hessian = torch.diag(torch.arange(1.0, 71.0, dtype=torch.float64))
    expected = nearest(weight, of_each_input(scales, 70, kind), kind)
    assert torch.equal(gptq(weight, hessian, scales, kind), expected)


def test_the_factor_is_that_of_the_inverse():
    _, hessian = problem()
    factor = inverse_factor(hessian)
    assert torch.equal(factor, factor.triu())
    torch.testing.assert_close(factor.T @ factor @ hessian, torch.eye(70, dtype=torch.float64))


def test_neither_matrix_nor_hessian_is_changed():
    weight, hessian = problem()
    before = weight.clone(), hessian.clone()
    gptq(weight, hessian, widest_scales(weight, FORMATS["int4"]), FORMATS["int4"])
    assert torch.equal(weight, before[0])
    assert torch.equal(hessian, before[1])
