"""Which tokens a text that has been let through is made of, and where each begins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cutaway.engine import PromptScore
from cutaway.generate import Step
from cutaway.tokenizer import AnyTokenizer


@dataclass(frozen=True, kw_only=True)
class Place:
    """A token in a text."""

    token: int
    offset: int
    """Characters before it."""
    logprob: float | None
    top_logprobs: Mapping[int, float] | None


class TokenLedger:
    """Holds a sample's tokens back until the text that they begin is let through, as a stop text's never is."""

    def __init__(self, tokenizer: AnyTokenizer, ends: frozenset[int], offset: int = 0) -> None:
        self._ends, self._decoder = ends, tokenizer.stream()
        self._spelled = self._shown = offset
        self._held: list[Place] = []

    def add(self, step: Step) -> list[Place]:
        """Take in a step, and return the tokens that belong to the text let through by now."""
        ended_it = step.finish_reason == "stop" and step.token in self._ends
        self._held.append(
            Place(token=step.token, offset=self._spelled, logprob=step.logprob, top_logprobs=step.top_logprobs)
        )
        if not ended_it:
            self._spelled += len(self._decoder.push(step.token))
        self._shown += len(step.text)
        # What ended a sample stands for no text, but how likely the end was is worth knowing.
        count = len(self._held) if ended_it else sum(place.offset < self._shown for place in self._held)
        shown, self._held = self._held[:count], self._held[count:]
        return shown


def prompt_places(scores: Iterable[PromptScore], tokenizer: AnyTokenizer) -> list[Place]:
    """The tokens of a prompt, where they lie in it; nothing predicted the first."""
    decoder, spelled, places = tokenizer.stream(), 0, []
    for score in scores:
        top = None if score.logprob is None else score.top_logprobs
        places.append(Place(token=score.token, offset=spelled, logprob=score.logprob, top_logprobs=top))
        spelled += len(decoder.push(score.token))
    return places


def logprobs_of(places: Iterable[Place], tokenizer: AnyTokenizer) -> dict[str, Any]:
    """Tokens and their log-probabilities as OpenAI lays them out.

    The token that is there is among the top ones too, with the very same number.
    """
    places = list(places)
    return {
        "tokens": [spelling(place.token, tokenizer) for place in places],
        "token_logprobs": [place.logprob for place in places],
        "top_logprobs": [_top(place, tokenizer) for place in places],
        "text_offset": [place.offset for place in places],
    }


def _top(place: Place, tokenizer: AnyTokenizer) -> dict[str, float | None] | None:
    if place.top_logprobs is None:
        return None
    top = {spelling(token, tokenizer): logprob for token, logprob in place.top_logprobs.items()}
    return top | {spelling(place.token, tokenizer): place.logprob}


def spelling(token: int, tokenizer: AnyTokenizer) -> str:
    r"""A token as text, or where it is part of a character, its bytes as OpenAI spells them: `bytes:\xe2\x80`."""
    content = tokenizer.token_bytes(token)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in content)
