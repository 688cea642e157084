"""A text whose tokens are coloured by how much they surprised the model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.pages.lens import Alternatives, alternatives
from cutaway.pages.view import View, floats, json_block, labels, number


def text_view(
    tokens: Sequence[str],
    surprise_bits: ArrayLike,
    *,
    ranks: Sequence[int | None] | None = None,
    expected: Sequence[Alternatives] | None = None,
    title: str = "Surprise",
) -> View:
    """The text, coloured by bits; the pointer shows rank, probability and what was expected in a token's place.

    The first token follows nothing: its bits are NaN. `expected[t]` holds what was likely where token t came.

    Shapes: surprise_bits (T,)

    Raises: ConfigError when the numbers do not fit together.
    """
    bits = floats(surprise_bits, "surprise_bits", ndim=1)
    T = len(bits)
    if np.nanmin(bits, initial=0) < 0:
        raise ConfigError(f"a token has {np.nanmin(bits):g} bits of surprise; no probability is above 1")
    for name, given in (("ranks", ranks), ("expected", expected)):
        if given is not None and len(given) != T:
            raise ConfigError(f"{name} has {len(given):,} entries for {T:,} tokens; give one for each")
    facts = {"tokens": labels(tokens, "surprises", T)}
    data = {
        "bits": [number(value) for value in bits.tolist()],
        "ranks": None if ranks is None else [None if rank is None else int(rank) for rank in ranks],
        "expected": None if expected is None else [alternatives(each) for each in expected],
    }
    return View(kind="text", title=title, facts=facts, blocks=[json_block("data", data)])
