import itertools

from hypothesis import given
from hypothesis import strategies as st

from cutaway.data.pieces import Piece, cut_pieces
from cutaway.data.split import end_document_at
from cutaway.tokenizer import Tokenizer

GPT2 = Tokenizer.gpt2()
WORDY = st.text(st.sampled_from(list("ab'ls  \n\r\t\x1c\x85\u3000é你12.,!")), max_size=60)


@given(text=WORDY, most=st.integers(1, 20))
def test_the_pieces_are_the_text(text, most):
    pieces = list(cut_pieces([(text, True)], most))
    assert "".join(piece.text for piece in pieces) == text
    assert all(0 < len(piece.text) <= most for piece in pieces)
    assert [piece.begins for piece in pieces] == [i == 0 for i in range(len(pieces))]
    assert [piece.ends for piece in pieces] == [i == len(pieces) - 1 for i in range(len(pieces))]


@given(
    words=st.lists(st.text(st.sampled_from("ab'ls\x1c\x85\u3000é你12.,!"), max_size=5), max_size=20), blanks=st.data()
)
def test_pieces_encode_to_the_ids_of_the_whole(words, blanks):
    # Each word ends in what Python and the pattern agree not to be whitespace; U+001C they see differently.
    text = "".join(
        word + "a" + blanks.draw(st.sampled_from([" ", "\n", "  ", " \n\n", "\r\n", "\t "])) for word in words
    )
    # No stretch is longer than twelve characters, so a place to cut is always near.
    ids = [i for piece in cut_pieces([(text, True)], 12) for i in GPT2.encode(piece.text)]
    assert ids == GPT2.encode(text)


@given(text=WORDY, cuts=st.lists(st.integers(0, 60), max_size=5), most=st.integers(1, 20))
def test_how_the_text_arrives_does_not_change_the_pieces(text, cuts, most):
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    arriving = [(text[a:b], False) for a, b in itertools.pairwise(places)]
    assert list(cut_pieces([*arriving, ("", True)], most)) == list(cut_pieces([(text, True)], most))


def test_a_long_stretch_without_whitespace_is_cut_all_the_same():
    assert [len(piece.text) for piece in cut_pieces([("x" * 25, True)], 10)] == [10, 10, 5]


def test_documents_without_text_are_left_out():
    fragments = [("", True), ("a", True), ("", True), ("", False), ("b", True)]
    assert list(cut_pieces(fragments)) == [Piece("a", True, True), Piece("b", True, True)]


@given(texts=st.lists(st.text(max_size=5), max_size=6), cut=st.integers(0, 30))
def test_a_document_can_be_divided_after_some_characters(texts, cut):
    whole = "".join(texts)
    divided = list(end_document_at([*((text, False) for text in texts), ("", True)], cut))
    documents = [""]
    for text, ends in divided:
        documents[-1] += text
        documents += [""] * ends
    expected = [whole[:cut], whole[cut:]] if 0 < cut <= len(whole) else [whole]
    assert documents == [*expected, ""]
