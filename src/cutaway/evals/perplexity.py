"""How well a model predicts texts: perplexity a token and a word, bits a byte, and the loss along the context.

Source: Radford et al. 2019, section 3.1: the loss of a whole text, divided by how many units its original has.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
    documents: list[Tally]
    along: NDArray[np.float64]
    """The mean loss of tokens that had 1, 2, 3, … tokens before them in their window; NaN where there was none."""
    tokens: list[int]
    """All tokens, where they were asked for."""
    losses: list[float]
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
        record = _Record(self.context, self._token_bytes, keep_tokens=keep_tokens)
        for outcome in outcomes(self._items(documents, waiting, limit), self.scorer, log, progress):
            record.add(waiting.popleft(), np.array(outcome["losses"]))
        return record.whole()

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


@dataclass(frozen=True, kw_only=True)
class _Window:
    extent: Extent
    passage: Passage
    begins: bool


class _Record:
    """What has been measured so far."""

    def __init__(self, context: int, token_bytes: NDArray[np.int64], *, keep_tokens: bool) -> None:
        self._token_bytes, self._keep_tokens = token_bytes, keep_tokens
        self._sums, self._counts = np.zeros(context), np.zeros(context, np.int64)
        self._extents: list[Extent] = []
        self._documents: list[Tally] = []
        self._tokens: list[int] = []
        self._losses: list[float] = []

    def add(self, window: _Window, losses: NDArray[np.float64]) -> None:
        """Count the scored tokens of a window."""
        passage = window.passage
        scored = list(passage.tokens[passage.first :])
        if window.begins:
            self._extents.append(window.extent)
            self._documents.append(Tally(name=window.extent.name))
        n_bytes = int(self._token_bytes[scored].sum())
        self._documents[-1].add(Tally(name="", tokens=len(scored), bytes=n_bytes, loss=float(losses.sum())))
        before = slice(passage.first - 1, passage.first - 1 + len(losses))
        self._sums[before] += losses
        self._counts[before] += 1
        if self._keep_tokens:
            self._tokens += [passage.tokens[0]] * window.begins + scored
            self._losses += [math.nan] * window.begins + losses.tolist()

    def whole(self) -> Perplexity:
        """The measurements, now that all is in."""
        total = Tally(name="all")
        for tally, extent in zip(self._documents, self._extents, strict=True):
            tally.words = extent.words if extent.whole else 0
            total.add(tally)
        if not all(extent.whole for extent in self._extents):
            total.words = 0
        known = int(self._counts.nonzero()[0].max(initial=-1)) + 1
        sums, counts = self._sums[:known], self._counts[:known]
        along = np.divide(sums, counts, out=np.full(known, np.nan), where=counts > 0)
        return Perplexity(total=total, documents=self._documents, along=along, tokens=self._tokens, losses=self._losses)


def window_outcome(scores: Sequence[Scored]) -> Outcome:
    """The losses of a window's tokens, in nats."""
    return {"losses": [round(loss, 6) for loss in (-scores[0].logprobs).tolist()]}


def check_context(context: int, most: int) -> None:
    """Refuse windows that the model cannot read.

    Raises: EvaluationError naming both.
    """
    if not 1 <= context <= most:
        raise EvaluationError(f"context={context:,} is out of range; this model reads 1 to {most:,} tokens")
