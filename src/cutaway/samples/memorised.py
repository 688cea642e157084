"""What texts have word for word from the training data: exact, for data of any size, in one pass.

Runs of n tokens of the texts are hashed. The data go by in blocks; numpy hashes every run of n tokens in them and keeps
those whose hash is one of the texts'. Only there a suffix automaton of the texts follows the data token by token, so it
is exact, and memory does not grow with the data.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cutaway.errors import DataError
from cutaway.samples.automaton import ROOT, SuffixAutomaton
from cutaway.samples.repetition import Text

MAX_TOKENS = 250_000
"""Of all texts together: the automaton takes about a kilobyte a token."""

FACTOR = np.uint64(0x9E3779B97F4A7C15)
SIEVE_BITS = 24

Ids = NDArray[Any]
Hashes = NDArray[np.uint64]


class Block(NamedTuple):
    """Some tokens of the data, which go on in the next block of the same source."""

    source: str
    tokens: Ids


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A run of tokens that stands in a text and in the data, and could not be longer."""

    sample: int
    start: int
    """Of its first token in the sample."""
    length: int
    source: str
    """The file or folder that has it; where several places do, the first."""
    offset: int
    """Of its first token there."""


@dataclass(frozen=True, kw_only=True)
class Memorised:
    """What texts have from the data."""

    n: int
    data_tokens: int
    share: float
    """Of the texts' runs of n tokens, those that occur in the data."""
    longest: int
    """Tokens of the longest common run; 0 where it is shorter than n."""
    passages: tuple[Passage, ...]
    """The longest first; none overlaps another."""

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


def memorised(texts: Sequence[Text], blocks: Iterable[Block], n: int = 8, most: int = 20) -> Memorised:
    """Compare texts with data; up to `most` passages are kept.

    Raises: DataError for n below 2, or texts that are too long together.
    """
    total = sum(map(len, texts))
    if n < 2:
        raise DataError(f"runs of {n} tokens are too short to mean anything; ask for 2 or more")
    if total > MAX_TOKENS:
        raise DataError(f"{total:,} tokens of samples are more than {MAX_TOKENS:,}; give fewer samples")
    search = Search(texts, n)
    for block in blocks:
        search.read(block)
    matches = search.matches()
    runs = sum(max(0, len(text) - n + 1) for text in texts)
    found = sum(match.length >= n for text in matches for match in text)
    passages = list(apart(passages_of(matches, n), most))
    return Memorised(
        n=n,
        data_tokens=search.data_tokens,
        share=found / runs if runs else 0.0,
        longest=passages[0].length if passages else 0,
        passages=tuple(passages),
    )


class Match(NamedTuple):
    """The longest part of the data that ends with a certain token of a text."""

    length: int
    source: str
    end: int
    """The place after it in the data."""


NONE = Match(0, "", 0)


@dataclass
class Search:
    """The texts, and what was found of them so far."""

    texts: Sequence[Text]
    n: int
    data_tokens: int = 0
    _source: str = ""
    _tail: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    _begin: int = 0
    """Where the tail lies in its source."""

    def __post_init__(self) -> None:
        self._automaton = SuffixAutomaton(self.texts)
        self._best: list[Match] = [NONE] * len(self._automaton.length)
        hashes = [hash_runs(np.asarray(text, np.int64), self.n) for text in self.texts if len(text) >= self.n]
        self._hashes = np.unique(np.concatenate(hashes)) if hashes else np.empty(0, np.uint64)
        self._sieve = np.zeros(1 << SIEVE_BITS, np.bool_)
        self._sieve[sieve_place(self._hashes)] = True
        self._start_source("")

    def read(self, block: Block) -> None:
        """Look through some more data."""
        if block.source != self._source:
            self._start_source(block.source)
        self.data_tokens += len(block.tokens)
        tokens = np.concatenate([self._tail, block.tokens.astype(np.int64)])
        for first, last in stretches(self._hits(tokens)):
            self._follow(tokens, first, last)
        kept = min(len(tokens), self.n - 1)
        self._begin += len(tokens) - kept
        self._tail = tokens[len(tokens) - kept :]

    def matches(self) -> list[list[Match]]:
        """For each token of each text, the longest run of the data that ends with it; runs below n may be missing."""
        automaton, best = self._automaton, list(self._best)
        for state in sorted(range(1, len(best)), key=lambda state: -automaton.length[state]):
            parent = automaton.link[state]
            # What was found of a state holds all shorter parts that end at the same place.
            if best[state].length > automaton.length[parent] > best[parent].length:
                best[parent] = best[state]._replace(length=automaton.length[parent])
        return [[self._longest(state, best) for state in prefixes] for prefixes in automaton.prefixes]

    def _longest(self, state: int, best: Sequence[Match]) -> Match:
        while state != ROOT and not best[state].length:
            state = self._automaton.link[state]
        return best[state]

    def _start_source(self, source: str) -> None:
        self._source, self._tail, self._begin = source, np.empty(0, np.int64), 0
        self._state, self._matched, self._fed, self._last_run = ROOT, 0, 0, -2

    def _hits(self, tokens: Ids) -> Ids:
        """Where the runs of n tokens begin that the texts may hold too."""
        if len(tokens) < self.n or not len(self._hashes):
            return np.empty(0, np.int64)
        hashes = hash_runs(tokens, self.n)
        likely = np.flatnonzero(self._sieve[sieve_place(hashes)])
        places = np.searchsorted(self._hashes, hashes[likely]).clip(max=len(self._hashes) - 1)
        hits: Ids = likely[self._hashes[places] == hashes[likely]]
        return hits

    def _follow(self, tokens: Ids, first: int, last: int) -> None:
        """Match the tokens of adjoining runs; `first` and `last` are where the first and the last of them begin."""
        if self._begin + first != self._last_run + 1:
            self._state, self._matched, self._fed = ROOT, 0, self._begin + first
        self._last_run = self._begin + last
        for place in range(self._fed - self._begin, last + self.n):
            self._state, self._matched = self._automaton.step(self._state, self._matched, int(tokens[place]))
            if self._matched >= self.n and self._matched > self._best[self._state].length:
                self._best[self._state] = Match(self._matched, self._source, self._begin + place + 1)
        self._fed = self._begin + last + self.n


def hash_runs(tokens: Ids, n: int) -> Hashes:
    """A number for each run of n tokens, the same for the same run. Shapes: (T,) -> (T - n + 1,)."""
    wide = tokens.astype(np.uint64)
    count = len(wide) - n + 1
    hashes = np.zeros(count, np.uint64)
    for place in range(n):
        # Modulo 2**64; one is added so that zeros count.
        hashes = hashes * FACTOR + (wide[place : place + count] + np.uint64(1))
    return hashes


def sieve_place(hashes: Hashes) -> NDArray[np.int64]:
    """The place of each hash in the sieve, from its upper bits, which all tokens of the run have mixed into."""
    return ((hashes * FACTOR) >> np.uint64(64 - SIEVE_BITS)).astype(np.int64)


def stretches(places: Ids) -> Iterator[tuple[int, int]]:
    """Ascending numbers as stretches of neighbours: the first and the last of each."""
    if not len(places):
        return
    breaks = np.flatnonzero(np.diff(places) != 1)
    firsts, lasts = places[np.r_[0, breaks + 1]], places[np.r_[breaks, len(places) - 1]]
    yield from zip(firsts.tolist(), lasts.tolist(), strict=True)


def passages_of(matches: Sequence[Sequence[Match]], n: int) -> Iterator[Passage]:
    """Every run of n tokens or more that the next token does not make longer."""
    for sample, text in enumerate(matches):
        for end, match in enumerate(text):
            grows = end + 1 < len(text) and text[end + 1].length > match.length
            if match.length >= n and not grows:
                start = end + 1 - match.length
                yield Passage(
                    sample=sample,
                    start=start,
                    length=match.length,
                    source=match.source,
                    offset=match.end - match.length,
                )


def apart(passages: Iterable[Passage], most: int) -> Iterator[Passage]:
    """The longest passages, without those that overlap a longer one of the same sample."""
    taken: dict[int, list[Passage]] = {}
    left = most
    for passage in sorted(passages, key=lambda passage: (-passage.length, passage.sample, passage.start)):
        others = taken.setdefault(passage.sample, [])
        if left and all(
            passage.start >= other.start + other.length or other.start >= passage.start + passage.length
            for other in others
        ):
            others.append(passage)
            left -= 1
            yield passage
