"""The head detector: on patterns made by hand, against its definition, and on a model that was trained to have them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cutaway.errors import ConfigError, InspectionError
from cutaway.inspect import ablate_heads, detect_heads, edited, repeated_tokens, trace
from cutaway.inspect.heads import KINDS, looked_at
from cutaway.language_model import LanguageModel
from cutaway.weights import load_model
from tiny import EOT, TOKENIZER, tiny_model

INDUCTION = Path(__file__).parent / "induction"
N = 6


def pattern_looking(back):
    """Every query looks at the key that many places before it, the earliest at the first."""
    pattern = torch.zeros(2 * N, 2 * N)
    for query in range(2 * N):
        pattern[query, max(0, query - back)] = 1
    return pattern[None, None]


# By hand


@pytest.mark.parametrize(("back", "kind"), [(1, 0), (N, 1), (N - 1, 2)])
def test_a_head_that_looks_where_its_kind_looks_scores_1_and_0_elsewhere(back, kind):
    scores = looked_at(pattern_looking(back), N)[:3, 0, 0]
    assert scores[kind] == 1
    assert scores.sum() == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("places", range(N))
def test_a_head_that_looks_further_on_is_told_by_how_far(places):
    scores = looked_at(pattern_looking(N - places), N)[1:, 0, 0]
    assert scores.shape == (N,)
    assert scores.argmax() == places
    assert scores[places] == 1


@pytest.mark.parametrize("start", [None, 3])
def test_rows_are_random_tokens_said_twice(start):
    idx = repeated_tokens(20, 50, 5, start=start, seed=1)
    first = 0 if start is None else 1
    assert idx.shape == (50, first + 40)
    assert torch.equal(idx[:, first : first + 20], idx[:, first + 20 :])
    drawn = set(idx[:, first:].flatten().tolist())
    assert drawn == set(range(5)) - {start}
    assert torch.equal(idx, repeated_tokens(20, 50, 5, start=start, seed=1))
    assert not torch.equal(idx, repeated_tokens(20, 50, 5, start=start, seed=2))


@pytest.mark.parametrize("named", [False, True])
def test_scores_are_the_attention_where_the_definition_says(named):
    gpt = LanguageModel(tiny_model(), TOKENIZER) if named else tiny_model()
    start, n_vocab = (EOT, TOKENIZER.n_vocab) if named else (None, 272)
    found = detect_heads(gpt, length=N, rows=5, seed=4)
    idx = repeated_tokens(N, 5, n_vocab, start=start, seed=4)
    expected, first, repeated, even = np.zeros((3, 2, 3)), [], [], []
    for row in idx.tolist():
        traced = trace(gpt, row)
        logprobs = traced["logits"].log_softmax(-1)
        for at in range(len(row) - N, len(row)):
            token, even = row[at], [*even, 1 / (at + 1)]
            assert row[at - N] == token
            earlier = at - N
            for layer in range(2):
                attention = traced[f"h.{layer}.pattern"][:, at].numpy()
                for kind, key in enumerate([at - 1, earlier, earlier + 1]):
                    expected[kind, layer] += attention[:, key] / (5 * N)
        losses = [-logprobs[at, row[at + 1]].item() for at in range(len(row) - 1)]
        first += losses[: len(row) - N - 1]
        repeated += losses[len(row) - N :]
    assert found.scores.values == pytest.approx(expected, abs=1e-6)
    assert found.after.values[..., 0] == pytest.approx(expected[1], abs=1e-6)
    assert found.after.values[..., 1] == pytest.approx(expected[2], abs=1e-6)
    assert found.chance == pytest.approx(np.mean(even))
    assert found.first_loss == pytest.approx(np.mean(first), abs=1e-5)
    assert found.repeated_loss == pytest.approx(np.mean(repeated), abs=1e-5)


def test_a_model_without_attention_weights_scores_by_chance():
    model = tiny_model().requires_grad_(False)
    for block in model.h:
        block.attn.c_attn.weight.zero_()
        block.attn.c_attn.bias.zero_()
    found = detect_heads(model, length=8)
    assert found.scores.values == pytest.approx(np.full((3, 2, 3), found.chance), abs=1e-6)


def test_kinds_layers_and_heads_are_labelled():
    found = detect_heads(tiny_model(), length=4)
    assert [axis.name for axis in found.scores.axes] == ["kind", "layer", "head"]
    assert found.scores.axes[0].labels == KINDS
    assert found.best("induction", 2) == found.of("induction").top(2)
    with pytest.raises(InspectionError, match="did you mean 'induction'"):
        found.of("inducton")


def test_sequences_fill_the_context_by_default():
    assert np.array_equal(detect_heads(tiny_model()).scores, detect_heads(tiny_model(), length=16).scores)


@pytest.mark.parametrize("length", [1, 17])
def test_sequences_that_do_not_fit_twice_are_refused(length):
    sentence = f"{length} random tokens cannot be repeated in a context of 32; choose 2 to 16"
    with pytest.raises(InspectionError, match=sentence):
        detect_heads(tiny_model(), length=length)


def test_at_least_one_row_is_needed():
    with pytest.raises(ConfigError, match="rows=0 is out of range"):
        detect_heads(tiny_model(), rows=0)


# On a model that was trained to have them: see scripts/train_induction.py


@pytest.fixture(scope="module")
def trained():
    return load_model(INDUCTION)


@pytest.fixture(scope="module")
def found(trained):
    return detect_heads(trained)


def test_induction_heads_are_found_where_repetition_was_learned(found):
    best = found.best("induction", 1)[0]
    assert best["value"] > 0.5
    # The circuit needs a head in the layer below that tells each token what came before it.
    assert best["layer"] == 1
    below = found.of("previous token").at(layer=0)
    assert below.top(1)[0]["value"] > 0.5
    assert found.of("induction").at(layer=0).values.max() < 0.2


def test_it_predicts_what_repeats_and_nothing_else(found):
    assert found.first_loss > np.log(32)
    assert found.repeated_loss < 0.5


def test_without_its_induction_heads_it_does_not(trained, found):
    heads = [row["head"] for row in found.of("induction").at(layer=1).top(4) if row["value"] > 0.2]
    silenced = detect_heads(edited(trained, [ablate_heads(1, heads)]))
    assert silenced.repeated_loss > found.repeated_loss + 1


def test_without_the_previous_token_head_below_they_no_longer_know_where_to_look(trained, found):
    below = found.of("previous token").at(layer=0).top(1)[0]["head"]
    silenced = detect_heads(edited(trained, [ablate_heads(0, below)]))
    assert silenced.of("induction").values.max() < found.of("induction").values.max() / 2


def test_their_profile_peaks_one_place_after(found):
    assert found.after.at(layer=1).values.argmax(-1).tolist() == [1, 1]
