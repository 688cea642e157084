import pytest
import torch

from cutaway.quant.moments import Heard, Moments, moments_at
from tiny import prompt_of, tiny_model


@pytest.fixture(scope="module")
def model():
    return tiny_model()


ROWS = torch.tensor([prompt_of(20, seed) for seed in range(5)])


def inputs_of(model, module):
    """What a module is given, by PyTorch's own hook."""
    seen = []
    hook = model.get_submodule(module).register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        model(ROWS)
    hook.remove()
    return seen[0].flatten(0, 1)


@pytest.mark.parametrize(
    ("point", "module"),
    [
        ("h.0.ln_1", "h.0.attn.c_attn"),
        ("h.1.z", "h.1.attn.c_proj"),
        ("h.1.ln_2", "h.1.mlp.c_fc"),
        ("h.0.mlp_post", "h.0.mlp.c_proj"),
        ("ln_f", "lm_head"),
    ],
)
def test_they_are_those_of_what_the_matrix_reads(point, module, model):
    x = inputs_of(model, module)
    moments = moments_at(point, lambda idx, observer: model.hidden(idx, observer=observer), list(ROWS.split(2)))
    assert moments.count == 100
    torch.testing.assert_close(moments.mean, x.mean(0))
    torch.testing.assert_close(moments.products, x.T @ x / 100)
    torch.testing.assert_close(moments.covariance, torch.cov(x.T, correction=0))


def test_nothing_behind_the_point_is_computed(model):
    seen = []
    hook = model.h[1].register_forward_pre_hook(lambda *_: seen.append(True))
    with pytest.raises(Heard):
        model(ROWS, observer=Moments("h.0.mlp_post"))
    hook.remove()
    assert not seen


def test_no_pattern_is_formed_for_them():
    assert not Moments("h.0.pattern").wants("h.0.pattern")
