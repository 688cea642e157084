"""Points with names: embeddings in two dimensions."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.pages.view import View, float_block, floats, json_block, labels


def scatter_view(
    points: ArrayLike,
    names: Sequence[str],
    *,
    axes: tuple[str, str] = ("component 1", "component 2"),
    values: ArrayLike | None = None,
    quantity: str = "value",
    unit: str = "",
    title: str = "Embeddings",
) -> View:
    """Points to zoom into, to hover over, and to search by name, coloured by `values` if there are any.

    Shapes: points (N, 2), values (N,)

    Raises: ConfigError when the numbers do not fit together.
    """
    places = floats(points, "the points", ndim=2)
    if places.shape[1] != 2 or (places != places).any():
        raise ConfigError(f"the points have the shape {places.shape} or NaN in them; each needs two coordinates")
    facts = {"axes": list(axes), "quantity": quantity, "unit": unit, "hasValues": values is not None}
    blocks = [json_block("names", labels(names, "points", len(places))), float_block("points", places)]
    if values is not None:
        amounts = floats(values, "the values of the points", ndim=1)
        if len(amounts) != len(places):
            raise ConfigError(f"there are {len(amounts):,} values for {len(places):,} points; give one for each")
        blocks.append(float_block("values", amounts))
    return View(kind="scatter", title=title, facts=facts, blocks=blocks)
