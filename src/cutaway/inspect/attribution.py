"""Direct logit attribution: which part of the network said how much of a logit.

The stream is a sum: embedding, position, each head's output, each MLP's, the biases. With the final LayerNorm's scale
held at what it was, the logit is a sum over the same parts, exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cutaway.inspect.passage import AnyModel, Prompt, piece_of, read
from cutaway.inspect.points import at_layer
from cutaway.inspect.trace import Trace, trace
from cutaway.labelled import Axis, Labelled
from cutaway.model import GPT, attention_pattern

NEEDED = ("embed", "pos_embed", "q", "k", "v", "z", "mlp_post", "resid_post", "ln_f")


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What each part adds to one logit, or to the difference of two, at one position."""

    token: str
    against: str | None
    """The token whose logit is subtracted, if one is."""
    position: int
    logit: float
    """The logit, or the difference, that the network gave."""
    parts: Labelled
    """Every part: embeddings, each layer's heads together, its MLP, and the biases."""
    heads: Labelled
    """Each head, by layer."""
    neurons: Labelled
    """Each neuron, by layer."""
    sources: Labelled
    """Each head, by layer and by the token that it gathered this from."""

    @property
    def gap(self) -> float:
        """The logit less the sum of all parts: rounding, unless the network was edited beyond its parts."""
        return self.logit - float(self.parts.values.sum())

    @property
    def tokens(self) -> Labelled:
        """How much all heads together gathered from each token."""
        source = self.sources
        values = source.values.sum(axis=(0, 1))
        return Labelled(title=source.title, values=values, axes=source.axes[2:], unit=source.unit, diverging=True)


def attribute(
    model: AnyModel,
    prompt: Prompt,
    token: str | int | None = None,
    *,
    against: str | int | None = None,
    position: int = -1,
) -> Attribution:
    """Take the logit of a token (of the most likely one if none is given) apart, after the token at a position.

    Raises: InspectionError for an unknown token or position, or a text longer than the context.
    """
    passage = read(model, prompt)
    at = passage.position(position)
    other = None if against is None else passage.token(against)
    seen = trace(model, passage.ids, NEEDED)
    with torch.no_grad():
        logits = _exact(passage.model.lm_head(seen["ln_f"][at]))
        target = int(logits.argmax()) if token is None else passage.token(token)
        unembedding = _unembedding(passage.model, target, other)
        logit = float(logits[target] - (0 if other is None else logits[other]))
        parts, heads, neurons, sources = _take_apart(passage.model, seen, at, unembedding)

    name, foil = (None if one is None else piece_of(passage.tokenizer, one) for one in (target, other))
    title = f"Logit of {name!r}" + (f" over {foil!r}" if foil is not None else "")

    def shown(what: str, values: Sequence[Tensor], *axes: Axis) -> Labelled:
        numbers = torch.stack(list(values)).numpy(force=True)
        return Labelled(title=title + what, values=numbers, axes=axes, unit="logit", diverging=True)

    layer, head = Axis("layer", len(heads)), Axis("head", passage.model.config.n_head)
    return Attribution(
        token=str(name),
        against=foil,
        position=at,
        logit=logit,
        parts=shown("", list(parts.values()), Axis("part", list(parts))),
        heads=shown(", by head", heads, layer, head),
        neurons=shown(", by neuron", neurons, layer, Axis("neuron", passage.model.config.mlp_size)),
        sources=shown(", by source", sources, layer, head, Axis("token", passage.pieces[: at + 1])),
    )


def logit_direction(model: GPT, state: Tensor, unembedding: Tensor) -> Tensor:
    """What a vector in the stream is multiplied with to give its part of a logit, the LayerNorm's scale held.

    ln_f takes the mean away, divides by the spread and multiplies by its weight; all of that is linear once the spread
    is known, and can be done to the unembedding instead.

    Shapes: state (C,), unembedding (C,) -> (C,), float64
    """
    spread = torch.sqrt(_exact(state).var(correction=0) + model.ln_f.eps)
    weighted = _exact(model.ln_f.weight) * unembedding / spread
    return weighted - weighted.mean()


def _unembedding(model: GPT, token: int, against: int | None) -> Tensor:
    """Shapes: -> (C,), float64."""
    vector = _exact(model.lm_head.weight[token])
    return vector if against is None else vector - _exact(model.lm_head.weight[against])


def _take_apart(
    model: GPT, seen: Trace, at: int, unembedding: Tensor
) -> tuple[dict[str, Tensor], list[Tensor], list[Tensor], list[Tensor]]:
    """The parts by name, and for each layer its heads (H,), neurons (M,) and heads by source (H, S)."""
    last = at_layer("resid_post", model.config.n_layer - 1)
    direction = logit_direction(model, seen[last][at], unembedding)
    parts = {name: _exact(seen[name][at]) @ direction for name in ("embed", "pos_embed")}
    heads, neurons, sources = [], [], []
    for layer in range(model.config.n_layer):
        attention, mlp = (f"h.{layer}.{part}.c_proj" for part in ("attn", "mlp"))
        # The direction seen through a projection: (C_out, C_in)ᵀ (C_out,) -> (C_in,), for attention (H, D)
        into_heads = (_weight(model, f"{attention}.weight").T @ direction).view(model.config.n_head, -1)
        into_neurons = _weight(model, f"{mlp}.weight").T @ direction
        heads.append((_exact(seen[at_layer("z", layer)][:, at]) * into_heads).sum(-1))
        neurons.append(_exact(seen[at_layer("mlp_post", layer)][at]) * into_neurons)
        # (H, S, D) · (H, D) -> (H, S), by how much each source is looked at
        values = torch.einsum("hsd,hd->hs", _exact(seen[at_layer("v", layer)][:, : at + 1]), into_heads)
        sources.append(_exact(_looks(seen, layer, at)) * values)
        parts |= {
            f"h.{layer}.heads": heads[-1].sum(),
            f"h.{layer}.attn.bias": _weight(model, f"{attention}.bias") @ direction,
            f"h.{layer}.mlp": neurons[-1].sum(),
            f"h.{layer}.mlp.bias": _weight(model, f"{mlp}.bias") @ direction,
        }
    return parts | {"ln_f.bias": _exact(model.ln_f.bias) @ unembedding}, heads, neurons, sources


def _weight(model: GPT, name: str) -> Tensor:
    return _exact(model.get_parameter(name))


def _exact(x: Tensor) -> Tensor:
    """In float64, and so on the CPU, for not every device has it."""
    return x.cpu().double()


def _looks(seen: Trace, layer: int, at: int) -> Tensor:
    """How much the heads of a layer look from a position at it and those before.

    Shapes: -> (H, S)
    """
    formed = seen.activations.get(at_layer("pattern", layer))
    if formed is not None:
        return formed[:, at, : at + 1]
    q, k = seen[at_layer("q", layer)], seen[at_layer("k", layer)]
    return attention_pattern(q[:, at : at + 1], k[:, : at + 1])[:, 0]
