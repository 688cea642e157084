"""The figures about samples, against definitions written out slowly."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import DataError
from cutaway.samples import describe, open_corpus, read_samples
from cutaway.samples.lengths import zipf
from cutaway.samples.repetition import distinct, repeated
from cutaway.samples.self_bleu import closest, self_bleu
from cutaway.samples.written import Written
from tiny import EOT, TOKENIZER

TEXTS = st.lists(st.lists(st.integers(0, 4), max_size=12), min_size=2, max_size=5)


def grams(text, n):
    return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]


def slow_bleu(text, references):
    """BLEU-4 by its definition: clipped precisions, the closest reference length, smoothing by method 1."""
    if not any(gram in grams(other, 1) for gram in grams(text, 1) for other in references):
        return 0.0
    logs = []
    for n in range(1, 5):
        hits = sum(
            min(times, max(Counter(grams(other, n))[gram] for other in references))
            for gram, times in Counter(grams(text, n)).items()
        )
        logs.append(math.log((hits or 0.1) / max(1, len(grams(text, n)))))
    nearest = min((len(other) for other in references), key=lambda length: (abs(length - len(text)), length))
    brevity = 1.0 if len(text) > nearest else math.exp(1 - nearest / len(text))
    return brevity * math.exp(sum(logs) / 4)


@given(TEXTS)
def test_self_bleu_is_the_mean_bleu_against_all_others(texts):
    slow = [slow_bleu(text, texts[:i] + texts[i + 1 :]) for i, text in enumerate(texts)]
    assert self_bleu(texts) == pytest.approx(sum(slow) / len(slow))


@given(TEXTS)
def test_self_bleu_is_that_of_nltk(texts):
    bleu = pytest.importorskip("nltk.translate.bleu_score", reason="nltk is not installed")
    method = bleu.SmoothingFunction().method1
    theirs = [
        bleu.sentence_bleu(texts[:i] + texts[i + 1 :], text, smoothing_function=method) for i, text in enumerate(texts)
    ]
    assert self_bleu(texts) == pytest.approx(sum(theirs) / len(theirs))


def test_self_bleu_of_equal_texts_is_one_and_of_one_text_unknown():
    assert self_bleu([[1, 2, 3, 4, 5]] * 3) == pytest.approx(1)
    assert self_bleu([[1, 2, 3, 4]]) is None


@given(st.lists(st.integers(0, 9), min_size=2, max_size=6).map(sorted), st.data())
def test_the_closest_length_leaves_out_one_of_its_own(lengths, data):
    own = data.draw(st.sampled_from(lengths))
    others = list(lengths)
    others.remove(own)
    assert closest(lengths, own) == min(others, key=lambda other: (abs(other - own), other))


def test_repetition_counts_what_occurred_before():
    assert repeated([[1, 2, 1, 2, 1, 2]], 2) == pytest.approx(3 / 5)
    assert repeated([[1, 2, 3], [4, 4, 4]], 1) == pytest.approx((0 + 2 / 3) / 2)
    assert repeated([[1]], 2) is None


def test_distinct_counts_over_all_texts():
    assert distinct([[1, 2, 3], [1, 2, 4]], 2) == pytest.approx(3 / 4)
    assert distinct([[], [1]], 2) is None


def test_zipf_is_one_where_frequency_is_inverse_to_rank():
    text = [token for token in range(1, 11) for _ in range(2520 // token)]
    assert zipf([text]) == pytest.approx(1)
    assert zipf([[3, 3]]) is None


def test_a_report_has_lengths_and_the_share_that_ended():
    samples = [Written(tokens=(1, 2, 3), text="a", ended=True), Written(tokens=(4,), text="b", ended=False)]
    report = describe(samples)
    assert (report.samples, report.tokens, report.ended) == (2, 4, 0.5)
    assert report.lengths.to_dict() == {"mean": 2, "median": 2, "shortest": 1, "longest": 3}
    with pytest.raises(DataError, match="there are no samples"):
        describe([])


@pytest.mark.parametrize(
    "content",
    [
        '{"prompt": "x", "samples": [{"text": "Once", "tokens": [1, 2], "finish_reason": "length"}]}',
        '{"text": "Once", "tokens": [1, 2], "finish_reason": "length"}\n',
        '[{"text": "Once", "tokens": [1, 2], "finish_reason": "length"}]',
        '\n{"text": "Once", "tokens": [1, 2], "finish_reason": "length"}\n\n',
    ],
)
def test_samples_are_read_from_every_form(tmp_path, content):
    path = tmp_path / "samples.jsonl"
    path.write_text(content)
    assert read_samples(path, TOKENIZER) == [Written(tokens=(1, 2), text="Once", ended=False)]


def test_texts_without_tokens_are_encoded_and_the_end_of_text_is_no_part(tmp_path):
    path = tmp_path / "samples.jsonl"
    path.write_text(f'{{"text": "Once upon"}}\n{{"text": "On", "tokens": [1, {EOT}], "finish_reason": "stop"}}\n')
    first, second = read_samples(path, TOKENIZER)
    assert (first.tokens, first.ended) == (tuple(TOKENIZER.encode("Once upon")), None)
    assert (second.tokens, second.ended) == ((1,), True)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "holds no samples"),
        ('{"text": 3}', "is no sample; it needs a 'text'"),
        ('{"text": "a"}\n{"text"', "line 2"),
        ('{"text": "a", "tokens": [99999]}', "are not ids below"),
        ('{"text": "a", "tokens": [true]}', "are not ids below"),
    ],
)
def test_files_that_hold_something_else_are_refused(tmp_path, content, fault):
    path = tmp_path / "samples.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=fault):
        read_samples(path, TOKENIZER)
    with pytest.raises(DataError, match="cannot read"):
        read_samples(tmp_path / "none", TOKENIZER)


def test_text_and_arrays_are_read_as_the_same_tokens(tmp_path):
    text = "Once upon a time there was a fox."
    (tmp_path / "a.txt").write_text(text)
    np.save(tmp_path / "a.npy", np.array(TOKENIZER.encode(text), np.uint16))
    read = {
        name: np.concatenate([block.tokens for block in open_corpus([str(tmp_path / name)], TOKENIZER)]).tolist()
        for name in ("a.txt", "a.npy")
    }
    assert read["a.txt"] == read["a.npy"] == TOKENIZER.encode(text)


def test_a_limit_ends_the_reading(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(100) % 50)
    told = []
    blocks = open_corpus([str(tmp_path / "a.npy")], TOKENIZER, limit=30, tell=lambda *now: told.append(now))
    assert sum(len(block.tokens) for block in blocks) == 30
    assert told == [(str(tmp_path / "a.npy"), 30)]


def test_arrays_that_are_no_ids_are_refused(tmp_path):
    for name, array in (("floats", np.zeros(3)), ("square", np.zeros((2, 2), int)), ("beyond", np.array([99_999]))):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(DataError, match=name):
            list(open_corpus([str(tmp_path / f"{name}.npy")], TOKENIZER))
    (tmp_path / "torn.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="no array of ids"):
        list(open_corpus([str(tmp_path / "torn.npy")], TOKENIZER))
