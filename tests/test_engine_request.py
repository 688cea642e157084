"""What may be asked of an engine, what it takes on, and what it tells in the end."""

import pytest

import cutaway.engine
from cutaway.engine import Ended, EngineLimits, PromptScore, Request, Scored, Wrote
from cutaway.engine.event import outcome_of
from cutaway.engine.prompt_scores import PromptScores
from cutaway.errors import EngineError, GenerationError
from cutaway.sampling import SamplingParams, log_softmax
from scripted import expectation, steps_alone

PUBLIC = {
    "Ended",
    "Engine",
    "EngineLimits",
    "EngineThread",
    "Event",
    "Outcome",
    "PromptScore",
    "Receiver",
    "Request",
    "Runner",
    "Scored",
    "Statistics",
    "Wrote",
    "runner_of",
}
PARAMS = SamplingParams(max_tokens=3, seed=1, n=2)


def test_the_engines_public_names_are_exactly_these():
    assert set(cutaway.engine.__all__) == PUBLIC
    assert all(getattr(cutaway.engine, name) is not None for name in PUBLIC)
    with pytest.raises(AttributeError, match="no attribute 'Machine'"):
        cutaway.engine.Machine  # noqa: B018


def test_a_request_keeps_its_own_copy_of_the_prompt():
    prompt = [1, 2]
    request = Request(prompt=prompt)
    prompt.append(3)
    assert request.prompt == (1, 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": ()}, "a prompt needs at least one token"),
        ({"prompt_logprobs": 101}, "prompt_logprobs=101 must be an integer from 0 to 100"),
        ({"prompt_logprobs": True}, "prompt_logprobs=True must be an integer"),
        ({"time_limit_s": 0}, "time_limit_s=0 must be a number above 0"),
        ({"time_limit_s": float("nan")}, "time_limit_s=nan must be a number above 0"),
    ],
)
def test_an_impossible_request_is_refused(values, message):
    with pytest.raises(GenerationError, match=message):
        Request(**({"prompt": (1,)} | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_running": 0}, "max_running=0 must be an integer from 1 to 4,096"),
        ({"max_waiting": 0}, "max_waiting=0 must be an integer from 1"),
        ({"max_kept": -1}, "max_kept=-1 must be an integer from 0"),
        ({"max_running": 8, "step_tokens": 8}, "step_tokens=8 must be an integer from 9"),
        ({"score_rows": 0}, "score_rows=0 must be an integer from 1"),
        ({"max_held_tokens": 0}, "max_held_tokens=0 must be an integer from 1"),
    ],
)
def test_impossible_limits_are_refused(values, message):
    with pytest.raises(GenerationError, match=message):
        EngineLimits(**values)


def test_there_is_a_slot_for_each_that_runs_and_each_that_is_kept():
    assert EngineLimits(max_running=3, max_kept=2).slots == 5


def test_an_outcome_puts_the_samples_of_a_request_in_order():
    request = Request(prompt=(1, 2), params=PARAMS)
    samples = [steps_alone([1, 2], PARAMS, sample=index) for index in range(2)]
    score = PromptScore(token=1, logprob=None)
    mixed = [Wrote(request=0, step=step) for pair in zip(*reversed(samples), strict=True) for step in pair]
    end = Ended(request=0, reason="finished", error=None)
    outcome = outcome_of(request, [Scored(request=0, scores=(score,)), *mixed, end])
    assert outcome.steps == tuple(samples)
    assert outcome.prompt_scores == (score,)
    assert [sample.tokens for sample in outcome.samples] == [tuple(step.token for step in steps) for steps in samples]


def test_an_outcome_that_was_cut_short_keeps_what_was_written_and_raises_why():
    request = Request(prompt=(1,), params=PARAMS)
    first = steps_alone([1], PARAMS)[0]
    why = EngineError("the request was cancelled")
    outcome = outcome_of(request, [Wrote(request=0, step=first), Ended(request=0, reason="cancelled", error=why)])
    assert outcome.steps == ((first,), ())
    with pytest.raises(EngineError, match="was cancelled"):
        _ = outcome.samples


@pytest.mark.parametrize("pieces", [[5], [1, 4], [2, 2, 1], [1, 1, 1, 1, 1]])
def test_prompt_scores_do_not_depend_on_the_pieces_they_come_in(pieces):
    prompt = [3, 1, 4, 1, 5]
    scores = PromptScores(prompt, 1)
    rows = [expectation(prompt[: end + 1]) for end in range(5)]
    for piece in pieces:
        scores.add(rows[:piece])
        del rows[:piece]
    assert [score.token for score in scores.scores] == prompt
    assert scores.scores[0].logprob is None
    for position in range(1, 5):
        expected = log_softmax(expectation(prompt[:position]))
        assert scores.scores[position].logprob == float(expected[prompt[position]])
        assert scores.scores[position].top_logprobs == {int(expected.argmax()): float(expected.max())}
