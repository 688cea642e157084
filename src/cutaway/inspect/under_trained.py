"""Tokens that a model hardly saw while it learned, told from their embeddings alone.

A row that no text pulled at stays where the others push it, so all such rows end up in one place: they look alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cutaway.errors import InspectionError
from cutaway.inspect.embeddings import Embedding, token_embedding
from cutaway.inspect.passage import AnyModel, parts, token_id
from cutaway.labelled import Label, Labelled
from cutaway.tokenizer import AnyTokenizer

IMPOSSIBLE_BYTES = frozenset(bytes([byte]) for byte in (0xC0, 0xC1, *range(0xF5, 0x100)))
"""Bytes that occur in no UTF-8 text.

Source: RFC 3629, section 1.
"""

ALIKE = 0.95
ROWS_AT_ONCE = 1024


@dataclass(frozen=True, kw_only=True)
class LookAlikes:
    """Rows that all resemble at least one other of their group."""

    places: tuple[int, ...]
    labels: tuple[Label, ...]
    mean_cosine: float
    """Of each row with the mean of the group."""

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """The first and last number of every unbroken run: the seed of an eye-catching stripe in a heat-map."""
        breaks = [i for i in range(1, len(self.places)) if self.places[i] != self.places[i - 1] + 1]
        starts, ends = [0, *breaks], [*breaks, len(self.places)]
        return tuple((self.places[a], self.places[b - 1]) for a, b in zip(starts, ends, strict=True))


@dataclass(frozen=True, kw_only=True)
class UnderTrained:
    """How much every token resembles those that were never trained."""

    likeness: Labelled
    """The cosine with the mean of the unused rows, from -1 to 1; the nearer to 1, the less was learned of a token."""
    residual_norm: Labelled
    """The length of each row without the common direction: small where little was learned."""
    unused: tuple[Label, ...]
    """The tokens that were taken as never trained."""


def look_alikes(
    embedding: Embedding,
    *,
    cosine: float = ALIKE,
    smallest: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> list[LookAlikes]:
    """Groups of rows that are linked by cosines of at least `cosine`, the largest group first.

    `progress` hears how many rows of how many were compared with all.

    Raises: InspectionError for an impossible cosine.
    """
    if not 0 < cosine <= 1:
        raise InspectionError(f"a cosine of {cosine} links no rows, or all; choose one above 0, up to 1")
    unit = F.normalize(embedding.weight, dim=1)
    group = torch.arange(len(unit))
    for start in range(0, len(unit), ROWS_AT_ONCE):
        # Only what comes before: each pair once.
        end = min(start + ROWS_AT_ONCE, len(unit))
        near = unit[start:end] @ unit[:end].T >= cosine
        for row in near.tril(start - 1).any(1).nonzero().flatten().tolist():
            linked = group[[*near[row, : start + row].nonzero().flatten().tolist(), start + row]]
            group[torch.isin(group, linked)] = linked.min()
        if progress is not None:
            progress(end, len(unit))
    names = (torch.bincount(group) >= max(smallest, 2)).nonzero().flatten().tolist()
    found = [group_of(embedding, unit, group == name) for name in names]
    return sorted(found, key=lambda alike: (-len(alike.places), alike.places))


def group_of(embedding: Embedding, unit: Tensor, members: Tensor) -> LookAlikes:
    """The rows that are marked, as a group."""
    places = members.nonzero().flatten()
    cosines = unit[places] @ F.normalize(unit[places].mean(0), dim=0)
    labels = tuple(embedding.labels[place] for place in places.tolist())
    return LookAlikes(places=tuple(places.tolist()), labels=labels, mean_cosine=cosines.mean().item())


def under_trained(model: AnyModel, unused: Sequence[str | int] | None = None) -> UnderTrained:
    """Compare every token's embedding with the mean of those known to be unused.

    Known to be unused are by default the bytes that occur in no text. The direction that all rows share is taken
    away first, because it says nothing of a single token.

    Source: Land and Bartolo 2024, "Fishing for Magikarp: Automatically Detecting Under-trained Tokens in Large
    Language Models", the indicator that compares output embeddings: tied, they are those of the input too.

    Raises: InspectionError when no token is known to be unused, or one of those named is not there.
    """
    network, tokenizer, _ = parts(model)
    embedding = token_embedding(model)
    known = impossible(tokenizer) if unused is None else [token_id(network, tokenizer, token) for token in unused]
    if not known:
        raise InspectionError("no token of this vocabulary is known to be unused; name some with unused=[…]")
    rows = without_common_direction(embedding.weight)
    cosines = F.normalize(rows, dim=1) @ F.normalize(rows[known].mean(0), dim=0)

    def over_tokens(title: str, values: Tensor, unit: str, *, diverging: bool) -> Labelled:
        return Labelled(title=title, values=values.numpy(), axes=(embedding.axis,), unit=unit, diverging=diverging)

    return UnderTrained(
        # Not diverging, though cosines have a sign: the top are those nearest to 1.
        likeness=over_tokens("Likeness to tokens never trained", cosines, "cosine", diverging=False),
        residual_norm=over_tokens("Length without the common direction", rows.norm(dim=1), "norm", diverging=False),
        unused=tuple(embedding.labels[token] for token in known),
    )


def impossible(tokenizer: AnyTokenizer | None) -> list[int]:
    """The tokens that are a byte which occurs in no text."""
    if tokenizer is None:
        return []
    return [token for token in range(tokenizer.n_vocab) if tokenizer.token_bytes(token) in IMPOSSIBLE_BYTES]


def without_common_direction(rows: Tensor) -> Tensor:
    """The rows without their part along the one direction that holds most of them.

    Shapes: (N, C) -> (N, C)
    """
    numbers = rows.double()
    direction = torch.linalg.eigh(numbers.T @ numbers).eigenvectors[:, -1]
    rest: Tensor = numbers - (numbers @ direction)[:, None] * direction
    return rest.to(rows.dtype)
