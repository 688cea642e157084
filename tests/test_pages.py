import json
import re
import zlib
from base64 import b64decode
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import ConfigError
from cutaway.pages import (
    attention_view,
    bars_view,
    heatmap_page,
    heatmap_view,
    lens_view,
    page,
    scatter_view,
    text_view,
    write_page,
)
from cutaway.pages.document import asset, fingerprint, in_order, in_script, script, style
from page_samples import HOSTILE, TOKENS, views_of


class Elements(HTMLParser):
    """Start tags and the text of script elements, as a browser would find them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.scripts, self.title, self.inside = [], {}, "", ("", {})
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.inside = tag, dict(attrs)
        self.tags.append(self.inside)

    def handle_endtag(self, tag):
        self.inside = "", {}

    def handle_data(self, data):
        tag, attributes = self.inside
        if tag == "script":
            name = attributes.get("id", "module")
            self.scripts[name] = self.scripts.get(name, "") + data
        if tag == "title":
            self.title += data


def text_of(*views, **options):
    return "".join(page(*views, **options))


def test_the_same_views_give_the_same_bytes(tmp_path):
    write_page(tmp_path / "once.html", *views_of(TOKENS))
    write_page(tmp_path / "again.html", *views_of(TOKENS))
    assert (tmp_path / "once.html").read_bytes() == (tmp_path / "again.html").read_bytes()


def test_a_page_names_nothing_outside_itself():
    text = text_of(*views_of(TOKENS))
    # The name of a vocabulary, not an address that is ever opened.
    outside = set(re.findall(r"https?://[^\s\"'<>`]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not outside
    tags = Elements(text).tags
    assert not {tag for tag, _ in tags} & {"link", "iframe", "object", "embed", "img", "base", "form"}
    assert not [attributes for _, attributes in tags if attributes.keys() & {"src", "href", "srcset", "action"}]
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]


def test_the_policy_allows_this_script_and_this_style_and_nothing_else():
    text = text_of(*views_of(TOKENS))
    elements = Elements(text)
    policy = next(a["content"] for tag, a in elements.tags if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'{fingerprint(elements.scripts['module'])}'",
        "style-src": f"'{fingerprint(style())}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_hostile_tokens_add_no_element():
    clean, hostile = (Elements(text_of(*views_of(tokens), title="t")) for tokens in (["a"] * len(HOSTILE), HOSTILE))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in clean.tags]
    assert json.loads(hostile.scripts["view-0"])["tokens"] == HOSTILE


@given(st.text())
def test_any_title_stays_a_title(title):
    elements = Elements(text_of(heatmap_view([[1]]), title=f"<{title}>"))
    # A parser reads line ends and NUL in its own way; all else must come back.
    plain = str.maketrans({"\r": None, "\n": None, "\x00": None})
    assert elements.title.translate(plain) == f"<{title}>".translate(plain)
    assert sum(tag == "script" for tag, _ in elements.tags) == 3


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_in_a_script_is_the_same_and_cannot_end_it(value):
    text = in_script(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&")


def test_the_script_holds_nothing_that_ends_it():
    assert "</script" not in script()
    assert "<!--" not in script()
    assert "</style" not in style()


def test_every_script_is_in_the_page_after_those_it_needs():
    modules = in_order("main")
    files = resources.files("cutaway.pages").joinpath("assets").iterdir()
    assert {f"{module}.js" for module in modules} | {"page.css"} == {file.name for file in files}
    seen = set()
    for module in modules:
        source = asset(f"{module}.js")
        assert source.startswith("// @ts-check\n")
        needed = re.findall(r'^import .* from "\./(\w+)\.js";$', source, re.MULTILINE)
        assert len(needed) == len(re.findall(r"^import\b", source, re.MULTILINE))
        assert set(needed) <= seen
        seen.add(module)
    assert not re.search(r"^(import|export)\b", script(), re.MULTILINE)


def test_float_arrays_arrive_exactly():
    values = np.array([[1 / 3, -1e-30, np.nan], [3e38, 0, -0.0]], np.float32)
    view = heatmap_view(values)
    data = b64decode(Elements(text_of(view)).scripts["view-0-values"])
    assert np.array_equal(np.frombuffer(zlib.decompress(data), "<f4").reshape(2, 3), values, equal_nan=True)


@pytest.mark.parametrize(("values", "diverging"), [([[0, 1]], False), ([[-1, 1]], True), ([[np.nan, np.nan]], False)])
def test_zero_is_in_the_middle_where_values_are_negative(values, diverging):
    assert heatmap_view(values).facts["diverging"] is diverging


def test_a_page_of_one_view_is_the_page_of_that_view():
    assert "".join(heatmap_page([[1, 2]], title="Two")) == text_of(heatmap_view([[1, 2]], title="Two"))


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "see.html"
    write_page(path, heatmap_view([[1]]))
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="looks ahead"):
        write_page(path, attention_view(["a", "b"], [(0, 0, np.ones((2, 2)) / 2)]))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["see.html"]


def test_a_title_that_is_no_unicode_is_written_all_the_same(tmp_path):
    write_page(tmp_path / "see.html", heatmap_view([[1]]), title="half a pair: \ud83d")
    assert "<title>half a pair: ?</title>" in (tmp_path / "see.html").read_text(encoding="utf-8")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be written to .*nowhere.*; name another file"):
        write_page(tmp_path / "nowhere" / "see.html", heatmap_view([[1]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: page(), "at least one view"),
        (lambda: heatmap_view([1, 2]), "wants 2 dimensions"),
        (lambda: heatmap_view([[]]), "none of them empty"),
        (lambda: heatmap_view([["a"]]), "must be real numbers, not <U1"),
        (lambda: heatmap_view([[1], [1, 2]]), "rows of different lengths"),
        (lambda: heatmap_view([[np.inf]]), "infinite"),
        (lambda: heatmap_view([[1e39]]), "infinite"),
        (lambda: heatmap_view([[1]], rows=["a", "b"]), "2 labels for 1 rows"),
        (lambda: heatmap_view(np.broadcast_to(0, (1 << 14, 1 << 13))), "a page holds 67,108,864"),
        (lambda: bars_view(["a"], [np.nan]), "NaN"),
        (lambda: bars_view(["a"], [1, 2]), "1 labels for 2 bars"),
        (lambda: scatter_view([[1, 2, 3]], ["a"]), "two coordinates"),
        (lambda: scatter_view([[1, 2]], ["a"], values=[1, 2]), "2 values for 1 points"),
        (lambda: text_view(["a", "b"], [np.nan]), "2 labels for 1 surprises"),
        (lambda: text_view(["a"], [-0.5]), "no probability is above 1"),
        (lambda: text_view(["a"], [1.0], ranks=[]), "ranks has 0 entries for 1 tokens"),
        (lambda: lens_view(["a"], ["0"], []), "1 layers of 1 positions"),
        (lambda: lens_view(["a"], ["0"], [[[]]]), "at least one prediction"),
        (lambda: lens_view(["a"], ["0"], [[[("b", 2.0)]]]), "lies between 0 and 1"),
        (lambda: lens_view(["a"], ["0"], [[[("b", 0.1)] * 51]]), "more than the 50"),
        (lambda: lens_view(["a"], ["0"], [[[("b", 0.1)]]], entropy_bits=[[1, 2]]), r"must be \(1, 1\)"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_in_one_sentence(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_bars_begin_in_the_order_that_is_asked_for():
    assert bars_view(["a"], [1]).facts["order"] == "size"
    assert bars_view(["a"], [1], order="place").facts["order"] == "place"
