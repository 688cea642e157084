"""Each witness agrees with a network that is right, and is heard where one is wrong."""

import importlib.util

import pytest
import torch

import tiny
from cutaway.generate.reader import Reader
from cutaway.tokenizer import Tokenizer
from cutaway.verify import witnesses
from cutaway.verify.contents import Contents
from cutaway.verify.peer import peer_checks
from cutaway.verify.run import read
from cutaway.verify.witnesses import batched_check, cached_check, float64_check, plain_check
from cutaway.weights.locate import locate
from verified import IDS, change_tensors, good_checkpoint


@pytest.fixture
def files(tmp_path):
    good_checkpoint(tmp_path / "model")
    return locate(tmp_path / "model")


class NearlyRight(Reader):
    """A reader whose logits are a little off."""

    def prefill(self, prompts):
        return super().prefill(prompts) + 1e-6

    def decode(self, tokens):
        return super().decode(tokens) + 1e-6


def test_float32_is_near_float64_and_another_network_is_not(files):
    model, exact = read(files, torch.float32), read(files, torch.float64)
    assert float64_check(model, exact, IDS).state == "passed"
    with torch.no_grad():
        model.ln_f.bias += 0.1
    found = float64_check(model, exact, IDS)
    assert found.state == "failed"
    assert found.expected
    assert found.cause


def test_plain_operations_agree_with_the_network_of_the_same_file_alone(files):
    exact = read(files, torch.float64)
    contents = Contents(files)
    assert plain_check(exact, contents, exact.config, IDS).state == "passed"
    change_tensors(files.folder, lambda arrays: arrays["h.0.ln_2.bias"].__iadd__(1e-3))
    assert plain_check(exact, Contents(files), exact.config, IDS).state == "failed"


@pytest.mark.parametrize("check", [cached_check, batched_check])
def test_a_reader_that_is_a_little_off_is_heard(files, monkeypatch, check):
    exact = read(files, torch.float64)
    assert check(exact, IDS).state == "passed"
    monkeypatch.setattr(witnesses, "Reader", NearlyRight)
    assert check(exact, IDS).state == "failed"


@pytest.mark.parametrize("check", [cached_check, batched_check])
def test_a_text_of_one_token_is_enough(files, check):
    assert check(read(files, torch.float64), [3]).state == "passed"


def test_transformers_agrees_on_logits_and_ids(files):
    checks = list(peer_checks(files, read(files, torch.float64), tiny.TOKENIZER, IDS))
    assert [(check.name, check.state) for check in checks] == [
        ("transformers", "passed"),
        ("transformers' ids", "passed"),
    ]


def test_transformers_disagrees_with_another_tokenizer(files):
    other = Tokenizer.train(["quite another text " * 5], 262)
    *_, ids = peer_checks(files, read(files, torch.float64), other, IDS)
    assert ids.state == "failed"


def test_without_transformers_the_witness_is_absent(files, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (check,) = peer_checks(files, tiny.tiny_model(), None, IDS)
    assert (check.state, check.seen) == ("skipped", "not installed; pip install transformers adds this witness")


def test_a_file_of_another_name_is_not_what_transformers_reads(files):
    renamed = files.weights.with_name("other.safetensors")
    files.weights.rename(renamed)
    (check,) = peer_checks(locate(renamed), tiny.tiny_model(), None, IDS)
    assert check.seen == "it reads model.safetensors, not other.safetensors"
