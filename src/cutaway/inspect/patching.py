"""Grids of experiments: the effect of an edit at every layer and position, or every layer and head.

Source: Meng et al. 2022, "Locating and Editing Factual Associations in GPT"; Wang et al. 2022, "Interpretability in
the Wild" (path by heads).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cutaway.config import check_integer
from cutaway.errors import InspectionError, did_you_mean
from cutaway.inspect.edits import Edit, ablate_heads, patch
from cutaway.inspect.passage import AnyModel, Passage, Prompt, piece_of, read
from cutaway.inspect.points import LAYER, at_layer, axes_of, find_names
from cutaway.inspect.trace import Trace, trace
from cutaway.labelled import Axis, Labelled
from cutaway.model import GPT

Metric = Callable[[Tensor], Tensor]
"""From the logits after the last token, (B, V), to a number a row, (B,)."""

Progress = Callable[[int, int], None]
"""Told after each batch how many of how many experiments are done."""

Over = Literal["position", "head"]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What a metric was for every edit, and without any."""

    metric: Labelled
    """By layer and position, or layer and head."""
    clean: float
    """The metric of the text that the activations come from; without such a text, of the text itself."""
    corrupted: float
    """The metric of the text that was edited, before it was."""

    @property
    def recovered(self) -> Labelled:
        """The metric on a scale from 0, as corrupted, to 1, as clean.

        Raises: InspectionError when the two do not differ.
        """
        if self.clean == self.corrupted:
            raise InspectionError(f"both texts have the metric {self.clean:.4g}, so there is nothing to recover")
        values = (self.metric.values - self.corrupted) / (self.clean - self.corrupted)
        return Labelled(title="Recovered by patching", values=values, axes=self.metric.axes, diverging=True)

    @property
    def change(self) -> Labelled:
        """By how much each edit moved the metric."""
        values = self.metric.values - self.corrupted
        return Labelled(title=f"Change of {self.metric.title}", values=values, axes=self.metric.axes, diverging=True)


def patching_grid(
    model: AnyModel,
    clean: Prompt,
    corrupted: Prompt,
    *,
    answer: str | int,
    wrong: str | int | None = None,
    point: str = "resid_pre",
    over: Over = "position",
    batch: int = 16,
    progress: Progress | None = None,
) -> Grid:
    """Run the corrupted text again and again, each time with one activation of the clean one in its place.

    The metric is the logit of the answer less that of the wrong one after the last token; without a wrong one, the
    log-probability of the answer. `over="head"` takes a head at all positions, `over="position"` all heads at one.

    Raises: InspectionError for texts of different lengths, an unknown token, or a point that has no heads.
    """
    source, target = read(model, clean), read(model, corrupted)
    if len(source.ids) != len(target.ids):
        raise InspectionError(
            f"the texts have {len(source.ids)} and {len(target.ids)} tokens; patching needs as many in both"
        )
    metric = _metric(target, answer, wrong)
    seen = trace(model, source.ids, _point(point, over))
    # Patterns are computed at each look; here they are needed many times.
    seen = replace(seen, activations={name: seen[name] for name in find_names(point, seen.n_layer)})
    places = range(target.model.config.n_head if over == "head" else len(target.ids))
    edits = [
        [_patch_of(seen, at_layer(point, layer), over, place) for place in places]
        for layer in range(target.model.config.n_layer)
    ]
    values = _grid(target, edits, metric, batch, progress)
    axes = (Axis("layer", len(edits)), Axis("head", len(places)) if over == "head" else Axis("position", target.pieces))
    return Grid(
        metric=Labelled(title=_title(target, answer, wrong), values=values, axes=axes, diverging=True),
        clean=_plain(source, metric),
        corrupted=_plain(target, metric),
    )


def ablation_grid(
    model: AnyModel,
    prompt: Prompt,
    *,
    answer: str | int,
    wrong: str | int | None = None,
    batch: int = 16,
    progress: Progress | None = None,
) -> Grid:
    """Run a text again and again, each time with one head of one layer silenced.

    Raises: InspectionError for an unknown token, or a text longer than the context.
    """
    passage = read(model, prompt)
    config, metric = passage.model.config, _metric(passage, answer, wrong)
    edits = [[ablate_heads(layer, head) for head in range(config.n_head)] for layer in range(config.n_layer)]
    values = _grid(passage, edits, metric, batch, progress)
    axes = (Axis("layer", config.n_layer), Axis("head", config.n_head))
    plain = _plain(passage, metric)
    shown = Labelled(title=_title(passage, answer, wrong), values=values, axes=axes, diverging=True)
    return Grid(metric=shown, clean=plain, corrupted=plain)


@torch.no_grad()
def effect_of_each(
    model: GPT,
    ids: Sequence[int],
    edits: Sequence[Edit],
    metric: Metric,
    *,
    batch: int = 16,
    progress: Progress | None = None,
) -> list[float]:
    """The metric with each edit alone, `batch` of them in one forward, a row each.

    Raises: InspectionError for an edit at a place that the model does not have.
    """
    check_integer("batch", batch, 1, 1 << 16)
    for edit in edits:
        edit.check(model.config)
    results: list[float] = []
    for at in range(0, len(edits), batch):
        some = edits[at : at + batch]
        idx = torch.tensor([list(ids)] * len(some), device=model.device)
        states = model.hidden(idx, observer=_RowEditor(some, torch.arange(len(ids), device=model.device)[None]))
        results += metric(model.lm_head(states[:, -1])).tolist()
        if progress is not None:
            progress(len(results), len(edits))
    return results


class _RowEditor:
    """Makes the first edit in the first row of a batch, the second in the second."""

    def __init__(self, edits: Sequence[Edit], positions: Tensor) -> None:
        self.edits, self.positions = edits, positions
        self.names = {edit.name for edit in edits}

    def wants(self, name: str) -> bool:
        return name in self.names

    def __call__(self, name: str, x: Tensor) -> Tensor:
        if name not in self.names:
            return x
        # pos_embed is one row for all until somebody changes it for one.
        x = x.expand(len(self.edits), *x.shape[1:]).clone()
        for row, edit in enumerate(self.edits):
            if edit.name == name:
                x[row] = edit.apply(x[row : row + 1], self.positions)[0]
        return x


def _grid(
    passage: Passage, edits: Sequence[Sequence[Edit]], metric: Metric, batch: int, progress: Progress | None
) -> NDArray[np.float64]:
    flat = [edit for line in edits for edit in line]
    results = effect_of_each(passage.model, passage.ids, flat, metric, batch=batch, progress=progress)
    return np.array(results).reshape(len(edits), -1)


def _patch_of(seen: Trace, name: str, over: Over, place: int) -> Edit:
    return patch(seen, name, heads=place) if over == "head" else patch(seen, name, positions=place)


def _point(point: str, over: Over) -> str:
    if point not in LAYER:
        raise InspectionError(f"there is no point {point!r} in a layer; {did_you_mean(point, LAYER)}")
    if over == "head" and axes_of(point)[0] != "head":
        raise InspectionError(f"{point!r} has no heads; patch q, k, v, pattern or z, or over='position'")
    return point


def _metric(passage: Passage, answer: str | int, wrong: str | int | None) -> Metric:
    right = passage.token(answer)
    if wrong is None:
        return lambda logits: logits.log_softmax(-1)[:, right]
    foil = passage.token(wrong)
    return lambda logits: logits[:, right] - logits[:, foil]


@torch.no_grad()
def _plain(passage: Passage, metric: Metric) -> float:
    return float(metric(passage.model.lm_head(passage.model.hidden(passage.idx)[:, -1])))


def _title(passage: Passage, answer: str | int, wrong: str | int | None) -> str:
    right = piece_of(passage.tokenizer, passage.token(answer))
    if wrong is None:
        return f"Log-probability of {right!r}"
    return f"Logit of {right!r} over {piece_of(passage.tokenizer, passage.token(wrong))!r}"
