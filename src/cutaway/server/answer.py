"""The answer to a request for completions, whole or as a stream of chunks."""

import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from cutaway.engine import Event, Scored, Wrote
from cutaway.server.choice import Choice, Piece
from cutaway.server.plan import Plan
from cutaway.server.served_model import ServedModel
from cutaway.server.submission import Submission


class Answer:
    """What is made of a plan's events: its choices, prompt after prompt."""

    def __init__(self, plan: Plan, model: ServedModel) -> None:
        self._plan = plan
        self._head = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model.name,
            "system_fingerprint": None,
        }
        self._choices = [
            [
                Choice(plan, request, model.generator.tokenizer, prompt * plan.n + sample)
                for sample in range(request.params.n)
            ]
            for prompt, request in enumerate(plan.requests)
        ]

    async def whole(self, submission: Submission) -> dict[str, Any]:
        """Everything at once, when it is there."""
        for choice in self._echo_unscored():
            choice.echo()
        async for prompt, event in submission:
            for _ in self._take(prompt, event):
                pass
        best = [choice for choices in self._choices for choice in self._best(choices)]
        return self._head | {
            "choices": [choice.whole(index) for index, choice in enumerate(best)],
            "usage": self._usage(),
        }

    async def chunks(self, submission: Submission, *, with_usage: bool) -> AsyncIterator[dict[str, Any]]:
        """Everything as it comes, a chunk for each piece that shows something."""
        usage = {"usage": None} if with_usage else {}
        for choice in self._echo_unscored():
            yield self._head | {"choices": [choice.to_dict(choice.echo())]} | usage
        async for prompt, event in submission:
            for choice, piece in self._take(prompt, event):
                yield self._head | {"choices": [choice.to_dict(piece)]} | usage
        if with_usage:
            yield self._head | {"choices": [], "usage": self._usage()}

    def _best(self, choices: list[Choice]) -> list[Choice]:
        """Those that are returned: all, or of more the likeliest a token."""
        if len(choices) == self._plan.n:
            return choices
        return sorted(choices, key=lambda choice: -choice.logprob_per_token)[: self._plan.n]

    def _echo_unscored(self) -> list[Choice]:
        """The choices that can show their prompt before it has been read."""
        if not self._plan.echo or self._plan.logprobs is not None:
            return []
        return [choice for choices in self._choices for choice in choices]

    def _take(self, prompt: int, event: Event) -> list[tuple[Choice, Piece]]:
        """What an event adds to the choices of its prompt, leaving out what shows nothing."""
        choices = self._choices[prompt]
        if isinstance(event, Scored):
            return [(choice, choice.echo(event.scores)) for choice in choices]
        if isinstance(event, Wrote) and self._plan.writes:
            choice = choices[event.step.sample]
            piece = choice.add(event.step)
            shows = piece.text or piece.finish_reason or (piece.places and self._plan.logprobs is not None)
            return [(choice, piece)] if shows else []
        return []

    def _usage(self) -> dict[str, int]:
        prompt = self._plan.prompt_tokens
        written = sum(choice.tokens for choices in self._choices for choice in choices)
        return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
