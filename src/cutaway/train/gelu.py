"""The MLP's bend and its slope. Of bfloat16 there are only 65,536 numbers, and a table of all is quickly read."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F


@cache
def tables() -> tuple[Tensor, Tensor]:
    """What every number of bfloat16 is bent to, and the slope there, in the order of the numbers' bits.

    Shapes: -> (65536,), (65536,)
    """
    numbers = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    ones = torch.ones(1 << 16)
    slopes = torch.ops.aten.gelu_backward(ones, numbers.float(), approximate="tanh")
    return F.gelu(numbers, approximate="tanh"), slopes


def has_table(x: Tensor) -> bool:
    """Whether reading tables is faster. It is for one thread; PyTorch shares out only the computation among several."""
    return x.dtype == torch.bfloat16 and x.device.type == "cpu" and torch.get_num_threads() == 1


def places(x: Tensor) -> Tensor:
    """Where in the tables each number stands.

    Shapes: x (…) -> (N,)
    """
    return x.view(torch.uint16).to(torch.int32).flatten()


def bent(x: Tensor) -> Tensor:
    """GELU in its tanh form.

    Shapes: x (…) -> the same
    """
    if has_table(x):
        return tables()[0].index_select(0, places(x)).view_as(x)
    return F.gelu(x, approximate="tanh")


def bend_back(grad: Tensor, x: Tensor) -> None:
    """Turn the gradient by what was bent into that by `x`, and then `x` into what was bent, both where they lie.

    Shapes: grad, x (N, C)
    """
    if has_table(x):
        values, slopes = tables()
        where = places(x)
        grad.view(-1).mul_(slopes.index_select(0, where))
        torch.index_select(values, 0, where, out=x.view(-1))
    else:
        torch.ops.aten.gelu_backward.grad_input(grad, x, approximate="tanh", grad_input=grad)
        torch.ops.aten.gelu_(x, approximate="tanh")
