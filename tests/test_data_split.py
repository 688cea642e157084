import pytest

from cutaway.data.pieces import Piece
from cutaway.data.split import Split, fitted_split, share_split

TEXTS = [f"document {i}" for i in range(2000)]


def pieces(texts):
    return [Piece(text, True, True) for text in texts]


def sides(split, texts):
    return [split.of(split.digest(text.encode()), number) for number, text in enumerate(texts)]


def test_about_the_share_of_the_documents_is_for_validation():
    assert 160 < sides(share_split(0.1, seed=3), TEXTS).count("validation") < 240


def test_the_side_depends_on_the_text_and_the_seed_alone():
    split = share_split(0.1, seed=3)
    assert sides(split, TEXTS[::-1]) == sides(split, TEXTS)[::-1]
    assert sides(split, TEXTS) != sides(share_split(0.1, seed=4), TEXTS)


def test_a_larger_share_takes_more_of_the_same():
    little, much = (sides(share_split(share, seed=1), TEXTS) for share in (0.1, 0.3))
    assert all(b == "validation" for a, b in zip(little, much, strict=True) if a == "validation")


def test_no_share_takes_nothing():
    assert "validation" not in sides(share_split(0, seed=0), TEXTS)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_of_a_few_documents_one_is_for_validation(count):
    texts = TEXTS[:count]
    assert sides(fitted_split(pieces(texts), 0.001, seed=0), texts).count("validation") == 1


def test_where_the_share_finds_some_it_is_left_as_it_is():
    assert fitted_split(pieces(TEXTS), 0.1, seed=5) == share_split(0.1, seed=5)


def test_a_single_document_is_divided_as_in_shakespeare_by_characters():
    # 1,115,394 characters of which nanoGPT trains on int(0.9 n).
    halves = [Piece("x" * 1_000_000, True, False), Piece("x" * 115_394, False, True)]
    assert fitted_split(halves, 0.1, seed=0) == Split(seed=0, below=0, cut=1_003_854)


def test_no_more_is_read_than_it_takes_to_know():
    unread = iter(pieces(TEXTS))
    fitted_split(unread, 0.2, seed=0)
    assert len(list(unread)) > 1900


def test_the_two_halves_of_a_divided_document_are_for_training_and_validation():
    split = Split(seed=0, below=0, cut=3)
    assert [split.of(b"any digest", 0), split.of(b"any digest", 1)] == ["train", "validation"]
