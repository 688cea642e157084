import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cutaway
from cutaway.errors import ConfigError, InspectionError
from cutaway.inspect.weights import (
    SingularValues,
    singular_values,
    weight,
    weight_figures,
    weight_histogram,
    weight_names,
)
from cutaway.labelled import labelled
from tiny import tiny_model

MODEL = tiny_model()


def spectrum(values):
    return SingularValues(values=labelled("s", values, component=len(values)))


def test_every_parameter_is_counted_once():
    found = weight_figures(MODEL)
    assert found.axes[0].labels == tuple(weight_names(MODEL))
    assert found.at(figure="size").values.sum() == MODEL.num_parameters()


def test_the_figures_are_those_of_numpy():
    numbers = MODEL.h[1].mlp.c_fc.weight.detach().float().numpy().astype(np.float64)
    found = weight_figures(MODEL).at(weight="h.1.mlp.c_fc.weight").values
    expected = [numbers.size, numbers.mean(), numbers.std(), numbers.min(), numbers.max(), np.linalg.norm(numbers)]
    assert found == pytest.approx(expected)


def test_a_weight_may_be_named_without_its_ending_and_the_tied_head_is_the_tokens():
    assert torch.equal(weight(MODEL, "h.0.attn.c_attn"), MODEL.h[0].attn.c_attn.weight.float())
    assert torch.equal(weight(MODEL, "lm_head"), weight(MODEL, "wte"))


def test_an_unknown_weight_names_the_nearest():
    with pytest.raises(InspectionError, match=r"did you mean 'h\.0\.attn\.c_attn\.weight'\?"):
        singular_values(MODEL, "h.0.attn.c_atn.weight")


def test_a_histogram_counts_every_number():
    found = weight_histogram(MODEL, "wpe", bins=7)
    counts, edges = np.histogram(weight(MODEL, "wpe").numpy().astype(np.float64), 7)
    assert found.counts.values.tolist() == counts.tolist()
    assert found.edges.tolist() == edges.tolist()
    assert found.counts.values.sum() == MODEL.wpe.weight.numel()


@pytest.mark.parametrize("bins", [0, 10_001, 2.5])
def test_an_impossible_number_of_bins_is_refused(bins):
    with pytest.raises(ConfigError, match="bins"):
        weight_histogram(MODEL, "wpe", bins=bins)


def test_singular_values_make_up_the_norm():
    found = singular_values(MODEL, "h.0.mlp.c_fc")
    numbers = weight(MODEL, "h.0.mlp.c_fc")
    assert (np.diff(found.values.values) <= 0).all()
    assert float((found.values.values**2).sum()) == pytest.approx(float(numbers.square().sum()), rel=1e-5)


def test_a_vector_has_no_singular_values():
    with pytest.raises(InspectionError, match="is no matrix; choose one of two dimensions"):
        singular_values(MODEL, "ln_f.weight")


@given(st.integers(1, 50), st.floats(1e-3, 1e3))
def test_equal_singular_values_have_full_rank(n, size):
    found = spectrum([size] * n)
    assert found.stable_rank == pytest.approx(n)
    assert found.effective_rank == pytest.approx(n)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=30))
def test_ranks_lie_between_one_and_the_number_of_directions(values):
    found = spectrum(sorted(values, reverse=True))
    assert 1 - 1e-9 <= found.stable_rank <= len(values) + 1e-9
    assert 1 - 1e-9 <= found.effective_rank <= len(values) + 1e-9


def test_a_matrix_of_zeros_has_no_rank():
    assert (spectrum([0.0, 0.0]).stable_rank, spectrum([0.0, 0.0]).effective_rank) == (0, 0)


def test_the_bundled_model_is_read():
    gpt = cutaway.load("fable", device="cpu")
    assert weight_figures(gpt).at(figure="size").values.sum() == gpt.model.num_parameters()
