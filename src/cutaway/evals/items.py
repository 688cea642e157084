"""Going through the items of an evaluation: many passages scored together, each item finished by itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cutaway.evals.item_log import ItemLog, Outcome
from cutaway.evals.passage import Passage, Scored, Scorer

TOKENS_AT_ONCE = 8192
"""Tokens of the items that are scored together: enough to keep all cores busy, done in seconds."""

Progress: TypeAlias = Callable[[int], None]
"""Told how many items are done."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """Some passages, and what their scores mean."""

    passages: Sequence[Passage]
    outcome: Callable[[Sequence[Scored]], Outcome]


def outcomes(
    items: Iterable[Item], scorer: Scorer, log: ItemLog | None = None, progress: Progress | None = None
) -> Iterator[Outcome]:
    """What becomes of each item, in order; those that the log holds are not computed again."""
    log = log or ItemLog({})
    waiting: list[tuple[int, Item]] = []
    tokens = 0
    for number, item in enumerate(items):
        waiting.append((number, item))
        if number not in log.done:
            tokens += sum(len(passage.tokens) for passage in item.passages)
        if tokens >= TOKENS_AT_ONCE:
            yield from _finish(waiting, scorer, log, progress)
            waiting, tokens = [], 0
    yield from _finish(waiting, scorer, log, progress)


def _finish(
    waiting: Sequence[tuple[int, Item]], scorer: Scorer, log: ItemLog, progress: Progress | None
) -> Iterator[Outcome]:
    fresh = [(number, item) for number, item in waiting if number not in log.done]
    scores = iter(scorer.score([passage for _, item in fresh for passage in item.passages]))
    made = {}
    for number, item in fresh:
        made[number] = item.outcome([next(scores) for _ in item.passages])
        log.add(number, made[number])
    if progress is not None and waiting:
        progress(waiting[-1][0] + 1)
    yield from (made[number] if number in made else log.done[number] for number, _ in waiting)
