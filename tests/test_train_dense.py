"""Multiplications that keep less against the plain network, forwards and backwards."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from cutaway.model import GPT
from cutaway.train import dense
from cutaway.train.dense import LinearFunction, MLPFunction, multiply_as_usual, multiply_lean
from cutaway.train.network import initial_model
from tiny import config
from training import tiny_run, write_data


def gradients(model, idx):
    model.zero_grad()
    loss = model(idx, idx.roll(-1, 1))[1]
    loss.backward()
    return {"loss": loss.detach()} | {name: parameter.grad for name, parameter in model.named_parameters()}


def lean_and_plain(dtype, T=20, **changes):
    torch.manual_seed(0)
    plain = GPT(config(**changes)).to(dtype)
    lean = GPT(config(**changes)).to(dtype)
    lean.load_state_dict(plain.state_dict())
    multiply_lean(lean)
    return lean, plain, torch.randint(plain.config.vocab_size, (2, T))


@settings(max_examples=20)
@given(st.integers(1, 32), st.booleans())
def test_a_lean_network_has_the_gradients_of_the_plain_one(T, tied):
    lean, plain, idx = lean_and_plain(torch.float64, T, tie_word_embeddings=tied)
    expected = gradients(plain, idx)
    for name, grad in gradients(lean, idx).items():
        torch.testing.assert_close(grad, expected[name], rtol=1e-10, atol=1e-12, msg=name)


@pytest.mark.parametrize("onednn", [True, False])
def test_in_float32_it_does_with_onednn_and_without(monkeypatch, onednn):
    if onednn and not dense.has_onednn():
        pytest.skip("this PyTorch has no oneDNN for this processor")
    monkeypatch.setattr(dense, "HAS_ONEDNN", onednn)
    lean, plain, idx = lean_and_plain(torch.float32)
    expected = gradients(plain, idx)
    for name, grad in gradients(lean, idx).items():
        torch.testing.assert_close(grad, expected[name], rtol=1e-4, atol=1e-6, msg=name)


def test_under_autocast_it_rounds_where_the_plain_network_rounds():
    lean, plain, idx = lean_and_plain(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(lean(idx)[0], plain(idx)[0], rtol=0.02, atol=0.02)
        rounded = gradients(lean, idx)
    assert {grad.dtype for grad in rounded.values()} == {torch.float32}
    for name, grad in gradients(plain, idx).items():
        assert (rounded[name] - grad).norm() <= 0.03 * grad.norm() + 1e-4, name


def random(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def test_the_gradients_of_a_linear_layer_are_the_slopes():
    def applied(x, weight, bias):
        return LinearFunction.apply(x, x, None, weight, bias)

    assert torch.autograd.gradcheck(applied, (random(5, 3), random(4, 3), random(4)))


def test_the_gradients_of_an_mlp_are_the_slopes_and_can_be_had_once():
    inputs = [random(*shape) for shape in ((5, 3), (12, 3), (12,), (3, 12), (3,))]
    toward = [torch.randn_like(x) for x in inputs]

    def total(step):
        x, *weights = (x + step * d for x, d in zip(inputs, toward, strict=True))
        return MLPFunction.apply(x, x, None, *weights).square().sum()

    loss = total(0)
    grads = torch.autograd.grad(loss, inputs, retain_graph=True)
    slope = (total(1e-6) - total(-1e-6)) / 2e-6
    torch.testing.assert_close(sum((g * d).sum() for g, d in zip(grads, toward, strict=True)), slope)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, inputs)


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5), (1, 5)])
def test_linear_is_the_plain_linear_layer(shape):
    x, weight, bias = torch.randn(shape), torch.randn(7, 5), torch.randn(7)
    torch.testing.assert_close(dense.linear(x, weight, bias), F.linear(x, weight, bias))
    torch.testing.assert_close(dense.linear(x, weight), F.linear(x, weight))
    torch.testing.assert_close(dense.linear(F.linear(x, weight), weight.T), F.linear(x, weight) @ weight)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_lean_network_keeps_less_and_no_copies_of_weights(precision):
    kept = []
    for model in lean_and_plain(torch.float32)[:2]:
        saved, weights = {}, {parameter.data_ptr() for parameter in model.parameters()}
        keep = lambda x, saved=saved: saved.update({x.data_ptr(): x}) or x  # noqa: E731
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x)
        with hooks, torch.autocast("cpu", precision, enabled=precision != torch.float32):
            model.hidden(torch.zeros(1, 32, dtype=torch.long))
        kept.append(sum(x.nbytes for pointer, x in saved.items() if pointer not in weights))
    assert kept[0] < 0.7 * kept[1]


def test_without_gradients_the_network_is_the_plain_one():
    lean, plain, idx = lean_and_plain(torch.float32)
    with torch.no_grad():
        assert torch.equal(lean(idx)[0], plain(idx)[0])


def test_whoever_looks_on_sees_what_the_layernorms_make():
    class Recorder(dict):
        def wants(self, name):
            return False

        def __call__(self, name, x):
            return self.setdefault(name, x)

    lean, plain, idx = lean_and_plain(torch.float64)
    seen, expected = Recorder(), Recorder()
    for model, recorder in ((lean, seen), (plain, expected)):
        model(idx, observer=recorder)
    assert seen.keys() == expected.keys() >= {"h.0.ln_1", "h.1.ln_2"}
    for name, x in expected.items():
        torch.testing.assert_close(seen[name], x)


@pytest.mark.parametrize(("changes", "lean"), [({}, True), ({"compile": True}, False), ({"recompute": True}, True)])
def test_a_run_on_a_cpu_multiplies_lean_unless_compiled(tmp_path, monkeypatch, changes, lean):
    used = []
    applied = dense.applied
    monkeypatch.setattr(dense, "applied", lambda function, *rest: used.append(function) or applied(function, *rest))
    model = initial_model(tiny_run(write_data(tmp_path), tmp_path, **changes), None, torch.device("cpu"))
    model(torch.zeros(1, 5, dtype=torch.long))
    assert used == lean * model.config.n_layer * [LinearFunction, LinearFunction, MLPFunction]


def test_the_gradient_of_a_tied_embedding_is_whole():
    lean, _, idx = lean_and_plain(torch.float32)
    lean(idx)[0].sum().backward()
    assert lean.wte.weight.grad.layout is torch.strided


def test_undone_the_network_is_as_it_is_written():
    lean, plain, idx = lean_and_plain(torch.float64)
    multiply_as_usual(lean)
    assert not [module for module in lean.modules() if "forward" in vars(module)]
    for model in (lean, plain):
        model.zero_grad()
        model.hidden(idx).sum().backward()
    # Without the head nothing is added to it, and the lean one's would be sparse.
    assert not lean.wte.weight.grad.is_sparse
    assert torch.equal(lean.wte.weight.grad, plain.wte.weight.grad)
