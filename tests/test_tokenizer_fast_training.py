import builtins

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import MissingExtraError, TokenizerError
from cutaway.tokenizer import Tokenizer, bpe, fast_training
from cutaway.tokenizer.fast_training import learn_merges, train_tokenizer

TEXTS = [
    f"Story {i}: the {name} said that they're {feeling}, and went over the river {i * 37}.\n\n"
    for i in range(60)
    for name in ("king", "queen", "naïve 你好 fox")
    for feeling in ("happy", "unhappy", "very unhappy")
]


@pytest.fixture(scope="module")
def trained():
    return train_tokenizer(TEXTS, 400)


def test_the_numbering_is_that_of_gpt2(trained):
    assert trained.n_vocab == 400
    assert trained.eot == 399
    assert trained.vocabulary.tokens[:256] == Tokenizer.gpt2().vocabulary.tokens[:256]


def test_it_learns_what_the_readable_training_learns(trained):
    assert trained == Tokenizer.train(TEXTS, 400)


@given(text=st.text(max_size=40))
def test_texts_encode_as_in_the_library_that_learned_it(trained, text):
    import json

    import tokenizers

    from cutaway.tokenizer import tokenizer_json

    peer = tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json.describe(trained.vocabulary)))
    assert trained.encode(text) == peer.encode(text).ids == bpe.encode(text, trained.vocabulary)
    assert trained.decode(trained.encode(text)) == text


def test_a_saved_vocabulary_is_the_same_again(trained, tmp_path):
    trained.save(tmp_path)
    assert Tokenizer.from_folder(tmp_path).fingerprint == trained.fingerprint


def test_two_merges_that_make_the_same_token_are_no_trouble(monkeypatch):
    merges = [(b"a", b"a"), (b"aa", b"a"), (b"a", b"aa")]
    monkeypatch.setattr(fast_training, "learn_merges", lambda texts, n_merges: merges)
    tokenizer = train_tokenizer(TEXTS, 259)
    assert tokenizer.n_vocab == 259
    assert tokenizer.decode(tokenizer.encode("a" * 77)) == "a" * 77


def test_bytes_alone_need_no_merge():
    assert learn_merges(TEXTS, 0) == []
    assert train_tokenizer(TEXTS, 257).n_vocab == 257


def test_a_text_that_teaches_too_little_is_refused():
    with pytest.raises(TokenizerError, match=r"teach only 259 tokens, not vocab_size=5,000; give more text"):
        train_tokenizer(["ab ab"], 5000)


@pytest.mark.parametrize("vocab_size", [256, 0, -1, 1 << 21])
def test_an_impossible_size_is_refused(vocab_size):
    with pytest.raises(TokenizerError, match="is out of range; it must be from 257 to 1,048,576"):
        train_tokenizer(TEXTS, vocab_size)


def test_without_the_library_it_says_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "tokenizers":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"training a vocabulary needs tokenizers.*cutaway\[data\]"):
        learn_merges(TEXTS, 3)
