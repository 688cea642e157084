"""How well a model predicts texts: perplexity a token and a word, bits a byte, and the loss along the context.

Source: Radford et al. 2019, section 3.1: the loss of a whole text, divided by how many units its original has.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import EvaluationError
from cutaway.evals.documents import Document, Extent
from cutaway.evals.item_log import ItemLog, Outcome
from cutaway.evals.items import Item, Progress, outcomes
from cutaway.evals.passage import Passage, Scored, Scorer
from cutaway.evals.windows import check_stride, sliding_windows
from cutaway.tokenizer import AnyTokenizer


@dataclass(kw_only=True)
class Tally:
    """The loss of some text, and how much text it is."""

    name: str
    tokens: int = 0
    """Scored tokens: all but the first of each document."""
    words: int = 0
    """Words of the whole text, as its original has them between white space; 0 where it was not read to its end."""
    bytes: int = 0
    """Bytes of the scored tokens."""
    loss: float = 0.0
    """Nats, of all scored tokens together."""

    @property
    def perplexity(self) -> float | None:
        """Per token."""
        return _exp(self.loss, self.tokens)

    @property
    def word_perplexity(self) -> float | None:
        """The same loss divided among words."""
        return _exp(self.loss, self.words)

    @property
    def bits_per_byte(self) -> float | None:
        """The same loss in bits divided among bytes."""
        return self.loss / math.log(2) / self.bytes if self.bytes else None

    def add(self, other: "Tally") -> None:
        """Add other text to this."""
        self.tokens += other.tokens
        self.words += other.words
        self.bytes += other.bytes
        self.loss += other.loss

    def to_dict(self) -> dict[str, Any]:
        """All figures, ready for JSON."""
        return {
            "name": self.name,
            "tokens": self.tokens,
            "words": self.words,
            "bytes": self.bytes,
            "loss": self.loss,
            "mean_loss": self.loss / self.tokens if self.tokens else None,
            "perplexity": self.perplexity,
            "word_perplexity": self.word_perplexity,
            "bits_per_byte": self.bits_per_byte,
        }


def _exp(loss: float, units: int) -> float | None:
    """e^(loss a unit); None where there is no unit, or the number would be beyond any float."""
    return math.exp(loss / units) if units and loss / units < 700 else None


@dataclass(kw_only=True)
class Perplexity:
    """What was measured."""

    total: Tally
    documents: list[Tally] = field(default_factory=list)
    along: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """The mean loss of tokens that had 1, 2, 3, … tokens before them in their window; NaN where there was none."""
    tokens: list[int] = field(default_factory=list)
    """All tokens, where they were asked for."""
    losses: list[float] = field(default_factory=list)
    """Of these the losses in nats, NaN for the first of each document."""


class Meter:
    """Measures the loss of documents."""

    def __init__(
        self, scorer: Scorer, tokenizer: AnyTokenizer, *, context: int | None = None, stride: int | None = None
    ) -> None:
        self.scorer = scorer
        self.context = scorer.context if context is None else context
        self.stride = self.context if stride is None else stride
        check_context(self.context, scorer.context)
        check_stride(self.context, self.stride)
        self._token_bytes = np.array([len(tokenizer.token_bytes(token)) for token in range(tokenizer.n_vocab)])

    def measure(
        self,
        documents: Iterable[Document],
        *,
        log: ItemLog | None = None,
        progress: Progress | None = None,
        limit: int | None = None,
        keep_tokens: bool = False,
    ) -> Perplexity:
        """Measure documents together and each for itself, at most `limit` windows in all.

        No window goes over the end of a document.

        Raises: EvaluationError as `sliding_windows` does; DataError for a file that cannot be read.
        """
        waiting: deque[_Window] = deque()
        extents: list[Extent] = []
        found = Perplexity(total=Tally(name="all"))
        sums, counts = np.zeros(self.context), np.zeros(self.context, np.int64)
        for outcome in outcomes(self._items(documents, waiting, limit), self.scorer, log, progress):
            window, losses = waiting.popleft(), np.array(outcome["losses"])
            if window.begins:
                extents.append(window.extent)
                found.documents.append(Tally(name=window.extent.name))
            found.documents[-1].add(self._tally(window.passage, losses))
            place = slice(window.passage.first - 1, window.passage.first - 1 + len(losses))
            sums[place] += losses
            counts[place] += 1
            if keep_tokens:
                found.tokens += window.passage.tokens[window.passage.first - window.begins :]
                found.losses += [math.nan] * window.begins + losses.tolist()
        for tally, extent in zip(found.documents, extents, strict=True):
            tally.words = extent.words if extent.whole else 0
            found.total.add(tally)
        if any(not extent.whole for extent in extents):
            found.total.words = 0
        known = int(counts.nonzero()[0].max(initial=-1)) + 1
        found.along = np.divide(sums, counts, out=np.full(self.context, np.nan), where=counts > 0)[:known]
        return found

    def _items(self, documents: Iterable[Document], waiting: "deque[_Window]", limit: int | None) -> Iterator[Item]:
        for window in islice(self._windows(documents), limit):
            waiting.append(window)
            yield Item(passages=[window.passage], outcome=window_outcome)

    def _windows(self, documents: Iterable[Document]) -> "Iterator[_Window]":
        for document in documents:
            begins = True
            for passage in sliding_windows(document.chunks, self.context, self.stride):
                yield _Window(extent=document.extent, passage=passage, begins=begins)
                begins = False
            document.extent.whole = True

    def _tally(self, passage: Passage, losses: NDArray[np.float64]) -> Tally:
        n_bytes = int(self._token_bytes[list(passage.tokens[passage.first :])].sum())
        return Tally(name="", tokens=len(losses), bytes=n_bytes, loss=float(losses.sum()))


@dataclass(frozen=True, kw_only=True)
class _Window:
    extent: Extent
    passage: Passage
    begins: bool


def window_outcome(scores: Sequence[Scored]) -> Outcome:
    """The losses of a window's tokens, in nats."""
    return {"losses": [round(loss, 6) for loss in (-scores[0].logprobs).tolist()]}


def check_context(context: int, most: int) -> None:
    """Refuse windows that the model cannot read.

    Raises: EvaluationError naming both.
    """
    if not 1 <= context <= most:
        raise EvaluationError(f"context={context:,} is out of range; this model reads 1 to {most:,} tokens")
