"""What attention heads are for, told from where they look in random tokens that repeat.

In random text nothing helps but the repetition: a head that looks from the second `B` of `A B … A B` at what followed
the first `A` is an induction head, and a model that has one predicts the repetition well.

Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Olsson et al. 2022, "In-context
Learning and Induction Heads".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cutaway.config import check_integer
from cutaway.errors import InspectionError
from cutaway.inspect.observers import watch
from cutaway.inspect.passage import AnyModel, parts
from cutaway.inspect.points import find_names, layer_of
from cutaway.labelled import Axis, Labelled
from cutaway.model import GPT

KINDS = ("previous token", "duplicate token", "induction")
"""Where such a head looks: at the token before; at the same token earlier; at what followed the same token earlier."""

ROWS_AT_ONCE = 4
FURTHEST = 8
"""Places after the same token earlier that are looked at."""


@dataclass(frozen=True, kw_only=True)
class HeadScores:
    """How much of their attention the heads of a model put where a head of each kind looks, from 0 to 1."""

    scores: Labelled
    """Kind, layer, head."""
    after: Labelled
    """Layer, head, and how many places after the same token earlier: 0 is duplicate token, 1 is induction.

    A head that looks further on does the work of an induction head, with a layer below that brings tokens along.
    """
    chance: float
    """The score, for each kind, of a head that looks at everything before it alike."""
    first_loss: float
    """Mean cross-entropy in nats on random tokens seen for the first time, which nobody can predict."""
    repeated_loss: float
    """The same on their repetition: the lower, the better the model copies."""

    def of(self, kind: str) -> Labelled:
        """The scores of one kind, by layer and head.

        Raises: InspectionError for an unknown kind.
        """
        return self.scores.at(kind=kind)

    def best(self, kind: str, n: int = 5) -> list[dict[str, Any]]:
        """The heads that are most of that kind, the best first."""
        return self.of(kind).top(n)


def detect_heads(model: AnyModel, *, length: int | None = None, rows: int = 8, seed: int = 0) -> HeadScores:
    """Read `rows` sequences of `length` random tokens and their repetition, and score every head.

    By default the sequences are as long as the context lets them be, at most 64. A vocabulary with `<|endoftext|>` has
    it in front, as every text has.

    Raises: InspectionError when the context is too short for them.
    """
    network, tokenizer, _ = parts(model)
    start = None if tokenizer is None else tokenizer.eot
    n_vocab = network.config.vocab_size if tokenizer is None else tokenizer.n_vocab
    room = (network.config.block_size - (start is not None)) // 2
    n = min(64, room) if length is None else length
    if not 2 <= n <= room:
        raise InspectionError(
            f"{n} random tokens cannot be repeated in a context of {network.config.block_size}; choose 2 to {room}"
        )
    check_integer("rows", rows, 1, 1 << 16)
    idx = repeated_tokens(n, rows, n_vocab, start=start, seed=seed).to(network.device)
    layers, heads = Axis("layer", network.config.n_layer), Axis("head", network.config.n_head)
    scores, losses = torch.zeros(1 + min(n, FURTHEST), len(layers), len(heads)), torch.zeros(2)
    for part in torch.split(idx, ROWS_AT_ONCE):
        _add_scores(network, part, n, scores, losses)
    previous, *after = (scores / rows).numpy()
    places = Axis("places", len(after))
    return HeadScores(
        scores=Labelled(
            title="Attention where such a head looks",
            values=np.stack([previous, *after[:2]]),
            axes=(Axis("kind", KINDS), layers, heads),
        ),
        after=Labelled(
            title="Attention after the same token earlier",
            values=np.stack(after, axis=-1),
            axes=(layers, heads, places),
        ),
        chance=sum(1 / seen for seen in range(idx.shape[1] - n + 1, idx.shape[1] + 1)) / n,
        first_loss=losses[0].item() / rows,
        repeated_loss=losses[1].item() / rows,
    )


def repeated_tokens(length: int, rows: int, n_vocab: int, *, start: int | None = None, seed: int = 0) -> Tensor:
    """Rows of random tokens, each followed by itself; after `start` if there is one, which is then not among them.

    Shapes: -> (rows, [1 +] 2 × length)
    """
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(n_vocab - (start is not None), (rows, length), generator=generator)
    if start is None:
        return torch.cat([tokens, tokens], dim=1)
    tokens = tokens + (tokens >= start)
    return torch.cat([torch.full((rows, 1), start), tokens, tokens], dim=1)


def looked_at(pattern: Tensor, n: int) -> Tensor:
    """The attention that a pattern puts on the token before, and on those from the same token earlier onwards.

    Averaged over the positions of a repetition n tokens long.

    Shapes: pattern (B, H, T, T) -> (1 + places, B, H)
    """
    # A diagonal below the main one holds what each query gives the key that many places before.
    distances = [1, *(n - places for places in range(min(n, FURTHEST)))]
    return torch.stack([pattern.diagonal(-back, 2, 3)[..., -n:].mean(-1) for back in distances])


def _add_scores(model: GPT, idx: Tensor, n: int, scores: Tensor, losses: Tensor) -> None:
    logits: list[Tensor] = []

    def see(name: str, x: Tensor) -> None:
        layer = layer_of(name)
        if layer is None:
            logits.append(x)
        else:
            scores[:, layer] += looked_at(x, n).sum(1).float().cpu()

    names = [*find_names("pattern", model.config.n_layer), "logits"]
    watch(model, idx, names, see)
    loss = F.cross_entropy(logits[0][:, :-1].flatten(0, 1).float(), idx[:, 1:].flatten(), reduction="none")
    loss = loss.view(len(idx), -1).cpu()
    losses += torch.stack([loss[:, :-n].mean(1).sum(), loss[:, -n + 1 :].mean(1).sum()])
