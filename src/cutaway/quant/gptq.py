"""Rounding a matrix so that what it computes changes least, not its weights.

With H = E[x xᵀ] over a layer's inputs, changing weights by e changes outputs by e H eᵀ on average. Columns are rounded
one after the other, and what rounding one has done wrong is made good, as far as that goes, by those not yet rounded.
Which change of those is best follows from the Cholesky factor of H⁻¹.

Source: Frantar et al. 2022, "GPTQ", algorithm 1; columns by descending H_jj as in its code's `act_order`. The plain
formula behind it (Frantar & Alistarh 2022, "Optimal Brain Compression", section 4) is in the tests.
"""

import torch
from torch import Tensor

from cutaway.native.packed import IntegerFormat
from cutaway.quant.rounding import nearest, of_each_input

BLOCK = 64
"""Columns whose effect on all later ones is worked out together, as one product of matrices."""


def gptq(weight: Tensor, hessian: Tensor, scales: Tensor, kind: IntegerFormat) -> Tensor:
    """The whole numbers for a matrix, with its scales given.

    Shapes: weight (out, in), hessian (in, in) positive definite, scales (out, groups) -> (out, in)
    """
    order = hessian.diagonal().argsort(descending=True, stable=True)
    factor = inverse_factor(hessian[order][:, order]).to(weight.dtype)
    left = weight[:, order]
    scale = of_each_input(scales, weight.shape[1], kind)[:, order]
    integers = torch.empty_like(left)
    for first in range(0, left.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        errors = _round_block(left[:, block], scale[:, block], factor[block, block], integers[:, block], kind)
        left[:, block.stop :] -= errors @ factor[block, block.stop :]
    return integers[:, order.argsort()]


def inverse_factor(hessian: Tensor) -> Tensor:
    """The upper triangular U with Uᵀ U = H⁻¹.

    Shapes: (in, in) -> (in, in)
    """
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    factor: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return factor


def _round_block(left: Tensor, scale: Tensor, factor: Tensor, integers: Tensor, kind: IntegerFormat) -> Tensor:
    """Round the columns of a block into `integers`; what is owed to later blocks is U times what comes back."""
    errors = torch.empty_like(left)
    for j in range(left.shape[1]):
        integers[:, j] = nearest(left[:, j], scale[:, j], kind)
        errors[:, j] = (left[:, j] - integers[:, j] * scale[:, j]) / factor[j, j]
        left[:, j:] -= errors[:, j, None] * factor[j, j:]
    return errors
