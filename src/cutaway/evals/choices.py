"""Questions with several answers, of which the model should find the right one the likeliest."""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cutaway.errors import EvaluationError
from cutaway.evals.item_log import ItemLog, Outcome
from cutaway.evals.items import Item, Progress, outcomes
from cutaway.evals.pairs import pair_passage, text_of
from cutaway.evals.passage import Scored, Scorer
from cutaway.evals.task import Question
from cutaway.tokenizer import AnyTokenizer

MAX_SHOTS = 100


@dataclass(kw_only=True)
class Share:
    """How many of some items were right."""

    right: int = 0
    of: int = 0

    @property
    def value(self) -> float | None:
        """From 0 to 1."""
        return self.right / self.of if self.of else None

    @property
    def stderr(self) -> float | None:
        """The standard error of the value, from the spread of the sample."""
        return (
            math.sqrt(self.value * (1 - self.value) / (self.of - 1)) if self.of > 1 and self.value is not None else None
        )

    def add(self, right: bool) -> None:
        """Count one more."""
        self.right += right
        self.of += 1

    def to_dict(self) -> dict[str, Any]:
        """Value and error, ready for JSON."""
        return {"value": self.value, "stderr": self.stderr, "right": self.right, "of": self.of}


@dataclass(kw_only=True)
class ChoiceScores:
    """How often the right answer was found, by three measures of which is the likeliest."""

    sum: Share = field(default_factory=Share)
    """By the log-probability of the whole answer: the harness' acc."""
    per_character: Share = field(default_factory=Share)
    """By that divided among the answer's characters: the harness' acc_norm."""
    per_token: Share = field(default_factory=Share)
    """By that divided among its tokens."""
    chance: float = 0.0
    """What guessing would score, on average."""
    groups: dict[str, Share] = field(default_factory=dict)
    """By the whole answer, for each part of a set that has some."""

    def add(self, outcome: Outcome) -> None:
        """Count one question."""
        totals, answer = outcome["logprobs"], outcome["answer"]
        self.sum.add(likeliest(totals) == answer)
        self.per_character.add(likeliest(divided(totals, outcome["characters"])) == answer)
        self.per_token.add(likeliest(divided(totals, outcome["tokens"])) == answer)
        self.chance += (1 / len(totals) - self.chance) / self.sum.of
        if group := outcome.get("group"):
            self.groups.setdefault(group, Share()).add(likeliest(totals) == answer)

    def to_dict(self) -> dict[str, Any]:
        """All measures, ready for JSON."""
        shares = {name: getattr(self, name).to_dict() for name in ("sum", "per_character", "per_token")}
        groups = {"groups": {name: share.to_dict() for name, share in self.groups.items()}} if self.groups else {}
        return {"items": self.sum.of, **shares, "chance": self.chance, **groups}


def likeliest(values: Sequence[float]) -> int:
    """The place of the largest, of equals the first."""
    return max(range(len(values)), key=values.__getitem__)


def divided(totals: Sequence[float], lengths: Sequence[int]) -> list[float]:
    """Totals a unit."""
    return [total / max(length, 1) for total, length in zip(totals, lengths, strict=True)]


def answer_questions(
    questions: Sequence[Question],
    scorer: Scorer,
    tokenizer: AnyTokenizer,
    *,
    shots: "Shots | None" = None,
    limit: int | None = None,
    log: ItemLog | None = None,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """What became of each question; answers to one share the reading of the question.

    Raises: EvaluationError for an answer that the model cannot read.
    """
    items = (
        _item(question, number, scorer.context, tokenizer, shots) for number, question in enumerate(questions[:limit])
    )
    return outcomes(items, scorer, log, progress)


def _item(question: Question, number: int, most: int, tokenizer: AnyTokenizer, shots: "Shots | None") -> Item:
    before = shots.before(number) if shots else []
    try:
        passages = [
            pair_passage(tokenizer, text_of([*before, pair.context]), pair.following, most) for pair in question.pairs
        ]
    except EvaluationError as error:
        raise EvaluationError(
            f"question {number + 1:,}: {error}; leave the question out, or take a model with a longer context"
        ) from None

    def outcome(scores: Sequence[Scored]) -> Outcome:
        return {
            "answer": question.answer,
            "logprobs": [round(score.total, 6) for score in scores],
            "greedy": [score.greedy for score in scores],
            "tokens": [passage.n_scored for passage in passages],
            "characters": list(question.characters),
            **({"group": question.group} if question.group else {}),
        }

    return Item(passages=passages, outcome=outcome)


class Shots:
    """Worked examples that come before each question: the same for all, so that they are read once.

    Drawn by the seed from the examples' own set, or from the questions themselves, of which one that would be its own
    example gets another.

    Raises: EvaluationError when there are too few.
    """

    def __init__(
        self, count: int, seed: int, questions: Sequence[Question], examples: Sequence[Question] | None
    ) -> None:
        source = questions if examples is None else examples
        spare = examples is None
        if not 1 <= count <= MAX_SHOTS or count + spare > len(source):
            most = min(MAX_SHOTS, len(source) - spare)
            raise EvaluationError(f"shots={count:,} is out of range; here it is from 0 to {most:,}")
        chosen = random.Random(seed).sample(range(len(source)), count + spare)  # noqa: S311 - no secret
        self._count, self._own = count, chosen if spare else []
        self._texts = [source[index].solved for index in chosen]

    def before(self, number: int) -> list[str]:
        """The examples for one question."""
        texts = list(self._texts)
        if number in self._own:
            del texts[self._own.index(number)]
        return texts[: self._count]


def scores_of(found: Iterable[Outcome]) -> ChoiceScores:
    """The measures over all questions."""
    scores = ChoiceScores()
    for outcome in found:
        scores.add(outcome)
    return scores
