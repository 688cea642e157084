"""What rounding costs: how well the network still predicts, and how far it is from what it was."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cutaway.model import GPT
from cutaway.native import NativeModel

Predict: TypeAlias = Callable[[Tensor], Tensor]
"""From a text's ids (T,) to the logits after each (T, V)."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A network next to the one it was made from, on one text."""

    tokens: int
    perplexity_before: float
    perplexity: float
    kl_nats: float
    """Mean divergence of its predictions from those before, KL(before ‖ now)."""
    argmax_agreement: float
    """The fraction of places where both hold the same token to be the likeliest."""

    @property
    def perplexity_increase(self) -> float:
        """By which fraction perplexity rose."""
        return self.perplexity / self.perplexity_before - 1

    def to_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        return asdict(self) | {"perplexity_increase": self.perplexity_increase}


@torch.no_grad()
def measure(before: Predict, now: Predict, rows: Tensor) -> Cost:
    """Compare two networks on texts, each read from its beginning.

    Shapes: rows (B, T)
    """
    kl, agreed, nats_before, nats_now = 0.0, 0, 0.0, 0.0
    for ids in rows:
        old, new = (predict(ids).double().log_softmax(-1) for predict in (before, now))
        kl += float((old.exp() * (old - new)).sum())
        agreed += int((old.argmax(-1) == new.argmax(-1)).sum())
        nats_before, nats_now = (
            nats - float(logprobs[:-1].gather(1, ids[1:, None]).sum())
            for nats, logprobs in ((nats_before, old), (nats_now, new))
        )
    predicted = max(1, rows.numel() - len(rows))
    return Cost(
        tokens=rows.numel(),
        perplexity_before=math.exp(nats_before / predicted),
        perplexity=math.exp(nats_now / predicted),
        kl_nats=kl / rows.numel(),
        argmax_agreement=agreed / rows.numel(),
    )


def in_pytorch(model: GPT) -> Predict:
    """A network in PyTorch, ready to be compared."""
    return lambda ids: model(ids[None])[0][0]


def in_kernels(model: NativeModel) -> Predict:
    """A network in native hands, ready to be compared."""

    def predict(ids: Tensor) -> Tensor:
        cache = model.cache(1, len(ids))
        logits = model.forward(cache, [0], [ids.tolist()], [len(ids)])
        cache.close()
        return torch.from_numpy(logits)

    return predict
