"""AdamW and Muon against PyTorch's own and the textbook, and what becomes of gradients."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.model import GPT
from cutaway.train.adamw import TOGETHER, AdamW
from cutaway.train.config import OptimizerConfig
from cutaway.train.optimizer import Optimizers
from cutaway.train.update_rule import UpdateRule
from training import SMALL

NO_DYNAMO = """
import sys, time
from pathlib import Path
from training import tiny_run, write_data
from cutaway.train.loop import train
folder = Path(sys.argv[1])
train(tiny_run(write_data(folder), folder / "run", steps=1))
print(*sorted({"torch._dynamo", "sympy"} & sys.modules.keys()))
"""


@settings(max_examples=20, deadline=None)
@given(
    rate=st.floats(1e-5, 0.1), beta1=st.floats(0, 0.99), beta2=st.floats(0, 0.999), decay=st.sampled_from([0.0, 0.1])
)
def test_adamw_is_pytorchs_to_the_bit(rate, beta1, beta2, decay):
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in [(5, 3), (7,), (2, 300)]]
    ours, peers = ([torch.nn.Parameter(x.clone()) for x in start] for _ in range(2))
    groups = [{"params": ours[::2], "weight_decay": decay}, {"params": ours[1:2]}]
    optimizer = AdamW(groups, rate, (beta1, beta2))
    groups = [{"params": peers[::2], "weight_decay": decay}, {"params": peers[1:2], "weight_decay": 0.0}]
    peer = torch.optim.AdamW(groups, rate, (beta1, beta2), fused=True)
    for scale in (1.0, 0.5, 0.1):
        for group in (*optimizer.param_groups, *peer.param_groups):
            group["lr"] = scale * rate
        for our, other in zip(ours, peers, strict=True):
            our.grad = torch.randn(our.shape, generator=generator)
            other.grad = our.grad.clone()
        optimizer.step()
        peer.step()
        assert all(torch.equal(our, other) for our, other in zip(ours, peers, strict=True))
    for our, other in zip(ours, peers, strict=True):
        assert optimizer.state[our].keys() == peer.state[other].keys()
        assert all(torch.equal(value, peer.state[other][what]) for what, value in optimizer.state[our].items())


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_no_gradient_outlives_a_step(name):
    model = GPT(SMALL)
    optimizers = Optimizers(model, OptimizerConfig(name=name))
    for step in (optimizers.step, optimizers.forget_gradients):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        step()
        assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_weight_without_a_gradient_stays(name):
    model = GPT(SMALL)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.h[0].mlp.c_fc.weight.grad = torch.ones_like(model.h[0].mlp.c_fc.weight)
    Optimizers(model, OptimizerConfig(name=name)).step()
    changed = [key for key, value in model.state_dict().items() if not torch.equal(value, before[key])]
    assert changed == ["h.0.mlp.c_fc.weight"]


def test_what_adamw_remembers_has_its_memory_from_the_beginning():
    optimizers = Optimizers(GPT(SMALL), OptimizerConfig(name="adamw"))
    memory = {key: value.data_ptr() for key, value in optimizers.state().items()}
    assert len(memory) == 3 * len(optimizers.parameters)
    for parameter in optimizers.parameters.values():
        parameter.grad = torch.ones_like(parameter)
    optimizers.step()
    assert {key: value.data_ptr() for key, value in optimizers.state().items()} == memory


def test_workers_share_out_what_adamw_updates():
    sizes, weights = [], [torch.nn.Parameter(torch.ones(2)) for _ in range(2 * TOGETHER + 1)]

    def each(work, pieces):
        for piece in pieces:
            sizes.append(len(piece))
            yield work(piece)

    optimizer = AdamW([{"params": weights}], 0.1, (0.9, 0.95), each)
    for weight in weights:
        weight.grad = torch.ones(2)
    optimizer.step()
    assert sizes == [TOGETHER, TOGETHER, 1]
    assert weights[0].max() < 1
    assert all(torch.equal(weight, weights[0]) for weight in weights)


class Still(UpdateRule):
    """Leaves every weight as it is."""

    def update(self, group, weights):
        pass


def test_a_group_may_differ_from_the_defaults():
    rule = Still([{"params": [], "lr": 0.5}, {"params": []}], lr=0.1, momentum=0.9)
    assert [(group["lr"], group["momentum"]) for group in rule.param_groups] == [(0.5, 0.9), (0.1, 0.9)]


def test_a_run_does_not_load_the_compiler(tmp_path, request):
    command = [sys.executable, "-c", NO_DYNAMO, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=request.config.rootpath / "tests")
    assert ran.stdout.strip() == ""
