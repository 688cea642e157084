"""Attention rollout: how much of each token may have reached each position, followed through all layers.

Source: Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3.
"""

import torch
from torch import Tensor

from cutaway.errors import InspectionError
from cutaway.inspect.observers import watch
from cutaway.inspect.passage import AnyModel, Prompt, read
from cutaway.inspect.points import find_names, layer_of
from cutaway.labelled import Axis, Labelled


def rollout(model: AnyModel, prompt: Prompt, *, residual: float = 0.5) -> Labelled:
    """The patterns, averaged over heads and mixed with the stream that passes them by, multiplied layer after layer.

    Axes are layer, query and key: at the last layer, what reached the end. `residual` is the stream's share.

    Raises: InspectionError for a share outside 0 to 1, or a text longer than the context.
    """
    if not 0 <= residual <= 1:
        raise InspectionError(f"residual={residual} must be a share from 0 to 1; the paper's is 0.5")
    passage = read(model, prompt)
    config, T = passage.model.config, len(passage.ids)
    flows = torch.empty(config.n_layer, T, T)
    stay = residual * torch.eye(T)

    def follow(name: str, pattern: Tensor) -> None:
        layer = layer_of(name)
        assert layer is not None, "only patterns are watched"
        mixed = stay + (1 - residual) * pattern[0].mean(0).float().cpu()
        flows[layer] = mixed @ flows[layer - 1] if layer else mixed

    watch(passage.model, passage.idx, find_names("pattern", config.n_layer), follow)
    axes = (Axis("layer", config.n_layer), Axis("query", passage.pieces), Axis("key", passage.pieces))
    return Labelled(title="Attention rollout", values=flows.numpy(), axes=axes)
