import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import ConfigError
from cutaway.plots import Panel, draw_along, draw_curves, draw_histogram
from cutaway.plots.curves import running_mean
from cutaway.plots.histogram import plain
from pictures import assert_tidy, sentences


def panel(n=1, **changes):
    curves = {f"curve {i}": [(x, x * i) for x in range(30)] for i in range(n)}
    return Panel(**({"title": "Loss", "x_label": "step", "y_label": "nats", "curves": curves} | changes))


@pytest.mark.parametrize("panels", [[panel()], [panel(2), panel(7)], [panel(8), panel(25), panel(60)]])
def test_curves_and_their_names_are_tidy(panels):
    figure = draw_curves(panels, title="Some runs")
    assert_tidy(figure)
    assert {"curve 0", "step", "nats", "Loss", "Some runs"} <= sentences(figure)


def test_one_curve_without_a_name_needs_no_legend():
    assert draw_curves([panel(curves={"": [(0, 1), (1, 2)]})]).axes[1].get_legend() is None


def test_a_curve_of_one_point_is_a_dot():
    assert draw_curves([panel(curves={"a": [(0, 1)]})]).axes[1].lines[0].get_marker() == "o"


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ([], "no curves to draw"),
        ([panel(61)], "61 curves in one panel are too many; choose at most 60"),
        ([panel(curves={"a": []})], "curve 'a' of 'Loss' has no points"),
        ([panel(curves={"a": [1, 2]})], "give pairs"),
    ],
)
def test_what_makes_no_curves_is_refused(panels, message):
    with pytest.raises(ConfigError, match=message):
        draw_curves(panels)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40), st.integers(1, 50))
def test_the_running_mean_is_what_a_loop_finds(values, n):
    means = running_mean(np.array(values), n)
    for i, mean in enumerate(means):
        around = values[max(0, i - (n - 1) // 2) : i + n // 2 + 1]
        assert mean == pytest.approx(np.mean(around), abs=1e-9)


def test_a_row_of_numbers_is_drawn_along_its_places():
    figure = draw_along([3.0, 1.0, 2.0], name="position", unit="nats", title="Loss", smooth=2)
    faint, smooth = figure.axes[1].lines
    assert faint.get_xydata().tolist() == [[0, 3], [1, 1], [2, 2]]
    assert smooth.get_ydata().tolist() == [2, 1.5, 2]
    assert_tidy(figure)


def test_a_missing_number_leaves_a_gap_and_the_mean_goes_on():
    line = draw_along([1.0, np.nan, 3.0, 5.0], name="position", smooth=2).axes[1].lines[1]
    assert line.get_ydata().tolist() == [1, 3, 4, 5]


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]], 3.0])
def test_only_a_row_of_numbers_is_drawn_along(values):
    with pytest.raises(ConfigError, match="give"):
        draw_along(values, name="position")


@pytest.mark.parametrize("logarithmic", [False, True])
def test_a_histogram_is_tidy_and_shows_each_count(logarithmic):
    figure = draw_histogram([1, 20000, 0, 3], [-2, -1, 0, 1, 2], title="Weights", name="$x$", logarithmic=logarithmic)
    assert_tidy(figure)
    heights, edges, _ = figure.axes[0].patches[0].get_data()
    assert heights.tolist() == [1, 20000, 0, 3]
    assert edges.tolist() == [-2, -1, 0, 1, 2]
    assert "10,000" in sentences(figure)


@pytest.mark.parametrize(("counts", "edges"), [([], [0]), ([1, 2], [0, 1]), ([[1]], [0, 1])])
def test_counts_need_edges_on_both_sides(counts, edges):
    with pytest.raises(ConfigError, match="give one edge more"):
        draw_histogram(counts, edges)


def test_counts_are_written_in_full():
    assert [plain(value) for value in (1000000.0, 0.5, 0.0)] == ["1,000,000", "0.5", "0"]
