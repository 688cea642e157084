import math

import pytest
import torch

from cutaway.quant.cost import in_kernels, in_pytorch, measure
from native_models import native_model, needs_kernels
from tiny import prompt_of, tiny_model

ROWS = torch.tensor([prompt_of(12, seed) for seed in range(3)])


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_a_network_next_to_itself_costs_nothing(model):
    cost = measure(in_pytorch(model), in_pytorch(model), ROWS)
    assert (cost.argmax_agreement, cost.tokens) == (1, 36)
    assert cost.kl_nats == pytest.approx(0, abs=1e-12)
    assert cost.perplexity_increase == pytest.approx(0, abs=1e-12)


def test_figures_are_those_of_the_definition(model):
    other = tiny_model(1)
    cost = measure(in_pytorch(model), in_pytorch(other), ROWS)
    p, q = (m(ROWS)[0].detach().softmax(-1) for m in (model, other))
    assert cost.kl_nats == pytest.approx((p * (p / q).log()).sum(-1).mean().item())
    assert cost.argmax_agreement == (p.argmax(-1) == q.argmax(-1)).double().mean().item()
    for got, probs in ((cost.perplexity_before, p), (cost.perplexity, q)):
        chosen = probs[:, :-1].gather(2, ROWS[:, 1:, None])
        assert got == pytest.approx(math.exp(-chosen.log().mean().item()))
    assert cost.to_dict()["perplexity_increase"] == cost.perplexity / cost.perplexity_before - 1


@needs_kernels
def test_kernels_are_compared_as_pytorch_is(model):
    with native_model(model, threads=1) as native:
        cost = measure(in_pytorch(model), in_kernels(native), ROWS)
    assert cost.argmax_agreement == 1
    assert cost.kl_nats < 1e-8
