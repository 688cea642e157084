import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.plots import glyphs
from pictures import PIECES


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ġupon", "Ġupon"),
        ("a\nb\t", "a\\nb\\t"),
        ("東", "\\u6771"),
        ("\U0001f98a", "\\U0001f98a"),
        ("e\u0301", "e\\u0301"),
        ("\ud800", "\\ud800"),
        ("café …", "café …"),
    ],
)
def test_what_the_font_lacks_is_shown_as_an_escape(text, shown):
    assert glyphs.visible(text) == shown


@given(st.text(st.characters(), max_size=20))
def test_whatever_is_visible_is_in_the_font(text):
    for font in (glyphs.SANS, glyphs.MONO):
        assert all(ord(character) in glyphs.characters(font) for character in glyphs.visible(text, font))


def test_spaces_at_the_ends_of_a_label_can_be_seen():
    assert [glyphs.label(text) for text in (" to", "to ", "a b", "  ", "", 7)] == ["␣to", "to␣", "a b", "␣␣", "", "7"]


@given(st.text(st.characters(), max_size=80), st.integers(1, 30))
def test_a_label_is_no_longer_than_allowed(text, limit):
    assert len(glyphs.label(text, limit)) <= limit


@pytest.mark.parametrize("text", [*PIECES, "AVAVAV", "fi ff W"])
def test_a_text_is_as_wide_as_it_is_drawn(text):
    shown = glyphs.visible(text, glyphs.SANS).strip()
    face = glyphs._face(glyphs.SANS)
    face.set_text(shown, 0)
    drawn = face.get_width_height()[0] / 64
    assert drawn <= glyphs.width(shown, 100) * 1.05 + 6


def test_lines_break_between_words_and_fit():
    lines = glyphs.wrapped("the quick brown fox jumps over the lazy dog", 80, 10)
    assert " ".join(lines) == "the quick brown fox jumps over the lazy dog"
    assert len(lines) > 2
    assert all(glyphs.width(line, 10) <= 80 for line in lines)
    assert glyphs.wrapped("", 80, 10) == []
