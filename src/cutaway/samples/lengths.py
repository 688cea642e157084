"""How long texts are, how they end, and how their tokens are distributed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cutaway.samples.repetition import Text

ZIPF_RANKS = 5000


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Tokens of a text, over all texts."""

    mean: float
    median: float
    shortest: int
    longest: int

    @classmethod
    def of(cls, texts: Sequence[Text]) -> "Lengths":
        """Those of some texts, of which there is at least one."""
        counts = [len(text) for text in texts]
        return cls(
            mean=float(np.mean(counts)), median=float(np.median(counts)), shortest=min(counts), longest=max(counts)
        )

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def zipf(texts: Sequence[Text]) -> float | None:
    """How fast tokens get rarer: minus the slope of log frequency over log rank; natural English is near 1.

    None for fewer than two different tokens.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 5.2.
    """
    counts = [count for _, count in Counter(token for text in texts for token in text).most_common(ZIPF_RANKS)]
    if len(counts) < 2:
        return None
    ranks = np.log(np.arange(1, len(counts) + 1))
    slope, _ = np.polyfit(ranks, np.log(counts), 1)
    return float(-slope)
