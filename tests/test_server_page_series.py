"""The numbers behind the curves of the live page, in node: read from a log, smoothed, thinned, looked up."""

import json

import numpy as np
import pytest

from cutaway.plots.curves import running_mean
from test_server_page import needs_node, run_module

pytestmark = needs_node


def computed(laid_out, names, expression):
    return run_module(laid_out, f'import {{ {names} }} from "./series.js"; console.log(JSON.stringify({expression}))')


def test_a_series_is_what_the_log_holds(laid_out):
    lines = [
        {"step": 1, "elapsed_s": 30, "loss": 2.5},
        {"step": 2, "elapsed_s": 60, "bits_per_byte": {"one": 1.5, "other": None}},
        {"step": 3, "elapsed_s": 90, "loss": None},
        {"step": 4, "elapsed_s": 120, "loss": 1.5, "bits_per_byte": {"one": 1.25}},
    ]
    asked = [("loss", "step"), ("loss", "minutes"), ("bits_per_byte", "step"), ("nothing", "step")]
    calls = ", ".join(f"[...seriesOf({json.dumps(lines)}, {key!r}, {along!r})]" for key, along in asked)
    assert computed(laid_out, "seriesOf", f"[{calls}]") == [
        [["", [[1, 2.5], [4, 1.5]]]],
        [["", [[0.5, 2.5], [2, 1.5]]]],
        [["one", [[2, 1.5], [4, 1.25]]]],
        [],
    ]


@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_smoothing_is_the_mean_of_the_plots(laid_out, n):
    values = np.random.default_rng(n).normal(size=41)
    points = [[place, value] for place, value in enumerate(values.tolist())]
    found = np.array(computed(laid_out, "smoothed", f"smoothed({json.dumps(points)}, {n})"))
    assert found[:, 0].tolist() == list(range(41))
    assert found[:, 1] == pytest.approx(running_mean(values, n))


def test_what_is_thinned_keeps_its_peaks_and_its_ends(laid_out):
    made = "Array.from({ length: 5000 }, (_, at) => [at, Math.sin(at * at)])"
    points, thin = computed(laid_out, "thinned", f"((all) => [all, thinned(all, 0, 4999, 100)])({made})")
    values = np.array(points)[:, 1]
    assert len(thin) <= 4 * 101
    assert [place for place, _ in thin] == sorted({place for place, _ in thin})
    assert all(point in points for point in thin)
    assert thin[0] == points[0]
    assert thin[-1] == points[-1]
    columns = np.floor(np.arange(5000) / 4999 * 100)
    kept = {place for place, _ in thin}
    for column in range(100):
        places = np.flatnonzero(columns == column)
        assert places[values[places].argmax()] in kept
        assert places[values[places].argmin()] in kept


def test_few_points_are_drawn_as_they_are(laid_out):
    points = [[1, 5], [2, 7], [9, 6]]
    assert computed(laid_out, "thinned", f"thinned({points}, 1, 9, 100)") == points


def test_the_nearest_point_is_found(laid_out):
    places = [-1, 1, 2.4, 2.6, 8, 100]
    calls = ", ".join(f"nearest([[1, 5], [2, 7], [3, 6], [9, 4]], {place})" for place in places)
    found = computed(laid_out, "nearest", f"[{calls}, nearest([], 1) ?? null]")
    assert found == [[1, 5], [1, 5], [2, 7], [3, 6], [9, 4], [9, 4], None]


def test_what_lies_outside_is_left_out(laid_out):
    points = [[1, 9], [2, 3], [3, 4], [4, 0], [5, 10], [6, 2], [7, 11]]
    assert computed(laid_out, "inside", f"inside({points}, 1, 8)") == [[[2, 3], [3, 4]], [[6, 2]]]
    assert computed(laid_out, "inside", f"inside({points}, 100, 200)") == []
