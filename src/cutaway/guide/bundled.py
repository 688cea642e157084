"""The bundled model, as the exercises ask it."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cutaway.language_model import LanguageModel


@cache
def fable() -> "LanguageModel":
    """The bundled model on the CPU, loaded once."""
    from cutaway.language_model import load

    return load("fable", device="cpu")


def expected(text: str) -> tuple[str, float]:
    """The likeliest next token after a text, and its probability."""
    prediction = fable().next_tokens(text, top=1)[-1].predictions[0]
    return fable().tokenizer.decode([prediction.token]), prediction.probability


def name_of_head(layer: int, head: int) -> str:
    """How answers name a head: `0.2`."""
    return f"{layer}.{head}"


def probability(text: str, word: str) -> float:
    """How probable the model finds it that a word, which may be several tokens, goes on with a text."""
    import math

    model = fable()
    ids = model.ids(text)
    scores = model.score([*ids, *model.ids(word)])[len(ids) :]
    return math.exp(sum(score.logprob for score in scores if score.logprob is not None))
