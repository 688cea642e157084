"""What generation gives back, as Python and as JSON."""

import dataclasses
import json

import pytest

from cutaway.generate import Completion, Generation, Step
from cutaway.generate.completion import collect


def step(token, text, finish_reason=None, top=None):
    return Step(
        prompt=0,
        sample=0,
        token=token,
        text=text,
        logprob=-float(token),
        top_logprobs=top or {},
        finish_reason=finish_reason,
    )


def completion(**changes):
    values = {
        "text": "ab",
        "tokens": (1, 2),
        "logprobs": (-0.5, -1.5),
        "top_logprobs": ({}, {}),
        "finish_reason": "length",
    }
    return Completion(**(values | changes))


def test_steps_collect_into_a_completion():
    made = collect([step(1, "a", top={1: -1.0}), step(2, ""), step(3, "bc", "stop")])
    assert made == Completion(
        text="abc",
        tokens=(1, 2, 3),
        logprobs=(-1.0, -2.0, -3.0),
        top_logprobs=({1: -1.0}, {}, {}),
        finish_reason="stop",
    )


def test_the_logprob_of_a_sample_is_the_sum():
    assert completion().logprob == -2.0


def test_a_generation_becomes_json_with_the_promised_names():
    made = Generation(prompt="p", prompt_tokens=(9,), samples=(completion(),), seed=4)
    assert made.text == "ab"
    assert json.loads(json.dumps(made.to_dict())) == {
        "prompt": "p",
        "prompt_tokens": [9],
        "seed": 4,
        "samples": [{"text": "ab", "tokens": [1, 2], "logprobs": [-0.5, -1.5], "finish_reason": "length"}],
    }


def test_top_logprobs_are_in_the_json_only_if_asked_for():
    assert "top_logprobs" not in completion().to_dict()
    shown = completion(top_logprobs=({1: -0.5}, {2: -1.5})).to_dict()
    assert shown["top_logprobs"] == ({1: -0.5}, {2: -1.5})


def test_results_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        completion().text = "other"
