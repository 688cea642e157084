"""One matrix, by one of two methods."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from cutaway.native.packed import IntegerFormat
from cutaway.quant.descent import descend
from cutaway.quant.gptq import gptq
from cutaway.quant.rounding import best_scales, nearest, of_each_input

Method: TypeAlias = Literal["gptq", "nearest"]

DAMPING = 0.001
"""Added to the diagonal of H, as a fraction of its mean: inputs seen too rarely to tell cost something all the same."""


def fit(weight: Tensor, hessian: Tensor, kind: IntegerFormat, method: Method) -> tuple[Tensor, Tensor]:
    """The whole numbers and scales for a matrix that reads inputs with these products.

    Shapes: weight (out, in), hessian (in, in) -> integers (out, in), scales (out, groups)
    """
    damped = hessian + (DAMPING * hessian.diagonal().mean() + 1e-12) * torch.eye(len(hessian)).double()
    scales = best_scales(weight, damped.diagonal().to(weight.dtype), kind)
    if method == "nearest":
        return nearest(weight, of_each_input(scales, weight.shape[1], kind), kind), scales
    integers = gptq(weight, damped, scales, kind)
    return descend(weight, integers, scales, damped, kind), scales
