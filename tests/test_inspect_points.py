"""The names of what can be seen."""

import pytest
import torch

from cutaway.errors import InspectionError
from cutaway.inspect.points import all_names, axes_of, find_names
from tiny import tiny_model


class Names:
    """Notes which names it meets, and the number of their axes."""

    def __init__(self):
        self.met = {}

    def wants(self, name):
        return True

    def __call__(self, name, x):
        self.met[name] = x.ndim - 1
        return x


@torch.no_grad()
def test_the_names_and_their_axes_are_those_that_the_network_shows_in_its_order():
    met = Names()
    tiny_model()(torch.tensor([[1, 2, 3]]), observer=met)
    assert list(met.met) == all_names(2)
    assert met.met == {name: len(axes_of(name)) for name in all_names(2)}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("h.1.q", ["h.1.q"]),
        ("pattern", ["h.0.pattern", "h.1.pattern"]),
        (["ln_f", "h.*.z", "embed"], ["embed", "h.0.z", "h.1.z", "ln_f"]),
        ("h.[1-9].mlp_*", ["h.1.mlp_pre", "h.1.mlp_post", "h.1.mlp_out"]),
        (["z", "h.0.z"], ["h.0.z", "h.1.z"]),
        ("*.resid_post", ["h.0.resid_post", "h.1.resid_post"]),
        ("blocks.0.attn.hook_q", ["h.0.q"]),
        ("blocks.*.hook_resid_mid", ["h.0.resid_mid", "h.1.resid_mid"]),
        ("blocks.1.mlp.hook_post", ["h.1.mlp_post"]),
        ("hook_embed", ["embed"]),
        ([], []),
    ],
)
def test_names_are_found_in_the_order_of_the_network(asked, found):
    assert find_names(asked, 2) == found


def test_all_names_are_found_if_none_is_asked_for():
    assert find_names(None, 3) == all_names(3)
    assert len(all_names(3)) == 4 + 3 * 14


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("h.0.patern", "there is no activation 'h.0.patern'; did you mean 'h.0.pattern'?"),
        ("resid_pst", "there is no activation 'resid_pst'; did you mean 'resid_post'?"),
        ("h.2.q", "there is no layer 2 in 'h.2.q'; layers are 0 to 1"),
        ("blocks.7.attn.hook_q", "there is no layer 7 in 'blocks.7.attn.hook_q'; layers are 0 to 1"),
    ],
)
def test_a_name_that_means_nothing_is_refused(asked, sentence):
    with pytest.raises(InspectionError) as refused:
        find_names(["embed", asked], 2)
    assert str(refused.value) == sentence
