"""The logit lens: what the model would say after each layer, at each token."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from cutaway.errors import ConfigError
from cutaway.pages.view import View, float_block, floats, json_block, labels

Alternatives = Sequence[tuple[str, float]]
"""Tokens with their probabilities, the likeliest first."""

MAX_ALTERNATIVES = 50


def lens_view(
    tokens: Sequence[str],
    layers: Sequence[str],
    predictions: Sequence[Sequence[Alternatives]],
    *,
    entropy_bits: ArrayLike | None = None,
    title: str = "Logit lens",
) -> View:
    """A grid of layers and tokens: each cell says its likeliest next token, coloured by probability or entropy.

    `predictions[layer][position]` holds the likeliest tokens there; the pointer shows them all.

    Shapes: predictions L × T; entropy_bits (L, T)

    Raises: ConfigError when the numbers do not fit together.
    """
    T, L = len(tokens), len(layers)
    if len(predictions) != L or any(len(row) != T for row in predictions):
        raise ConfigError(f"predictions must hold {L:,} layers of {T:,} positions, one for each label")
    cells = [[alternatives(cell) for cell in row] for row in predictions]
    if not T or not L or not all(cell for row in cells for cell in row):
        raise ConfigError("each layer and token needs at least one prediction; give tokens, layers and predictions")
    facts = {"tokens": labels(tokens, "tokens", T), "layers": labels(layers, "layers", L), "hasEntropy": False}
    blocks = [json_block("cells", cells)]
    if entropy_bits is not None:
        entropy = floats(entropy_bits, "entropy_bits", ndim=2)
        if entropy.shape != (L, T):
            raise ConfigError(f"entropy_bits has the shape {entropy.shape}; it must be ({L}, {T})")
        facts["hasEntropy"] = True
        blocks.append(float_block("entropy", entropy))
    return View(kind="lens", title=title, facts=facts, blocks=blocks)


def alternatives(given: Alternatives) -> list[tuple[str, float]]:
    """Predictions ready for JSON, to six significant digits.

    Raises: ConfigError for more than a page shows, or a probability outside 0 to 1.
    """
    if len(given) > MAX_ALTERNATIVES:
        raise ConfigError(f"{len(given)} alternatives are more than the {MAX_ALTERNATIVES} a page shows; give fewer")
    for token, probability in given:
        if not 0 <= probability <= 1.0001:
            raise ConfigError(f"the probability of {token!r} is {probability}; it lies between 0 and 1")
    return [(str(token), float(f"{probability:.6g}")) for token, probability in given]
