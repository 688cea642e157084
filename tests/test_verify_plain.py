"""The plain operations are the network, and each variant is another one."""

import numpy as np
import pytest
import torch

from cutaway.verify.diagnosis import known_places, variants
from cutaway.verify.numbers import activations
from cutaway.verify.plain import Variant, final_states, states
from cutaway.weights.names import is_transposed
from tiny import prompt_of, tiny_model

IDS = prompt_of(9)


def lookup_of(model):
    """The tensors as a file holds them."""
    return lambda name: model.state_dict()[name].T.numpy() if is_transposed(name) else model.state_dict()[name].numpy()


@pytest.mark.parametrize("changes", [{}, {"n_inner": 50}, {"n_head": 1}, {"layer_norm_epsilon": 1e-3}])
def test_plain_operations_give_what_the_network_gives_at_every_place(changes):
    model = tiny_model(**changes)
    for place, found in states(model.config, lookup_of(model), IDS):
        np.testing.assert_allclose(found, activations(model, IDS, place).numpy(), rtol=0, atol=1e-11)


def test_the_places_are_shown_in_their_order():
    model = tiny_model()
    assert [place for place, _ in states(model.config, lookup_of(model), IDS)] == known_places(model.config)


def test_every_variant_but_the_first_gives_other_numbers():
    model = tiny_model(n_layer=3)
    truth = final_states(model.config, lookup_of(model), IDS)
    first, *others = variants(model.config)
    np.testing.assert_array_equal(final_states(model.config, lookup_of(model), IDS, first), truth)
    for variant in others:
        off = np.abs(final_states(model.config, lookup_of(model), IDS, variant) - truth).max()
        smallest = 1e-12 if variant.epsilon is not None else 1e-6  # epsilons of nearly nothing are nearly the same
        assert off > smallest, variant.what


def test_the_exact_gelu_is_that_of_pytorch():
    model = tiny_model()
    for block in model.h:
        block.mlp.gelu = torch.nn.GELU()
    found = final_states(model.config, lookup_of(model), IDS, Variant(exact_gelu=True))
    np.testing.assert_allclose(found, activations(model, IDS, "ln_f").numpy(), rtol=0, atol=1e-11)


def test_swapped_layers_are_those_of_a_network_with_its_layers_swapped():
    model = tiny_model(n_layer=3)
    truth = final_states(model.config, lookup_of(model), IDS, Variant(layers={0: 2, 2: 0}))
    model.h = torch.nn.ModuleList([model.h[2], model.h[1], model.h[0]])
    np.testing.assert_allclose(truth, final_states(model.config, lookup_of(model), IDS), rtol=0, atol=1e-11)
