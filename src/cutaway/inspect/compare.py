"""Two texts in one model, two models on one text, or one model over its training: side by side."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cutaway.errors import InspectionError
from cutaway.inspect.lens import ROWS, kl_divergence, read_out, stream_names
from cutaway.inspect.passage import AnyModel, Passage, Prompt, piece_of, read
from cutaway.inspect.points import at_layer
from cutaway.inspect.surprise import surprise
from cutaway.inspect.trace import Trace, trace
from cutaway.labelled import Axis, Label, Labelled
from cutaway.model import GPT

RUNS = ("one", "other")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How far apart two runs are, layer by layer."""

    hidden: Labelled
    """Distance of the stream where it enters each layer, and at the end, relative to its length in the first run."""
    patterns: Labelled
    """Layer, head and query: the share of its attention that the head moved elsewhere, from 0 to 1."""
    kl: Labelled
    """KL(one ‖ other) of what the logit lens reads from each layer; the last row is that of the models themselves."""
    next_tokens: Labelled
    """The probabilities, in both runs, of the tokens that either finds likeliest after the text."""
    surprise: Labelled
    """The surprise of each token in both runs."""


def compare_prompts(model: AnyModel, one: Prompt, other: Prompt, *, top: int = 10) -> Comparison:
    """Two texts of equally many tokens in one model, to see where a changed word makes a difference.

    Raises: InspectionError for texts of different lengths, or longer than the context.
    """
    return _compare(read(model, one), read(model, other), top)


def compare_models(one: AnyModel, other: AnyModel, prompt: Prompt, *, top: int = 10) -> Comparison:
    """One text in two models of one shape, such as before and after fine-tuning.

    Raises: InspectionError when shapes or tokenizers differ, or the text is longer than the context.
    """
    first, second = read(one, prompt), read(other, prompt)
    if first.ids != second.ids:
        raise InspectionError("the models cut the text into different tokens; compare models with the same tokenizer")
    return _compare(first, second, top)


def along(
    models: Iterable[tuple[Label, AnyModel]], measure: Callable[[AnyModel], Labelled], *, axis: str = "step"
) -> Labelled:
    """A measurement of several models, stacked: `along(checkpoints, lambda gpt: detect_heads(gpt).scores)`.

    Models are taken one at a time, so that checkpoints may be loaded as they are needed.

    Raises: InspectionError for no model, or measurements of different shapes.
    """
    labels: list[Label] = []
    found: list[Labelled] = []
    for label, model in models:
        labels.append(label)
        found.append(measure(model))
        if found[-1].axes != found[0].axes:
            raise InspectionError(f"{found[-1]!r} of {label!r} does not fit {found[0]!r} of {labels[0]!r}")
    if not found:
        raise InspectionError("there is no model to measure; give pairs of a label and a model")
    first = found[0]
    values = np.stack([result.values for result in found])
    axes = (Axis(axis, labels), *first.axes)
    return Labelled(title=first.title, values=values, axes=axes, unit=first.unit, diverging=first.diverging)


@torch.no_grad()
def _compare(one: Passage, other: Passage, top: int) -> Comparison:
    _check_alike(one, other)
    config = one.model.config
    ends = stream_names(config.n_layer)
    first, second = (trace(run.model, run.ids, [*ends, "q", "k"]) for run in (one, other))
    shared = {"layer": Axis("layer", ends), "token": Axis("token", list(map(_both, one.pieces, other.pieces)))}
    heads = (Axis("layer", config.n_layer), Axis("head", config.n_head), Axis("query", shared["token"].labels))
    moved = [_moved(first, second, at_layer("pattern", layer)) for layer in range(config.n_layer)]
    kl = [_kl(one.model, other.model, first[name], second[name]) for name in ends]

    def shown(title: str, values: Sequence[Tensor], axes: tuple[Axis, ...], unit: str = "") -> Labelled:
        return Labelled(title=title, values=torch.stack(list(values)).float().numpy(force=True), axes=axes, unit=unit)

    grid = (shared["layer"], shared["token"])
    bits = np.stack([surprise(run.model, run.ids).bits.values for run in (one, other)])
    return Comparison(
        hidden=shown("Distance of the stream", [_distance(first[name], second[name]) for name in ends], grid),
        patterns=shown("Attention moved", moved, heads),
        kl=shown("KL by layer", kl, grid, "nats"),
        next_tokens=_next_tokens((one, other), [first[ends[-1]][-1], second[ends[-1]][-1]], top),
        surprise=Labelled(title="Surprise", values=bits, axes=(Axis("run", RUNS), shared["token"]), unit="bits"),
    )


def _check_alike(one: Passage, other: Passage) -> None:
    if len(one.ids) != len(other.ids):
        raise InspectionError(
            f"the texts have {len(one.ids)} and {len(other.ids)} tokens; a comparison needs as many in both"
        )
    if one.model.config != other.model.config:
        raise InspectionError("the models differ in shape; compare models of one shape")


def _both(one: str, other: str) -> str:
    return one if one == other else f"{one} | {other}"


def _distance(x: Tensor, y: Tensor) -> Tensor:
    """Shapes: (T, C), (T, C) -> (T,)."""
    apart: Tensor = torch.linalg.vector_norm(x - y, dim=-1) / torch.linalg.vector_norm(x, dim=-1)
    return apart


def _moved(one: Trace, other: Trace, name: str) -> Tensor:
    """Half the absolute differences: what was taken from some keys and given to others.

    Shapes: -> (H, T)
    """
    return (one[name] - other[name]).abs().sum(-1) / 2


def _kl(one: GPT, other: GPT, x: Tensor, y: Tensor) -> Tensor:
    """Shapes: (T, C), (T, C) -> (T,)."""
    pairs = zip(torch.split(x, ROWS), torch.split(y, ROWS), strict=True)
    return torch.cat(
        [kl_divergence(read_out(one, a).log_softmax(-1), read_out(other, b).log_softmax(-1)) for a, b in pairs]
    )


def _next_tokens(runs: tuple[Passage, Passage], states: Sequence[Tensor], top: int) -> Labelled:
    probs = torch.stack([read_out(run.model, state).softmax(-1) for run, state in zip(runs, states, strict=True)])
    # The likeliest of either, those that are likeliest in one of them first.
    best = probs.max(0).values.topk(min(top, probs.shape[1])).indices
    pieces = [piece_of(runs[0].tokenizer, token) for token in best.tolist()]
    axes = (Axis("run", RUNS), Axis("token", pieces))
    return Labelled(title="Next token", values=probs[:, best].numpy(force=True), axes=axes, unit="probability")
