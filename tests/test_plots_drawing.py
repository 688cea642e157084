import numpy as np
import pytest

from cutaway.errors import ConfigError
from cutaway.labelled import labelled
from cutaway.plots import draw
from pictures import PIECES, assert_tidy, sentences

RNG = np.random.default_rng(0)


def test_a_few_numbers_are_bars_and_many_a_line():
    bars = draw([3.0, -1.0], axes=[("token", ["a", "b"])], title="Effect", unit="logit", diverging=True)
    assert len(bars.axes[0].patches) == 2
    line = draw(np.arange(100.0), axes=[("position", range(100))], unit="nats")
    assert line.axes[1].lines[0].get_ydata().tolist() == list(range(100))
    for figure in (bars, line):
        assert_tidy(figure)


LABELS = [range(1, 100), [f"Ġ{i}" for i in range(99)], [3, *range(98)]]


def test_a_line_begins_where_its_labels_do():
    places = [draw(np.arange(99.0), axes=[("a", labels)]).axes[1].lines[0].get_xdata()[0] for labels in LABELS]
    assert places == [1, 0, 0]


def test_two_axes_are_a_heat_map_and_three_several():
    two = draw(RNG.normal(size=(40, 50)), axes=[("layer", range(40)), ("token", range(50))], title="Two")
    three = draw(RNG.normal(size=(3, 4, 5)), axes=[("layer", range(3)), ("head", range(4)), ("token", PIECES[:5])])
    assert [len(axes.images) for axes in two.axes[:1]] == [1]
    assert [len(axes.images) for axes in three.axes[1:4]] == [1, 1, 1]
    assert {"layer 0", "layer 1", "layer 2", "head", "token"} <= sentences(three)
    for figure in (two, three):
        assert_tidy(figure)


@pytest.mark.parametrize("axes", [0, 4])
def test_no_axis_or_more_than_three_cannot_be_drawn(axes):
    with pytest.raises(ConfigError, match=f"numbers with {axes} axes cannot be drawn; choose a place"):
        draw(np.zeros((2,) * axes), axes=[("a", "xy")] * axes)


def test_results_draw_themselves():
    result = labelled("Loss", RNG.normal(size=(3, 4)), "nats", layer=3, token=["a", "b", "c", "d"])
    assert {"Loss", "nats", "layer", "token"} <= sentences(result.plot())


@pytest.mark.parametrize(
    "values", [np.full((2, 2), np.nan), np.zeros((2, 2), bool), np.full((2, 2), np.inf), np.float16([[1, 2], [3, 4]])]
)
def test_any_real_numbers_are_drawn(values):
    assert_tidy(draw(values, axes=[("a", "xy"), ("b", "xy")]))
