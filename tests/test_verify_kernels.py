"""The native kernels as verify sees them: near enough when they are right, and seen when they are not."""

import numpy as np
import pytest
import torch

import tiny
from cutaway.verify.kernels import company_check, divergence, kernel_checks, precision_check
from cutaway.verify.numbers import logits_of
from cutaway.weights.locate import locate
from native_models import calm_model, native_model, needs_kernels
from verified import IDS, good_checkpoint

CONFIG = tiny.config(n_embd=48, n_head=3)


def test_the_divergence_of_a_distribution_from_itself_is_nothing_and_grows():
    logits = np.random.default_rng(0).normal(size=(4, 7))
    assert divergence(logits, logits + 3) == pytest.approx(0, abs=1e-12)
    other = torch.tensor(logits).log_softmax(-1)
    shifted = torch.tensor(logits[:, ::-1].copy()).log_softmax(-1)
    expected = (other.exp() * (other - shifted)).sum(-1).mean().item()
    assert divergence(logits, logits[:, ::-1]) == pytest.approx(expected)


@needs_kernels
def test_kernels_with_the_models_own_weights_pass_and_with_others_fail():
    model = calm_model(CONFIG)
    truth = logits_of(model, IDS).numpy()
    with native_model(model) as right, native_model(calm_model(CONFIG, seed=1)) as wrong:
        assert precision_check(right, truth, IDS).state == "passed"
        assert precision_check(wrong, truth, IDS).state == "failed"
        assert company_check(right, IDS).state == "passed"


@needs_kernels
def test_every_precision_asked_for_is_checked(tmp_path):
    good_checkpoint(tmp_path / "model")
    files = locate(tmp_path / "model")
    from cutaway.verify.run import read

    exact = read(files, torch.float64)
    names = [check.name for check in kernel_checks(files, exact, IDS, ("float32", "bfloat16"))]
    assert names == ["native float32", "native batched = single", "native bfloat16"]


def test_without_kernels_the_check_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("CUTAWAY_NATIVE_LIBRARY", str(tmp_path / "none.so"))
    good_checkpoint(tmp_path / "model")
    (check,) = kernel_checks(locate(tmp_path / "model"), tiny.tiny_model(), IDS, ("float32",))
    assert check.state == "skipped"
    assert "not compiled" in check.seen
