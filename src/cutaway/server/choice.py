"""What comes back of one sample: pieces while it is written, or all of them as one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cutaway.engine import PromptScore, Request
from cutaway.generate import Step
from cutaway.generate.completion import FinishReason
from cutaway.generate.sample import stop_tokens
from cutaway.server.plan import Plan
from cutaway.server.token_ledger import Place, TokenLedger, logprobs_of, prompt_places
from cutaway.tokenizer import AnyTokenizer


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some text, the tokens that it is made of, and whether it is the end."""

    text: str
    places: tuple[Place, ...] = ()
    finish_reason: FinishReason | None = None


class Choice:
    """One sample as the client sees it, the prompt before it if that is echoed."""

    def __init__(self, plan: Plan, request: Request, tokenizer: AnyTokenizer, index: int) -> None:
        self.index, self._plan, self._tokenizer, self._request = index, plan, tokenizer, request
        self._prompt = tokenizer.decode(request.prompt) if plan.echo else ""
        ends = stop_tokens(request.params, tokenizer)
        self._ledger = TokenLedger(tokenizer, ends, len(self._prompt))
        self.pieces: list[Piece] = []
        self.tokens, self._logprob = 0, 0.0

    @property
    def logprob_per_token(self) -> float:
        """How likely the model finds the sample, by which the best of many is chosen."""
        return self._logprob / max(1, self.tokens)

    def echo(self, scores: Iterable[PromptScore] = ()) -> Piece:
        """The prompt."""
        end: FinishReason | None = None if self._plan.writes else "length"
        places = tuple(prompt_places(scores, self._tokenizer))
        return self._keep(Piece(text=self._prompt, places=places, finish_reason=end))

    def add(self, step: Step) -> Piece:
        """One more token."""
        self.tokens += 1
        self._logprob += step.logprob
        places = tuple(self._ledger.add(step))
        return self._keep(Piece(text=step.text, places=places, finish_reason=step.finish_reason))

    def to_dict(self, piece: Piece) -> dict[str, Any]:
        """A piece as OpenAI lays it out."""
        logprobs = None if self._plan.logprobs is None else logprobs_of(piece.places, self._tokenizer)
        return {"text": piece.text, "index": self.index, "logprobs": logprobs, "finish_reason": piece.finish_reason}

    def whole(self, index: int) -> dict[str, Any]:
        """All pieces as one, at its place in the answer."""
        text = "".join(piece.text for piece in self.pieces)
        places = tuple(place for piece in self.pieces for place in piece.places)
        piece = Piece(text=text, places=places, finish_reason=self.pieces[-1].finish_reason)
        return self.to_dict(piece) | {"index": index}

    def _keep(self, piece: Piece) -> Piece:
        self.pieces.append(piece)
        return piece
