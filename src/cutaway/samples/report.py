"""Everything about a set of samples, in one object."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cutaway.errors import DataError
from cutaway.samples.lengths import Lengths, zipf
from cutaway.samples.memorised import Memorised
from cutaway.samples.repetition import distinct, repeated
from cutaway.samples.self_bleu import self_bleu
from cutaway.samples.written import Written

ORDERS = (1, 2, 3, 4)


@dataclass(frozen=True, kw_only=True)
class SampleReport:
    """What samples are like; everything is counted in tokens."""

    samples: int
    tokens: int
    lengths: Lengths
    ended: float | None
    """The share that ended by itself, with `<|endoftext|>` or a stop text; None where nobody knows."""
    repeated: dict[int, float | None]
    """rep-n by n: how much each text repeats itself."""
    distinct: dict[int, float | None]
    """distinct-n by n: how varied all texts are together."""
    self_bleu: float | None
    zipf: float | None
    memorised: Memorised | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def describe(samples: Sequence[Written], memorised: Memorised | None = None) -> SampleReport:
    """Measure samples.

    Raises: DataError when there are none.
    """
    if not samples:
        raise DataError("there are no samples to describe; generate some, or give a file")
    texts = [sample.tokens for sample in samples]
    known = [sample.ended for sample in samples if sample.ended is not None]
    return SampleReport(
        samples=len(samples),
        tokens=sum(map(len, texts)),
        lengths=Lengths.of(texts),
        ended=sum(known) / len(known) if known else None,
        repeated={n: repeated(texts, n) for n in ORDERS},
        distinct={n: distinct(texts, n) for n in ORDERS},
        self_bleu=self_bleu(texts),
        zipf=zipf(texts),
        memorised=memorised,
    )
