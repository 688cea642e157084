"""Where the nucleus ends: the logit of the least likely token that top-p keeps.

Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration".
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.sampling.namespace import array_namespace

FEW = 2048
"""So many numbers are quicker sorted than counted in bins."""

BINS = 1024


def nucleus_end(logits: Any, mass: float) -> Any:
    """The smallest logit of the most likely tokens whose probabilities reach `mass`, none of them being needless.

    Sums are made in float64 from the unlikely end, of which 1 - mass may go; the most likely token always stays.

    Shapes: (V,) -> ()
    """
    found = _selected(logits, mass) if type(logits) is np.ndarray and len(logits) > FEW else None
    return _sorted(logits, mass) if found is None else found


def _sorted(logits: Any, mass: float) -> Any:
    """The same, plainly: sort them all and add them up."""
    xp = array_namespace(logits)
    ascending = xp.sort(logits, stable=False)
    weights = xp.astype(xp.exp(ascending - ascending[-1]), xp.float64)
    below = xp.cumulative_sum(weights)
    dropped = int(xp.count_nonzero(below <= (1 - mass) * below[-1]))
    return ascending[min(dropped, ascending.shape[0] - 1)]


def _selected(logits: NDArray[Any], mass: float) -> Any:
    """The same from the few tokens near the end of the nucleus; None where rounding would decide.

    Sums in another order differ by rounding. Where one comes so near to what may go that this might matter, the plain
    way decides, so that there is one answer.
    """
    highest = logits.max()
    weights = np.exp(logits - highest)
    total = float(weights.sum(dtype=np.float64))
    allowed, doubt = (1 - mass) * total, 4 * len(logits) * np.finfo(np.float64).eps * total
    # All V together, tokens of at most allowed / V are not too many to go.
    likely = np.flatnonzero(weights > 0.99 * allowed / len(logits))
    if len(likely) < len(logits):
        logits, weights = logits[likely], weights[likely]
    gone = total - float(weights.sum(dtype=np.float64))
    if not (span := highest - logits.min()):
        return highest
    if len(logits) > FEW:
        bins = ((highest - logits) / span * (BINS - 1)).astype(np.intp)
        below = gone + np.bincount(bins, weights, BINS)[::-1].cumsum()
        at = int(np.searchsorted(below, allowed, side="right"))
        if at == BINS:
            return None
        gone = below[at - 1] if at else gone
        here = np.flatnonzero(bins == BINS - 1 - at)
        logits, weights = logits[here], weights[here]
    order = np.argsort(logits)
    below = np.concatenate([[gone], gone + weights[order].cumsum(dtype=np.float64)])
    if not (np.abs(below - allowed) > doubt).all() or below[-1] < allowed:
        return None
    return logits[order[np.searchsorted(below[1:], allowed)]]
