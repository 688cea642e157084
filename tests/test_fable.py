"""The bundled model: small, whole, and the same everywhere."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from cutaway.tokenizer import Tokenizer
from cutaway.train.evaluate import bits_per_byte, token_bytes
from cutaway.weights import load_model

FOLDER = Path(str(files("cutaway"))) / "bundled" / "fable"
PASSAGE = (
    "The old woman put the kettle on the fire and told the boy to sit down beside her. "
    '"You have come a long way," she said, "and you must be hungry." He said that he was, and he looked about the '
    "little room, where a black cat lay asleep in the corner and the rain ran down the window. In the morning the sun "
    "was shining, and the two of them went out into the garden to see whether the wind had broken the apple tree."
)


@pytest.fixture(scope="module")
def model():
    return load_model("fable")


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_folder(FOLDER)


def test_it_takes_less_than_20_mb():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 20_000_000


def test_it_has_8192_tokens_of_which_the_last_ends_a_text(model, tokenizer):
    assert model.config.vocab_size == tokenizer.n_vocab == 8192
    assert tokenizer.eot == 8191


def test_its_first_256_tokens_are_gpt2s_bytes(tokenizer):
    assert tokenizer.vocabulary.tokens[:256] == Tokenizer.gpt2().vocabulary.tokens[:256]


def test_it_has_learned_english(model, tokenizer):
    tokens = np.array([tokenizer.eot, *tokenizer.encode(PASSAGE)], dtype=np.uint16)
    assert bits_per_byte(model, tokens, token_bytes(tokenizer)) < 1.75


def test_transformers_reads_it_as_the_same_model(model, tokenizer):
    from transformers import AutoTokenizer, GPT2LMHeadModel

    ids = torch.tensor([tokenizer.encode(PASSAGE)])
    assert AutoTokenizer.from_pretrained(FOLDER)(PASSAGE)["input_ids"] == ids[0].tolist()
    theirs = GPT2LMHeadModel.from_pretrained(FOLDER, dtype=torch.float32).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(ids)[0], theirs(ids).logits, rtol=1e-4, atol=1e-4)
