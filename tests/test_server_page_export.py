"""What the live page's views give away: each as CSV, PNG and SVG, by one click, and what is in the files."""

import csv
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from browsing import PATIENCE_MS, SHORT, needs_chromium, saved, sync_api, write

pytestmark = needs_chromium

SVG = "{http://www.w3.org/2000/svg}"
# What each part of See consists of, picture by picture.
SEE = {"text": 1, "attention": 1, "steps": 1, "lens": 1, "attribution": 3, "tokens": 2, "positions": 2}


@pytest.fixture(scope="module")
def page(browser, fable_url):
    """The page with a text in it."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, color_scheme="light")
    page = context.new_page()
    # Where drawings are opened by themselves: a window of its own, for a page behind another is slow to answer.
    page.alone = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{fable_url}/{SHORT}")
    page.wait_for_selector("body[data-ready]")
    write(page)
    yield page
    context.close()


def drawn(path):
    """A drawing's words and size; it must stand by itself, and hold shapes, not a picture."""
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"[\w+-]+://[^\"' <)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"href|class=|style|var\(|light-dark|@import", text)
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds <= {"svg", "title", "g", "rect", "path", "text", "clipPath"}
    assert kinds >= {"rect", "text"}
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert words[0] == root.findtext(f"{SVG}title")
    return words, (float(root.get("width")), float(root.get("height")))


def pixels(path):
    """A picture as numbers from 0 to 1."""
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"), np.float32) / 255


def taken(page, where, folder):
    """The words of a view's drawing and the rows of its table, once both pictures have shown the same."""
    drawing, picture = saved(page, "SVG", folder, where), saved(page, "PNG", folder, where)
    words, (width, height) = drawn(drawing)
    page.alone.set_viewport_size({"width": round(width), "height": round(height)})
    page.alone.goto(drawing.as_uri())
    page.alone.screenshot(path=folder / "alone.png")
    assert_alike(pixels(folder / "alone.png"), pixels(picture))
    with saved(page, "CSV", folder, where).open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 1
    assert len({len(row) for row in rows}) == 1
    return words, rows, pixels(picture)


def assert_alike(shown, expected, mean=0.01):
    """Two pictures are the same but for the edges of letters and cells."""
    assert shown.shape == expected.shape
    blurred = [box_mean(each) for each in (shown, expected)]
    assert np.abs(blurred[0] - blurred[1]).max() < 0.25
    assert np.abs(shown - expected).mean() < mean


def box_mean(picture, size=16):
    """The means of squares, in which letters that stand a little to the side are alike."""
    height, width = (length // size * size for length in picture.shape[:2])
    return picture[:height, :width].reshape(height // size, size, width // size, size, 3).mean((1, 3))


def test_write_gives_its_text(page, tmp_path):
    page.click("[aria-controls=view-write]")
    words, rows, _ = taken(page, ".write", tmp_path)
    tokens = page.locator(".paper [data-token]").all_inner_texts()
    assert words[1 : len(tokens) + 1] == [token.replace("\n", "") for token in tokens]
    assert {row[0] for row in rows[1:]} == {str(place) for place in range(16)}


@pytest.mark.parametrize("question", SEE)
def test_see_gives_every_picture_of_every_part(page, question, tmp_path):
    page.click("[aria-controls=view-see]")
    page.click(f"[aria-controls=see-{question}]")
    page.wait_for_selector(f"#see-{question} [data-ready={question}]")
    parts = page.locator(f"#see-{question} .answers > div")
    assert parts.count() == SEE[question]
    for part in range(SEE[question]):
        where = f"#see-{question} .answers > div:nth-child({part + 1})"
        page.locator(where).scroll_into_view_if_needed()
        words, _, _ = taken(page, where, tmp_path)
        assert len(words) > 2, words


def test_a_head_gives_its_weights(page, tmp_path):
    page.click("[aria-controls=view-see]")
    page.click("[aria-controls=see-attention]")
    page.locator("#see-attention .thumbnails").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-shown='0-0']")
    words, rows, _ = taken(page, "#see-attention .frame:not([hidden])", tmp_path)
    assert "Attention, layer 0, head 0" in words[0]
    assert len(rows) == 1 + 16 * 17 / 2
    weights = np.zeros((16, 16))
    for query, _, key, _, weight in rows[1:]:
        weights[int(query), int(key)] = float(weight)
    assert weights.sum(axis=1) == pytest.approx(np.ones(16), abs=1e-3)
    page.keyboard.press("Escape")


def test_zoom_gives_every_level_as_it_is_seen(page, tmp_path):
    page.click("[aria-controls=view-zoom]")
    for depth in range(5):
        page.wait_for_function(
            "depth => document.querySelectorAll('.way > :not(span)').length === depth + 1", arg=depth
        )
        page.wait_for_selector(".network[data-ready]:not([aria-busy])")
        _, rows, picture = taken(page, ".zoom", tmp_path)
        page.locator(".network").screenshot(path=tmp_path / "seen.png")
        seen = pixels(tmp_path / "seen.png")
        assert_alike(picture[42 : 42 + len(seen), 16 : 16 + seen.shape[1]], seen, mean=0.05)
        assert rows[0] == ["part", "name", "number", "value"]
        assert len(rows) > {1: 192, 2: 16, 3: 128}.get(depth, 1)
        if depth < 4:
            name = ("Layer 1", "Head 0", "", "")[depth]
            page.locator(".network button.box", has_text=name).first.click()


def test_in_the_dark_the_files_are_dark(page, tmp_path):
    page.emulate_media(color_scheme="dark")
    try:
        for view, where, ready in (
            ("write", ".write", ".write[data-settled]"),
            ("zoom", ".zoom", ".network[data-ready]:not([aria-busy])"),
            ("change", ".beside", ".beside[data-ready]"),
        ):
            page.click(f"[aria-controls=view-{view}]")
            page.wait_for_selector(ready)
            _, _, picture = taken(page, where, tmp_path)
            assert picture[0, 0].mean() < 0.2
            assert picture.max() > 0.8
    finally:
        page.emulate_media(color_scheme="light")


def test_change_gives_both_texts_and_marks_what_differs(page, tmp_path):
    page.click("[aria-controls=view-change]")
    page.wait_for_selector(".beside[data-ready]")
    page.locator(".switches button").last.click()
    page.wait_for_selector(".beside[data-ready='1']")
    words, rows, _ = taken(page, ".beside", tmp_path)
    assert words[1] == "the MLP of layer 3 off"
    assert words[2] == page.locator(".beside .total").inner_text()
    assert [word for word in words if word in ("Unchanged", "With your changes")] == [
        "Unchanged",
        "With your changes",
    ]
    pieces = [[row[at] for row in rows[1:] if row[at]] for at in (2, 5)]
    assert len(words) == 5 + sum(map(len, pieces))
    assert pieces[0] != pieces[1]
    page.click("button:text-is('Undo all')")


def test_compare_gives_each_side(page, tmp_path):
    page.click("[aria-controls=view-compare]")
    for side in "AB":
        where = f"[aria-label='Side {side}']"
        page.wait_for_selector(f"{where} [data-ready]")
        words, rows, _ = taken(page, where, tmp_path)
        assert words[1:3] == ["The", {"A": " king", "B": " queen"}[side]]
        assert rows[2][1] == {"A": "Ġking", "B": "Ġqueen"}[side]


def test_a_text_in_a_drawing_is_only_text(browser, fable_url, tmp_path):
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{fable_url}/#max_tokens=2")
        page.fill("#prompt", "<script>alert(1)</script> &amp; ]]> \" '")
        page.click("button.main:visible")
        page.wait_for_selector(".write[data-settled]", state="attached")
        words, _ = drawn(saved(page, "SVG", tmp_path, ".write"))
    assert "".join(words[1:]).startswith("<script>alert(1)</script> &amp; ]]> \" '")


def test_zoom_gives_the_curve_of_a_unit(page, tmp_path):
    page.click("[aria-controls=view-zoom]")
    page.wait_for_selector(".network[data-ready]:not([aria-busy])")
    if page.locator(".way button").count():
        page.locator(".way button").first.click()
        sync_api.expect(page.locator(".way button")).to_have_count(0)
    for name in ("Layer 1", "The MLP adds", "unit"):
        page.wait_for_selector(".network[data-ready]:not([aria-busy])")
        page.locator(".network button.box", has_text=name).first.click()
    page.wait_for_selector(".curve")
    _, rows, picture = taken(page, ".zoom", tmp_path)
    page.locator(".network").screenshot(path=tmp_path / "seen.png")
    seen = pixels(tmp_path / "seen.png")
    assert_alike(picture[42 : 42 + len(seen), 16 : 16 + seen.shape[1]], seen, mean=0.05)
    assert {"what the unit adds"} <= {row[1] for row in rows}
