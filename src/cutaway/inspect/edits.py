"""Changes to the network while it runs: at one point, for some heads, channels and positions, something else.

An edit is a value. `edited(model, edits)` is the model with them, and runs wherever a model runs: it is traced, scored
and generates like any other, and the model it came from stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cutaway.config import GPTConfig
from cutaway.errors import InspectionError, did_you_mean
from cutaway.inspect.observers import ObservedGPT
from cutaway.inspect.points import all_names, at_layer, axes_of
from cutaway.inspect.trace import Trace
from cutaway.model import GPT

Change = Callable[[Tensor, Tensor], Tensor]
"""From an activation (B, …) and the positions (1 or B, T) of its tokens to what takes its place."""

Places = int | Sequence[int] | None
"""One, several, or all."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What takes the place of an activation, and where."""

    name: str
    """Of one point: `h.3.z`."""
    change: Change
    heads: tuple[int, ...] | None = None
    channels: tuple[int, ...] | None = None
    """Along the last axis: channels of the stream or a head, neurons of an MLP, keys of a pattern."""
    positions: tuple[int, ...] | None = None
    """In the context, counted from 0, whether read together or one by one."""

    def apply(self, x: Tensor, positions: Tensor) -> Tensor:
        """The activation with the change, outside the chosen places as it was.

        Shapes: x (B, [H,] T, C), positions (1 or B, T) -> as x
        """
        chosen = torch.ones(1, dtype=torch.bool, device=x.device)
        if self.positions is not None:
            here = torch.isin(positions, _numbers(self.positions, x))
            chosen = chosen & (here[:, None, :, None] if x.ndim == 4 else here[:, :, None])
        if self.heads is not None:
            chosen = chosen & _among(x.shape[1], self.heads, x)[:, None, None]
        if self.channels is not None:
            chosen = chosen & _among(x.shape[-1], self.channels, x)
        return torch.where(chosen, self.change(x, positions).to(x), x)

    def check(self, config: GPTConfig) -> None:
        """Refuse a place that a model of this shape does not have.

        Raises: InspectionError naming it and the limit.
        """
        known = all_names(config.n_layer)[:-1]
        if self.name == "logits":
            raise InspectionError("logits cannot be edited, for generation never forms them all; edit 'ln_f'")
        if self.name not in known:
            raise InspectionError(f"there is no point {self.name!r} to edit; {did_you_mean(self.name, known)}")
        axes = axes_of(self.name)
        if self.heads is not None and axes[0] != "head":
            raise InspectionError(f"{self.name!r} has no heads; edit the q, k, v, pattern or z of its layer")
        sizes = {"channel": config.head_size if axes[0] == "head" else config.n_embd, "neuron": config.mlp_size}
        _check("head", self.heads, config.n_head)
        _check(axes[-1], self.channels, sizes.get(axes[-1], config.block_size))
        _check("position", self.positions, config.block_size)


class Editor:
    """The observer that makes the edits of one forward."""

    def __init__(self, edits: Sequence[Edit], positions: Tensor) -> None:
        self.edits, self.positions = edits, positions

    def wants(self, name: str) -> bool:
        """Whether a pattern is edited."""
        return any(edit.name == name for edit in self.edits)

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """The activation after the edits of that name."""
        for edit in self.edits:
            if edit.name == name:
                x = edit.apply(x, self.positions)
        return x


def edited(model: GPT, edits: Sequence[Edit]) -> GPT:
    """The model with edits made in every forward, one after the other; the weights are shared, the model is unchanged.

    Raises: InspectionError for an edit at a place that the model does not have.
    """
    for edit in edits:
        edit.check(model.config)
    return ObservedGPT(model, lambda _, positions: Editor(edits, positions))


def ablate_heads(
    layer: int, heads: Places, *, to: Mapping[str, Tensor] | None = None, positions: Places = None
) -> Edit:
    """Silence attention heads: what they gathered becomes zero, or their mean in `to` (see `mean_activations`)."""
    name = at_layer("z", layer)
    return Edit(name=name, change=_constant(name, to), heads=_places(heads), positions=_places(positions))


def ablate_neurons(
    layer: int, neurons: Places, *, to: Mapping[str, Tensor] | None = None, positions: Places = None
) -> Edit:
    """Silence neurons of an MLP: their activation becomes zero, or their mean in `to` (see `mean_activations`)."""
    name = at_layer("mlp_post", layer)
    return Edit(name=name, change=_constant(name, to), channels=_places(neurons), positions=_places(positions))


def scale(name: str, factor: float, *, heads: Places = None, positions: Places = None) -> Edit:
    """Make an activation weaker or stronger: `scale("h.3.z", 2, heads=1)`, `scale("h.5.mlp_out", 0.5)`."""

    def scaled(x: Tensor, positions: Tensor) -> Tensor:
        return factor * x

    return Edit(name=name, change=scaled, heads=_places(heads), positions=_places(positions))


def steer(layer: int, vector: Tensor, strength: float = 1.0, *, positions: Places = None) -> Edit:
    """Add a vector to the stream where it enters a layer.

    Shapes: vector (C,)
    """

    def pushed(x: Tensor, positions: Tensor) -> Tensor:
        if vector.shape != x.shape[-1:]:
            raise InspectionError(f"a vector of shape {tuple(vector.shape)} cannot steer {x.shape[-1]} channels")
        return x + strength * vector.to(x)

    return Edit(name=at_layer("resid_pre", layer), change=pushed, positions=_places(positions))


def patch(source: Trace, name: str, *, heads: Places = None, channels: Places = None, positions: Places = None) -> Edit:
    """Put an activation of another text, or another model, in the place of this one's, position by position.

    Positions that the source does not have stay as they are.

    Raises: InspectionError when the source does not have that activation.
    """
    values = source[name]
    change = _transplant(values, source.start, keys=axes_of(name)[-1] == "key")
    return Edit(
        name=name, change=change, heads=_places(heads), channels=_places(channels), positions=_places(positions)
    )


def block_attention(layer: int, *, queries: Places = None, keys: Places = None, heads: Places = None) -> Edit:
    """Keep some positions from looking at others; what is left of their attention is scaled up to sum to one.

    Raises: InspectionError for a key below 0.
    """
    hidden = _places(keys)
    if hidden is not None and min(hidden, default=0) < 0:
        raise InspectionError(f"there is no key {min(hidden)}; positions count from 0, for the text may grow")

    def blocked(x: Tensor, positions: Tensor) -> Tensor:
        left = x if hidden is None else x.masked_fill(_among(x.shape[-1], hidden, x), 0)
        return F.normalize(left if hidden is not None else torch.zeros_like(x), p=1, dim=-1)

    return Edit(name=at_layer("pattern", layer), change=blocked, heads=_places(heads), positions=_places(queries))


def _constant(name: str, to: Mapping[str, Tensor] | None) -> Change:
    if to is None:
        return lambda x, positions: torch.zeros_like(x)
    if name not in to:
        raise InspectionError(f"there is no mean of {name!r} to ablate to; it has {', '.join(to) or 'none'}")
    # ([H,] C) -> ([H,] 1, C): the same at every position
    mean = to[name].unsqueeze(-2)
    return lambda x, positions: mean.to(x).expand_as(x)


def _transplant(values: Tensor, start: int, *, keys: bool) -> Change:
    """Shapes: values ([H,] T, C)."""

    def transplanted(x: Tensor, positions: Tensor) -> Tensor:
        # A pattern is as wide as there are keys; those that the source did not have get nothing.
        source = F.pad(values, (0, x.shape[-1] - values.shape[-1])) if keys else values
        # ([H,] T, C) into (B, [H,] T, C): all but the tokens must be as many.
        if [*source.shape[:-2], source.shape[-1]] != [*x.shape[1:-2], x.shape[-1]]:
            shapes = f"{tuple(values.shape)} cannot be patched into one of {tuple(x.shape[1:])}"
            raise InspectionError(f"an activation of shape {shapes}; the models differ in shape")
        rows = positions - start
        there = (rows >= 0) & (rows < source.shape[-2])
        # (T, [H,] C) picked by (B, T) -> (B, T, [H,] C) -> (B, [H,] T, C)
        picked = source.to(x).movedim(-2, 0)[rows.clamp(0, source.shape[-2] - 1)].movedim(1, -2)
        return torch.where(there[:, None, :, None] if x.ndim == 4 else there[:, :, None], picked, x)

    return transplanted


def _places(places: Places) -> tuple[int, ...] | None:
    return (places,) if isinstance(places, int) else None if places is None else tuple(places)


def _among(size: int, places: Sequence[int], x: Tensor) -> Tensor:
    """Which of `size` places are chosen; those beyond are no matter here."""
    return torch.isin(torch.arange(size, device=x.device), _numbers(places, x))


def _numbers(places: Sequence[int], x: Tensor) -> Tensor:
    return torch.tensor(places, dtype=torch.long, device=x.device)


def _check(what: str, places: Sequence[int] | None, size: int) -> None:
    for place in places or ():
        if not 0 <= place < size:
            raise InspectionError(f"there is no {what} {place} to edit; the model has {size:,}, the first is 0")
