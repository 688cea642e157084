"""The logit lens: what the network would say if it stopped after each layer.

Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cutaway.config import check_integer
from cutaway.inspect.observers import watch
from cutaway.inspect.passage import AnyModel, Passage, Prompt, piece_of, read
from cutaway.inspect.points import at_layer
from cutaway.labelled import Axis, Labelled
from cutaway.model import GPT

ROWS = 64
"""Positions whose logits are computed together: a row of logits is as long as the vocabulary."""


@dataclass(frozen=True, kw_only=True)
class Lens:
    """What is most likely after each layer (the stream where it enters each, and at the end) at each token."""

    tokens: NDArray[np.int64]
    """Ids of the most likely tokens.

    Shapes: (L + 1, T)
    """
    pieces: tuple[tuple[str, ...], ...]
    """The same in printable form, to be written into a grid."""
    alternatives: tuple[tuple[tuple[tuple[str, float], ...], ...], ...]
    """By layer and token the likeliest tokens with their probabilities, as many as were asked for."""
    probability: Labelled
    """Of the most likely token."""
    target: Labelled
    """Log-probability, in nats, of the token that follows, or of the one that was asked for; NaN where none follows."""
    entropy: Labelled
    """How undecided the network is."""
    kl: Labelled
    """How far it is from what it says in the end: KL(end ‖ here)."""

    def to_rows(self) -> list[dict[str, object]]:
        """A dictionary for each layer and token, with everything the lens shows there."""
        pieces = [piece for line in self.pieces for piece in line]
        columns = {"probability": self.probability, "target": self.target, "entropy": self.entropy, "kl": self.kl}
        values = {name: [row["value"] for row in column.to_rows()] for name, column in columns.items()}
        rows = []
        for number, row in enumerate(self.probability.to_rows()):
            del row["value"]
            rows.append(
                {**row, "prediction": pieces[number]} | {name: column[number] for name, column in values.items()}
            )
        return rows


def logit_lens(model: AnyModel, prompt: Prompt, *, target: str | int | None = None, top: int = 1) -> Lens:
    """Apply the final LayerNorm and the head to the stream after every layer.

    Raises: InspectionError for a text longer than the context or an unknown target; ConfigError for a `top` that is
        not from 1 to the size of the vocabulary.
    """
    passage = read(model, prompt)
    network = passage.model
    check_integer("top", top, 1, network.config.vocab_size)
    ends = stream_names(network.config.n_layer)
    states = _states(network, passage.idx, ends)
    targets = _targets(passage.ids, None if target is None else passage.token(target)).to(network.device)
    with torch.no_grad():
        pairs = zip(torch.split(states, ROWS, dim=1), torch.split(targets, ROWS), strict=True)
        parts = [_look(network, some, wanted, top) for some, wanted in pairs]
    ranked, shares, *numbers = (torch.cat(columns, dim=1).numpy(force=True) for columns in zip(*parts, strict=True))
    axes = (Axis("layer", ends), Axis("token", passage.pieces))
    titles = ["Probability of the most likely token", _target_title(target), "Entropy", "KL from the end"]
    shown = [
        Labelled(title=title, values=values, axes=axes, unit=unit)
        for title, unit, values in zip(titles, ["", "nats", "nats", "nats"], [shares[..., 0], *numbers], strict=True)
    ]
    alternatives = tuple(
        tuple(_with_pieces(passage, *cell) for cell in zip(*line, strict=True))
        for line in zip(ranked.tolist(), shares.tolist(), strict=True)
    )
    return Lens(
        tokens=ranked[..., 0],
        pieces=tuple(tuple(cell[0][0] for cell in line) for line in alternatives),
        alternatives=alternatives,
        **dict(zip(("probability", "target", "entropy", "kl"), shown, strict=True)),
    )


def _with_pieces(passage: Passage, tokens: Sequence[int], shares: Sequence[float]) -> tuple[tuple[str, float], ...]:
    pieces = (piece_of(passage.tokenizer, token) for token in tokens)
    return tuple(zip(pieces, shares, strict=True))


def stream_names(n_layer: int) -> list[str]:
    """The stream where it enters each layer, and where it leaves the last."""
    return [*(at_layer("resid_pre", layer) for layer in range(n_layer)), at_layer("resid_post", n_layer - 1)]


def read_out(model: GPT, states: Tensor) -> Tensor:
    """Logits from a state of the stream, as if the network ended there, in float32 at least.

    Shapes: (…, C) -> (…, V)
    """
    logits: Tensor = model.lm_head(model.ln_f(states))
    return logits if logits.dtype == torch.float64 else logits.float()


def kl_divergence(one: Tensor, other: Tensor) -> Tensor:
    """KL(one ‖ other) in nats, from log-probabilities.

    Shapes: (…, V), (…, V) -> (…)
    """
    return F.kl_div(other, one, log_target=True, reduction="none").sum(-1)


def _states(model: GPT, idx: Tensor, names: Sequence[str]) -> Tensor:
    """Shapes: -> (names, T, C)."""
    seen: dict[str, Tensor] = {}
    watch(model, idx, names, lambda name, x: seen.update({name: x[0]}))
    return torch.stack([seen[name] for name in names])


def _targets(ids: Sequence[int], target: int | None) -> Tensor:
    """The token that should come after each, -1 where nobody knows."""
    return torch.tensor([*ids[1:], -1] if target is None else [target] * len(ids))


def _target_title(target: str | int | None) -> str:
    return f"Log-probability of the {'next token' if target is None else f'token {target!r}'}"


def _look(model: GPT, states: Tensor, targets: Tensor, top: int) -> tuple[Tensor, ...]:
    """The likeliest tokens, their probabilities, the target's log-probability, entropy, KL from the last.

    Shapes: states (L + 1, T, C), targets (T,) -> two (L + 1, T, top), three (L + 1, T)
    """
    end = read_out(model, states[-1]).log_softmax(-1)
    layers = []
    for state in states:
        logprobs = end if state is states[-1] else read_out(model, state).log_softmax(-1)
        best, token = logprobs.topk(top)
        of_target = logprobs.gather(-1, targets.clamp(min=0)[:, None])[:, 0].masked_fill(targets < 0, math.nan)
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        layers.append((token, best.exp(), of_target, entropy, kl_divergence(end, logprobs)))
    return tuple(torch.stack(column) for column in zip(*layers, strict=True))
