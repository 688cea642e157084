"""LAMBADA: the last word of a passage, which one can guess from all of it and not from its last sentence.

Source: Paperno et al. 2016.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cutaway.errors import EvaluationError
from cutaway.evals.choices import Share
from cutaway.evals.item_log import ItemLog, Outcome
from cutaway.evals.items import Item, Progress, outcomes
from cutaway.evals.pairs import pair_passage
from cutaway.evals.passage import Scorer
from cutaway.evals.stop_words import stop_tokens
from cutaway.tokenizer import AnyTokenizer


@dataclass(kw_only=True)
class LastWordScores:
    """How well last words are predicted."""

    exact: Share = field(default_factory=Share)
    """How often greedy decoding writes all tokens of the word."""
    filtered: Share = field(default_factory=Share)
    """The same where the first token may not be a stop word, which a last word never is."""
    loss: float = 0.0
    """Nats of all words together."""
    squares: float = 0.0
    """Of the words' losses, for their spread."""

    @property
    def perplexity(self) -> float | None:
        """A word."""
        mean = self.loss / self.exact.of if self.exact.of else math.inf
        return math.exp(mean) if mean < 700 else None

    @property
    def perplexity_stderr(self) -> float | None:
        """The standard error of the perplexity: itself times that of the mean loss, as far as errors are small."""
        n = self.exact.of
        if n < 2 or self.perplexity is None:
            return None
        return self.perplexity * math.sqrt(max(0.0, self.squares - self.loss**2 / n) / (n - 1) / n)

    def add(self, outcome: Outcome) -> None:
        """Count one passage."""
        self.exact.add(outcome["greedy"])
        self.filtered.add(outcome["greedy_but"])
        self.loss -= outcome["logprob"]
        self.squares += outcome["logprob"] ** 2

    def to_dict(self) -> dict[str, Any]:
        """All figures, ready for JSON."""
        shares = {"accuracy": self.exact.to_dict(), "accuracy_without_stop_words": self.filtered.to_dict()}
        perplexity = {"perplexity": self.perplexity, "perplexity_stderr": self.perplexity_stderr}
        return {"items": self.exact.of, **perplexity, **shares}


def guess_last_words(
    texts: Iterable[str],
    scorer: Scorer,
    tokenizer: AnyTokenizer,
    *,
    log: ItemLog | None = None,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """What became of each passage's last word.

    Raises: EvaluationError for a passage of a single word.
    """
    ignored = stop_tokens(tokenizer)
    return outcomes((_item(text, scorer.context, tokenizer, ignored) for text in texts), scorer, log, progress)


def _item(text: str, most: int, tokenizer: AnyTokenizer, ignored: frozenset[int]) -> Item:
    context, space, word = text.rpartition(" ")
    if not context:
        raise EvaluationError(
            f"the passage {text[:40]!r} has a single word, before which there is nothing; leave it out"
        )
    passage = pair_passage(tokenizer, context, space + word, most, ignored)
    return Item(
        passages=[passage],
        outcome=lambda scores: {
            "logprob": round(scores[0].total, 6),
            "greedy": scores[0].greedy,
            "greedy_but": scores[0].greedy_but,
            "tokens": passage.n_scored,
        },
    )


def scores_of(found: Iterable[Outcome]) -> LastWordScores:
    """The figures over all passages."""
    scores = LastWordScores()
    for outcome in found:
        scores.add(outcome)
    return scores
