"""What can be asked about a text that a model reads, each answered by views such as `cutaway inspect` writes."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cutaway.errors import InspectionError
from cutaway.inspect import attribute, logit_lens, position_embedding, token_embedding
from cutaway.labelled import Labelled
from cutaway.language_model import LanguageModel
from cutaway.pages import View, attention_view, bars_view, heatmap_view, lens_view, scatter_view, text_view
from cutaway.server.inside.patterns import pattern_of, read_through, score_through

ALTERNATIVES = 10
SHOWN_TOKENS = 2000
"""Rows of the token table in a picture of it: the most frequent come first in a trained vocabulary."""

Ids = Sequence[int]
Question = Callable[[LanguageModel, Ids, Mapping[str, Any]], list[View]]


def attention(gpt: LanguageModel, ids: Ids, options: Mapping[str, Any]) -> list[View]:
    """Where every head looks, or those of `heads`; with `overview`, all of them small."""
    seen, (n_layer, n_head) = read_through(gpt, ids), (gpt.config.n_layer, gpt.config.n_head)
    heads = options.get("heads") or [(layer, head) for layer in range(n_layer) for head in range(n_head)]
    for layer, head in heads:
        if layer >= n_layer or head >= n_head:
            raise InspectionError(
                f"there is no head {head} in layer {layer}; layers are 0 to {n_layer - 1}, heads 0 to {n_head - 1}"
            )
    patterns = ((layer, head, pattern_of(seen, layer, head).float().numpy(force=True)) for layer, head in heads)
    return [attention_view(seen.pieces, patterns, title="Attention", overview=options.get("overview", False))]


def lens(gpt: LanguageModel, ids: Ids, options: Mapping[str, Any]) -> list[View]:
    """What the model would say if it stopped after each layer."""
    found = logit_lens(gpt, ids, top=min(ALTERNATIVES, gpt.config.vocab_size))
    count, tokens = found.probability.values.shape[0], [str(label) for label in found.probability.axes[1].labels]
    layers = [*(f"before layer {layer}" for layer in range(count - 1)), "end"]
    entropy = found.entropy.values / math.log(2)
    return [lens_view(tokens, layers, found.alternatives, entropy_bits=entropy, title="Logit lens")]


def text(gpt: LanguageModel, ids: Ids, options: Mapping[str, Any]) -> list[View]:
    """How surprising each token was, and what was expected in its place."""
    scores = score_through(gpt, ids, min(ALTERNATIVES, gpt.config.vocab_size))
    after = [[(expected.piece, expected.probability) for expected in score.predictions] for score in scores]
    bits = [math.nan if score.surprise_bits is None else score.surprise_bits for score in scores]
    pieces, ranks = [score.piece for score in scores], [score.rank for score in scores]
    return [text_view(pieces, bits, ranks=ranks, expected=[[], *after[:-1]], title="Surprise")]


def attribution(gpt: LanguageModel, ids: Ids, options: Mapping[str, Any]) -> list[View]:
    """What each part of the network added to the logit of the next token, or of `target`."""
    found = attribute(gpt, ids, options.get("target"), position=int(options.get("position", -1)))
    where = f"of {found.token} after {gpt.tokenizer.piece(ids[found.position])}"
    names = [str(label) for label in found.parts.axes[0].labels]
    sources = [f"{place}: {piece}" for place, piece in enumerate(found.tokens.axes[0].labels)]
    return [
        bars_view(names, found.parts.values, title=f"Parts of the logit {where}"),
        heatmap_of(found.heads, "Heads"),
        bars_view(sources, found.tokens.values, title="By the token it was gathered from"),
    ]


def tokens(gpt: LanguageModel, ids: Ids, options: Mapping[str, Any]) -> list[View]:
    """The token embeddings: the plane in which they differ most, and the neighbours of the last token."""
    table = token_embedding(gpt)
    near = table.nearest(ids[-1], min(30, len(table.labels) - 1))
    names = [str(label) for label in near.axes[0].labels]
    shown = table.rows(list(range(min(SHOWN_TOKENS, len(table.labels)))))
    plane = shown.components(2).projection.values
    piece = gpt.tokenizer.piece(ids[-1])
    return [
        bars_view(names, near.values, quantity="cosine", unit="", title=f"Nearest to {piece}"),
        scatter_view(plane, [str(label) for label in shown.labels], title="Tokens in a plane"),
    ]


def positions(gpt: LanguageModel, ids: Ids, options: Mapping[str, Any]) -> list[View]:
    """The position embeddings, and how alike each two are."""
    table = position_embedding(gpt)
    return [heatmap_of(table.similarity(), "Likeness of positions"), heatmap_of(table.values, "Position embeddings")]


def heatmap_of(shown: Labelled, title: str) -> View:
    """Two axes of numbers as colours."""
    down, across = shown.axes
    return heatmap_view(
        shown.values,
        rows=down.labels,
        columns=across.labels,
        row_axis=down.name,
        column_axis=across.name,
        unit=shown.unit,
        diverging=shown.diverging,
        title=title,
    )


QUESTIONS: dict[str, Question] = {
    "attention": attention,
    "lens": lens,
    "text": text,
    "attribution": attribution,
    "tokens": tokens,
    "positions": positions,
}
