import importlib
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

import cutaway
from cutaway.errors import InspectionError
from cutaway.inspect.embeddings import Embedding, token_embedding
from cutaway.inspect.under_trained import LookAlikes, impossible, look_alikes, under_trained, without_common_direction
from cutaway.tokenizer import Tokenizer
from tiny import TOKENIZER, tiny_model

# By name, because the package has a function of the same one.
MODULE = importlib.import_module("cutaway.inspect.under_trained")


def embedding(weight):
    return Embedding(title="Rows", kind="token", weight=weight, labels=tuple(f"t{i}" for i in range(len(weight))))


@pytest.fixture(scope="module")
def fable():
    return cutaway.load("fable", device="cpu")


def test_bytes_of_no_text_are_known_to_be_unused():
    tokenizer = Tokenizer.gpt2()
    found = [tokenizer.token_bytes(token) for token in impossible(tokenizer)]
    assert len(found) == 13
    for byte in range(256):
        occurs = any(bytes([byte]) in chr(code).encode(errors="surrogatepass") for code in POINTS)
        assert (bytes([byte]) in found) != occurs


POINTS = [*range(0x3000), *range(0x3000, 0x110000, 61), 0x10FFFF]
"""Enough code points to meet every byte that UTF-8 uses."""


def linked(unit, cosine):
    """The groups, by walking from row to row."""
    left, groups = set(range(len(unit))), []
    while left:
        group, border = set(), {min(left)}
        while border:
            group |= border
            border = {j for i in border for j in left - group if float(unit[i] @ unit[j]) >= cosine}
        left -= group
        groups.append(tuple(sorted(group)))
    return {group for group in groups if len(group) > 1}


@given(st.integers(0, 200), st.integers(1, 40), st.sampled_from([0.3, 0.6, 0.9]), st.integers(1, 9))
def test_groups_are_what_a_walk_from_row_to_row_finds(seed, n, cosine, at_once):
    rows = torch.randn(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "ROWS_AT_ONCE", at_once)
        found = look_alikes(embedding(rows), cosine=cosine)
    assert {alike.places for alike in found} == linked(F.normalize(rows, dim=1), cosine)
    assert [len(alike.places) for alike in found] == sorted((len(alike.places) for alike in found), reverse=True)


def test_a_stripe_of_equal_rows_is_found_with_its_ends():
    rows = torch.randn(300, 64, generator=torch.Generator().manual_seed(0))
    rows[177:220] = rows[177] + 0.05 * rows[177:220]
    rows[250] = rows[177]
    heard = []
    (stripe,) = look_alikes(embedding(rows), progress=lambda done, total: heard.append((done, total)))
    assert stripe.runs == ((177, 219), (250, 250))
    assert stripe.labels[0] == "t177"
    assert stripe.mean_cosine > 0.99
    assert heard == [(300, 300)]


def test_small_groups_may_be_left_out():
    rows = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    assert len(look_alikes(embedding(rows))) == 1
    assert look_alikes(embedding(rows), smallest=3) == []


@pytest.mark.parametrize("cosine", [0, -0.5, 1.1, float("nan")])
def test_an_impossible_cosine_is_refused(cosine):
    with pytest.raises(InspectionError, match="choose one above 0, up to 1"):
        look_alikes(embedding(torch.ones(2, 2)), cosine=cosine)


def test_the_common_direction_is_taken_away_and_nothing_else():
    rows = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)) + 5
    direction = torch.linalg.svd(rows.double(), full_matrices=False)[2][0]
    rest = without_common_direction(rows).double()
    assert (rest @ direction).abs().max() < 1e-5
    taken = rows.double() - rest
    assert (taken - (taken @ direction)[:, None] * direction).abs().max() < 1e-5


def test_planted_tokens_are_found():
    """A tiny model in which ten more tokens lie where the unused bytes lie."""
    model, planted, unused = tiny_model(), list(range(40, 50)), impossible(TOKENIZER)
    generator = torch.Generator().manual_seed(1)
    place, common = (torch.randn(model.config.n_embd, generator=generator, dtype=torch.float64) for _ in range(2))
    with torch.no_grad():
        model.wte.weight.normal_(generator=generator)
        model.wte.weight[unused + planted] = place + 0.1 * model.wte.weight[unused + planted]
        model.wte.weight += 10 * common
    found = under_trained(cutaway.LanguageModel(model, TOKENIZER))
    best = {row["token_index"] for row in found.likeness.top(len(unused) + 10)}
    assert best == {*unused, *planted}
    assert found.unused == tuple(TOKENIZER.pieces(unused))


def test_the_bundled_model_never_saw_the_bytes_of_no_text(fable):
    found = under_trained(fable)
    likeness = found.likeness.values
    words = [fable.tokenizer.id_of(piece) for piece in ("Ġthe", "Ġand", "Ġsaid", ",")]
    assert likeness[impossible(fable.tokenizer)].min() > 0.9
    assert likeness[words].max() < 0.5


def test_the_bundled_model_has_a_stripe_of_bytes_that_look_alike(fable):
    (stripe, *_) = look_alikes(token_embedding(fable))
    assert set(impossible(fable.tokenizer)) <= set(stripe.places)


def test_without_a_known_unused_token_one_must_be_named():
    model = tiny_model()
    with pytest.raises(InspectionError, match=r"name some with unused=\[…\]"):
        under_trained(model)
    assert under_trained(model, unused=[3, 5]).unused == ("<3>", "<5>")
    with pytest.raises(InspectionError, match="there is no token"):
        under_trained(model, unused=[10**6])


@given(st.integers(0, 99))
def test_runs_hold_every_place_once(seed):
    generator = torch.Generator().manual_seed(seed)
    places = tuple(torch.randperm(30, generator=generator)[:9].sort().values.tolist())
    alike = LookAlikes(places=places, labels=places, mean_cosine=1.0)
    assert [place for first, last in alike.runs for place in range(first, last + 1)] == list(places)
    assert all(b[0] - a[1] > 1 for a, b in combinations(alike.runs, 2))
