import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import ConfigError
from cutaway.plots import draw_bars, draw_table
from cutaway.plots.bars import by_size, number
from cutaway.plots.number_table import text_of
from pictures import PIECES, assert_tidy, overlap, sentences, texts


@pytest.mark.parametrize(
    "values", [[1.0], [0.0, 0.0], [-3, 5, 0.25], [-1e-9, -5, -123456], [np.nan, 2], list(range(100))]
)
def test_bars_their_names_and_numbers_are_tidy(values):
    figure = draw_bars(
        values, labels=[f"head {i}" for i in range(len(values))], name="part", unit="logit", title="Parts"
    )
    assert_tidy(figure)
    axes, boxes = figure.axes[0], texts(figure)
    frame = axes.get_window_extent()
    for text in axes.texts:
        if text in boxes:
            assert frame.x0 - 1 <= boxes[text].x0
            assert boxes[text].x1 <= frame.x1 + 1
    bars = [bar.get_window_extent() for bar in axes.patches]
    assert not any(overlap(boxes[text], bar) for text in axes.texts if text in boxes for bar in bars if bar.width)


def test_odd_tokens_may_name_bars():
    assert_tidy(draw_bars(range(len(PIECES)), labels=PIECES))


def test_the_largest_come_first_and_the_rest_is_told():
    figure = draw_bars([1, -7, 0.5, 3], labels="abcd", largest=2)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["b", "d"]
    assert "2 smaller ones add up to 1.5." in sentences(figure)


def test_above_zero_and_below_have_different_colours_where_the_sign_matters():
    up, down = (bar.get_facecolor() for bar in draw_bars([1, -1], labels="ab").axes[0].patches)
    assert up != down
    same = {bar.get_facecolor() for bar in draw_bars([1, -1], labels="ab", diverging=False).axes[0].patches}
    assert len(same) == 1


@given(st.lists(st.floats(-9, 9) | st.just(float("nan")), min_size=1))
def test_size_decides_and_then_the_order(values):
    order = by_size(np.array(values)).tolist()
    sizes = [-1 if np.isnan(values[i]) else abs(values[i]) for i in order]
    assert sorted(order) == list(range(len(values)))
    assert all(
        size > other or (size == other and i < j)
        for size, other, i, j in zip(sizes, sizes[1:], order, order[1:], strict=False)
    )


def test_too_many_bars_are_refused():
    with pytest.raises(ConfigError, match="101 bars make no picture; choose with largest=1 to 100"):
        draw_bars(range(101), labels=range(101))


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (-1.5, "−1.5"), (123456, "1.2e5"), (1e-7, "1e−7")])
def test_numbers_are_short(value, text):
    assert number(value) == text


ROWS = [["wpe", 786432, -0.0007, 4.0653], ["a longer name, $x$, 東", 1, 1e-7, -1234.5]]


def test_a_table_is_tidy_and_holds_its_numbers():
    figure = draw_table(["matrix", "size", "mean", "max"], ROWS, title="Statistics")
    assert_tidy(figure)
    assert {"wpe", "786,432", "−0.0007", "4.0653", "1e−07", "−1,234.5000"} <= sentences(figure)


def test_no_two_cells_of_a_table_touch():
    figure = draw_table(["matrix", "size", "mean", "max"], ROWS)
    boxes = list(texts(figure).values())
    assert not any(overlap(one, other) for i, one in enumerate(boxes) for other in boxes[:i])


@pytest.mark.parametrize(
    ("cell", "text"), [(3, "3"), (-0.00068, "−0.0007"), (0.0, "0.0000"), (3e-5, "3e−05"), ("a\n", "a\\n")]
)
def test_a_cell_is_short(cell, text):
    assert text_of(cell) == text


@pytest.mark.parametrize("rows", [[], [["a"]], [["a", 1]] * 61])
def test_rows_that_make_no_table_are_refused(rows):
    with pytest.raises(ConfigError, match="make no table of 2 columns"):
        draw_table(["name", "n"], rows)
