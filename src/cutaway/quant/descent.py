"""Second thoughts about rounding: change one weight at a time wherever that makes the layer's outputs better.

GPTQ decides each column once, when most others are still floats. Here all others are whole numbers already, and a
column is rounded to what is best next to them. No step makes things worse, and after a few rounds none is left.
"""

import torch
from torch import Tensor

from cutaway.native.packed import IntegerFormat
from cutaway.quant.rounding import nearest, of_each_input

BLOCK = 64
ROUNDS = 3


def descend(weight: Tensor, integers: Tensor, scales: Tensor, hessian: Tensor, kind: IntegerFormat) -> Tensor:
    """Whole numbers that are no worse than the given ones.

    Shapes: weight, integers (out, in), scales (out, groups), hessian (in, in) -> (out, in)
    """
    hessian, integers = hessian.to(weight.dtype), integers.clone()
    scale = of_each_input(scales, weight.shape[1], kind)
    # Half the slope of the loss by each weight, kept up to date.
    slope = (weight - integers * scale) @ hessian
    for _ in range(ROUNDS):
        before = integers.clone()
        for first in range(0, weight.shape[1], BLOCK):
            block = slice(first, first + BLOCK)
            change = _improve_block(slope[:, block], scale[:, block], hessian[block, block], integers[:, block], kind)
            slope -= change @ hessian[block]
        if torch.equal(before, integers):
            break
    return integers


def _improve_block(slope: Tensor, scale: Tensor, hessian: Tensor, integers: Tensor, kind: IntegerFormat) -> Tensor:
    """Set each column of a block to its best; by how much the weights have changed comes back."""
    slope, change = slope.clone(), torch.empty_like(slope)
    for j in range(slope.shape[1]):
        now = integers[:, j] * scale[:, j]
        integers[:, j] = nearest(now + slope[:, j] / hessian[j, j], scale[:, j], kind)
        change[:, j] = integers[:, j] * scale[:, j] - now
        slope -= change[:, j, None] * hessian[j]
    return change
