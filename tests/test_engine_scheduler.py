"""Who reads what in which step, told in tokens."""

import pytest

from cutaway.engine.limits import EngineLimits
from cutaway.engine.prompt_scores import PromptScores
from cutaway.engine.scheduler import Scheduler
from cutaway.engine.sequence import Sequence
from cutaway.engine.slots import Slots
from cutaway.generate.sample import Sample
from cutaway.sampling import SamplingParams
from scripted import ScriptedRunner, expectation
from tiny import TOKENIZER

CONTEXT = 16


class Play:
    """A scheduler, and what an engine would do with its plans."""

    def __init__(self, max_held_tokens=1000, context=CONTEXT, **limits):
        self.limits = EngineLimits(**({"max_running": 3, "max_kept": 1, "step_tokens": 8} | limits))
        runner = ScriptedRunner(self.limits.slots, context)
        self.context, self.slots = context, Slots(runner, self.limits.slots, max_held_tokens)
        self.scheduler = Scheduler(self.limits, self.slots)
        self.runner, self.requests = runner, 0

    def add(self, *prompt, n=1, max_tokens=4, scored=False):
        """Queue the samples of a request and return them."""
        # Sliding asks the most of a scheduler.
        params = SamplingParams(max_tokens=max_tokens, seed=0, n=n, ignore_eot=True, past_context="slide")
        made = []
        for index in range(n):
            sample = Sample(prompt, params, TOKENIZER, seed=0, sample=index)
            scores = PromptScores(prompt, 0) if scored and not index else None
            made.append(Sequence(self.requests, sample, self.context, scores=scores))
        self.requests += 1
        self.scheduler.add(made)
        return made if n > 1 else made[0]

    def step(self):
        """Play one step; how many tokens each request read."""
        plan = self.scheduler.plan()
        for reading in plan:
            self.runner.read([reading.sequence.slot.index], [reading.tokens], [reading.answers])
            reading.sequence.slot.tokens.extend(reading.tokens)
        for reading in plan:
            if not reading.sequence.unread:
                reading.sequence.scores = None
                for member in self.scheduler.fork(reading.sequence):
                    self.write(member)
        return {reading.sequence.request: len(reading.tokens) for reading in plan}

    def write(self, sequence):
        step = sequence.sample.step(expectation(sequence.window))
        if step.finish_reason:
            self.scheduler.finish(sequence)
        else:
            self.scheduler.grow(sequence, step.token)


def test_writers_read_first_and_the_rest_of_the_step_goes_to_prompts():
    play = Play()
    play.add(1, 2)
    assert play.step() == {0: 2}
    play.add(*range(10, 20))
    assert [play.step() for _ in range(3)] == [{0: 1, 1: 7}, {0: 1, 1: 3}, {0: 1, 1: 1}]


def test_prompts_are_read_in_the_order_of_their_arrival():
    play = Play()
    play.add(*range(10))
    play.add(*range(20, 30))
    assert [play.step() for _ in range(3)] == [{0: 8}, {0: 2, 1: 6}, {0: 1, 1: 4}]


def test_nobody_is_let_in_before_there_are_tokens_to_begin_with():
    play = Play()
    play.add(*range(10))
    late = play.add(*range(10), 99)
    play.step()
    assert list(play.scheduler.waiting) == [late]
    # It waited, so all that the first has read by now is taken over, and not read twice.
    assert play.step() == {0: 2, 1: 3}


def test_whoever_slides_past_the_context_takes_turns_with_prompts():
    play = Play(context=8, step_tokens=9, max_running=2)
    play.add(*range(8), max_tokens=6)
    assert play.step() == {0: 8}
    play.add(*range(20, 28), max_tokens=6)
    seen = [play.step() for _ in range(4)]
    # Each further token of the first takes a whole window; the other came later, but waits no longer than one turn.
    assert seen == [{0: 8, 1: 1}, {1: 7, 0: 2}, {0: 6, 1: 3}, {1: 5, 0: 4}]


def test_a_big_request_is_not_passed_by_small_ones():
    play = Play(max_held_tokens=20)
    play.add(1, 2, max_tokens=6)  # 8 tokens at most
    play.add(*range(10), max_tokens=4)  # 14, for which there is no room yet
    play.add(7, max_tokens=2)  # 3, for which there is
    steps = [play.step() for _ in range(6)]
    assert all(set(step) == {0} for step in steps)
    assert play.step() == {1: 8}
    assert play.step() == {1: 2, 2: 1}


def test_no_more_run_than_may():
    play = Play()
    for number in range(5):
        play.add(number)
    play.step()
    assert (len(play.scheduler.running), len(play.scheduler.waiting)) == (3, 2)


def test_samples_of_a_prompt_wait_for_the_first_to_read_it():
    play = Play()
    first, second, third = play.add(*range(10), n=3)
    assert play.step() == {0: 8}
    assert play.scheduler.running == [first]
    assert play.step() == {0: 2}
    assert [sample.leader for sample in (second, third)] == [None, None]
    assert [len(sample.sample.generated) for sample in (first, second, third)] == [1, 1, 1]
    assert play.runner.copies == [(0, 1, 10), (0, 2, 10)]


def test_samples_for_which_there_was_no_place_follow_each_other_too():
    play = Play(max_running=3)
    play.add(9, max_tokens=2)
    samples = play.add(*range(6), n=5, max_tokens=3)
    while play.scheduler.running or play.scheduler.waiting:
        play.step()
    assert {len(sample.sample.generated) for sample in samples} == {3}
    assert sum(len(new) == 6 for read in play.runner.reads for new in read.values()) == 1


def test_the_logits_of_scored_prompts_are_bounded():
    play = Play(score_rows=3, step_tokens=20)
    play.add(*range(7), scored=True)
    play.add(*range(30, 34), scored=True)
    play.add(*range(50, 60))
    assert [play.step() for _ in range(3)] == [{0: 3, 2: 10}, {0: 3, 2: 1}, {0: 1, 1: 2, 2: 1}]
    assert play.step() == {0: 1, 1: 2, 2: 1}


def test_only_the_last_piece_of_a_prompt_asks_for_logits():
    play = Play()
    play.add(*range(10))
    assert [reading.answers for reading in play.scheduler.plan()] == [0]


def test_dropping_a_request_leaves_the_others_where_they_are():
    play = Play()
    play.add(1, n=2, max_tokens=4)
    other = play.add(2)
    waits = play.add(3)
    play.add(4)
    play.step()
    play.scheduler.drop(0)
    play.scheduler.drop(3)
    assert (play.scheduler.running, list(play.scheduler.waiting)) == ([other], [waits])
    play.scheduler.drop(77)
    assert play.step() == {1: 1, 2: 1}


def test_with_nothing_to_do_nothing_is_planned():
    assert Play().scheduler.plan() == []


@pytest.mark.parametrize("prompts", [[3, 40, 2], [40, 40, 40], [1, 1, 60]])
def test_everybody_finishes_whatever_the_lengths(prompts):
    play = Play(max_running=3, step_tokens=4, context=64)
    made = [play.add(*range(length), max_tokens=9) for length in prompts]
    for _ in range(200):
        play.step()
    assert [len(sequence.sample.generated) for sequence in made] == [9] * 3
