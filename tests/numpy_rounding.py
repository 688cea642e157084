"""What the kernels round a matrix to while loading, in numpy, to the bit."""

import numpy as np

RATIOS = {8: (1, 1.0075, 1.015, 1.0225), 4: (1, 0.96, 0.92, 0.88)}


def rounded(weight, kind):
    """The whole numbers and scales of a matrix (out, in)."""
    groups = [weight[:, i : i + kind.group] for i in range(0, weight.shape[1], kind.group)]
    scales = [found_scale(group, kind).clip(-65504, 65504).astype(np.float16) for group in groups]
    integers = [nearest(group, scale.astype(np.float32), kind) for group, scale in zip(groups, scales, strict=True)]
    return np.concatenate(integers, 1).astype(np.int8), np.concatenate(scales, 1)


def found_scale(group, kind):
    """Of the scales that fit what is rounded with some first ones best, the one that loses least (out, 1)."""
    extreme = np.take_along_axis(group, np.abs(group).argmax(1, keepdims=True), 1)
    widest = np.abs(extreme) / np.float32(kind.high) if kind.low == -kind.high else extreme / np.float32(kind.low)
    best, least = widest, np.full_like(widest, np.inf)
    for ratio in RATIOS[kind.bits]:
        scale = widest * np.float32(ratio)
        q = nearest(group, scale, kind)
        e = group - q * scale
        squares = in_turn(q * q)
        change = np.divide(in_turn(e * q), squares, out=np.zeros_like(scale), where=squares > 0)
        lost = in_turn(e * e) - change * in_turn(e * q)
        best, least = np.where(lost < least, scale + change, best), np.minimum(lost, least)
    return best


def nearest(group, scale, kind):
    """The whole numbers, as floats."""
    inverse = np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=np.abs(scale) > 2**-25)
    return np.rint(np.clip(group * inverse, kind.low, kind.high))


def in_turn(numbers):
    """Their sums (out, 1), added one after the other."""
    return np.cumsum(numbers, axis=1)[:, -1:]
