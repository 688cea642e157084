import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import TokenizerError
from cutaway.tokenizer.byte_alphabet import BYTE_OF, BYTE_ORDER, CHARACTER_OF, from_piece, to_piece


def test_every_byte_has_its_own_printable_character():
    assert sorted(BYTE_ORDER) == list(range(256)) == sorted(BYTE_OF.values())
    assert all(character.isprintable() and not character.isspace() for character in CHARACTER_OF.values())


def test_characters_are_gpt2s():
    assert to_piece(b" to\n\x00!") == "ĠtoĊĀ!"
    assert to_piece("é".encode()) == "Ã©"


@given(st.binary())
def test_a_piece_gives_its_bytes_back(token):
    assert from_piece(to_piece(token)) == token


@pytest.mark.parametrize("piece", [" to", "a\n", "\xad", "€", "\ud800"])
def test_a_character_outside_the_alphabet_is_named(piece):
    with pytest.raises(TokenizerError, match="stands for no byte"):
        from_piece(piece)
