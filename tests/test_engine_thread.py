"""An engine in a thread of its own: asked from many threads, silent about nothing, gone when told to."""

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cutaway.engine import Ended, Engine, EngineLimits, EngineThread, Receiver, Request, Scored, Wrote
from cutaway.errors import EngineError, GenerationError, QueueFullError
from cutaway.sampling import SamplingParams
from scripted import ScriptedRunner, steps_alone
from tiny import TOKENIZER

PARAMS = SamplingParams(max_tokens=5, seed=7, ignore_eot=True)
LONG = PARAMS.replace(max_tokens=1 << 20)
LIMITS = EngineLimits(max_running=4, max_kept=2, step_tokens=8)
PATIENCE_S = 60


class Gate(ScriptedRunner):
    """A runner that reads only when it is let."""

    def __init__(self, slots):
        super().__init__(slots)
        self.asked, self.let = threading.Semaphore(0), threading.Semaphore(0)

    def read(self, *args):
        self.asked.release()
        assert self.let.acquire(timeout=PATIENCE_S)
        return super().read(*args)


def engine(limits=LIMITS, runner=None):
    return Engine(runner or ScriptedRunner(limits.slots), TOKENIZER, limits)


def ask(*prompt, params=PARAMS, **changes):
    return Request(prompt=prompt, params=params, **changes)


def ended(thread):
    """Whether the thread has come to its end."""
    thread._thread.join(PATIENCE_S)
    return not thread._thread.is_alive()


def test_events_come_in_order_and_end_with_the_end():
    with EngineThread(engine()) as thread:
        *wrote, end = thread.submit(ask(1, 2))
    assert all(isinstance(event, Wrote) for event in wrote)
    assert tuple(event.step for event in wrote) == steps_alone([1, 2], PARAMS)
    assert (end.reason, end.error) == ("finished", None)


def test_many_threads_ask_and_each_hears_its_own():
    prompts = [(number % 5, number) for number in range(40)]
    with EngineThread(engine()) as thread, ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda prompt: thread.submit(ask(*prompt, prompt_logprobs=0)).outcome(), prompts))
        statistics = thread.statistics
    for prompt, outcome in zip(prompts, outcomes, strict=True):
        assert outcome.steps == (steps_alone(prompt, PARAMS),)
        assert [score.token for score in outcome.prompt_scores] == list(prompt)
    assert statistics.tokens_made == 40 * 5


def test_whoever_hears_of_a_step_finds_it_counted():
    counted = []
    with EngineThread(engine()) as thread:
        thread.submit(ask(1), hear=lambda event: counted.append(thread.statistics))
    assert [each.tokens_made for each in counted] == [1, 2, 3, 4, 5, 5]
    assert [each.running for each in counted][-2:] == [0, 0]


def test_an_idle_thread_sleeps_and_wakes_for_the_next_request():
    with EngineThread(engine()) as thread:
        for number in range(3):
            assert thread.submit(ask(number)).outcome().reason == "finished"
            assert thread._engine.busy is False


def test_a_listener_may_wait_for_so_long():
    runner = Gate(LIMITS.slots)
    with EngineThread(engine(runner=runner)) as thread:
        receiver = thread.submit(ask(1, prompt_logprobs=0))
        with pytest.raises(queue.Empty):
            receiver.get(timeout_s=0.01)
        runner.let.release(5)
        assert isinstance(receiver.get(timeout_s=PATIENCE_S), Scored)


def test_a_request_is_cancelled_while_it_is_being_written():
    with EngineThread(engine()) as thread:
        receiver = thread.submit(ask(1, params=LONG))
        other = thread.submit(ask(2))
        receiver.get()
        receiver.cancel()
        assert receiver.outcome().reason == "cancelled"
        receiver.cancel()
        assert other.outcome().steps == (steps_alone([2], PARAMS),)
        assert thread.submit(ask(3)).outcome().reason == "finished"


def test_a_request_is_cancelled_before_the_engine_has_seen_it():
    runner = Gate(LIMITS.slots)
    with EngineThread(engine(runner=runner)) as thread:
        first = thread.submit(ask(1))
        assert runner.asked.acquire(timeout=PATIENCE_S)
        second = thread.submit(ask(2))
        second.cancel()
        runner.let.release(5)
        assert second.outcome().reason == "cancelled"
        assert first.outcome().reason == "finished"
    assert all(2 not in new for read in runner.reads for new in read.values())


def test_the_queue_counts_those_that_the_engine_has_not_seen_yet():
    limits = EngineLimits(max_running=1, max_waiting=2, step_tokens=8)
    runner = Gate(limits.slots)
    with EngineThread(engine(limits, runner)) as thread:
        receivers = [thread.submit(ask(1))]
        assert runner.asked.acquire(timeout=PATIENCE_S)
        # The engine's thread is busy reading the first, which counted among the waiting when it was last asked.
        receivers.append(thread.submit(ask(2)))
        with pytest.raises(QueueFullError, match="2 samples are waiting and 1 more do not fit a queue of 2"):
            thread.submit(ask(3))
        runner.let.release(1000)
        assert [receiver.outcome().reason for receiver in receivers] == ["finished", "finished"]
        assert thread.submit(ask(6)).outcome().reason == "finished"


def test_what_could_never_be_served_is_refused_where_it_is_asked():
    with EngineThread(engine()) as thread, pytest.raises(GenerationError, match="not in the model's vocabulary"):
        thread.submit(ask(TOKENIZER.n_vocab))


def test_a_request_that_comes_while_the_thread_takes_others_is_not_lost():
    machine = engine()
    thread = EngineThread(machine)
    add, late = machine.add, []

    def add_and_be_asked(request):
        if not late:
            late.append(thread.submit(ask(2)))
        return add(request)

    machine.add = add_and_be_asked
    with thread:
        assert thread.submit(ask(1)).outcome().reason == "finished"
        assert isinstance(late[0].get(timeout_s=PATIENCE_S), Wrote)


def test_stopping_finishes_what_there_is_and_takes_no_more():
    thread = EngineThread(engine())
    receivers = [thread.submit(ask(number)) for number in range(9)]
    thread.stop()
    assert [receiver.outcome().reason for receiver in receivers] == ["finished"] * 9
    with pytest.raises(EngineError, match="the engine has been stopped; make a new one"):
        thread.submit(ask(1))
    thread.stop()


def test_stopping_at_once_cancels_what_there_is():
    thread = EngineThread(engine())
    receivers = [thread.submit(ask(number, params=LONG)) for number in range(9)]
    thread.stop(drain=False)
    assert {receiver.outcome().reason for receiver in receivers} == {"cancelled"}


def test_stopping_that_takes_too_long_says_so_and_can_be_followed_by_stopping_at_once():
    thread = EngineThread(engine())
    receiver = thread.submit(ask(1, params=LONG))
    with pytest.raises(EngineError, match=r"still at work after 0\.01 s; wait, or stop with drain=False"):
        thread.stop(timeout_s=0.01)
    thread.stop(drain=False)
    assert receiver.outcome().reason == "cancelled"


def test_leaving_the_block_by_an_error_cancels():
    thread = EngineThread(engine())
    receiver = thread.submit(ask(1, params=LONG))
    with pytest.raises(KeyError), thread:
        raise KeyError
    assert receiver.outcome().reason == "cancelled"


def test_a_request_that_fails_is_told_its_error_and_the_thread_goes_on():
    with EngineThread(engine()) as thread:
        outcome = thread.submit(ask(1, params=PARAMS.replace(logit_bias={100_000: 1.0}))).outcome()
        assert outcome.reason == "failed"
        assert isinstance(outcome.error, GenerationError)
        assert thread.submit(ask(2)).outcome().reason == "finished"


def broken(runner=None):
    """A thread whose engine breaks at its third step."""
    machine = engine(runner=runner)
    plan, calls = machine._scheduler.plan, iter([plan_as_ever, plan_as_ever])
    machine._scheduler.plan = lambda: next(calls)(plan)
    return EngineThread(machine)


def plan_as_ever(plan):
    return plan()


def test_an_engine_that_breaks_tells_everybody():
    runner = Gate(LIMITS.slots)
    thread = broken(runner)
    running = thread.submit(ask(1, params=LONG))
    assert runner.asked.acquire(timeout=PATIENCE_S)
    late = thread.submit(ask(2))
    runner.let.release(1000)
    for receiver in (running, late):
        outcome = receiver.outcome()
        assert outcome.reason == "failed"
        assert isinstance(outcome.error, EngineError)
        assert isinstance(outcome.error.__cause__, StopIteration)
    assert ended(thread)
    with pytest.raises(EngineError, match=r"the engine broke: StopIteration\(\); make a new one"):
        thread.submit(ask(3))
    with pytest.raises(EngineError, match="the engine broke"):
        thread.stop()


def test_requests_that_a_breaking_engine_has_not_taken_are_told_too():
    thread = broken()
    thread._engine.add = lambda request: 1 / 0
    receiver = thread.submit(ask(1))
    assert isinstance(receiver.outcome().error.__cause__, ZeroDivisionError)
    with pytest.raises(EngineError, match="ZeroDivisionError"):
        thread.stop()


def test_an_outcome_ends_with_the_end_of_its_request():
    receiver = Receiver(ask(1), cancel=lambda receiver: None)
    receiver.put(Ended(request=0, reason="finished", error=None))
    assert receiver.outcome().steps == ((),)
