"""The names of all that can be seen in the network, and what their axes count."""

import fnmatch
import re
from collections.abc import Sequence

from cutaway.errors import InspectionError, did_you_mean

BEFORE = ("embed", "pos_embed")
LAYER = (
    "resid_pre", "ln_1", "q", "k", "v", "pattern", "z", "attn_out", "resid_mid",
    "ln_2", "mlp_pre", "mlp_post", "mlp_out", "resid_post",
)  # fmt: skip
AFTER = ("ln_f", "logits")

AXES = {
    **dict.fromkeys(["q", "k", "v", "z"], ("head", "token", "channel")),
    "pattern": ("head", "query", "key"),
    **dict.fromkeys(["mlp_pre", "mlp_post"], ("token", "neuron")),
    "logits": ("token", "vocabulary"),
}
"""Of the points that are not (token, channel)."""

PEERS_NAME = re.compile(r"blocks\.(\d+|\*)\.(?:attn\.|mlp\.)?hook_(\w+)|hook_(embed|pos_embed)")
"""How TransformerLens names a point."""

Names = str | Sequence[str]
"""A name, a pattern, or several."""


def at_layer(point: str, layer: int | str) -> str:
    """The full name of a layer's point: `h.3.q`."""
    return f"h.{layer}.{point}"


def layer_of(name: str) -> int | None:
    """The layer that a name stands in, None for those outside."""
    return int(name.split(".")[1]) if name.startswith("h.") else None


def point_of(name: str) -> str:
    """A name without its layer."""
    return name.rpartition(".")[2]


def axes_of(name: str) -> tuple[str, ...]:
    """What the axes of an activation count, for one text."""
    return AXES.get(point_of(name), ("token", "channel"))


def all_names(n_layer: int) -> list[str]:
    """Every name in a network of that depth, in the order in which the network forms them."""
    return [*BEFORE, *(at_layer(point, layer) for layer in range(n_layer) for point in LAYER), *AFTER]


def find_names(asked: Names | None, n_layer: int) -> list[str]:
    """The names that were asked for, in the order of the network: None means all.

    A point such as `pattern` means that of every layer, `h.*.z` and `h.[0-3].mlp_*` match as file names do, and
    TransformerLens' names are understood.

    Raises: InspectionError, with the nearest name, for one that means nothing.
    """
    known = all_names(n_layer)
    if asked is None:
        return known
    chosen: set[str] = set()
    for name in [asked] if isinstance(asked, str) else asked:
        chosen.update(_matches(name, known, n_layer))
    return [name for name in known if name in chosen]


def _matches(asked: str, known: Sequence[str], n_layer: int) -> list[str]:
    name = _translated(asked)
    pattern = at_layer(name, "*") if name in LAYER else name
    if found := fnmatch.filter(known, pattern):
        return found
    layer = re.match(r"h\.(\d+)\.", name)
    if layer and int(layer[1]) >= n_layer:
        raise InspectionError(f"there is no layer {layer[1]} in {asked!r}; layers are 0 to {n_layer - 1}")
    raise InspectionError(f"there is no activation {asked!r}; {did_you_mean(name, [*known, *LAYER])}")


def _translated(name: str) -> str:
    peers = PEERS_NAME.fullmatch(name)
    if not peers:
        return name
    layer, point, outside = peers.groups()
    return outside or at_layer({"pre": "mlp_pre", "post": "mlp_post"}.get(point, point), layer)
