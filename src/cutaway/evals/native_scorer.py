"""Scoring by the native kernels: shared beginnings once, logits only where they are asked for."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutaway.evals.lanes import Lane, stages
from cutaway.evals.logprobs import LogSoftmax
from cutaway.evals.passage import Passage, Scored, check_lengths
from cutaway.evals.prefix_tree import levels
from cutaway.native import NativeCache, NativeModel
from cutaway.native.model import check_ids

TOKENS_AT_ONCE = 512
"""New tokens of one call: what the kernels read in one go."""

ANSWERS_AT_ONCE = 256
"""Rows of logits of one call: 51 MB of GPT-2's vocabulary."""

CACHE_BYTES = 512 << 20
"""Keys and values that are held at a time, unless a single passage needs more."""

Place: TypeAlias = tuple[int, int, int, int]
"""Where an answer belongs: its row among the logits, the token asked for, the passage, and which of its scored."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some tokens of a run, for one call of the network."""

    slot: int
    tokens: Sequence[int]
    start: int
    answers: int
    rows: Sequence[int]


class NativeScorer:
    """A `Scorer` over native kernels, without PyTorch."""

    def __init__(self, model: NativeModel) -> None:
        self.model = model
        self._log_softmax = LogSoftmax(model.threads)

    @property
    def context(self) -> int:
        """How many tokens it can read."""
        return self.model.config.block_size

    def score(self, passages: Sequence[Passage]) -> list[Scored]:
        """Score passages of any lengths together; what they share at the beginning is read once.

        Raises: GenerationError for an id outside the vocabulary; EvaluationError for a passage over the context.
        """
        check_lengths(passages, self.context)
        for passage in passages:
            check_ids(passage.tokens, self.model.config.vocab_size)  # also the last, which is never read
        scored: dict[int, Scored] = {}
        for indices in self._batches(passages):
            scored |= zip(indices, self._score([passages[i] for i in indices]), strict=True)
        return [scored[index] for index in range(len(passages))]

    def _batches(self, passages: Sequence[Passage]) -> Iterator[list[int]]:
        """Indices of passages whose keys and values fit into memory together, neighbours those that begin alike.

        Each counts as long as the longest, for all slots of a cache have the same room.
        """
        config = self.model.config
        room = CACHE_BYTES // (2 * config.n_layer * config.n_embd * np.dtype(np.float32).itemsize)
        batch: list[int] = []
        longest = 0
        for index in sorted(range(len(passages)), key=lambda i: list(passages[i].tokens)):
            longest = max(longest, len(passages[index].tokens))
            if batch and (len(batch) + 1) * longest > room:
                yield batch
                batch, longest = [], len(passages[index].tokens)
            batch.append(index)
        if batch:
            yield batch

    def _score(self, passages: Sequence[Passage]) -> list[Scored]:
        notes = Notes(passages)
        cache: NativeCache | None = None
        for lanes in stages(levels([passage.tokens[:-1] for passage in passages])):
            cache = self._branch(cache, lanes)
            for parts in calls(lanes, passages):
                self._read(cache, parts, notes)
        if cache is not None:
            cache.close()
        return notes.scored()

    def _branch(self, old: NativeCache | None, lanes: Sequence[Lane]) -> NativeCache:
        """Room for a stage, each lane's slot holding what was read before it."""
        new = self.model.cache(len(lanes), max(lane.room for lane in lanes))
        if old is not None:
            for slot, lane in enumerate(lanes):
                assert lane.parent is not None, "only lanes of the first stage come from nothing"
                old.copy(lane.parent, slot, new)
            old.close()
        return new

    def _read(self, cache: NativeCache, parts: Sequence[Part], notes: "Notes") -> None:
        """Read the parts, and note what the network makes of the tokens that follow."""
        for part in parts:
            cache.truncate(part.slot, part.start)
        logits = self.model.forward(
            cache, [part.slot for part in parts], [part.tokens for part in parts], [part.answers for part in parts]
        )
        places = list(asked(parts, notes.passages))
        if not places:
            return
        notes.add_ignoring(logits, places)
        rows, targets = (np.array([place[side] for place in places], np.intp) for side in (0, 1))
        notes.add(places, *self._log_softmax(logits, rows, targets))


class Notes:
    """What is known of some passages so far."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = passages
        self._logprobs = [np.empty(passage.n_scored) for passage in passages]
        self._greedy = [True] * len(passages)
        self._rest_greedy = [True] * len(passages)
        """Whether the scored tokens after the first were the likeliest."""
        self._first = [False] * len(passages)
        """Whether the first was the likeliest but for ignored tokens."""

    def add(self, places: Sequence[Place], logprobs: NDArray[Any], likeliest: NDArray[Any]) -> None:
        """Note log-probabilities."""
        for (_, _, index, nth), value, best in zip(places, logprobs.tolist(), likeliest.tolist(), strict=True):
            self._logprobs[index][nth] = value
            self._greedy[index] &= best
            if nth:
                self._rest_greedy[index] &= best

    def add_ignoring(self, logits: NDArray[np.float32], places: Sequence[Place]) -> None:
        """Note which first tokens were the likeliest if some others are ignored."""
        for row, target, index, nth in places:
            ignored = self.passages[index].ignored
            if ignored and not nth:
                rivals = np.flatnonzero(logits[row] > logits[row, target]).tolist()
                self._first[index] = target not in ignored and ignored.issuperset(rivals)

    def scored(self) -> list[Scored]:
        """The passages' scores, once all has been read."""
        return [
            Scored(logprobs=logprobs, greedy=greedy, greedy_but=first and rest if passage.ignored else greedy)
            for passage, logprobs, greedy, first, rest in zip(
                self.passages, self._logprobs, self._greedy, self._first, self._rest_greedy, strict=True
            )
        ]


class Cursor:
    """How far a lane has been read."""

    def __init__(self, slot: int, lane: Lane, passages: Sequence[Passage]) -> None:
        self._slot, self._runs, self._passages = slot, deque(lane.runs), passages
        self._at = lane.runs[0].start

    def __bool__(self) -> bool:
        return bool(self._runs)

    def take(self, tokens: int, answers: int) -> Part:
        """The next tokens of the lane, of one run and no more than there may be, nor more logits."""
        run, at = self._runs[0], self._at
        # Logits are wanted from the token before the first scored one.
        wanted = max(at, min(self._passages[row].first for row in run.rows) - 1)
        end = min(run.end, at + tokens, wanted + answers)
        if end == run.end:
            self._runs.popleft()
        self._at = self._runs[0].start if self._runs and end == run.end else end
        taken = run.tokens[at - run.start : end - run.start]
        return Part(slot=self._slot, tokens=taken, start=at, answers=max(0, end - wanted), rows=run.rows)


def calls(lanes: Sequence[Lane], passages: Sequence[Passage]) -> Iterator[list[Part]]:
    """The runs of lanes in parts, as many together as one call of the network takes, of each lane one."""
    cursors = deque(Cursor(slot, lane, passages) for slot, lane in enumerate(lanes))
    while cursors:
        parts: list[Part] = []
        going_on: list[Cursor] = []
        tokens, answers = TOKENS_AT_ONCE, ANSWERS_AT_ONCE
        while cursors and tokens and answers:
            parts.append(cursors[0].take(tokens, answers))
            tokens, answers = tokens - len(parts[-1].tokens), answers - parts[-1].answers
            cursor = cursors.popleft()
            going_on += [cursor] if cursor else []
        yield parts
        cursors += going_on


def asked(parts: Sequence[Part], passages: Sequence[Passage]) -> Iterator[Place]:
    """Where the answers to these parts belong; one row may be an answer to several passages."""
    row = 0
    for part in parts:
        end = part.start + len(part.tokens)
        for position in range(end - part.answers, end):
            for index in part.rows:
                passage = passages[index]
                if passage.first <= position + 1 < len(passage.tokens):
                    yield row, passage.tokens[position + 1], index, position + 1 - passage.first
            row += 1
