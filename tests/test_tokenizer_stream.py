from hypothesis import given
from hypothesis import strategies as st

from cutaway.tokenizer import Tokenizer

TOKENIZER = Tokenizer.gpt2()


def stream(ids):
    decoder = TOKENIZER.stream()
    return [*map(decoder.push, ids), decoder.flush()]


@given(st.lists(st.integers(0, TOKENIZER.n_vocab - 1), max_size=30))
def test_a_stream_of_any_ids_joins_to_their_decoding(ids):
    assert "".join(stream(ids)) == TOKENIZER.decode(ids)


@given(st.lists(st.integers(94, 255), max_size=12))
def test_a_stream_of_broken_utf8_joins_to_its_decoding(ids):
    assert "".join(stream(ids)) == TOKENIZER.decode(ids)


@given(st.text(max_size=40))
def test_no_step_of_a_stream_gives_half_a_character(text):
    steps = stream(TOKENIZER.encode(text))
    assert "".join(steps) == text
    assert "\ufffd" in text or not any("\ufffd" in step for step in steps)


def test_a_character_is_held_back_until_it_is_whole():
    ids = TOKENIZER.encode("👍")
    assert len(ids) == 2
    assert stream(ids) == ["", "👍", ""]


def test_flushing_shows_the_unfinished_and_starts_anew():
    decoder = TOKENIZER.stream()
    assert decoder.push(TOKENIZER.encode("👍")[0]) == ""
    assert decoder.flush() == "\ufffd"
    assert decoder.push(TOKENIZER.encode("x")[0]) == "x"
    assert decoder.flush() == ""
