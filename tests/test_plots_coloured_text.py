from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import ConfigError
from cutaway.plots import draw_text, glyphs
from cutaway.plots.text_flow import RETURN, Piece, TextFlow
from pictures import PIECES, assert_tidy, colours_at, overlap, texts

TOKENS = st.lists(st.one_of(st.sampled_from(PIECES), st.text("ab \n", max_size=12)), max_size=30)


def flow(tokens, columns):
    layout = TextFlow(columns)
    return [piece for token in tokens for piece in layout.add(token)]


@given(TOKENS, st.integers(1, 30))
def test_every_letter_has_a_place_of_its_own_in_reading_order(tokens, columns):
    pieces = flow(tokens, columns)
    places = [(piece.line, piece.column + i) for piece in pieces for i in range(len(piece.text))]
    assert places == sorted(set(places))
    assert all(column < columns for _, column in places)


@given(TOKENS, st.integers(1, 30))
def test_nothing_of_a_token_is_lost(tokens, columns):
    pieces = flow(tokens, columns)
    for i, token in enumerate(tokens):
        shown = "".join(glyphs.visible(part, glyphs.MONO) + RETURN for part in token.split("\n"))[:-1]
        assert "".join(piece.text for piece in pieces if piece.token == i) == shown


def test_a_token_that_does_not_fit_begins_the_next_line():
    assert flow(["abc", "de", "f\n", "g"], 5) == [
        Piece(0, 0, 0, "abc"),
        Piece(1, 0, 3, "de"),
        Piece(2, 1, 0, "f" + RETURN),
        Piece(3, 2, 0, "g"),
    ]


def test_a_long_token_goes_on_over_lines():
    assert [piece[1:] for piece in flow(["abcdefg"], 3)] == [(0, 0, "abc"), (1, 0, "def"), (2, 0, "g")]


def test_a_text_is_tidy_and_its_tokens_do_not_meet():
    tokens = (PIECES + [" word"] * 9) * 8
    figure = draw_text(np.linspace(0, 9, len(tokens)), tokens=tokens, title="Surprise", unit="nats")
    assert_tidy(figure)
    boxes = texts(figure)
    lines = {}
    for text in figure.axes[0].texts:
        if text in boxes:
            lines.setdefault(text.get_position()[1], []).append(boxes[text])
    for line in lines.values():
        assert not any(overlap(one, other) for one, other in pairwise(line) if one.x1 - other.x0 > 1)


def test_the_more_the_deeper():
    figure = draw_text([0, 1, 2], tokens=["aa", "bb", "cc"])
    colours = colours_at(figure, figure.axes[0], [(x, 0.1) for x in (1.9, 3.9, 5.9)])
    brightness = [sum(colour) for colour in colours]
    assert brightness == sorted(brightness, reverse=True)
    assert len(set(brightness)) == 3


def test_zero_is_nearly_white_where_the_sign_matters():
    figure = draw_text([-1, 0, 1], tokens=["aa", "bb", "cc"], diverging=True)
    negative, zero, positive = colours_at(figure, figure.axes[0], [(x, 0.1) for x in (1.9, 3.9, 5.9)])
    assert min(zero) > 235
    assert negative[2] > negative[0]
    assert positive[0] > positive[2]


def test_a_text_without_end_is_refused():
    with pytest.raises(ConfigError, match="too long for a picture"):
        draw_text(np.zeros(500), tokens=["\n"] * 500)
