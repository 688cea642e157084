import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import cutaway
from cutaway.errors import InspectionError
from cutaway.inspect.embeddings import Embedding, neighbours, position_embedding, token_embedding
from tiny import TOKENIZER, tiny_model


def random_rows(n=12, dimensions=5, seed=0):
    return torch.randn(n, dimensions, generator=torch.Generator().manual_seed(seed))


def embedding(weight, kind="position"):
    return Embedding(title="Rows", kind=kind, weight=weight, labels=tuple(range(len(weight))))


@pytest.fixture(scope="module")
def fable():
    return cutaway.load("fable", device="cpu")


def test_the_rows_are_those_of_the_model(fable):
    tokens, positions = token_embedding(fable), position_embedding(fable)
    assert torch.equal(tokens.weight, fable.model.wte.weight)
    assert torch.equal(positions.weight, fable.model.wpe.weight)
    assert tokens.labels[fable.tokenizer.encode(" fox")[0]] == "Ġfox"
    assert positions.values.values.shape == (fable.config.block_size, fable.config.n_embd)


def test_a_bare_model_of_any_precision_is_read_too():
    model = tiny_model(dtype=torch.float64)
    tokens = token_embedding(model)
    assert tokens.weight.dtype == torch.float32
    assert tokens.labels[:2] == ("<0>", "<1>")


@given(st.integers(0, 99))
def test_the_figures_are_those_of_numpy(seed):
    found, rows = embedding(random_rows(seed=seed)).statistics(), random_rows(seed=seed).numpy().astype(np.float64)
    norms = np.linalg.norm(rows, axis=1)
    expected = [rows.mean(), rows.std(), rows.min(), rows.max(), norms.mean(), norms.min(), norms.max()]
    names = ("mean", "std", "min", "max", "mean_norm", "min_norm", "max_norm")
    assert [getattr(found, name) for name in names] == pytest.approx(expected)


def test_each_dimension_has_its_figures():
    rows = random_rows()
    found = embedding(rows).by_dimension()
    assert found.at(statistic="mean").values == pytest.approx(rows.mean(0).numpy())
    assert found.at(statistic="std").values == pytest.approx(rows.numpy().std(0))
    assert found.at(statistic="norm").values == pytest.approx(rows.norm(dim=0).numpy())
    assert (found.at(statistic="min").values == rows.amin(0).numpy()).all()


def test_nearest_are_those_that_point_the_same_way_whatever_their_length():
    rows = torch.tensor([[1.0, 0], [9, 0.9], [0, 2], [-3, 0]])
    near = embedding(rows).nearest(0, 2)
    assert near.axes[0].labels == (1, 2)
    assert near.values == pytest.approx([9 / math.hypot(9, 0.9), 0], abs=1e-6)
    assert len(embedding(rows).nearest(0, 99).values) == 3


def test_animals_live_near_animals(fable):
    assert {"Ġweasel", "Ġrabbit"} & set(neighbours(fable, " fox", 10).axes[0].labels)


def test_a_row_that_is_not_there_is_refused(fable):
    with pytest.raises(InspectionError, match="12"):
        embedding(random_rows()).nearest(12)
    with pytest.raises(InspectionError, match="is not one token"):
        neighbours(fable, "no such token")


def test_similarity_is_the_cosine_and_needs_a_choice_of_rows():
    rows = random_rows()
    cosines = embedding(rows).rows([3, 5, 3]).similarity().values
    assert cosines == pytest.approx(np.array(cosine(rows[[3, 5, 3]])), abs=1e-6)
    with pytest.raises(InspectionError, match=r"2,049 rows are too many .* choose at most 2,048"):
        embedding(torch.ones(2049, 2)).similarity()


def cosine(rows):
    """One pair after the other."""
    return [[float(a @ b / a.norm() / b.norm()) for b in rows] for a in rows]


@given(st.integers(0, 99), st.integers(1, 5))
def test_components_are_orthogonal_and_explain_what_the_svd_says(seed, n):
    rows = random_rows(20, 5, seed)
    found = embedding(rows).components(n)
    centred = (rows - rows.mean(0)).double()
    _, s, vectors = torch.linalg.svd(centred, full_matrices=False)
    directions = found.directions.values
    assert found.share.values == pytest.approx((s[:n] ** 2 / (s**2).sum()).numpy(), abs=1e-6)
    assert np.abs(directions @ vectors[:n].numpy().T) == pytest.approx(np.eye(n), abs=1e-4)
    assert found.projection.values == pytest.approx(centred.numpy() @ directions.T, abs=1e-5)
    assert (directions[np.arange(n), np.abs(directions).argmax(1)] > 0).all()


def test_all_components_give_the_rows_back():
    rows = random_rows(20, 5)
    found = embedding(rows).components(5)
    rebuilt = found.projection.values @ found.directions.values + rows.mean(0).numpy()
    assert rebuilt == pytest.approx(rows.numpy(), abs=1e-5)
    assert found.share.values.sum() == pytest.approx(1)


def test_rows_that_do_not_differ_have_no_share_in_any_direction():
    assert embedding(torch.ones(4, 3)).components(3).share.values.tolist() == [0, 0, 0]


@pytest.mark.parametrize("n", [0, 6])
def test_there_are_as_many_components_as_dimensions(n):
    with pytest.raises(InspectionError, match="choose 1 to 5"):
        embedding(random_rows()).components(n)


@pytest.mark.parametrize("rows", [32, 33])
def test_a_wave_has_its_frequency(rows):
    t = torch.arange(rows) / rows * 2 * math.pi
    weight = torch.stack([3 * torch.sin(5 * t), torch.cos(2 * t) + 7, torch.ones(rows)], dim=1)
    found = embedding(weight).spectrum()
    share = found.share.values
    assert (share.argmax(0)[:2] + 1).tolist() == [5, 2]
    assert share[4, 0] == pytest.approx(1, abs=1e-6)
    assert share[:, 2].tolist() == [0] * (rows // 2)
    assert found.mean.values[[4, 1]] == pytest.approx([0.9, 0.1], abs=1e-6)


@given(st.integers(3, 40), st.integers(0, 9))
def test_waves_hold_all_the_variance(n, seed):
    """Against the slow truth: the variance that each frequency's sine and cosine explain, by least squares."""
    rows = random_rows(n, 2, seed).double()
    found = embedding(rows.float()).spectrum()
    assert found.share.values.sum(0) == pytest.approx(1, abs=1e-5)
    centred, t = rows - rows.mean(0), torch.arange(n, dtype=torch.float64) * 2 * math.pi / n
    for frequency in range(1, n // 2 + 1):
        waves = torch.stack([torch.sin(frequency * t), torch.cos(frequency * t)], dim=1)
        explained = (waves @ torch.linalg.pinv(waves, rtol=1e-6) @ centred).square().sum(0) / centred.square().sum(0)
        assert found.share.at(frequency=frequency).values == pytest.approx(explained.numpy(), abs=1e-5)


def test_rows_and_labels_must_fit():
    with pytest.raises(InspectionError, match=r"shape \(2, 3\) do not fit 1 labels"):
        Embedding(title="Rows", kind="token", weight=torch.ones(2, 3), labels=("a",))


def test_pieces_name_the_tokens_and_numbers_those_beyond_the_vocabulary():
    model = tiny_model(vocab_size=TOKENIZER.n_vocab + 3)
    labels = token_embedding(cutaway.LanguageModel(model, TOKENIZER)).labels
    assert labels[: TOKENIZER.n_vocab] == tuple(TOKENIZER.pieces(range(TOKENIZER.n_vocab)))
    assert labels[-1] == f"<{TOKENIZER.n_vocab + 2}>"
