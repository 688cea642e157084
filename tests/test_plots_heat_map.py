import numpy as np
import pytest

from cutaway.errors import ConfigError
from cutaway.plots import draw_heat_map
from cutaway.plots.colours import DIVERGING, NOTHING_RGB, SEQUENTIAL, table
from cutaway.plots.grid import sides
from cutaway.plots.page import encoded
from pictures import PIECES, assert_tidy, colours_at, pixels, sentences, texts

RNG = np.random.default_rng(0)


def axes_of(rows, columns):
    return [("layer", range(rows)), ("token", [f"Ġword{i}" for i in range(columns)])]


@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 3), (1, 40), (40, 1), (12, 12), (24, 17), (12, 300), (300, 12), (1024, 1024)]
)
def test_labels_stay_apart_and_on_the_page_at_any_size(shape):
    figure = draw_heat_map(
        RNG.normal(size=shape), axes=axes_of(*shape), title="A title " * 9, unit="nats", diverging=True
    )
    assert_tidy(figure)
    width, height = figure.get_size_inches()
    assert width <= 13
    assert height <= 13


@pytest.mark.parametrize("odd", ["rows", "columns"])
def test_odd_tokens_are_drawn_without_a_warning(odd):
    axes = [("token", PIECES), ("layer", range(5))]
    values = np.zeros((len(PIECES), 5))
    figure = draw_heat_map(*((values,) if odd == "rows" else (values.T,)), axes=axes if odd == "rows" else axes[::-1])
    assert_tidy(figure)


def test_a_known_matrix_has_known_colours():
    figure = draw_heat_map([[0.0, 1.0], [0.5, np.nan]], axes=axes_of(2, 2))
    corners = [(x - 0.4, y - 0.35) for y in (0, 1) for x in (0, 1)]
    low, high, middle, missing = colours_at(figure, figure.axes[0], corners)
    assert low == tuple(table(SEQUENTIAL)[0].tolist())
    assert high == tuple(table(SEQUENTIAL)[-1].tolist())
    assert middle == tuple(table(SEQUENTIAL)[128].tolist())
    assert missing == NOTHING_RGB


def test_zero_lies_in_the_middle_where_the_sign_matters():
    figure = draw_heat_map([[-1.0, 0.0, 4.0]], axes=axes_of(1, 3), diverging=True)
    _, zero, high = colours_at(figure, figure.axes[0], [(x - 0.4, -0.4) for x in range(3)])
    assert zero == tuple(table(DIVERGING)[128].tolist())
    assert high == tuple(table(DIVERGING)[-1].tolist())


def test_each_number_of_a_large_matrix_has_a_pixel_of_its_own():
    values = np.indices((1024, 768)).sum(0) % 2
    figure = draw_heat_map(values, axes=axes_of(1024, 768))
    picture, box = pixels(figure), figure.axes[0].get_window_extent()
    left, top = round(box.x0), picture.shape[0] - round(box.y1)
    inside = picture[top : top + 1024, left : left + 768]
    # The outermost pixels touch the marks of the axes.
    assert (inside == table(SEQUENTIAL)[values * 255])[1:-1, 1:-1].all()


def test_a_sigmoid_lies_around_a_half():
    figure = draw_heat_map([[-2.0, 0.0, 2.0]], axes=axes_of(1, 3), sigmoid=True, unit="weight")
    shown = {text.get_text() for text in texts(figure)}
    assert {"0.119", "0.500", "0.881", "sigmoid of weight"} <= shown


def test_a_sigmoid_has_a_half_in_the_middle_of_its_colours():
    figure = draw_heat_map([[0.0, 9.0, -1.0]], axes=axes_of(1, 3), sigmoid=True)
    (middle,) = colours_at(figure, figure.axes[0], [(-0.4, -0.4)])
    assert middle == tuple(table(SEQUENTIAL)[128].tolist())


def test_numbers_stand_in_the_cells_of_a_small_matrix_and_not_of_a_large_one():
    small = {text.get_text() for text in texts(draw_heat_map([[0.25, -12.5]], axes=axes_of(1, 2)))}
    assert {"0.2", "−12.5"} <= small
    assert {"3", "40"} <= {text.get_text() for text in texts(draw_heat_map([[3, 40]], axes=axes_of(1, 2)))}
    assert not draw_heat_map(RNG.normal(size=(30, 30)), axes=axes_of(30, 30)).axes[0].texts


def test_given_words_stand_in_the_cells():
    words = [["Ġthe", "\n"], ["東", "$x$"]]
    shown = {text.get_text() for text in texts(draw_heat_map(np.eye(2), axes=axes_of(2, 2), texts=words))}
    assert {"Ġthe", "\\n", "\\u6771", "$x$"} <= shown


def test_words_fit_their_cells():
    words = [["a" * 16, "W" * 16], ["Ġthe", "x"]]
    figure = draw_heat_map(np.eye(2), axes=axes_of(2, 2), texts=words)
    axes, boxes = figure.axes[0], texts(figure)
    cell = axes.get_window_extent().width / 2
    assert all(boxes[text].width <= cell for text in axes.texts)


def test_values_beyond_the_colours_are_told():
    values = RNG.normal(size=(100, 100))
    values[0, 0] = 1e3
    figure = draw_heat_map(values, axes=axes_of(100, 100))
    assert any("of 10,000 values lie beyond the colours" in text and "to 1000." in text for text in sentences(figure))


def test_means_of_neighbours_are_told():
    figure = draw_heat_map(np.zeros((5000, 30)), axes=axes_of(5000, 30))
    assert any("mean of up to 4 × 1 values" in text for text in sentences(figure))


def test_it_is_the_same_picture_each_time():
    def draw():
        return draw_heat_map(np.eye(5), axes=axes_of(5, 5), title="Eye", unit="one")

    for kind in ("png", "svg", "pdf"):
        assert encoded(draw(), kind) == encoded(draw(), kind)


def test_values_must_have_two_axes_with_a_label_for_each_place():
    with pytest.raises(ConfigError, match="of 2 axes, not 1"):
        draw_heat_map([1, 2], axes=[("a", "xy")])


def test_cells_are_square_where_they_can_be():
    down, across = sides(1024, 768)
    assert (down.pixels, across.pixels, down.block) == (1, 1, 1)
    down, across = sides(12, 300)
    assert (down.pixels, across.pixels) == (34, 4)
    down, _ = sides(50257, 768)
    assert (down.shown, down.block) == (1323, 38)
