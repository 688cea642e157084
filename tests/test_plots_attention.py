import numpy as np
import pytest

from cutaway.errors import ConfigError
from cutaway.plots import draw_attention, draw_attention_layers, draw_model_view
from cutaway.plots.attention import SCALE
from cutaway.plots.colours import NOTHING_RGB
from cutaway.plots.mosaic import GAP, joined, square
from pictures import PIECES, assert_tidy, colours_at, pixels, texts


def pattern(n, *more):
    scores = np.random.default_rng(0).random((*more, n, n)) * np.tri(n)
    return scores / scores.sum(-1, keepdims=True)


def words(n):
    return [f"Ġword{i}" for i in range(n)]


@pytest.mark.parametrize("n", [1, 7, 40, 1024])
def test_one_head_is_tidy_from_one_token_to_a_whole_context(n):
    assert_tidy(draw_attention(pattern(n), tokens=words(n), title="Layer 5, head 1"))


def test_odd_tokens_are_drawn():
    assert_tidy(draw_attention(pattern(len(PIECES)), tokens=PIECES))


def test_the_future_is_grey_and_a_short_text_is_a_table():
    figure = draw_attention([[1, 0], [0.25, 0.75]], tokens=["a", "b"])
    certain, future = colours_at(figure, figure.axes[0], [(-0.4, -0.35), (0.6, -0.35)])
    assert certain == tuple(SCALE.rgb(np.array([1.0]))[0].tolist())
    assert future == NOTHING_RGB
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.000", "", "0.250", "0.750"]


@pytest.mark.parametrize(("panels", "n"), [(1, 9), (4, 9), (4, 256), (12, 40), (25, 16)])
def test_layers_stand_side_by_side(panels, n):
    names = [f"layer {i}" for i in range(panels)]
    figure = draw_attention_layers(pattern(n, panels), names=names, tokens=words(n), title="Head 0")
    assert_tidy(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes[1:-1]] == names


def test_too_many_panels_are_refused():
    with pytest.raises(ConfigError, match="65 panels are too many for a picture; choose at most 64"):
        draw_attention_layers(pattern(2, 65), names=words(65), tokens="ab")


@pytest.mark.parametrize(("layers", "heads", "n"), [(1, 1, 1), (4, 3, 40), (12, 12, 128), (48, 25, 64)])
def test_all_heads_fit_one_page(layers, heads, n):
    figure = draw_model_view((pattern(n, heads) for _ in range(layers)), title="All heads")
    assert_tidy(figure)
    width, height = figure.get_size_inches()
    assert width <= 14
    assert height <= 16


def test_a_single_bright_cell_stays_visible_in_a_thumbnail():
    heads = np.zeros((1, 1024, 1024))
    heads[0, 700, 300] = 1
    bright = SCALE.rgb(np.array([1.0]))[0]
    picture = pixels(draw_model_view([heads]))
    assert (picture[:, : picture.shape[1] // 2] == bright).all(axis=-1).any()


def test_thumbnails_lie_in_their_row_and_column():
    tiles = np.zeros((2, 3, 4, 4, 3), dtype=np.uint8)
    tiles[1, 2] = 7
    whole = joined(tiles)
    assert whole.shape == (2 * (4 + GAP), 3 * (4 + GAP), 3)
    rows, columns = np.nonzero((whole == 7).all(-1))
    assert (rows.min(), rows.max()) == (8 + GAP // 2, 11 + GAP // 2)
    assert (columns.min(), columns.max()) == (16 + GAP // 2, 19 + GAP // 2)


def test_a_thumbnail_is_repeated_or_shrunk_to_its_side():
    tile = np.arange(4.0).reshape(2, 2)
    assert square(tile, 4).tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert square(tile, 1).tolist() == [[3]]


@pytest.mark.parametrize(
    "layers", [[], [np.zeros((2, 3, 4))], [np.zeros((3, 3))], [np.zeros((1, 2, 2)), np.zeros((2, 2, 2))]]
)
def test_layers_that_make_no_view_are_refused(layers):
    with pytest.raises(ConfigError, match=r"no model view|no attention patterns"):
        draw_model_view(layers)


def test_tokens_must_fit_the_pattern():
    with pytest.raises(ConfigError, match="give each place its label"):
        draw_attention(pattern(3), tokens="ab")


def test_the_colour_bar_tells_the_weights():
    shown = {text.get_text() for text in texts(draw_attention(pattern(30), tokens=words(30)))}
    assert {"0", "0.01", "0.1", "0.5", "1", "attention weight"} <= shown
