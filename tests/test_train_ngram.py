"""N-gram models, held to the definition written down with dictionaries."""

import json
import math
from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from command_line import mistake, run
from corpora import write_stories
from cutaway.data import TokenFolder, Tokens
from cutaway.errors import CheckpointError, ConfigError, TrainingError
from cutaway.sampling import SamplingParams
from cutaway.tokenizer import open_tokenizer
from cutaway.train import ngram_counts
from cutaway.train.evaluate import token_bytes
from cutaway.train.ngram import FALLBACK_DISCOUNTS, MAX_ORDER, NGramModel, discounts_of
from cutaway.train.ngram_counts import count_ngrams
from cutaway.train.ngram_folder import COUNTS, SIZE, load_ngrams, save_ngrams
from cutaway.train.ngram_ladder import evaluate_ngrams, write_on
from cutaway.weights.safetensors_file import write_safetensors

V = 7
texts = st.lists(st.integers(0, V - 1), min_size=5, max_size=60)
orders = st.integers(1, 5)


def counted(text, order, **more):
    return count_ngrams(Tokens.of(np.array(text, np.uint16)), V, order, **more)


class Dictionaries:
    """Interpolated Kneser-Ney as the papers define it, one probability at a time."""

    def __init__(self, text, order):
        self.order = order
        self.seen = [Counter(tuple(text[i : i + k]) for i in range(len(text) - k + 1)) for k in range(order + 1)]
        self.count = cache(self.count)
        self.discounts = [None, *(self.discounts_at(k) for k in range(1, order + 1))]

    def count(self, gram):
        """How often it occurs, or for a shorter one, after how many different tokens."""
        if len(gram) == self.order:
            return self.seen[self.order][gram]
        return sum(longer[1:] == gram for longer in self.seen[len(gram) + 1])

    def discounts_at(self, k):
        n = Counter(self.count(gram) for gram in self.seen[k])
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            found = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
            if 0 < found[0] < 1 and 0 < found[1] < 2 and 0 < found[2] < 3:
                return found
        return [0.5, 1.0, 1.5]

    def taken(self, gram):
        count = self.count(gram)
        return self.discounts[len(gram)][min(count, 3) - 1] if count else 0.0

    def probability(self, context, token):
        context = tuple(context)[max(0, len(context) - self.order + 1) :]
        shorter = self.probability(context[1:], token) if context else 1 / V
        followers = [gram for gram in self.seen[len(context) + 1] if gram[:-1] == context]
        total = sum(map(self.count, followers))
        if not total:
            return shorter
        gram = (*context, token)
        own = self.count(gram) - self.taken(gram) if gram in followers else 0
        return own / total + sum(map(self.taken, followers)) / total * shorter


@given(texts, texts, orders)
def test_every_probability_is_that_of_the_definition(text, new, order):
    model, truth = counted(text, order), Dictionaries(text, order)
    expected = [truth.probability(new[:i], token) for i, token in enumerate(new)]
    np.testing.assert_allclose(np.exp(model.logprobs(np.array(new))), expected, rtol=1e-12)


@given(texts, st.lists(st.integers(0, V - 1), max_size=6), orders)
def test_what_may_follow_sums_to_one_and_nothing_is_impossible(text, context, order):
    found = counted(text, order).probabilities(context)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert found.min() > 0


@given(texts, texts, orders)
def test_one_by_one_equals_all_at_once(text, new, order):
    model = counted(text, order)
    alone = [model.probabilities(new[:i])[token] for i, token in enumerate(new)]
    np.testing.assert_allclose(np.exp(model.logprobs(np.array(new))), alone, rtol=1e-12)


@given(texts, orders, st.integers(1, 9))
def test_a_text_counted_in_stretches_is_counted_whole(text, order, stretch):
    for whole, part in zip(counted(text, order).levels, counted(text, order, stretch=stretch).levels, strict=True):
        assert (whole.keys.tolist(), whole.counts.tolist()) == (part.keys.tolist(), part.counts.tolist())


@given(texts, orders)
def test_counts_are_those_of_a_dictionary(text, order):
    for length, level in enumerate(counted(text, order).levels, start=1):
        expected = Counter(tuple(text[i : i + length]) for i in range(len(text) - length + 1))
        assert sorted(level.counts.tolist()) == sorted(expected.values())


@given(texts, texts, st.integers(1, 4))
def test_a_lower_order_of_a_model_is_the_model_of_that_order(text, new, order):
    new = np.array(new)
    assert (counted(text, 5).of_order(order).logprobs(new) == counted(text, order).logprobs(new)).all()


def test_a_unigram_model_without_smoothing_would_be_the_shares():
    text = [0] * 500 + [1] * 300 + [2] * 200
    assert counted(text, 1).probabilities([])[:3] == pytest.approx([0.5, 0.3, 0.2], abs=0.005)


def test_francisco_comes_after_san_alone():
    san, francisco, others = 0, 1, [2, 3, 4, 5]
    text = [san, francisco] * 20 + [a for b in others for a in (b, 6) * 3]
    model = counted(text, 2)
    assert model.probabilities([san]).argmax() == francisco
    assert model.probabilities([])[francisco] < model.probabilities([])[6], "after an unknown token, variety counts"


def test_discounts_are_estimated_where_there_is_enough_and_else_usual():
    counts = np.array([1] * 100 + [2] * 40 + [3] * 20 + [4] * 12 + [9] * 30)
    y = 100 / 180
    assert discounts_of(counts).tolist() == pytest.approx([0, 1 - 0.8 * y, 2 - 1.5 * y, 3 - 2.4 * y])
    for counts in ([5, 5, 5], [1, 2], [1] * 10 + [2] + [3] * 50):
        assert discounts_of(np.array(counts)).tolist() == [0, *FALLBACK_DISCOUNTS]


def test_bits_per_byte_are_the_sum_of_surprises_over_bytes():
    model, new = counted([0, 1, 2] * 30, 3), [0, 1, 2, 2, 1, 0, 5, 6]
    sizes, truth = np.arange(V), Dictionaries([0, 1, 2] * 30, 3)
    nats = -sum(math.log(truth.probability(new[:i], new[i])) for i in range(1, len(new)))
    for stretch in (1, 3, 100):
        found = evaluate_ngrams(model, Tokens.of(np.array(new)), sizes, stretch)
        assert found.loss == pytest.approx(nats / 7)
        assert found.bits_per_byte == pytest.approx(nats / math.log(2) / sum(new[1:]))


def test_nothing_to_predict_is_an_error():
    with pytest.raises(TrainingError, match="1 tokens hold no text to predict"):
        evaluate_ngrams(counted([0, 1], 1), Tokens.of(np.array([3])), np.ones(V))


def test_the_share_that_is_done_rises_to_one():
    shares = []
    counted([0, 1, 2] * 10, 3, stretch=7, watch=shares.append)
    assert shares == sorted(shares)
    assert (len(shares), shares[-1]) == (15, 1)


def test_a_text_with_too_many_ngrams_is_refused(monkeypatch):
    monkeypatch.setattr(ngram_counts, "MAX_NGRAMS", 8)
    with pytest.raises(
        TrainingError, match="more than 8 different 2-grams, which would take gigabytes; give --order 1"
    ):
        counted([0, 1, 2, 3, 0, 2, 4, 6, 5, 1, 6], 3)


@pytest.mark.parametrize(
    ("text", "order", "kind"),
    [([0, 1], 3, TrainingError), ([0, 1], 0, ConfigError), ([0] * 99, MAX_ORDER + 1, ConfigError)],
)
def test_an_impossible_order_is_refused(text, order, kind):
    with pytest.raises(kind, match="order"):
        counted(text, order)


# From the command line


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ngram")
    write_stories(folder / "stories.jsonl", range(60))
    arguments = ["--tokenizer", "char", "--validation", "0.2", "--workers", "1"]
    assert run("prepare", folder / "stories.jsonl", "-o", folder / "data", *arguments).code == 0
    return folder / "data"


def test_the_table_has_a_row_for_each_order_and_says_which_is_best(data):
    result = run("train", "ngram", data, "--order", 3)
    heading, *rows, best = result.out.splitlines()
    assert heading.split() == ["order", "different", "n-grams", "nats/token", "bits/byte"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert best.startswith("best at order ")


def test_json_has_the_figures_and_they_are_those_of_the_definition(data):
    found = json.loads(run("train", "ngram", data, "--order", 2, "--json").out)
    assert (found["prompt"], found["samples"]) == (None, [])
    assert [rung["order"] for rung in found["rungs"]] == [1, 2]
    folder, tokenizer = TokenFolder(data), open_tokenizer(data)
    train, held_out = (folder.tokens(split) for split in ("train", "validation"))
    text, new = train.read(0, len(train)).tolist(), held_out.read(0, len(held_out)).tolist()
    pairs, firsts = Counter(pairwise(text)), Counter(text)
    assert [rung["n_ngrams"] for rung in found["rungs"]] == [len(firsts), len(pairs)]
    model = count_ngrams(train, tokenizer.n_vocab, 2)
    nats = -sum(math.log(model.probabilities(new[:i])[new[i]]) for i in range(1, len(new)))
    assert found["rungs"][1]["loss"] == pytest.approx(nats / (len(new) - 1))
    size = int(token_bytes(tokenizer)[torch.tensor(new[1:])].sum())
    assert found["rungs"][1]["bits_per_byte"] == pytest.approx(nats / math.log(2) / size)


def test_it_writes_and_a_saved_model_writes_the_same(data, tmp_path):
    options = ["--prompt", "Story", "--max-tokens", 30, "--seed", 4, "--n", 2, "--json"]
    first = json.loads(run("train", "ngram", data, "-o", tmp_path / "model", *options).out)
    texts = [sample["text"] for sample in first["samples"]]
    assert [len(text) for text in texts] == [30, 30]
    assert texts[0] != texts[1]
    again = json.loads(run("train", "ngram", tmp_path / "model", *options).out)
    assert again == first | {"rungs": []}
    plain = [*options[:-1], "--order", 5]
    assert run("train", "ngram", data, *plain).out.endswith(f"Story{texts[0]}\nStory{texts[1]}\n")
    assert len(run("train", "ngram", tmp_path / "model", "--max-tokens", 3, "--seed", 1).out) == 4


def test_a_finished_model_is_not_counted_again(data, tmp_path):
    assert run("train", "ngram", data, "-o", tmp_path / "model", "--order", 1).code == 0
    assert "--order is for counting" in mistake("train", "ngram", tmp_path / "model", "--order", 3)


def test_mistakes_are_one_sentence(data, tmp_path):
    assert "order=0 is out of range" in mistake("train", "ngram", data, "--order", 0)
    assert "'µ'" in mistake("train", "ngram", data, "--order", 1, "--prompt", "µ")
    assert "holds no tokenizer" in mistake("train", "ngram", tmp_path)
    (tmp_path / "file").write_text("in the way")
    assert "cannot be saved to" in mistake("train", "ngram", data, "--order", 1, "-o", tmp_path / "file")


def test_what_is_written_depends_on_the_seed_alone(data):
    tokenizer = open_tokenizer(data)
    tokens = TokenFolder(data).tokens("train")
    model = count_ngrams(tokens, tokenizer.n_vocab, 4)
    params = SamplingParams(max_tokens=20, seed=3)
    texts = ["".join(step.text for step in write_on(model, tokenizer, [], params)) for _ in range(2)]
    assert texts[0] == texts[1]
    greedy = [step.token for step in write_on(model, tokenizer, [], params.replace(temperature=0))]
    assert all(token == model.probabilities(greedy[:i]).argmax() for i, token in enumerate(greedy))


# Saved


@pytest.fixture
def saved(data, tmp_path):
    model = counted([0, 1, 2, 1, 0, 2, 2, 1], 3)
    save_ngrams(model, tmp_path / "model", open_tokenizer(data))
    return model, tmp_path / "model"


def test_a_saved_model_comes_back_exactly(saved):
    model, folder = saved
    back = load_ngrams(folder)
    assert (back.order, back.n_vocab) == (model.order, model.n_vocab)
    new = np.array([2, 1, 0, 0, 6, 2])
    assert (back.logprobs(new) == model.logprobs(new)).all()
    assert not list(folder.glob(".*"))


def spoilt(model, name, change):
    """The tensors of a model, one of them changed."""
    tensors = {}
    for length, level in enumerate(model.levels, start=1):
        for part in ("keys", "counts"):
            tensors[f"{length}.{part}"] = torch.from_numpy(getattr(level, part).astype(np.float64))
    tensors[name] = change(tensors[name])
    return tensors


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("1.keys", lambda x: x.flip(0)),
        ("2.keys", lambda x: x - 1e6),
        ("2.keys", lambda x: x + 1e6),
        ("3.keys", lambda x: x[:-1]),
        ("3.keys", lambda x: x * math.nan),
        ("1.counts", lambda x: x * 0),
        ("3.counts", lambda x: x[None]),
        ("1.keys", lambda x: x[:0]),
    ],
)
def test_a_damaged_model_is_refused(saved, name, change):
    model, folder = saved
    write_safetensors(spoilt(model, name, change), folder / COUNTS)
    with pytest.raises(CheckpointError, match="holds no whole n-gram model"):
        load_ngrams(folder)


@pytest.mark.parametrize(
    "size",
    ["[]", '{"order": 3}', '{"order": 99, "n_vocab": 7}', '{"order": [], "n_vocab": 7}', '{"order": 4, "n_vocab": 7}'],
)
def test_a_damaged_size_is_refused(saved, size):
    (saved[1] / SIZE).write_text(size)
    with pytest.raises(CheckpointError):
        load_ngrams(saved[1])


def test_a_model_needs_a_level():
    with pytest.raises(ConfigError, match="order=0 is out of range"):
        NGramModel([], 3)
