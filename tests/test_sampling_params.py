"""Every sampling parameter is checked once, and the error says what to do."""

import copy
import dataclasses
import json
import pickle

import pytest

from cutaway.errors import GenerationError
from cutaway.sampling import BeamParams, ContrastiveParams, SamplingParams

IMPOSSIBLE = [
    ("max_tokens", 0, "max_tokens=0 must be an integer from 1 to 16,777,216"),
    ("max_tokens", -3, "from 1"),
    ("max_tokens", 2.0, "max_tokens=2.0 must be an integer"),
    ("max_tokens", True, "max_tokens=True must be an integer"),
    ("max_tokens", None, "max_tokens=None must be an integer"),
    ("temperature", -0.1, "temperature=-0.1 must be a number from 0 to 100"),
    ("temperature", 101, "from 0 to 100"),
    ("temperature", float("nan"), "temperature=nan"),
    ("temperature", float("inf"), "temperature=inf"),
    ("temperature", 10**400, "from 0 to 100"),
    ("temperature", "hot", "temperature='hot' must be a number"),
    ("temperature", True, "temperature=True must be a number"),
    ("temperature", 1e-30, "temperature=1e-30 is too close to 0 to divide by; use 0 for greedy or at least 1e-06"),
    ("top_k", -1, "top_k=-1 must be an integer from 0"),
    ("top_k", 1.5, "top_k=1.5"),
    ("top_p", 0, "top_p=0 must be a number above 0 and at most 1"),
    ("top_p", 1.01, "top_p=1.01"),
    ("min_p", -0.01, "min_p=-0.01 must be a number from 0 to 1"),
    ("min_p", 2, "min_p=2"),
    ("typical_p", 0.0, "typical_p=0.0 must be a number above 0"),
    ("repetition_penalty", 0, "repetition_penalty=0 must be a number from 0.01 to 100"),
    ("presence_penalty", 101, "presence_penalty=101 must be a number from -100 to 100"),
    ("frequency_penalty", -101, "frequency_penalty=-101"),
    ("no_repeat_ngram_size", -1, "no_repeat_ngram_size=-1"),
    ("logit_bias", {-1: 2.0}, "logit_bias=-1 must be an integer from 0"),
    ("logit_bias", {"a": 2.0}, "logit_bias='a'"),
    ("logit_bias", {7: float("nan")}, "logit_bias of token 7=nan must be a number from -1000 to 1000"),
    ("logit_bias", 5, "logit_bias=5 must map token ids to numbers"),
    ("logit_bias", [1, 2], "must map token ids to numbers"),
    ("banned_tokens", -1, "banned_tokens=-1"),
    ("banned_tokens", [1, "x"], "banned_tokens='x'"),
    ("banned_tokens", None, "banned_tokens=None must be an integer"),
    ("stop", "", "stop='' can never be met; give a text of at least one character"),
    ("stop", ["a", 5], "stop=5 can never be met"),
    ("stop", None, "stop=None can never be met"),
    ("stop", ["x"] * 65, "65 stop texts are too many; give at most 64"),
    ("stop_tokens", [1.0], "stop_tokens=1.0"),
    ("stop_tokens", "abc", "stop_tokens='abc'"),
    ("ignore_eot", 1, "ignore_eot=1 must be True or False"),
    ("past_context", "third", "past_context='third' must be 'half' or 'slide'"),
    ("past_context", None, "past_context=None must be"),
    ("seed", -1, "seed=-1 must be an integer from 0"),
    ("seed", 1 << 64, "seed=18446744073709551616"),
    ("n", 0, "n=0 must be an integer from 1 to 1,024"),
    ("n", 1025, "n=1025"),
    ("logprobs", 101, "logprobs=101 must be an integer from 0 to 100"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), IMPOSSIBLE)
def test_an_impossible_value_is_refused_by_name(name, value, sentence):
    with pytest.raises(GenerationError) as caught:
        SamplingParams(**{name: value})
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0),
        ("temperature", 100),
        ("top_k", 1),
        ("top_p", 1),
        ("top_p", 1e-9),
        ("min_p", 1),
        ("typical_p", 1),
        ("repetition_penalty", 0.5),
        ("seed", (1 << 64) - 1),
        ("n", 1024),
        ("logprobs", 100),
        ("stop", ["x"] * 64),
        ("logit_bias", {0: -1000, 5: 1000.0}),
    ],
)
def test_the_limits_themselves_are_allowed(name, value):
    kept = getattr(SamplingParams(**{name: value}), name)
    assert kept == (tuple(value) if isinstance(value, list) else value)


def test_one_stop_or_token_may_come_without_a_list():
    params = SamplingParams(stop="END", stop_tokens=3, banned_tokens=[1, 2])
    assert (params.stop, params.stop_tokens, params.banned_tokens) == (("END",), (3,), (1, 2))


def test_parameters_cannot_be_changed_afterwards():
    given = {5: 1.0}
    params = SamplingParams(logit_bias=given)
    given[6] = 2.0
    assert dict(params.logit_bias) == {5: 1.0}
    with pytest.raises(dataclasses.FrozenInstanceError):
        params.top_k = 3
    with pytest.raises(TypeError, match="does not support item assignment"):
        params.logit_bias[5] = 9.0


def test_replace_gives_a_changed_copy_and_checks_it():
    params = SamplingParams(top_k=5, logit_bias={1: 2.0})
    changed = params.replace(temperature=0)
    assert (changed.greedy, changed.top_k, dict(changed.logit_bias)) == (True, 5, {1: 2.0})
    assert not params.greedy
    with pytest.raises(GenerationError, match="top_k=-5"):
        params.replace(top_k=-5)


def test_replace_with_an_unknown_name_suggests_the_nearest():
    with pytest.raises(GenerationError, match="no sampling parameter 'topk'; did you mean 'top_k'"):
        SamplingParams().replace(topk=5)


def test_parameters_survive_copying_pickling_and_hashing():
    params = SamplingParams(logit_bias={1: 2.0}, stop="x", seed=3)
    assert copy.deepcopy(params) == params
    assert pickle.loads(pickle.dumps(params)) == params
    assert len({params, copy.copy(params), params.replace(seed=4)}) == 2


def test_parameters_become_json_and_come_back():
    params = SamplingParams(logit_bias={1: 2.0}, stop=("x", "y"), seed=3)
    values = json.loads(json.dumps(params.to_dict()))
    values["logit_bias"] = {int(token): bias for token, bias in values["logit_bias"].items()}
    assert SamplingParams(**values) == params


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"beams": 0}, "beams=0 must be an integer from 1 to 1,024"),
        ({"beams": 4, "groups": 5}, "groups=5 must be an integer from 1 to 4"),
        ({"beams": 4, "groups": 3, "diversity_penalty": 1.0}, "beams=4 do not divide evenly among groups=3"),
        ({"beams": 4, "groups": 2}, "groups=2 need a diversity_penalty above 0"),
        ({"length_penalty": float("inf")}, "length_penalty=inf must be a number from -10 to 10"),
        ({"diversity_penalty": -1}, "diversity_penalty=-1"),
        ({"early_stopping": "sometimes"}, "early_stopping='sometimes' must be True, False or \"never\""),
        ({"early_stopping": 1}, "early_stopping=1 must be"),
    ],
)
def test_impossible_beams_are_refused(values, sentence):
    with pytest.raises(GenerationError) as caught:
        BeamParams(**values)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"top_k": 0}, "top_k=0 must be an integer from 1"),
        ({"alpha": 1.5}, "alpha=1.5 must be a number from 0 to 1"),
        ({"alpha": float("nan")}, "alpha=nan"),
    ],
)
def test_impossible_contrastive_parameters_are_refused(values, sentence):
    with pytest.raises(GenerationError) as caught:
        ContrastiveParams(**values)
    assert sentence in str(caught.value)
