"""The engine over a scripted network: who gets what, when, and that nobody notices anybody else."""

import dataclasses
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.engine import Ended, Engine, EngineLimits, Request, Scored, Wrote
from cutaway.engine.event import outcome_of
from cutaway.errors import EngineError, GenerationError, QueueFullError
from cutaway.sampling import SamplingParams, log_softmax
from scripted import ScriptedRunner, expectation, steps_alone
from tiny import TOKENIZER

PARAMS = SamplingParams(max_tokens=5, seed=7, ignore_eot=True)
LIMITS = EngineLimits(max_running=4, max_kept=2, step_tokens=8)
FOREIGN = PARAMS.replace(logit_bias={100_000: 1.0})
"""Parameters that cannot be sampled by, which shows only when the first token is due."""


class Clock:
    """Time that goes on when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def make(limits=LIMITS, context=16, **changes):
    runner = ScriptedRunner(limits.slots, context)
    return Engine(runner, TOKENIZER, limits, **changes), runner


def ask(*prompt, params=PARAMS, **changes):
    return Request(prompt=prompt, params=params, **changes)


def drain(engine):
    """All events until nothing is left to do, step by step."""
    steps = []
    while engine.busy:
        steps.append(engine.step())
    return steps


def written(events, request):
    return [event.step.token for event in events if isinstance(event, Wrote) and event.request == request]


def tokens_of(steps):
    return [step.token for step in steps]


def test_one_request_gets_what_the_obvious_loop_gives():
    engine, _ = make()
    (outcome,) = engine.run([ask(1, 2, 3)])
    assert outcome.reason == "finished"
    assert outcome.steps == (steps_alone([1, 2, 3], PARAMS),)


def test_each_step_of_a_writer_reads_one_token():
    engine, runner = make()
    engine.run([ask(1, 2, 3)])
    assert [len(new) for read in runner.reads for new in read.values()] == [3, 1, 1, 1, 1]


def test_a_request_joins_while_another_is_being_written():
    engine, runner = make()
    first = engine.add(ask(1, 2, 3))
    events = engine.step() + engine.step()
    second = engine.add(ask(4, 5))
    events += chain.from_iterable(drain(engine))
    assert written(events, first) == tokens_of(steps_alone([1, 2, 3], PARAMS))
    assert written(events, second) == tokens_of(steps_alone([4, 5], PARAMS))
    assert len(runner.reads) == 7


def test_a_long_prompt_is_read_in_pieces_while_the_others_go_on_writing():
    engine, runner = make()
    engine.add(ask(1, 2))
    engine.step()
    late = engine.add(ask(*range(10, 26)))
    steps = drain(engine)
    assert [sorted(len(new) for new in read.values()) for read in runner.reads[1:4]] == [[1, 7], [1, 7], [1, 2]]
    assert all(any(event.request == 0 for event in step) for step in steps[:3])
    assert written(chain.from_iterable(steps), late) == tokens_of(steps_alone(range(10, 26), PARAMS))


def test_samples_of_one_prompt_read_it_once():
    engine, runner = make()
    (outcome,) = engine.run([ask(1, 2, 3, 4, params=PARAMS.replace(n=4))])
    assert outcome.steps == tuple(steps_alone([1, 2, 3, 4], PARAMS, sample=index) for index in range(4))
    assert sum(len(new) for read in runner.reads for new in read.values()) == 4 + 4 * 4
    assert engine.statistics.tokens_reused == 3 * 4


def test_more_samples_than_may_run_come_one_after_another_and_read_only_the_prompts_last_token():
    engine, runner = make()
    (outcome,) = engine.run([ask(1, 2, 3, 4, params=PARAMS.replace(n=9))])
    assert outcome.steps == tuple(steps_alone([1, 2, 3, 4], PARAMS, sample=index) for index in range(9))
    assert sum(len(new) > 1 for read in runner.reads for new in read.values()) == 1


def test_a_prompt_that_begins_like_a_finished_text_reads_only_the_rest():
    engine, runner = make()
    engine.run([ask(1, 2, 3, 4, 5)])
    before = len(runner.reads)
    (outcome,) = engine.run([ask(1, 2, 3, 4, 9, 9)])
    assert list(runner.reads[before].values()) == [[9, 9]]
    assert outcome.steps == (steps_alone([1, 2, 3, 4, 9, 9], PARAMS),)
    assert engine.statistics.tokens_reused == 4


def test_a_prompt_that_was_read_whole_reads_its_last_token_again():
    engine, runner = make()
    engine.run([ask(1, 2, 3)])
    before = len(runner.reads)
    engine.run([ask(1, 2, 3)])
    assert list(runner.reads[before].values()) == [[3]]


def test_a_prompt_that_begins_like_a_running_text_copies_it():
    engine, runner = make()
    engine.add(ask(1, 2, 3, 4))
    engine.step()
    engine.add(ask(1, 2, 3, 8))
    engine.step()
    assert runner.copies == [(0, 1, 3)]
    assert sorted(runner.reads[1].values(), key=len)[-1] == [8] or [8] in runner.reads[1].values()


def test_past_the_context_the_last_tokens_count_alone():
    params = PARAMS.replace(max_tokens=12)
    engine, _ = make(context=8)
    prompts = [(1, 2, 3), tuple(range(20)), tuple(range(8))]
    for outcome, prompt in zip(engine.run([ask(*prompt, params=params) for prompt in prompts]), prompts, strict=True):
        assert outcome.steps == (steps_alone(prompt, params, context=8),)


def test_a_prompt_gets_the_log_probabilities_of_its_own_tokens():
    engine, runner = make(EngineLimits(max_running=4, step_tokens=16, score_rows=3))
    prompt = list(range(30, 40))
    engine.add(ask(*prompt, prompt_logprobs=2))
    events = list(chain.from_iterable(drain(engine)))
    (scored,) = (event for event in events if isinstance(event, Scored))
    assert [score.token for score in scored.scores] == prompt
    assert scored.scores[0].logprob is None
    for position in range(1, len(prompt)):
        expected = log_softmax(expectation(prompt[:position]))
        assert scored.scores[position].logprob == float(expected[prompt[position]])
        assert list(scored.scores[position].top_logprobs) == expected.argsort()[::-1][:2].tolist()
    assert written(events, 0) == tokens_of(steps_alone(prompt, PARAMS))
    assert [len(new) for read in runner.reads for new in read.values()][:4] == [3, 3, 3, 1]
    assert events.index(scored) == 0


def test_a_scored_prompt_reads_all_of_itself_again():
    engine, _ = make()
    engine.run([ask(1, 2, 3)])
    (outcome,) = engine.run([ask(1, 2, 3, prompt_logprobs=0)])
    assert [score.token for score in outcome.prompt_scores] == [1, 2, 3]
    assert outcome.prompt_scores[2].top_logprobs == {}


def test_a_cancelled_request_frees_its_slots_at_once_and_tells_its_end():
    engine, _ = make()
    request = engine.add(ask(1, 2, params=PARAMS.replace(n=4)))
    engine.step()
    other = engine.add(ask(3, 4))
    assert (engine.statistics.running, engine.statistics.waiting) == (4, 1)
    engine.cancel(request)
    assert (engine.statistics.running, engine.statistics.waiting) == (0, 1)
    events = list(chain.from_iterable(drain(engine)))
    assert (events[0].request, events[0].reason) == (request, "cancelled")
    assert all(event.request == other for event in events[1:])
    assert written(events, other) == tokens_of(steps_alone([3, 4], PARAMS))


def test_cancelling_what_has_ended_or_never_was_changes_nothing():
    engine, _ = make()
    engine.run([ask(1)])
    engine.cancel(0)
    engine.cancel(99)
    assert not engine.busy


def test_one_that_waits_can_be_cancelled():
    engine, _ = make()
    for number in range(6):
        engine.add(ask(number + 1))
    engine.step()
    engine.cancel(5)
    events = list(chain.from_iterable(drain(engine)))
    assert not written(events, 5)
    assert {event.request: event.reason for event in events if isinstance(event, Ended)} == {
        **dict.fromkeys(range(5), "finished"),
        5: "cancelled",
    }


def test_a_request_ends_when_its_time_is_over_whether_it_runs_or_waits():
    clock = Clock()
    engine, _ = make(clock=clock)
    slow = engine.add(ask(1, params=PARAMS.replace(n=4), time_limit_s=2.0))
    waits = engine.add(ask(2, time_limit_s=1.5))
    patient = engine.add(ask(3))
    engine.step()
    clock.now = 1.75
    assert {event.request for event in engine.step() if isinstance(event, Ended)} == {waits}
    clock.now = 2.0
    events = list(chain.from_iterable(drain(engine)))
    ended = {event.request: event for event in events if isinstance(event, Ended)}
    assert (ended[slow].reason, ended[patient].reason) == ("timed out", "finished")
    assert str(ended[slow].error) == "the request took longer than its 2 s; allow more time"


def test_a_request_that_cannot_be_sampled_ends_alone():
    engine, _ = make()
    fine, broken, scored = engine.run([ask(1, 2), ask(1, 2, params=FOREIGN), ask(5, 6, prompt_logprobs=1)])
    assert (fine.reason, broken.reason, scored.reason) == ("finished", "failed", "finished")
    assert isinstance(broken.error, GenerationError)
    assert fine.steps == (steps_alone([1, 2], PARAMS),)
    with pytest.raises(GenerationError, match="token id 100,000"):
        _ = broken.samples


def test_a_request_that_cannot_be_read_ends_alone():
    engine, runner = make()
    runner.poison = 66
    outcomes = engine.run([ask(1, 2), ask(3, 66), ask(4)])
    assert [outcome.reason for outcome in outcomes] == ["finished", "failed", "finished"]
    assert str(outcomes[1].error) == "poisoned"
    assert outcomes[2].steps == (steps_alone([4], PARAMS),)


def test_a_full_queue_refuses_until_there_is_room_again():
    engine, _ = make(EngineLimits(max_running=1, max_waiting=2, step_tokens=8))
    engine.add(ask(1))
    engine.add(ask(2))
    with pytest.raises(QueueFullError, match="2 samples are waiting and 1 more do not fit a queue of 2; try again"):
        engine.add(ask(3))
    engine.step()
    engine.add(ask(3))
    assert engine.statistics.waiting == 2


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ask(1, TOKENIZER.n_vocab), "is not in the model's vocabulary"),
        (ask(1, params=PARAMS.replace(n=1000)), "n=1,000 samples are more than may wait; ask for at most 9"),
        (ask(*range(17), prompt_logprobs=0), "a prompt of 17 tokens are not to be had in a context of 16; shorten"),
        (ask(*range(9)), "take 14 tokens, but the engine holds 12; shorten one of them"),
    ],
)
def test_what_could_never_be_served_is_refused(request_, message):
    engine, _ = make(dataclasses.replace(LIMITS, max_waiting=9, max_held_tokens=12))
    with pytest.raises(GenerationError, match=message):
        engine.add(request_)
    with pytest.raises(GenerationError, match=message):
        engine.run([ask(1), request_])
    assert not engine.busy


def test_a_runner_with_too_few_slots_is_refused():
    with pytest.raises(EngineError, match="a runner of 5 slots cannot serve max_running=4 and max_kept=2; give it 6"):
        Engine(ScriptedRunner(5), TOKENIZER, LIMITS)


def test_running_more_requests_than_may_wait_keeps_their_order():
    engine, _ = make(EngineLimits(max_running=2, max_waiting=2, step_tokens=8))
    prompts = [(number, number + 1) for number in range(1, 20)]
    for outcome, prompt in zip(engine.run([ask(*prompt) for prompt in prompts]), prompts, strict=True):
        assert outcome.steps == (steps_alone(prompt, PARAMS),)


def test_running_does_not_mix_with_requests_that_were_added():
    engine, _ = make()
    engine.add(ask(1))
    with pytest.raises(EngineError, match="serving other requests"):
        engine.run([ask(2)])


def test_generate_raises_the_error_of_the_first_that_fails():
    engine, _ = make()
    with pytest.raises(GenerationError, match="token id 100,000"):
        engine.generate([[1], [2]], FOREIGN)
    assert not engine.busy


def test_without_a_seed_each_request_gets_its_own_and_reports_it():
    engine, _ = make()
    first, second = engine.run([ask(1, params=PARAMS.replace(seed=None, max_tokens=12))] * 2)
    assert first.steps != second.steps
    assert first.steps == (steps_alone([1], first.request.params),)


def test_the_statistics_count():
    engine, _ = make()
    engine.run([ask(1, 2, 3), ask(4)])
    statistics = engine.statistics
    assert (statistics.running, statistics.waiting) == (0, 0)
    assert (statistics.tokens_read, statistics.tokens_made, statistics.tokens_reused) == (4 + 8, 10, 0)
    assert statistics.held_tokens == 3 + 4 + 1 + 4


prompts = st.lists(st.integers(0, 2), min_size=1, max_size=20)
requests = st.builds(
    Request,
    prompt=prompts.map(tuple),
    params=st.builds(
        SamplingParams,
        max_tokens=st.integers(1, 8),
        n=st.integers(1, 3),
        seed=st.integers(0, 3),
        temperature=st.sampled_from([0, 1.0]),
        ignore_eot=st.booleans(),
        logit_bias=st.sampled_from([{}, {0: 9.0, 1: 9.0}, {}, {TOKENIZER.eot: 8.0}, {100_000: 1.0}]),
    ),
)
limits = st.builds(
    EngineLimits,
    max_running=st.integers(1, 5),
    max_kept=st.integers(0, 3),
    step_tokens=st.integers(6, 20),
    score_rows=st.integers(1, 9),
    max_held_tokens=st.none() | st.integers(10, 40),
)


@given(st.data())
def test_whatever_comes_and_goes_everybody_gets_what_they_would_get_alone(data):
    context = 10
    engine, runner = make(data.draw(limits), context)
    asked, events, cancelled = {}, {}, set()
    todo = data.draw(st.lists(requests, min_size=1, max_size=8))
    while todo or engine.busy:
        for _ in range(data.draw(st.integers(0 if engine.busy else 1, 3))):
            if todo:
                request = todo.pop()
                scored = len(request.prompt) <= context and data.draw(st.booleans())
                request = dataclasses.replace(request, prompt_logprobs=0 if scored else None)
                asked[engine.add(request)] = request
        if asked and data.draw(st.integers(0, 9)) == 0:
            gone = data.draw(st.sampled_from(sorted(asked)))
            engine.cancel(gone)
            cancelled.add(gone)
        before = len(runner.reads)
        for event in engine.step():
            events.setdefault(event.request, []).append(event)
        assert sum(len(new) for read in runner.reads[before:] for new in read.values()) <= engine.limits.step_tokens
        assert_consistent(engine, runner)
    assert engine.statistics.running == engine.statistics.waiting == 0
    for number, request in asked.items():
        check_outcome(outcome_of(request, events[number]), context, was_cancelled=number in cancelled)


def assert_consistent(engine, runner):
    """What the engine believes is held is held, within the limits."""
    assert [slot.tokens for slot in engine._slots._slots] == runner.held
    assert sum(map(len, runner.held)) <= engine.statistics.held_tokens <= engine._slots.max_tokens
    assert engine.statistics.running <= engine.limits.max_running
    promised = sum(1 for slot in engine._slots._slots if slot.promised)
    assert promised == engine.statistics.running


def check_outcome(outcome, context, *, was_cancelled):
    request = outcome.request
    if 100_000 in request.params.logit_bias:
        assert outcome.reason == "failed" or was_cancelled
        return
    assert outcome.reason == "finished" or was_cancelled
    for index, steps in enumerate(outcome.steps):
        alone = steps_alone(request.prompt, request.params, context, index)
        assert steps == alone[: len(steps)]
        assert len(steps) == len(alone) or outcome.reason == "cancelled"
    if outcome.reason == "finished" and request.prompt_logprobs is not None:
        rows = [log_softmax(expectation(request.prompt[:end])) for end in range(1, len(request.prompt))]
        expected = [float(row[token]) for row, token in zip(rows, request.prompt[1:], strict=True)]
        assert [score.logprob for score in outcome.prompt_scores] == [None, *expected]
