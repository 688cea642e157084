"""Numbers with labels: looked up, listed, saved, shown."""

import csv
import io
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cutaway import plots
from cutaway.errors import InspectionError, MissingExtraError
from cutaway.labelled import Axis, Labelled, labelled

PIECES = ["the", "Ġfox", "Ġ<b>", "Ġfox"]


@pytest.fixture
def scores():
    values = np.arange(8, dtype=np.float32).reshape(2, 4) / 10
    return labelled("Scores", values, "nats", layer=2, token=PIECES)


@pytest.fixture
def cube():
    return labelled("Cube", np.arange(24).reshape(2, 3, 4), layer=2, head=3, token=PIECES)


def numbers():
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    return st.sampled_from(["f2", "f4", "f8", "i8"]).flatmap(lambda dtype: arrays.arrays(dtype, shapes))


def of_any(values):
    return Labelled(title="any", values=values, axes=tuple(Axis(f"a{n}", size) for n, size in enumerate(values.shape)))


# Made


def test_an_array_and_its_axes_must_fit():
    with pytest.raises(InspectionError, match=r"'Loss' has shape \(3,\), but its axes are layer 2"):
        labelled("Loss", [1, 2, 3], layer=2)


def test_an_array_without_axes_is_one_number():
    assert labelled("Loss", 2.5).item() == 2.5
    with pytest.raises(InspectionError, match="its axes are none"):
        labelled("Loss", [2.5])


def test_only_real_numbers_are_held():
    with pytest.raises(InspectionError, match="'Words' holds <U1; give real numbers"):
        labelled("Words", ["a"], word=1)


def test_what_is_held_cannot_be_changed_and_leaves_the_callers_array_as_it_was():
    values = np.zeros(2)
    held = labelled("Zeros", values, layer=2)
    with pytest.raises(ValueError, match="read-only"):
        held.values[0] = 1
    values[0] = 1
    with pytest.raises(AttributeError):
        held.title = "Ones"


def test_it_is_an_array_for_numpy(scores):
    assert np.asarray(scores) is scores.values
    assert np.sum(scores) == scores.values.sum()
    assert np.array(scores, dtype=int).sum() == 0


def test_its_name_is_short(scores):
    assert repr(scores) == "Labelled('Scores (nats)', layer 2 × token 4)"
    assert repr(labelled("Loss", 1.0)) == "Labelled('Loss', one number)"


# Looked up


def test_a_label_finds_what_lies_there(scores):
    row = scores.at(layer=1)
    assert row.axes == (Axis("token", PIECES),)
    assert row.values.tolist() == scores.values[1].tolist()
    assert (row.title, row.unit) == ("Scores, layer 1", "nats")
    assert scores.at(token="the", layer=1).item() == np.float32(0.4)


def test_without_labels_all_is_found(scores):
    assert scores.at().title == "Scores"
    assert np.array_equal(scores.at(), scores)


def test_among_texts_a_number_is_a_place(scores):
    assert scores.at(token=3, layer=0).item() == np.float32(0.3)
    assert scores.at(token=-1, layer=0).item() == np.float32(0.3)


def test_among_numbers_a_number_is_a_label():
    chosen = labelled("Loss", [3.0, 2.0], step=[100, 200])
    assert chosen.at(step=200).item() == 2
    with pytest.raises(InspectionError, match="axis 'step' has no 1; it has 100 to 200"):
        chosen.at(step=1)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({"layers": 0}, "'Scores' has no axis 'layers'; did you mean 'layer'?"),
        ({"layer": 2}, "axis 'layer' has no 2; it has 0 to 1"),
        ({"token": "fox"}, "axis 'token' has no 'fox'; did you mean 'Ġfox'?"),
        ({"token": "Ġfox"}, "'Ġfox' stands at [1, 3] of axis 'token'; give one of these numbers"),
        ({"token": 4}, "axis 'token' has no place 4; it has 4, the first is 0"),
    ],
)
def test_what_is_not_there_is_refused(scores, labels, sentence):
    with pytest.raises(InspectionError) as refused:
        scores.at(**labels)
    assert str(refused.value) == sentence


def test_many_numbers_are_not_one(scores):
    with pytest.raises(InspectionError, match=r"is not one number; choose with .at\(layer=…\)"):
        scores.item()


def test_the_top_rows_are_the_largest(scores):
    assert [row["value"] for row in scores.top(2)] == [0.7, 0.6]
    assert scores.top(1) == [{"layer": 1, "token_index": 3, "token": "Ġfox", "value": 0.7}]


def test_the_top_of_what_diverges_is_furthest_from_zero_and_nan_is_never_at_the_top():
    changes = labelled("Change", [1.0, np.nan, -3.0, 2.0], diverging=True, head=4)
    assert [row["head"] for row in changes.top(3)] == [2, 3, 0]
    assert len(changes.top()) == 3


# Written


def test_rows_tell_label_and_place(scores):
    rows = scores.to_rows()
    assert rows[5] == {"layer": 1, "token_index": 1, "token": "Ġfox", "value": 0.5}
    assert len(rows) == 8


@given(numbers())
def test_rows_json_and_csv_hold_every_number(values):
    held = of_any(values)
    wanted = [number if np.isfinite(number) else None for number in values.reshape(-1).tolist()]

    def same(found):
        kinds = [value if value is None else values.dtype.type(value) for value in found]
        return [value if value is None else value.item() for value in kinds] == wanted

    assert same([row["value"] for row in held.to_rows()])
    nested = json.loads(held.to_json())["values"]
    assert same(np.array(nested, dtype=object).reshape(-1).tolist())
    lines = list(csv.DictReader(io.StringIO(held.to_csv())))
    # As JSON reads them: a large integer must not pass through a float.
    assert same([None if line["value"] == "" else json.loads(line["value"]) for line in lines])


def test_numbers_are_written_in_as_few_digits_as_tell_them_apart(scores):
    assert scores.to_csv().splitlines()[:3] == ["layer,token_index,token,value", "0,0,the,0.0", "0,1,Ġfox,0.1"]


def test_a_dictionary_holds_everything(scores):
    assert scores.to_dict() == {
        "title": "Scores",
        "unit": "nats",
        "diverging": False,
        "axes": [{"name": "layer", "labels": [0, 1]}, {"name": "token", "labels": PIECES}],
        "values": [[0.0, 0.1, 0.2, 0.3], [0.4, 0.5, 0.6, 0.7]],
    }


def test_a_frame_has_the_rows(scores):
    pytest.importorskip("pandas", reason="pandas is optional")
    frame = scores.to_frame()
    assert list(frame.columns) == ["layer", "token_index", "token", "value"]
    assert frame.to_dict("records") == scores.to_rows()


def test_without_pandas_one_learns_how_to_get_it(scores, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="a data frame needs pandas, which is not installed"):
        scores.to_frame()


# Shown


def test_a_notebook_shows_a_table_with_everything_escaped(scores):
    shown = scores._repr_html_()
    assert "<caption>Scores (nats): layer 2 × token 4</caption>" in shown
    assert "<th>Ġ&lt;b&gt;</th>" in shown
    assert "<td>1</td><td>0.4</td>" in shown


def test_a_notebook_shows_the_corner_of_what_is_large():
    large = labelled("Large", np.zeros((3, 500, 400)), layer=3, query=500, key=400)
    shown = large._repr_html_()
    assert "shown layer 0" in shown
    assert (shown.count("<tr>"), shown.count("…")) == (22, 22)
    assert len(shown) < 6000


@pytest.mark.parametrize("values", [3.5, [1.0, np.nan], [[]], np.zeros((0, 2, 2)), np.zeros((2, 0, 2))])
def test_a_notebook_shows_the_smallest_too(values):
    assert of_any(np.asarray(values))._repr_html_().endswith("</table>")


def test_plotting_hands_everything_to_the_plots(cube, monkeypatch):
    seen = {}

    def draw(values, **named):
        seen.update(named, values=values)
        return "figure"

    monkeypatch.setattr(plots, "draw", draw, raising=False)
    assert cube.plot(width=3) == "figure"
    assert seen["values"] is cube.values
    assert seen["axes"] == [("layer", (0, 1)), ("head", (0, 1, 2)), ("token", tuple(PIECES))]
    assert (seen["title"], seen["unit"], seen["diverging"], seen["width"]) == ("Cube", "", False, 3)
