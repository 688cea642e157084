"""Mean activations over some texts: what a head or a neuron does when nothing in particular is going on."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cutaway.errors import InspectionError
from cutaway.inspect.observers import watch
from cutaway.inspect.passage import AnyModel, Prompt, read
from cutaway.inspect.points import Names, find_names, point_of


def mean_activations(model: AnyModel, prompts: Sequence[Prompt], names: Names = ("z", "mlp_post")) -> dict[str, Tensor]:
    """The mean of each activation over all tokens of all prompts, to ablate to.

    Shapes: -> stream (C,), z (H, D), mlp_post (M,)

    Raises: InspectionError for no prompt, an unknown name, or a pattern, whose width is that of its text.
    """
    if not prompts or isinstance(prompts, str):
        raise InspectionError("a mean needs a list of at least one prompt")
    sums: dict[str, Tensor] = {}
    tokens = 0

    def add(name: str, x: Tensor) -> None:
        # Summed in float64, so that the order of the texts is no matter, on the CPU, for not every device has it.
        total = x[0].cpu().sum(dim=-2, dtype=torch.float64)
        sums[name] = sums[name] + total if name in sums else total

    for prompt in prompts:
        passage = read(model, prompt)
        wanted = find_names(names, passage.model.config.n_layer)
        if any(point_of(name) == "pattern" for name in wanted):
            raise InspectionError("patterns of different texts have no mean; choose another point, such as z")
        watch(passage.model, passage.idx, wanted, add)
        tokens += len(passage.ids)
    return {name: total / tokens for name, total in sums.items()}
