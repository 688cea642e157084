import json

import pytest

from cutaway.data import Job, PrepareSettings, TokenFolder, find, make_report, prepare
from cutaway.data.report import LengthBin, TokenCount
from cutaway.tokenizer import Tokenizer
from cutaway.tokenizer.characters import CharTokenizer

TEXTS = ["a" * 7, "b" * 8, "a" * 30, "a"]


def report_of(folder, encoder, texts, **settings):
    path = folder / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    settings = PrepareSettings(**{"validation": 0, **settings})
    prepare(Job(find([str(path)]), encoder, settings), folder / "out")
    return make_report(TokenFolder(folder / "out"))


def test_a_report_counts_documents_tokens_and_lengths(tmp_path):
    report = report_of(tmp_path, CharTokenizer("abcd"), TEXTS)
    assert report.splits["train"].n_documents == 4
    assert report.splits["train"].n_tokens == 46
    assert report.splits["train"].bytes_per_token == 1
    assert report.splits["validation"].bytes_per_token == 0
    assert report.most_frequent == (TokenCount(token=0, count=38), TokenCount(token=1, count=8))
    assert (report.n_never_used, report.never_used) == (2, (2, 3))
    assert report.lengths == (
        LengthBin(from_tokens=1, below_tokens=2, n_documents=1),
        LengthBin(from_tokens=2, below_tokens=4, n_documents=0),
        LengthBin(from_tokens=4, below_tokens=8, n_documents=1),
        LengthBin(from_tokens=8, below_tokens=16, n_documents=1),
        LengthBin(from_tokens=16, below_tokens=32, n_documents=1),
    )


def test_a_document_over_several_shards_has_its_whole_length(tmp_path, monkeypatch):
    monkeypatch.setattr("cutaway.data.pieces.cut_pieces.__defaults__", (100,))
    report = report_of(tmp_path, CharTokenizer("ab"), ["a" * 5000, "b"], unit_bytes=1024)
    assert len(TokenFolder(tmp_path / "out").manifest.shards) > 3
    assert [(b.from_tokens, b.n_documents) for b in report.lengths if b.n_documents] == [(1, 1), (4096, 1)]


def test_both_splits_are_counted(tmp_path):
    texts = [f"document {i}" for i in range(50)]
    report = report_of(tmp_path, Tokenizer.gpt2(), texts, validation=0.3)
    assert sum(totals.n_documents for totals in report.splits.values()) == 50
    assert report.splits["validation"].n_documents > 5
    assert {count.token: count.count for count in report.most_frequent}[Tokenizer.gpt2().eot] == 50
    assert sum(b.n_documents for b in report.lengths) == 50


def test_a_report_can_be_written_as_json(tmp_path):
    content = json.loads(json.dumps(report_of(tmp_path, CharTokenizer("abcd"), TEXTS).to_dict()))
    assert content["splits"]["train"]["bytes_per_token"] == pytest.approx(1)
    assert content["most_frequent"][0] == {"token": 0, "count": 38}
