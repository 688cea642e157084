"""Pages in a real browser, by pointer and by keyboard, from a file, with the network watched."""

import re

import numpy as np
import pytest

from browsing import link, needs_chromium, saved, visiting
from cutaway.pages import attention_view, heatmap_view, scatter_view, write_page
from cutaway.pages.quantization import max_error
from page_samples import HOSTILE, TOKENS, patterns_of, views_of

READOUT = "document.querySelector('section:not([hidden]) .frame:not([hidden]) .readout')"


pytestmark = needs_chromium


@pytest.fixture
def visit(browser):
    """Opens a file, which may ask for nothing; a picture on its way into a file is a blob of the page's own."""
    with visiting(browser, allowed="file://|blob:") as open_page:
        yield lambda path, *, fragment="", **how: open_page(path.as_uri() + fragment, ready="[data-ready]", **how)


@pytest.fixture(scope="module")
def every_view(tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "see.html"
    write_page(path, *views_of(TOKENS))
    return path


@pytest.fixture(scope="module")
def long_text(tmp_path_factory):
    """1,024 tokens and two heads: one looks at the token before, the other is diffuse."""
    T = 1024
    previous = np.eye(T, k=-1, dtype=np.float32)
    previous[0, 0] = 1
    path = tmp_path_factory.mktemp("pages") / "long.html"
    patterns = [(0, 0, previous), (0, 1, patterns_of(T, 1, 1)[0][2])]
    write_page(path, attention_view([f"Ġw{i}" for i in range(T)], patterns))
    return path


def said(page):
    return page.evaluate(f"({READOUT}).innerText")


def move_over(page, grid, x, y):
    """Move the pointer and wait until the page speaks of another cell: it does so once a frame."""
    before = said(page)
    grid.hover(position={"x": x, "y": y})
    page.wait_for_function(f"before => ({READOUT}).innerText !== before", arg=before)


def open_head(page, layer, head):
    """Click a thumbnail of two layers with three heads, once they have their size."""
    page.wait_for_selector(".thumbnails[style*=height]")
    box = page.locator(".thumbnails").bounding_box()
    side = (box["height"] - 18) / 2
    page.mouse.click(box["x"] + 17 + (head + 0.4) * side, box["y"] + 18 + (layer + 0.4) * side)
    page.wait_for_selector(f'[data-shown="{layer}-{head}"]')


def value(page, patterns, layer, head):
    """The weight that the readout names must be that of the pattern."""
    row, column, number = re.search(r"\(row (\d+)\) to .* \(col (\d+)\): ([\d.e−]+)", said(page)).groups()
    pattern = next(p for each, other, p in patterns if (each, other) == (layer, head))
    weight = float(pattern[int(row), int(column)])
    # Three digits are shown, of what the bits have kept.
    error = max_error(16 if len(pattern) <= 256 else 8, weight)
    assert float(number.replace("−", "-")) == pytest.approx(weight, rel=6e-3, abs=error)
    return int(row), int(column)


def test_a_head_is_opened_by_click_and_read_by_pointer_and_keyboard(visit, every_view):
    patterns = patterns_of(len(TOKENS), 2, 3)
    page = visit(every_view)
    open_head(page, 1, 2)
    grid = page.locator("#tab-0 .grid")
    move_over(page, grid, 110, 500)
    row, column = value(page, patterns, 1, 2)
    assert row > column
    assert f"from {TOKENS[row]} (row {row}) to {TOKENS[column]} (col {column})" in said(page)
    grid.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    assert value(page, patterns, 1, 2) == (row - 1, column + 1)
    page.keyboard.press("[")
    page.wait_for_selector('[data-shown="1-1"]')
    assert value(page, patterns, 1, 1) == (row - 1, column + 1)
    page.keyboard.press("{")
    page.wait_for_selector('[data-shown="0-1"]')
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.wait_for_selector('[data-shown="1-0"]')
    value(page, patterns, 1, 0)
    assert "layer=1&head=0" in link(page)
    page.keyboard.press("Escape")
    assert page.locator(".thumbnails").is_visible()


def test_heads_are_chosen_by_keyboard_alone(visit, every_view):
    page = visit(every_view)
    page.locator(".thumbnails").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector('[data-shown="1-1"]')
    assert page.evaluate("document.activeElement.className") == "grid"


def test_a_link_leads_to_a_head(visit, every_view):
    page = visit(every_view, fragment="#view=0&layer=1&head=2")
    assert page.wait_for_selector('[data-shown="1-2"]').is_visible()


def test_a_click_pins_and_escape_lets_go(visit, every_view):
    page = visit(every_view, fragment="#view=0&layer=0&head=0")
    grid = page.locator("#tab-0 .grid")
    grid.click(position={"x": 110, "y": 300})
    pinned = said(page)
    assert "pinned" in pinned
    grid.hover(position={"x": 110, "y": 400})
    page.wait_for_timeout(60)
    assert said(page) == pinned
    page.keyboard.press("Escape")
    assert "pinned" not in said(page)
    assert grid.is_visible()


def test_the_text_and_the_grid_move_together(visit, every_view):
    page = visit(every_view, fragment="#view=0&layer=1&head=0")
    pattern = next(p for layer, head, p in patterns_of(len(TOKENS), 2, 3) if (layer, head) == (1, 0))
    page.hover('#tab-0 .tokens [data-token="7"]')
    page.wait_for_function("document.querySelector('#tab-0 .tokens .query').dataset.token === '7'")
    assert f"from rest (row 7) to {TOKENS[int(pattern[7].argmax())]}" in said(page)
    first = page.locator("#tab-0 .rankings section:first-child li:first-child").inner_text()
    assert first.startswith(f"{TOKENS[int(pattern[7].argmax())]} ({int(pattern[7].argmax())})")
    later = page.locator("#tab-0 .rankings section:last-child li:visible").count()
    assert later == len(TOKENS) - 8


def test_a_thousand_tokens_can_be_read_one_by_one(visit, long_text):
    page = visit(long_text, fragment="#view=0&layer=0&head=0")
    grid = page.locator("#tab-0 .grid")
    grid.focus()
    page.keyboard.press("Shift+End")
    assert "from Ġw1023 (row 1023) to Ġw1023 (col 1023): 0" in said(page)
    page.keyboard.press("ArrowLeft")
    assert "from Ġw1023 (row 1023) to Ġw1022 (col 1022): 1.00" in said(page)
    for key in ("+", "+", "+", "Shift+ArrowUp"):
        page.keyboard.press(key)
    assert "(row 1013)" in said(page)
    assert grid.evaluate("grid => grid.scrollTop") > 0
    page.keyboard.press("]")
    page.wait_for_selector('[data-shown="0-1"]')
    row, column = value(page, [(0, 1, patterns_of(1024, 1, 1)[0][2])], 0, 1)
    assert (row, column) == (1013, 1013)
    page.keyboard.press("0")
    move_over(page, grid, 200, 500)
    value(page, [(0, 1, patterns_of(1024, 1, 1)[0][2])], 0, 1)


def open_tab(page, number):
    page.click(f'[role=tab][aria-controls="tab-{number}"]')
    page.wait_for_selector(f"#tab-{number}[data-ready]")


def test_every_tab_answers_to_pointer_and_keyboard(visit, every_view):
    page = visit(every_view)
    open_tab(page, 1)
    page.locator("#tab-1 .grid").focus()
    page.keyboard.press("ArrowDown")
    assert "after ĠCS (1), layer embed, entropy" in said(page)
    assert page.locator("#tab-1 .alternatives li").all_inner_texts() == ["123\n50.0%", "ĠCS\n25.0%"]
    assert page.locator("#tab-1 .alternatives .true").inner_text().startswith("123")
    open_tab(page, 2)
    page.hover('#tab-2 [data-token="4"]')
    page.wait_for_function("document.querySelector('#tab-2 .readout').innerText.includes('Ġwas')")
    assert "Ġwas (position 4): 2.00 bits, probability 0.250, rank 4" in said(page)
    open_tab(page, 3)
    names = page.locator("#tab-3 .bars li span:first-child")
    assert names.all_inner_texts() == ["L0 H1", "L0 H3", "L0 H0", "L0 H2"]
    page.select_option("#tab-3 select", "value")
    assert names.all_inner_texts() == ["L0 H3", "L0 H0", "L0 H2", "L0 H1"]
    page.uncheck("#tab-3 input >> nth=0")
    assert "2 bars sum to +1.250 logits" in page.locator("#tab-3 .total").inner_text()
    open_tab(page, 4)
    page.fill("#tab-4 input", "was")
    assert said(page).startswith("Ġwas (4): ")
    assert "norm 4.000" in said(page)
    open_tab(page, 5)
    page.locator("#tab-5 .grid").focus()
    page.keyboard.press("End")
    assert said(page) == "layer 0, token Ċ: −0.1250"


def test_every_view_gives_away_its_numbers_and_its_picture(visit, every_view, tmp_path):
    page = visit(every_view)
    for tab in range(6):
        open_tab(page, tab)
        assert saved(page, "PNG", tmp_path).read_bytes().startswith(b"\x89PNG")
        assert len(saved(page, "CSV", tmp_path).read_text(encoding="utf-8").splitlines()) > 2
    rows = (tmp_path / "heat-map.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].split(",") == ["layer \\ token", *TOKENS]
    assert [float(cell) for cell in rows[1].split(",")[1:]] == [i / 8 for i in range(-12, 0)]
    svg = saved(page, "SVG", tmp_path).read_text(encoding="utf-8")
    # Cells of a colour that stand side by side are one shape.
    cells = re.findall(r"M\d+ \d+h(\d+)v1h-\1z", svg)
    assert sum(map(int, cells)) == 2 * len(TOKENS)
    page.click("#tab-5 button:text-is('Numbers')")
    assert page.locator("dialog tbody tr").count() == 2
    assert page.locator("dialog tbody tr:first-child td").first.inner_text() == "-1.5"


def test_floats_survive_the_way_through_the_page(visit, tmp_path):
    values = np.random.default_rng(0).normal(0, 1e-3, (5, 40)).astype(np.float32)
    values[0, 0] = np.nan
    write_page(tmp_path / "see.html", heatmap_view(values))
    rows = saved(visit(tmp_path / "see.html"), "CSV", tmp_path).read_text(encoding="utf-8").splitlines()[1:]
    back = np.array([[float(cell or "nan") for cell in row.split(",")[1:]] for row in rows], np.float32)
    assert np.array_equal(back, values, equal_nan=True)


def test_hostile_tokens_are_only_text(visit, tmp_path):
    write_page(tmp_path / "see.html", *views_of(HOSTILE), title="</title><script>alert(1)</script>")
    page = visit(tmp_path / "see.html")
    for tab in range(6):
        open_tab(page, tab)
    assert page.locator("img").count() == 0
    assert page.title() == "</title><script>alert(1)</script>"
    page.click('[role=tab][aria-controls="tab-0"]')
    page.locator(".thumbnails").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-shown]")
    assert "</script>" in page.locator("#tab-0 .tokens").inner_text()


def test_nothing_is_wider_than_a_phone_or_a_desk(visit, every_view):
    page = visit(every_view, scheme="dark", fragment="#view=0&layer=0&head=0")
    for tab in range(6):
        open_tab(page, tab)
        for width in (1280, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_turns_dark_with_the_system_and_by_its_button(visit, every_view):
    page = visit(every_view, scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.click("button[aria-label='Light or dark']")
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="light")
    page.click("button[aria-label='Light or dark']")
    assert page.evaluate(paper) == dark != light


def test_help_names_the_keys(visit, every_view):
    page = visit(every_view)
    page.keyboard.press("?")
    assert "previous and next head" in page.locator("dialog").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")


def test_fifty_thousand_points_can_be_searched(visit, tmp_path):
    names = [f"Ġtoken{i}" for i in range(50_257)]
    points = np.random.default_rng(0).normal(0, 1, (50_257, 2))
    write_page(tmp_path / "see.html", scatter_view(points, names))
    page = visit(tmp_path / "see.html")
    page.fill("input[type=search]", "token5025")
    assert said(page).startswith("Ġtoken5025 (5025): ")
    assert page.locator(".note").inner_text() == "8 found."
