"""The native kernels at each precision, against the PyTorch model."""

from collections.abc import Iterator, Sequence

import numpy as np

from cutaway.errors import ConfigError
from cutaway.model import GPT
from cutaway.native import NativeModel, available
from cutaway.sampling import log_softmax
from cutaway.verify.check import Check, judged, skipped
from cutaway.verify.numbers import logits_of
from cutaway.verify.plain import Array
from cutaway.weights.locate import ModelFiles
from cutaway.weights.native import load_native, suits_native

BOUNDS_NATS = {"float32": 1e-6, "bfloat16": 0.02, "int8": 0.05, "int4": 0.5, "w8a8": 0.05}
"""The divergence that a precision may cost on average, in nats a token; measured values are a fifth or less."""


def kernel_checks(files: ModelFiles, exact: GPT, ids: Sequence[int], precisions: Sequence[str]) -> Iterator[Check]:
    """One check a precision, and one that company changes no bit."""
    if not available() or not suits_native(files.weights):
        why = "the checkpoint is a pickle, or its heads are too wide" if available() else available().detail
        yield skipped("native kernels", why)
        return
    truth, company = logits_of(exact, ids).numpy(), True
    for precision in precisions:
        try:
            model = load_native(files.weights, precision=precision)
        except ConfigError as error:
            yield skipped(f"native {precision}", str(error))
            continue
        with model:
            yield precision_check(model, truth, ids)
            if company:
                yield company_check(model, ids)
                company = False


def precision_check(model: NativeModel, truth: Array, ids: Sequence[int]) -> Check:
    """How far the kernels are from the PyTorch model in float64."""
    found = model.forward(model.cache(), [0], [list(ids)], [len(ids)]).astype(np.float64)
    costs, bound = divergence(truth, found), BOUNDS_NATS[model.precision]
    agree = float((found.argmax(-1) == truth.argmax(-1)).mean())
    return judged(
        f"native {model.precision}",
        holds=costs <= bound,
        seen=f"{costs:.1e} nats a token, logits at most {np.abs(found - truth).max():.1e} apart, "
        f"the likeliest token is the same after {agree:.0%} of {len(ids)}",
        expected=f"at most {bound:g} nats a token from the PyTorch model in float64",
        cause="kernels for another instruction set (compare CUTAWAY_ISA=portable), "
        "or weights with a few numbers far from the rest, which scales of 8 and 4 bits cannot hold",
    )


def company_check(model: NativeModel, ids: Sequence[int]) -> Check:
    """Whether a text in company gives the same bits as alone, read at once the same as in parts."""
    short = list(ids[: max(1, len(ids) // 2)])
    alone = model.forward(model.cache(), [0], [list(ids)])[0]
    together = model.forward(model.cache(2), [0, 1], [short, list(ids)])[1]
    cache = model.cache()
    parts = [model.forward(cache, [0], [[token]])[0] for token in ids][-1]
    same = bool((alone == together).all() and (alone == parts).all())
    most = max(float(np.abs(alone - other).max()) for other in (together, parts))
    return judged(
        "native batched = single",
        holds=same,
        seen="the same to the bit, in company and in parts" if same else f"logits up to {most:.1e} apart",
        expected="the same to the bit",
        cause="a kernel whose sums depend on the batch",
    )


def divergence(truth: Array, found: Array) -> float:
    """Kullback-Leibler divergence from the truth, the mean over positions, in nats. Shapes: (T, V)."""
    right, other = log_softmax(truth), log_softmax(found)
    return max(0.0, float((np.exp(right) * (right - other)).sum(axis=-1).mean()))
