"""Many requests at once: they come and go between steps, and each gets what it would get alone."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from numpy.typing import NDArray

from cutaway.engine.event import Ended, EndReason, Event, Outcome, Scored, Wrote, outcome_of
from cutaway.engine.foresight import Foresight
from cutaway.engine.limits import EngineLimits
from cutaway.engine.prompt_scores import PromptScores
from cutaway.engine.request import Request
from cutaway.engine.runner import Runner, runner_of
from cutaway.engine.scheduler import Reading, Scheduler
from cutaway.engine.sequence import Sequence
from cutaway.engine.slots import Slots
from cutaway.engine.statistics import Statistics
from cutaway.errors import EngineError, GenerationError, QueueFullError
from cutaway.generate import Generation, Network, Speculation, Step
from cutaway.generate.sample import Sample
from cutaway.native.model import check_ids
from cutaway.sampling import SamplingParams, fresh_seed
from cutaway.tokenizer import AnyTokenizer


@dataclass
class Live:
    """A request that has not ended."""

    request: Request
    deadline: float | None
    unfinished: int
    """Samples still to finish."""


class Engine:
    """A network that serves many requests, step by step; one thread at a time may use it.

    In each step it reads what the scheduler plans in one go, and every sample that has nothing more to read takes its
    next token from its own logits. A sample knows nothing of the others: who else is served, how a prompt is cut into
    steps and what was taken over from others' slots change no token. With `speculation` it also reads what samples may
    say next, where that is quicker; that changes none either.
    """

    def __init__(
        self,
        runner: Runner,
        tokenizer: AnyTokenizer,
        limits: EngineLimits | None = None,
        *,
        speculation: Speculation | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or EngineLimits()
        if runner.slots < self.limits.slots:
            raise EngineError(
                f"a runner of {runner.slots} slots cannot serve max_running={self.limits.max_running} and "
                f"max_kept={self.limits.max_kept}; give it {self.limits.slots}"
            )
        self._runner, self._tokenizer, self._clock = runner, tokenizer, clock
        everything = self.limits.slots * runner.context
        self._slots = Slots(runner, self.limits.slots, self.limits.max_held_tokens or everything)
        self._scheduler = Scheduler(self.limits, self._slots)
        self._foresight = Foresight(speculation) if speculation else None
        self._live: dict[int, Live] = {}
        self._events: list[Event] = []
        self._requests = self._tokens_read = self._tokens_made = 0

    @classmethod
    def over(
        cls,
        model: Network,
        tokenizer: AnyTokenizer,
        limits: EngineLimits | None = None,
        *,
        speculation: Speculation | None = None,
    ) -> Self:
        """An engine over a network, in native hands or in PyTorch, with the slots that its limits ask for."""
        limits = limits or EngineLimits()
        return cls(runner_of(model, limits.slots), tokenizer, limits, speculation=speculation)

    @property
    def busy(self) -> bool:
        """Whether there is anything to do, or to tell, in the next step."""
        return bool(self._live or self._events)

    @property
    def statistics(self) -> Statistics:
        """How many samples there are, and how many tokens there were."""
        return Statistics(
            running=len(self._scheduler.running),
            waiting=len(self._scheduler.waiting),
            held_tokens=self._slots.held_tokens,
            tokens_read=self._tokens_read,
            tokens_reused=self._slots.tokens_reused,
            tokens_made=self._tokens_made,
        )

    def check(self, request: Request) -> None:
        """Refuse a request that could never be served, however empty the engine.

        Raises: GenerationError naming what is too much, or the id that is not in the vocabulary.
        """
        check_ids(request.prompt, self._runner.vocab_size)
        length, context = len(request.prompt), self._runner.context
        if request.params.n > self.limits.max_waiting:
            raise GenerationError(
                f"n={request.params.n:,} samples are more than may wait; ask for at most {self.limits.max_waiting:,}"
            )
        if request.prompt_logprobs is not None and length > context:
            raise GenerationError(
                f"the log-probabilities of a prompt of {length:,} tokens are not to be had in a context of "
                f"{context:,}; shorten the prompt"
            )
        room = min(context, length + request.params.max_tokens)
        if room > self._slots.max_tokens:
            raise GenerationError(
                f"prompt and max_tokens take {room:,} tokens, but the engine holds {self._slots.max_tokens:,}; "
                "shorten one of them"
            )

    def add(self, request: Request) -> int:
        """Put a request at the end of the queue and return its number, which its events carry.

        Raises: GenerationError for a request that could never be served; QueueFullError when too many wait.
        """
        self.check(request)
        check_queue(len(self._scheduler.waiting), request, self.limits)
        number, self._requests = self._requests, self._requests + 1
        limit = request.time_limit_s
        self._live[number] = Live(request, None if limit is None else self._clock() + limit, request.params.n)
        self._scheduler.add(self._sequences(number, seeded(request)))
        return number

    def cancel(self, request: int) -> None:
        """End a request now and free its places; the next step tells its end. One that has ended is let be."""
        if request in self._live:
            self._end(request, "cancelled", EngineError("the request was cancelled"))

    def step(self) -> list[Event]:
        """Read once, choose every token that can be chosen, and tell what happened.

        Whatever goes wrong with one request ends that request, with the error in its `Ended`, and touches no other.
        """
        self._expire()
        plan = self._scheduler.plan()
        if self._foresight:
            plan = self._foresight.extended(plan, self.limits.step_tokens)
        for reading, rows in self._read(plan):
            if reading.sequence.request in self._live:
                try:
                    self._advance(reading, rows)
                except Exception as error:  # noqa: BLE001 - it is told by the request's end
                    self._end(reading.sequence.request, "failed", error)
        events, self._events = self._events, []
        return events

    def run(self, requests: Iterable[Request]) -> list[Outcome]:
        """Serve requests, however many, and return what became of each, in their order.

        Raises: EngineError when the engine is serving others; GenerationError for a request that it cannot serve.
        """
        if self.busy:
            raise EngineError("the engine is serving other requests; run them to their end, or add these one by one")
        todo = [seeded(request) for request in requests]
        for request in todo:
            self.check(request)
        events: dict[int, list[Event]] = {}
        numbers: list[int] = []
        while len(numbers) < len(todo) or self.busy:
            while len(numbers) < len(todo) and self._may_wait(todo[len(numbers)]):
                numbers.append(self.add(todo[len(numbers)]))
            for event in self.step():
                events.setdefault(event.request, []).append(event)
        return [outcome_of(request, events[number]) for request, number in zip(todo, numbers, strict=True)]

    def generate(self, prompts: Iterable[Iterable[int]], params: SamplingParams) -> list[Generation]:
        """Continue prompts of token ids and return each with its finished samples: the plain loop's `generate`, faster.

        Raises: what `run` raises, and the error of the first request that did not finish.
        """
        if params.seed is None:
            params = params.replace(seed=fresh_seed())
        outcomes = self.run(Request(prompt=tuple(prompt), params=params) for prompt in prompts)
        return [
            Generation(
                prompt=self._tokenizer.decode(outcome.request.prompt),
                prompt_tokens=outcome.request.prompt,
                samples=outcome.samples,
                seed=None if params.greedy else params.seed,
            )
            for outcome in outcomes
        ]

    def stream(self, prompt: Iterable[int], params: SamplingParams) -> Iterator[Step]:
        """Continue a prompt of token ids and yield every token of its samples as it comes.

        Raises: what `add` raises, and the error that kept the request from finishing.
        """
        self.add(Request(prompt=tuple(prompt), params=params))
        while self.busy:
            for event in self.step():
                if isinstance(event, Wrote):
                    yield event.step
                elif isinstance(event, Ended) and event.error is not None:
                    raise event.error

    def _sequences(self, number: int, request: Request) -> Iterator[Sequence]:
        params, prompt = request.params, request.prompt
        assert params.seed is not None, "a request gets its seed before its samples"
        for index in range(params.n):
            sample = Sample(prompt, params, self._tokenizer, seed=params.seed, sample=index)
            scored = index == 0 and request.prompt_logprobs is not None
            scores = PromptScores(prompt, request.prompt_logprobs or 0) if scored else None
            yield Sequence(number, sample, self._runner.context, scores=scores)

    def _may_wait(self, request: Request) -> bool:
        return len(self._scheduler.waiting) + request.params.n <= self.limits.max_waiting

    def _expire(self) -> None:
        """End what has run out of time."""
        now = self._clock()
        late = {n: live for n, live in self._live.items() if live.deadline is not None and live.deadline <= now}
        for number, live in late.items():
            error = EngineError(f"the request took longer than its {live.request.time_limit_s:g} s; allow more time")
            self._end(number, "timed out", error)

    def _read(self, plan: list[Reading]) -> Iterator[tuple[Reading, NDArray[Any]]]:
        """Read together, and if that fails each alone, so that whoever is to blame ends alone."""
        plan = [reading for reading in plan if reading.sequence.request in self._live]
        if not plan:
            return
        try:
            logits = self._foresight.timed(plan, self._logits) if self._foresight else self._logits(plan)
        except Exception as error:  # noqa: BLE001 - it is told by the request's end
            if len(plan) == 1:
                self._end(plan[0].sequence.request, "failed", error)
            else:
                for reading in plan:
                    yield from self._read([reading])
            return
        for reading in plan:
            reading.sequence.slot.tokens.extend(reading.tokens)
            self._tokens_read += len(reading.tokens)
        for reading in plan:
            rows, logits = logits[: reading.answers], logits[reading.answers :]
            yield reading, rows

    def _logits(self, plan: list[Reading]) -> NDArray[Any]:
        slots = [reading.sequence.slot.index for reading in plan]
        return self._runner.read(slots, [reading.tokens for reading in plan], [reading.answers for reading in plan])

    def _advance(self, reading: Reading, rows: NDArray[Any]) -> None:
        """Use what came of a reading: score the prompt, and take the next token when nothing is left to read.

        Shapes: rows (answers, V)
        """
        sequence = reading.sequence
        if reading.guess:
            self._write_ahead(reading, rows)
            return
        if sequence.scores is not None:
            sequence.scores.add(rows)
        if sequence.unread:
            return
        if sequence.scores is not None:
            self._events.append(Scored(request=sequence.request, scores=tuple(sequence.scores.scores)))
            sequence.scores = None
        for member in self._scheduler.fork(sequence):
            self._write(member, rows[-1])

    def _write_ahead(self, reading: Reading, rows: NDArray[Any]) -> None:
        """Choose a sample's next token, and more as long as what it chooses was guessed and read.

        Shapes: rows (answers, V)
        """
        assert self._foresight is not None, "somebody has guessed"
        sequence, said = reading.sequence, reading.sequence.sample.generated
        for place, (logits, guessed) in enumerate(zip(rows, reading.guess, strict=True), start=1):
            self._write(sequence, logits)
            right = said[-1] == guessed
            self._foresight.saw(reading, right, read=place < len(rows))
            if sequence.sample.finish_reason is not None:
                return
            if not right:
                break
        self._scheduler.forget_guesses(sequence)

    def _write(self, sequence: Sequence, logits: NDArray[Any]) -> None:
        """Choose a sample's next token.

        Shapes: logits (V,)
        """
        step = sequence.sample.step(logits)
        self._tokens_made += 1
        self._events.append(Wrote(request=sequence.request, step=step))
        if step.finish_reason is None:
            self._scheduler.grow(sequence, step.token)
            return
        self._scheduler.finish(sequence)
        live = self._live[sequence.request]
        live.unfinished -= 1
        if not live.unfinished:
            self._end(sequence.request, "finished")

    def _end(self, request: int, reason: EndReason, error: Exception | None = None) -> None:
        del self._live[request]
        self._scheduler.drop(request)
        self._events.append(Ended(request=request, reason=reason, error=error))


def check_queue(waiting: int, request: Request, limits: EngineLimits) -> None:
    """Refuse a request when too many samples wait already.

    Raises: QueueFullError.
    """
    if waiting + request.params.n > limits.max_waiting:
        raise QueueFullError(
            f"{waiting:,} samples are waiting and {request.params.n:,} more do not fit a queue of "
            f"{limits.max_waiting:,}; try again later"
        )


def seeded(request: Request) -> Request:
    """The request with a seed, a fresh one if it has none."""
    if request.params.seed is not None:
        return request
    return replace(request, params=request.params.replace(seed=fresh_seed()))
