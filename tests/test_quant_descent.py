import itertools

import pytest
import torch

from cutaway.native.packed import FORMATS
from cutaway.quant.descent import descend
from cutaway.quant.gptq import gptq
from cutaway.quant.rounding import best_scales, nearest, of_each_input
from test_quant_gptq import TINY, loss, problem


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("inputs", [5, 64, 150])
def test_no_output_gets_worse_and_all_together_get_better(precision, inputs):
    kind = FORMATS[precision]
    weight, hessian = problem(outputs=30, inputs=inputs)
    scales = best_scales(weight, hessian.diagonal(), kind)
    scale = of_each_input(scales, inputs, kind)
    for start in (gptq(weight, hessian, scales, kind), nearest(weight, scale, kind)):
        before = start.clone()
        after = loss(weight, descend(weight, start, scales, hessian, kind) * scale, hessian)
        assert torch.equal(start, before)
        assert (after <= loss(weight, start * scale, hessian) + 1e-9).all()
        if inputs > 5:
            assert after.sum() < 0.99 * loss(weight, start * scale, hessian).sum()


def test_at_the_end_no_single_change_helps(monkeypatch):
    monkeypatch.setattr("cutaway.quant.descent.ROUNDS", 100)
    weight, hessian = problem(outputs=4, inputs=6)
    scales = best_scales(weight, hessian.diagonal(), TINY)
    scale = of_each_input(scales, 6, TINY)
    end = descend(weight, nearest(weight, scale, TINY), scales, hessian, TINY)
    least = loss(weight, end * scale, hessian)
    for j, value in itertools.product(range(6), (-1, 0, 1)):
        other = end.clone()
        other[:, j] = value
        assert (loss(weight, other * scale, hessian) >= least - 1e-9).all()
