"""A sample in the making: its tokens, its random numbers, its text, and whether it has ended."""

from collections import deque
from collections.abc import Sequence

from cutaway.generate.choice import choose, weighed
from cutaway.generate.completion import FinishReason, Step
from cutaway.generate.stopping import StopTexts
from cutaway.sampling import (
    SamplingParams,
    most_likely,
    penalize,
    uniforms,
)
from cutaway.sampling.processors import Array
from cutaway.tokenizer import AnyTokenizer


class Sample:
    """A sample that takes logits and gives tokens until it has ended.

    It knows nothing of the batch it runs in, so its tokens cannot depend on it.
    """

    def __init__(
        self,
        prompt_ids: Sequence[int],
        params: SamplingParams,
        tokenizer: AnyTokenizer,
        *,
        seed: int,
        prompt: int = 0,
        sample: int = 0,
    ) -> None:
        self.prompt_ids, self.params, self.prompt, self.sample = prompt_ids, params, prompt, sample
        self.generated: list[int] = []
        self.finish_reason: FinishReason | None = None
        self._ends = stop_tokens(params, tokenizer)
        self.n_vocab = tokenizer.n_vocab
        self._uniforms = uniforms(seed, sample)
        self._foreseen: deque[float] = deque()
        """Random numbers that have been looked at, but not used."""
        self._decoder = tokenizer.stream()
        self._stops = StopTexts(params.stop)

    @property
    def remaining(self) -> int:
        """How many tokens it may still say."""
        return self.params.max_tokens - len(self.generated)

    def step(self, logits: Array) -> Step:
        """Choose the next token from its logits.

        Shapes: (V,)
        """
        token = self.foresee(logits)
        if self._foreseen:
            self._foreseen.popleft()
        return self.take(token, logits)

    def foresee(self, logits: Array, first: Sequence[int] = ()) -> int:
        """The token that it would choose from these logits, once it has said the tokens `first`; nothing changes.

        Shapes: (V,)
        """
        said = [*self.generated, *first] if first else self.generated
        # Checkpoints may pad the vocabulary for speed; an id that is no token is never chosen.
        logits = penalize(logits[: self.n_vocab], self.params, self.prompt_ids, said)
        if self.params.greedy:
            return most_likely(logits)
        while len(self._foreseen) <= len(first):
            self._foreseen.append(next(self._uniforms))
        return choose(logits, self.params, self._foreseen[len(first)])

    def take(self, token: int, logits: Array) -> Step:
        """Add a token that was chosen, here or elsewhere, from these logits.

        Shapes: (V,)
        """
        self.generated.append(token)
        logprob, top_logprobs = weighed(logits, token, self.params.logprobs)
        return Step(
            prompt=self.prompt,
            sample=self.sample,
            token=token,
            text=self._show(token),
            logprob=logprob,
            top_logprobs=top_logprobs,
            finish_reason=self.finish_reason,
        )

    def _show(self, token: int) -> str:
        """The text that this token makes certain; also notices the end."""
        if token in self._ends:
            self.finish_reason = "stop"
            return self._stops.push(self._decoder.flush()) + self._stops.flush()
        text = self._stops.push(self._decoder.push(token))
        if self._stops.met:
            self.finish_reason = "stop"
        elif len(self.generated) == self.params.max_tokens:
            self.finish_reason = "length"
            text += self._stops.push(self._decoder.flush()) + self._stops.flush()
        return text


def stop_tokens(params: SamplingParams, tokenizer: AnyTokenizer) -> frozenset[int]:
    """The tokens at which a sample ends."""
    ends = set(params.stop_tokens)
    if tokenizer.eot is not None and not params.ignore_eot:
        ends.add(tokenizer.eot)
    return frozenset(ends)
