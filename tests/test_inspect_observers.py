"""Who looks in: several at once, on the side, and always there."""

import pytest
import torch
from torch.testing import assert_close

from cutaway.cache import KVCache
from cutaway.inspect import Chain, ObservedGPT, PatternWatcher, Watcher, trace, watch
from tiny import prompt_of, tiny_model

GPT2 = tiny_model()
IDX = torch.tensor([prompt_of(9), prompt_of(9, seed=1)])


class Doubler:
    """Doubles one activation."""

    def __init__(self, name):
        self.name = name

    def wants(self, name):
        return name == self.name

    def __call__(self, name, x):
        return 2 * x if name == self.name else x


def watched(names, *before, model=GPT2, kind=PatternWatcher):
    seen = {}
    with torch.no_grad():
        model(IDX, observer=Chain(*before, kind(names, seen.__setitem__)))
    return seen


@torch.no_grad()
def test_each_sees_what_the_ones_before_made_of_it():
    seen, unchanged = watched(["h.0.z"], Doubler("h.0.z")), watched(["h.0.z"])
    assert torch.equal(seen["h.0.z"], 2 * unchanged["h.0.z"])


@torch.no_grad()
def test_nobody_in_a_chain_is_like_nobody():
    assert torch.equal(GPT2(IDX, observer=Chain(None))[0], GPT2(IDX)[0])
    assert not Chain(None).wants("h.0.pattern")


@torch.no_grad()
def test_patterns_on_the_side_equal_those_that_the_network_forms_and_leave_attention_fused(monkeypatch):
    formed = {}
    GPT2(IDX, observer=Watcher(["h.1.pattern"], formed.__setitem__, form_patterns=True))
    fused = []
    attend = torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional, "scaled_dot_product_attention", lambda *a, **k: fused.append(1) or attend(*a, **k)
    )
    beside = watched(["h.1.pattern"])
    assert len(fused) == 2
    assert beside.keys() == formed.keys()
    assert_close(beside["h.1.pattern"], formed["h.1.pattern"], rtol=0, atol=1e-12)


def test_a_pattern_that_somebody_else_changed_is_seen_changed_and_once():
    counted = []
    with torch.no_grad():
        watcher = PatternWatcher(["h.0.pattern"], lambda name, x: counted.append(x.sum(-1).mean().item()))
        GPT2(IDX, observer=Chain(Doubler("h.0.pattern"), watcher))
    assert counted == [pytest.approx(2)]


def test_a_watcher_without_patterns_has_none_formed():
    assert watched(["h.0.pattern", "embed"], kind=Watcher).keys() == {"embed"}


def test_watching_tells_one_by_one_in_order():
    told = []
    watch(GPT2, IDX, ["logits", "h.1.pattern", "embed"], lambda name, x: told.append((name, tuple(x.shape))))
    assert told == [("embed", (2, 9, 24)), ("h.1.pattern", (2, 3, 9, 9)), ("logits", (2, 9, 272))]


@torch.no_grad()
def test_an_observed_model_is_the_same_model_with_the_same_weights():
    observed = ObservedGPT(GPT2, lambda idx, positions: Watcher([], print))
    assert torch.equal(observed(IDX)[0], GPT2(IDX)[0])
    assert observed.num_parameters() == GPT2.num_parameters()
    ours, own = dict(observed.named_parameters()), dict(GPT2.named_parameters())
    assert ours.keys() == own.keys()
    assert all(ours[name] is own[name] for name in own)
    assert (observed.device, observed.dtype, observed.training) == (GPT2.device, GPT2.dtype, GPT2.training)


@torch.no_grad()
def test_its_observer_knows_what_is_read_and_where():
    met = []

    def observe(idx, positions):
        met.append((idx.tolist(), positions.tolist()))
        return Watcher([], print)

    observed = ObservedGPT(GPT2, observe)
    cache = KVCache(GPT2.config, 2, 9, dtype=torch.float64)
    observed(IDX[:, :3], cache=cache)
    observed.hidden(IDX[:, 3:4], cache=cache)
    observed(IDX[:, :2])
    assert [positions for _, positions in met] == [[[0, 1, 2]] * 2, [[3]] * 2, [[0, 1]]]
    assert met[1][0] == IDX[:, 3:4].tolist()


@torch.no_grad()
def test_observers_of_observed_models_see_from_the_inside_out():
    doubled = ObservedGPT(GPT2, lambda idx, positions: Doubler("embed"))
    twice = ObservedGPT(doubled, lambda idx, positions: Doubler("embed"))
    assert torch.equal(trace(twice, prompt_of(9))["embed"], 4 * trace(GPT2, prompt_of(9))["embed"])
