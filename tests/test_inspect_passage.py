"""A text as one model reads it."""

import pytest

from cutaway.errors import GenerationError, InspectionError
from cutaway.inspect.passage import piece_of, read
from cutaway.language_model import LanguageModel
from tiny import EOT, TOKENIZER, tiny_model

GPT2 = tiny_model()
NAMED = LanguageModel(GPT2, TOKENIZER, "tiny")


def test_a_text_is_read_by_its_models_tokenizer():
    passage = read(NAMED, "the fox")
    assert list(passage.ids) == TOKENIZER.encode("the fox")
    assert list(passage.pieces) == TOKENIZER.pieces(passage.ids)
    assert (passage.model, passage.name) == (GPT2, "tiny")
    assert passage.idx.tolist() == [list(passage.ids)]


def test_an_empty_text_is_the_beginning_of_a_document():
    assert read(NAMED, "").ids == (EOT,)


def test_a_bare_model_reads_ids_and_calls_tokens_by_their_numbers():
    passage = read(GPT2, [5, 6])
    assert passage.pieces == ("<5>", "<6>")
    assert passage.token(7) == 7


@pytest.mark.parametrize(
    ("model", "prompt", "error", "sentence"),
    [
        (GPT2, "the fox", InspectionError, "a bare GPT reads no text; give token ids, or the LanguageModel"),
        (GPT2, [], GenerationError, "a prompt needs at least one token"),
        (GPT2, [272], GenerationError, "token id 272 is not in the model's vocabulary of 272"),
        (GPT2, [1] * 33, InspectionError, "33 tokens do not fit a context of 32; shorten the text"),
    ],
)
def test_what_cannot_be_read_is_refused(model, prompt, error, sentence):
    with pytest.raises(error, match=sentence):
        read(model, prompt)


def test_any_length_is_read_on_request():
    assert len(read(GPT2, [1] * 33, any_length=True).ids) == 33


def test_positions_count_from_either_end():
    passage = read(GPT2, [1, 2, 3])
    assert [passage.position(place) for place in (0, 2, -1, -3)] == [0, 2, 2, 0]
    for place in (3, -4):
        with pytest.raises(InspectionError, match=f"no position {place} in a text of 3 tokens"):
            passage.position(place)


def test_a_token_may_be_given_as_id_as_text_or_in_printable_form():
    passage = read(NAMED, "the fox")
    piece = next(piece for piece in TOKENIZER.pieces(range(256, 271)) if piece.startswith("Ġ"))
    token = TOKENIZER.id_of(piece)
    assert passage.token(piece) == passage.token(piece.replace("Ġ", " ")) == passage.token(token) == token


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        (272, "there is no token 272; the model's are 0 to 271"),
        (-1, "there is no token -1"),
        ("qz", "'qz' is not one token but 'q', 'z'; choose one of these"),
        ("", "'' is not one token but nothing"),
    ],
)
def test_what_is_no_token_is_refused(token, sentence):
    with pytest.raises(InspectionError, match=sentence):
        read(NAMED, "the fox").token(token)


def test_a_bare_model_knows_no_tokens_by_text():
    with pytest.raises(InspectionError, match="a bare GPT does not know the token 'fox'; give its id"):
        read(GPT2, [1]).token("fox")


def test_ids_that_pad_a_vocabulary_have_a_name_too():
    assert piece_of(TOKENIZER, 272) == "<272>"
    assert piece_of(TOKENIZER, 0) == TOKENIZER.piece(0)
