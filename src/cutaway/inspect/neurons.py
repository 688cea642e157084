"""Neurons of the MLPs: where in a text they are active, and which tokens they promote when they are."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from cutaway.errors import InspectionError
from cutaway.inspect.observers import watch
from cutaway.inspect.passage import AnyModel, Passage, Prompt, parts, piece_of, read
from cutaway.inspect.points import at_layer
from cutaway.labelled import Axis, Labelled
from cutaway.model import GPT

CONTEXT = 5
"""Tokens shown before an active one."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a neuron, when active, adds to the logits directly, the final LayerNorm's scale left out."""

    promoted: Labelled
    """The tokens whose logits rise most, the first most."""
    suppressed: Labelled
    """The tokens whose logits fall most."""


@dataclass(frozen=True, kw_only=True)
class Activation:
    """A place in a text where a neuron is active."""

    text: int
    """Index of the text."""
    position: int
    token: str
    before: tuple[str, ...]
    """The tokens before it."""
    value: float


def neuron_effect(model: AnyModel, layer: int, neuron: int, *, top: int = 10) -> Effect:
    """The tokens that a neuron promotes and suppresses through the unembedding.

    Raises: InspectionError for a layer or a neuron that the model does not have.
    """
    network, tokenizer, _ = parts(model)
    _check(network, layer, neuron)
    with torch.no_grad():
        # ln_f takes the mean of the stream away, and so that part of what is written to it.
        written = network.ln_f.weight * _centred(network.get_parameter(f"h.{layer}.mlp.c_proj.weight")[:, neuron])
        logits = network.lm_head(written).float()

    def ends(what: str, largest: bool) -> Labelled:
        values, tokens = logits.topk(min(top, len(logits)), largest=largest)
        pieces = [piece_of(tokenizer, token) for token in tokens.tolist()]
        title = f"Logits {what} by neuron {neuron} of layer {layer}"
        return Labelled(title=title, values=values.numpy(force=True), axes=(Axis("token", pieces),), diverging=True)

    return Effect(promoted=ends("raised", True), suppressed=ends("lowered", False))


def neuron_activations(model: AnyModel, prompt: Prompt, layer: int) -> Labelled:
    """The activations of a layer's neurons at every token, after the GELU.

    Raises: InspectionError for a layer that the model does not have, or a text longer than the context.
    """
    passage = read(model, prompt)
    _check(passage.model, layer, 0)
    axes = (Axis("token", passage.pieces), Axis("neuron", passage.model.config.mlp_size))
    values = _activations(passage, layer).float().numpy(force=True)
    return Labelled(title=f"Neurons of layer {layer}", values=values, axes=axes, diverging=True)


def top_activations(
    model: AnyModel, prompts: Iterable[Prompt], layer: int, neuron: int, *, top: int = 10
) -> list[Activation]:
    """The places in some texts where a neuron is most active, the most active first.

    Texts are read one by one, each no longer than the context, and only the best places are kept.

    Raises: InspectionError for a layer or a neuron that the model does not have, or a text longer than the context.
    """
    _check(parts(model)[0], layer, neuron)
    best: list[tuple[float, int, int, Activation]] = []
    for number, prompt in enumerate(prompts):
        passage = read(model, prompt)
        values = _activations(passage, layer)[:, neuron].tolist()
        # Of equals the earlier one is better: the numbers after the value decide.
        found = [
            (value, -number, -at, _activation(passage, number, at, value))
            for at, value in heapq.nlargest(top, enumerate(values), key=lambda pair: (pair[1], -pair[0]))
        ]
        best = heapq.nlargest(top, [*best, *found], key=lambda entry: entry[:3])
    return [activation for *_, activation in best]


def _activations(passage: Passage, layer: int) -> Tensor:
    """Shapes: -> (T, M)."""
    kept: list[Tensor] = []
    watch(passage.model, passage.idx, [at_layer("mlp_post", layer)], lambda _, x: kept.append(x[0]))
    return kept[0]


def _activation(passage: Passage, text: int, at: int, value: float) -> Activation:
    before = passage.pieces[max(0, at - CONTEXT) : at]
    return Activation(text=text, position=at, token=passage.pieces[at], before=before, value=value)


def _centred(vector: Tensor) -> Tensor:
    return vector - vector.mean()


def _check(model: GPT, layer: int, neuron: int) -> None:
    config = model.config
    if not 0 <= layer < config.n_layer:
        raise InspectionError(f"there is no layer {layer}; layers are 0 to {config.n_layer - 1}")
    if not 0 <= neuron < config.mlp_size:
        raise InspectionError(f"there is no neuron {neuron:,}; the neurons of a layer are 0 to {config.mlp_size - 1:,}")
