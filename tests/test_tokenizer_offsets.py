import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import TokenizerError
from cutaway.tokenizer import Tokenizer

TOKENIZER = Tokenizer.gpt2()


def test_offsets_are_characters_of_the_text():
    text = "Hello World. Übung"
    spans = TOKENIZER.offsets(text, TOKENIZER.encode(text))
    assert [text[start:end] for start, end in spans] == ["Hello", " World", ".", " Ü", "b", "ung"]


def test_tokens_that_split_a_character_share_its_span():
    assert TOKENIZER.offsets("a👍b", TOKENIZER.encode("a👍b")) == [(0, 1), (1, 2), (1, 2), (2, 3)]


@given(st.text())
def test_spans_cover_the_text_in_order(text):
    ids = TOKENIZER.encode(text)
    spans = TOKENIZER.offsets(text, ids)
    assert len(spans) == len(ids)
    assert {at for start, end in spans for at in range(start, end)} == set(range(len(text)))
    assert spans == sorted(spans)
    for token, (start, end) in zip(ids, spans, strict=True):
        assert TOKENIZER.token_bytes(token) in text[start:end].encode()


def test_a_special_token_spans_its_text():
    text = "a<|endoftext|>b"
    assert TOKENIZER.offsets(text, TOKENIZER.encode(text, allowed_special="all")) == [(0, 1), (1, 14), (14, 15)]


def test_ids_of_another_text_are_refused():
    with pytest.raises(TokenizerError, match="do not spell this text"):
        TOKENIZER.offsets("Hello", TOKENIZER.encode("World"))
