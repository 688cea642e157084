"""Signed amounts as bars: which head, MLP or token pushed a logit up or down, and by how much."""

from collections.abc import Sequence
from typing import Literal

from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.pages.view import View, float_block, floats, labels


def bars_view(
    names: Sequence[str],
    values: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    quantity: str = "contribution",
    unit: str = "logits",
    title: str = "Attribution",
    order: Literal["size", "value", "place", "name"] = "size",
) -> View:
    """Bars to both sides of zero, sortable by amount, size, name or place, with their sum.

    `groups` (such as head, MLP, embedding) can be shown and hidden, each with its own sum. The page begins
    with this `order`: the largest in size first, the largest amount first, as given, or by name.

    Shapes: values (N,)

    Raises: ConfigError when the numbers do not fit together.
    """
    amounts = floats(values, "the values of the bars", ndim=1)
    if (amounts != amounts).any():
        raise ConfigError("a bar has no value (NaN); leave it out")
    facts = {
        "names": labels(names, "bars", len(amounts)),
        "groups": None if groups is None else labels(groups, "bars", len(amounts)),
        "quantity": quantity,
        "unit": unit,
        "order": order,
    }
    return View(kind="bars", title=title, facts=facts, blocks=[float_block("values", amounts)])
