"""From floats to whole numbers, a group of inputs at a time: which scale, and rounding to nearest.

A weight is kept as scale × q. Scales are float16 in the file, so here too; they carry the sign where the range of q is
lopsided (int4 reaches from -8 to 7), so that the largest weight of a group falls on its longer side.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from cutaway.native.packed import IntegerFormat

CLIPS = {8: 4, 4: 24}
"""How many shorter ranges are tried, by bits: each cuts 1/80 off the largest weight and gives the rest finer steps."""

ROWS = 4096
"""Rows that are looked at together: a vocabulary's embedding would take gigabytes at once."""


def to_float16(scale: Tensor) -> Tensor:
    """The nearest scale that a file can hold."""
    return scale.clamp(-65504, 65504).half().to(scale.dtype)


def widest_scales(weight: Tensor, kind: IntegerFormat) -> Tensor:
    """The scales with which no weight is cut off.

    Shapes: (out, in) -> (out, groups)
    """
    grouped = in_groups(weight, kind)
    if kind.low == -kind.high:
        return to_float16(grouped.abs().amax(-1) / kind.high)
    extreme = grouped.gather(-1, grouped.abs().argmax(-1, keepdim=True)).squeeze(-1)
    return to_float16(extreme / kind.low)


def best_scales(weight: Tensor, importance: Tensor, kind: IntegerFormat) -> Tensor:
    """The scales with which rounding to nearest loses least, by squares, an input counting by its importance.

    Shapes: weight (out, in), importance (in,) -> (out, groups)
    """
    parts = torch.split(weight, ROWS)
    return torch.cat([_best_scales(part, in_groups(importance[None], kind), kind) for part in parts])


def _best_scales(weight: Tensor, importance: Tensor, kind: IntegerFormat) -> Tensor:
    grouped, widest = in_groups(weight, kind), widest_scales(weight, kind)

    def loss(scales: Tensor) -> Tensor:
        error = grouped - nearest(grouped, scales[..., None], kind) * scales[..., None]
        return (error.square_() * importance).sum(-1)

    best, least = widest, loss(widest)
    signs = (1,) if kind.low == -kind.high else (1, -1)
    for clip in range(CLIPS[kind.bits] + 1):
        for sign in signs:
            scales = to_float16(widest * (sign * (1 - clip / 80)))
            new = loss(scales)
            best, least = torch.where(new < least, scales, best), torch.minimum(new, least)
    return best


def nearest(weight: Tensor, scale: Tensor, kind: IntegerFormat) -> Tensor:
    """The nearest whole numbers that the format has; 0 where the scale is 0."""
    steps = torch.where(scale == 0, 0, weight / scale)
    return steps.round_().clamp_(kind.low, kind.high)


def of_each_input(scales: Tensor, inputs: int, kind: IntegerFormat) -> Tensor:
    """The scale that each weight has.

    Shapes: (out, groups) -> (out, in)
    """
    return scales.repeat_interleave(kind.group, dim=1)[:, :inputs]


def in_groups(weight: Tensor, kind: IntegerFormat) -> Tensor:
    """Inputs by group, the last filled up with zeros.

    Shapes: (out, in) -> (out, groups, group)
    """
    filled = F.pad(weight, (0, -weight.shape[1] % kind.group))
    return filled.reshape(len(weight), -1, kind.group)
