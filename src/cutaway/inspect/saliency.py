"""Saliency: how much each token of a text moves what the model says after it, by gradients.

Source: Shrikumar et al. 2016, "Not Just a Black Box" (gradient × input); Sundararajan et al. 2017, "Axiomatic
Attribution for Deep Networks" (integrated gradients).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cutaway.config import check_integer
from cutaway.inspect.passage import AnyModel, Passage, Prompt, piece_of, read
from cutaway.labelled import Axis, Labelled

ROWS_AT_ONCE = 8
"""Points of the path whose gradients are computed together."""


@dataclass(frozen=True, kw_only=True)
class Saliency:
    """What each token contributed to the log-probability of the token in question."""

    token: str
    """The token whose log-probability it is about."""
    scores: Labelled
    value: float
    """The log-probability, in nats."""
    baseline: float | None
    """The log-probability with every token embedding zero, from which the scores lead to the value; None for
    gradient × input, which leads from nowhere."""

    @property
    def gap(self) -> float | None:
        """How far the scores are from summing to `value - baseline`: smaller with more steps."""
        return None if self.baseline is None else self.value - self.baseline - float(self.scores.values.sum())


def gradient_times_input(model: AnyModel, prompt: Prompt, token: str | int | None = None) -> Saliency:
    """The gradient of the next token's log-probability along each token's embedding, times that embedding.

    The next token is the most likely one, if none is given.

    Raises: InspectionError for an unknown token, or a text longer than the context.
    """
    passage = read(model, prompt)
    target = _target(passage, token)
    values, slopes = _slopes(passage, target, torch.ones(1))
    title = f"Gradient × input for {piece_of(passage.tokenizer, target)!r}"
    return _saliency(passage, target, title, slopes[0], values[0].item(), None)


def integrated_gradients(
    model: AnyModel, prompt: Prompt, token: str | int | None = None, *, steps: int = 64
) -> Saliency:
    """The same gradients, averaged over the way from zero embeddings to the real ones: they sum to the whole effect.

    Positions keep their embeddings all the way; the average is by Gauss-Legendre quadrature.

    Raises: InspectionError for an unknown token, or a text longer than the context; ConfigError for too few steps.
    """
    check_integer("steps", steps, 1, 4096)
    passage = read(model, prompt)
    target = _target(passage, token)
    at, weights = (torch.from_numpy(numbers) for numbers in np.polynomial.legendre.leggauss(steps))
    # From -1..1, with weights that sum to 2, to 0..1.
    at, weights = (at + 1) / 2, weights / 2
    parts = [_slopes(passage, target, some)[1] for some in torch.split(at, ROWS_AT_ONCE)]
    total = (torch.cat(parts).double() * weights[:, None]).sum(0)
    ends = [_slopes(passage, target, torch.tensor([end]))[0].item() for end in (0.0, 1.0)]
    title = f"Integrated gradients for {piece_of(passage.tokenizer, target)!r}"
    return _saliency(passage, target, title, total, ends[1], ends[0])


class _Scaler:
    """Multiplies the token embeddings of each row by its own factor and keeps the product, to be differentiated."""

    def __init__(self, factors: Tensor) -> None:
        self.factors = factors
        self.embeddings = self.scaled = torch.empty(0)

    def wants(self, name: str) -> bool:
        return False

    def __call__(self, name: str, x: Tensor) -> Tensor:
        if name != "embed":
            return x
        self.embeddings = x.detach()
        self.scaled = (self.embeddings * self.factors.to(x)[:, None, None]).requires_grad_()
        return self.scaled


@torch.enable_grad()
def _slopes(passage: Passage, target: int, factors: Tensor) -> tuple[Tensor, Tensor]:
    """With embeddings times each factor: the target's log-probability at the end, and its gradient · embedding.

    Shapes: factors (N,) -> (N,), (N, T)
    """
    scaler = _Scaler(factors)
    states = passage.model.hidden(passage.idx.expand(len(factors), -1), observer=scaler)
    logprobs = passage.model.lm_head(states[:, -1]).log_softmax(-1)[:, target]
    (gradient,) = torch.autograd.grad(logprobs.sum(), scaler.scaled)
    return logprobs.detach().cpu(), (gradient * scaler.embeddings).sum(-1).cpu()


def _target(passage: Passage, token: str | int | None) -> int:
    if token is not None:
        return passage.token(token)
    with torch.no_grad():
        return int(passage.model.lm_head(passage.model.hidden(passage.idx)[0, -1]).argmax())


def _saliency(
    passage: Passage, target: int, title: str, scores: Tensor, value: float, baseline: float | None
) -> Saliency:
    axes = (Axis("token", passage.pieces),)
    labelled = Labelled(title=title, values=scores.numpy(), axes=axes, unit="nats", diverging=True)
    return Saliency(token=piece_of(passage.tokenizer, target), scores=labelled, value=value, baseline=baseline)
