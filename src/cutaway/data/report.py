"""What prepared data looks like: counts, the commonest tokens, those that never occur, and how long documents are."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.data.manifest import Totals
from cutaway.data.shard import Shard
from cutaway.data.split import SPLITS
from cutaway.data.token_folder import TokenFolder

COUNTED_AT_ONCE = 1 << 22
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class TokenCount:
    """How often a token occurs."""

    token: int
    count: int


@dataclass(frozen=True, kw_only=True)
class LengthBin:
    """How many documents are of about that length."""

    from_tokens: int
    below_tokens: int
    n_documents: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """Figures over all splits, unless they say otherwise."""

    n_vocab: int
    splits: dict[str, Totals]
    most_frequent: tuple[TokenCount, ...]
    n_never_used: int
    never_used: tuple[int, ...]
    """The lowest ids of those that never occur."""
    lengths: tuple[LengthBin, ...]
    """Documents by length, in tokens, the separating one included."""

    def to_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        splits = {
            name: {**asdict(totals), "bytes_per_token": totals.bytes_per_token} for name, totals in self.splits.items()
        }
        return {**asdict(self), "splits": splits}


def make_report(folder: TokenFolder) -> Report:
    """Go through all tokens once.

    Raises: DataError when a shard is missing or damaged.
    """
    counts, lengths = np.zeros(folder.manifest.n_vocab, np.int64), np.zeros(64, np.int64)
    for split in SPLITS:
        begun = 0
        for record in folder.manifest.of(split):
            shard = folder.shard(record.file)
            counts += token_counts(shard, folder.manifest.n_vocab)
            begun = _count_lengths(shard, begun, lengths)
    never = np.flatnonzero(counts == 0)
    return Report(
        n_vocab=folder.manifest.n_vocab,
        splits={split: folder.manifest.totals(split) for split in SPLITS},
        most_frequent=tuple(_most_frequent(counts)),
        n_never_used=len(never),
        never_used=tuple(map(int, never[:SHOWN])),
        lengths=tuple(_bins(lengths)),
    )


def token_counts(shard: Shard, n_vocab: int) -> NDArray[np.int64]:
    """How often each id occurs in a shard."""
    counts = np.zeros(n_vocab, np.int64)
    for start in range(0, len(shard), COUNTED_AT_ONCE):
        found = np.bincount(shard.tokens[start : start + COUNTED_AT_ONCE], minlength=n_vocab)
        if len(found) > n_vocab:
            shard.verify()  # says what is wrong with it
        counts += found
    return counts


def _count_lengths(shard: Shard, begun: int, lengths: NDArray[np.int64]) -> int:
    """Add the documents that end in a shard to the bins; the tokens of the one that does not."""
    ends = shard.ends.astype(np.int64)
    sizes = np.diff(ends, prepend=-begun)
    np.add.at(lengths, np.log2(np.maximum(sizes, 1)).astype(int), 1)
    return int(len(shard) - ends[-1]) if len(ends) else begun + len(shard)


def _most_frequent(counts: NDArray[np.int64]) -> Iterator[TokenCount]:
    # Stable, so that among equals the lowest id comes first.
    for token in np.argsort(-counts, kind="stable")[:SHOWN]:
        if counts[token]:
            yield TokenCount(token=int(token), count=int(counts[token]))


def _bins(lengths: NDArray[np.int64]) -> Iterator[LengthBin]:
    used = np.flatnonzero(lengths)
    for power in range(used[0], used[-1] + 1) if len(used) else ():
        yield LengthBin(from_tokens=2**power, below_tokens=2 ** (power + 1), n_documents=int(lengths[power]))
