"""The live page in a real browser: a text step by step, zoom into every part, trees of branches in links and files."""

import json
import re

import pytest

from browsing import link, needs_chromium, open_view, saved, see, settled, sync_api, tokens, write, written_ids
from cutaway import load

pytestmark = needs_chromium

START = "#max_tokens=16&prompt=Once+upon+a+time"


@pytest.fixture(scope="module")
def fable():
    return load("fable")


def steps(page):
    """The page, where a text has been written and is seen step by step."""
    write(page)
    open_view(page, "see")
    see(page, "steps")
    return page


def go(page, step):
    page.locator(".playback .step").fill(str(step))
    sync_api.expect(page.locator(".playback .count")).to_have_text(re.compile(rf"^{step + 1} of"))


def bars(page, title):
    """Name and percentage of each bar."""
    rows = page.locator(f".player .rankings section:has(h3:text-is('{title}')) li:visible")
    return [(row.locator("span").inner_text(), row.locator("b").inner_text()) for row in rows.all()]


def share(said):
    return 0.005 if said.startswith("<") else float(said.strip("%"))


def number(said):
    return float(said.replace("−", "-").replace(",", ""))


def test_each_step_shows_what_its_token_looks_at_and_what_came_next(visit, fable):
    page = steps(visit(START))
    ids = written_ids(page)
    layer, head = map(int, re.findall(r"\d+", page.locator(".player h2").inner_text()))
    pattern = fable.trace(ids, f"h.{layer}.pattern")[f"h.{layer}.pattern"][head]
    scores = fable.score(ids, 8)
    asked = len(page.requests)
    for step in (3, 0, 11, len(ids) - 1):
        go(page, step)
        row = pattern[step, : step + 1]
        shown = bars(page, "Looks most at")
        order = row.argsort(descending=True)[:8].tolist()
        assert [int(re.search(r"\((\d+)\)$", name)[1]) for name, _ in shown][:1] == order[:1]
        assert [share(said) for _, said in shown] == pytest.approx([100 * row[at].item() for at in order], abs=0.06)
        expected = bars(page, "Expected next")
        likely = [100 * one.probability for one in scores[step].predictions]
        assert [share(said) for _, said in expected][:8] == pytest.approx(likely, abs=0.06)
        chosen = page.locator(".player .rankings .true")
        assert chosen.count() == (step + 1 < len(ids))
        assert page.locator(".player .later").count() == len(ids) - 1 - step
        assert page.locator(".player .tokens .query").get_attribute("data-token") == str(step)
        painted = page.locator(f".player [data-token='{order[0]}']").first.evaluate(
            "span => span.style.backgroundColor"
        )
        assert painted.endswith("0.8)")
    # All steps are there at once: moving among them asks nobody.
    assert not [request for request in page.requests[asked:] if "/inside/" in request.url]


def test_a_head_is_fetched_when_somebody_looks_at_it_and_told_when_it_cannot_be(visit, fable):
    page = visit(START)
    write(page)
    before = len(page.requests)
    open_view(page, "see")
    see(page, "steps")
    ids, heads = written_ids(page), page.locator(".player .thumbnails")
    asked = [request for request in page.requests[before:] if "/inside/" in request.url]
    bodies = [json.loads(request.post_data) for request in asked if request.url.endswith("views/attention")]
    assert [body.get("overview", False) for body in bodies] == [True, False]
    # What was expected next is known since the text was written.
    assert not [request for request in asked if request.url.endswith("/inside/read")]
    across, count = fable.config.n_head, fable.config.n_head * fable.config.n_layer
    at = page.locator(".player h2")
    layer, head = map(int, re.findall(r"\d+", at.inner_text()))
    place = (layer * across + head + 2 * count - 1) % count
    heads.focus()
    for _ in range(2 * count - 1):
        page.keyboard.press("ArrowRight")
    sync_api.expect(at).to_have_text(f"Layer {place // across}, head {place % across}")
    layer, head = divmod(place, across)
    expected = fable.trace(ids, f"h.{layer}.pattern")[f"h.{layer}.pattern"][head, 3, :4]
    assert sorted(share(each) for _, each in bars(page, "Looks most at")) == pytest.approx(
        sorted(100 * weight.item() for weight in expected), abs=0.06
    )
    page.route("**/inside/views/attention", lambda route: route.abort())
    unreachable = page.locator(".player .readout", has_text="The server cannot be reached")
    while not unreachable.count():
        page.keyboard.press("ArrowRight")
        place += 1
        assert place < 3 * count, "every head is there already"
        name = f"Layer {place % count // across}, head {place % across}"
        sync_api.expect(page.locator(".player h2", has_text=name).or_(unreachable)).to_be_visible()
    page.unroute("**/inside/views/attention")
    for key in ("ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    sync_api.expect(at).to_have_text(name)
    assert all("Failed to load resource" in page.faults.pop() for _ in range(len(page.faults)))


def test_it_plays_by_itself_and_stops(visit):
    page = steps(visit(START))
    at = page.locator(".playback .count")
    assert at.inner_text().startswith("4 of")
    page.locator(".playback select").select_option("15")
    page.locator(".player .tokens").focus()
    page.keyboard.press("Space")
    sync_api.expect(at).to_have_text(re.compile(r"^(?:[89]|\d\d) of"))
    page.keyboard.press("Space")
    sync_api.expect(page.locator(".playback .main")).to_have_text("Play")
    stopped = at.inner_text()
    page.keyboard.press("ArrowLeft")
    assert int(at.inner_text().split()[0]) == int(stopped.split()[0]) - 1
    page.keyboard.press("End")
    page.wait_for_url(re.compile(rf"step={int(at.inner_text().split()[-1]) - 1}\b"))
    # At the end it begins again where the network began to write, and runs out by itself.
    page.locator(".playback select").select_option("60")
    page.click(".playback .main")
    sync_api.expect(page.locator(".playback .main")).to_have_text("Play")
    assert page.locator(".player .later").count() == 0


def test_who_wants_less_motion_begins_slowly(visit):
    page = steps(visit(START, motion="reduce"))
    assert page.locator(".playback select").input_value() == "1"
    page.locator(".playback .main").click()
    assert page.locator(".player .rankings i").first.evaluate("bar => getComputedStyle(bar).transitionDuration") == "0s"
    page.locator(".playback .main").click()


def test_tokens_bars_cells_and_heads_are_linked(visit):
    page = steps(visit(START))
    go(page, 12)
    readout = page.locator(".player .readout")
    page.hover(".player .tokens [data-token='2']")
    sync_api.expect(readout).to_contain_text("(12) looks at “␣a” (2)")
    page.hover(".player .rankings section:first-child li:first-child")
    name = page.locator(".player .rankings section:first-child li:first-child span").inner_text()
    target = page.locator(".player .tokens .target")
    sync_api.expect(target).to_have_attribute("data-token", re.search(r"\((\d+)\)$", name)[1])
    box = page.locator(".large-head").bounding_box()
    cell = box["width"] / len(written_ids(page))
    page.mouse.move(box["x"] + 4.5 * cell, box["y"] + 9.5 * cell)
    sync_api.expect(page.locator(".player .tokens .query")).to_have_attribute("data-token", "9")
    sync_api.expect(target).to_have_attribute("data-token", "4")
    before = page.locator(".player h2").inner_text()
    thumbnails = page.locator(".player .thumbnails")
    size = thumbnails.bounding_box()
    thumbnails.hover(position={"x": size["width"] - 20, "y": size["height"] - 20})
    sync_api.expect(page.locator(".player h2")).to_have_text("Layer 3, head 2")
    page.mouse.move(0, 0)
    sync_api.expect(page.locator(".player h2")).to_have_text(before)
    thumbnails.click(position={"x": size["width"] - 20, "y": size["height"] - 20})
    page.mouse.move(0, 0)
    sync_api.expect(page.locator(".player h2")).to_have_text("Layer 3, head 2")
    page.wait_for_url(re.compile("layer=3&head=2|head=2.*layer=3"))
    page.wait_for_url(re.compile(r"step=12\b"))
    again = visit(link(page))
    again.wait_for_selector("#see-steps [data-ready=steps]")
    assert again.locator(".playback .count").inner_text().startswith("13 of")
    assert again.locator(".player h2").inner_text() == "Layer 3, head 2"


def test_a_changed_network_is_seen_step_by_step_too(visit, fable):
    page = visit(f'{START}&edits=[{{"kind":"scale","name":"h.0.mlp_out","factor":0}}]')
    steps(page)
    go(page, 5)
    first = bars(page, "Expected next")
    page.get_by_label("Inside").select_option("plain")
    see(page, "steps")
    go(page, 5)
    assert bars(page, "Expected next") != first
    assert "inside=plain" in link(page)


def zoomed(page, way):
    """Look as near as this, by the address alone."""
    fragment = re.sub(r"&?(view|zoom)=[^&]*", "", link(page)[1:])
    page.goto("about:blank")
    page.goto(f"{page.requests[0].url}#view=zoom&zoom={way}&{fragment.strip('&')}")
    page.wait_for_selector(f".network[data-ready='{way}']")
    for more in page.locator(".network .more").all():
        more.click()
    return page.locator(".network").inner_text()


FIGURE = r"−?[\d,]*\.?\d+(?:e[−+]?\d+)?"


def test_every_part_opens_down_to_numbers_that_are_the_networks(visit, fable):
    page = visit(START)
    write(page)
    ids = written_ids(page)
    seen = fable.trace(ids)
    at, layer, unit, channel = len(ids) - 1, 1, 17, 5

    def here(point):
        return seen[point][at]

    def summed(text):
        return number(re.search(rf"sum to ({FIGURE})", text)[1].rstrip("."))

    assert summed(zoomed(page, "1.mlp.17")) == pytest.approx(here("h.1.mlp_pre")[unit].item(), rel=2e-5, abs=2e-5)
    rows = page.locator(".network .terms b").all_inner_texts()
    assert len(rows) == fable.config.n_embd + 1
    together = sum(number(row.rpartition("=")[2].strip()) for row in rows)
    assert together == pytest.approx(here("h.1.mlp_pre")[unit].item(), abs=0.02)
    made = re.search(rf"GELU makes ({FIGURE}) of that", page.locator(".network").inner_text())[1]
    assert number(made) == pytest.approx(here("h.1.mlp_post")[unit].item(), rel=2e-5, abs=2e-5)
    assert page.locator(".network .curve").get_attribute("aria-label").startswith("The GELU: it makes")
    assert "A change of yours" not in page.locator(".network").inner_text()

    out = summed(zoomed(page, f"1.mlp.out.{channel}"))
    assert out == pytest.approx(here("h.1.mlp_out")[channel].item(), rel=2e-5, abs=5e-5)
    token = int(here("logits").argmax())
    assert summed(zoomed(page, f"out.{token}")) == pytest.approx(here("logits")[token].item(), rel=2e-5)

    results = {
        "embed.5": here("h.0.resid_pre")[channel],
        "1.ln_1.5": here("h.1.ln_1")[channel],
        "1.ln_2.5": here("h.1.ln_2")[channel],
        "ln_f.5": here("ln_f")[channel],
    }
    for way, expected in results.items():
        zoomed(page, way)
        assert number(page.locator(".network .sum b").inner_text()) == pytest.approx(
            expected.item(), rel=2e-5, abs=2e-5
        )
    zoomed(page, f"{layer}.mlp.{unit}.{channel}")
    before, one, other, after = map(number, re.findall(FIGURE, page.locator(".network .sum").inner_text()))
    assert one == pytest.approx(here("h.1.ln_2")[channel].item(), rel=1e-5, abs=1e-6)
    assert other == pytest.approx(fable.model.h[layer].mlp.c_fc.weight[unit, channel].item(), rel=1e-5, abs=1e-6)
    assert after == pytest.approx(before + one * other, rel=1e-4, abs=1e-5)


def test_the_most_active_units_come_first_and_lead_on(visit, fable):
    page = visit(START)
    write(page)
    ids = written_ids(page)
    active = fable.trace(ids)["h.2.mlp_post"][-1]
    adds = active.abs() * fable.model.h[2].mlp.c_proj.weight.detach().norm(dim=0)
    open_view(page, "zoom")
    for step, ready in (("2", "2"), ("mlp", "2.mlp")):
        page.click(f".network [data-step='{step}']")
        page.wait_for_selector(f".network[data-ready='{ready}']")
    first = page.locator(".network .rows [data-step]").first
    assert first.get_attribute("data-step") == str(int(adds.argmax()))
    page.get_by_label("Units by").select_option("active")
    assert first.get_attribute("data-step") == str(int(active.abs().argmax()))
    again = visit(link(page))
    again.wait_for_selector(".network[data-ready='2.mlp']")
    assert again.get_by_label("Units by").input_value() == "active"
    most = again.locator(".network .rows [data-step]").first
    assert most.get_attribute("data-step") == first.get_attribute("data-step")
    again.get_by_label("Units by").select_option("adds")
    assert "units=" not in link(again)
    first.click()
    page.wait_for_selector(f".network[data-ready='2.mlp.{int(active.abs().argmax())}']")
    page.locator(".way button").first.focus()
    page.keyboard.press("Escape")
    page.wait_for_selector(".network[data-ready='2.mlp']")
    for way, ends in {"2.mlp.768": "2.mlp", "2.nothing.3": "2", "embed.192": "embed", "out.8192": "out"}.items():
        fragment = re.sub(r"zoom=[^&]*", f"zoom={way}", link(page)[1:])
        visit(f"#{fragment}").wait_for_selector(f".network[data-ready='{ends}']")


def test_a_change_that_breaks_a_sum_is_named(visit):
    page = visit(f'{START}&edits=[{{"kind":"scale","name":"h.1.mlp_out","factor":0.5}}]')
    write(page)
    assert "A change of yours makes" in zoomed(page, "1.mlp.out.5")
    assert "A change of yours makes" not in zoomed(page, "0.mlp.out.5")


def test_steps_and_zoom_fit_a_phone(visit):
    page = steps(visit(START, width=360))
    fits = "document.documentElement.scrollWidth <= 360"
    assert page.evaluate(fits)
    for way in ("embed.1", "0.ln_1", "0.mlp", "0.mlp.3", "out.300"):
        zoomed(page, way)
        assert page.evaluate(fits), way


def branched(page):
    """Three branches: the first text, one of it, and one of that."""
    write(page)
    for place in (6, 9):
        page.click(f".paper [data-token='{place}']")
        page.locator(".draws .draw:not(.true)").first.click()
        settled(page)
    sync_api.expect(page.locator(".branches button")).to_have_count(3)
    texts = []
    for branch in page.locator(".branches button").all():
        branch.click()
        settled(page)
        texts.append(tokens(page))
    return texts


def listed(page):
    """All branches as they are listed."""
    return page.locator(".branches button").all_inner_texts()


def test_a_link_brings_the_whole_tree_back(visit):
    page = visit(START)
    texts = branched(page)
    page.locator(".branches button").nth(1).click()
    settled(page)
    page.click(".paper [data-token='8']")
    names = listed(page)
    again = visit(link(page))
    assert again.locator(".alternatives-here h2").inner_text() == page.locator(".alternatives-here h2").inner_text()
    assert again.locator(".paper .query").get_attribute("data-token") == "8"
    assert "tree=" in link(page)
    assert "text=" not in link(page)
    assert listed(again) == names
    assert tokens(again) == texts[1]
    assert again.locator(".branches button").nth(1).get_attribute("aria-current") == "true"
    # Branches that were not looked at are read when they are, and then say what else was expected.
    for at, text in enumerate(texts):
        again.locator(".branches button").nth(at).click()
        settled(again)
        assert tokens(again) == text
        again.click(".paper [data-token='7']")
        sync_api.expect(again.locator(".draws .draw.true")).to_have_count(1)
        assert again.locator(".draws .draw").count() >= 50
        again.keyboard.press("Escape")
    again.click("button:text-is('Continue')")
    settled(again)
    assert tokens(again)[: len(texts[2])] == texts[2]


def test_a_tree_is_saved_and_opened_again(visit, tmp_path):
    page = visit(START)
    texts = branched(page)
    names = listed(page)
    path = saved(page, "Save tree", tmp_path, ".write")
    said = json.loads(path.read_text(encoding="utf-8"))
    assert (said["kind"], said["model"], len(said["branches"])) == ("cutaway tree", "fable", 3)
    other = visit()
    with other.expect_file_chooser() as chooser:
        other.click("button:text-is('Open tree')")
    chooser.value.set_files(path)
    sync_api.expect(other.locator(".branches button")).to_have_count(3)
    assert listed(other) == names
    assert tokens(other) == texts[2]
    sync_api.expect(other.locator("#prompt")).to_have_value("Once upon a time")


def test_a_tree_too_large_for_a_link_says_so(visit, tmp_path):
    trunk = {"parent": -1, "from": 0, "ids": [300 + at % 50 for at in range(200)]}
    others = [{"parent": 0, "from": at, "ids": [400 + at] * 150} for at in range(1, 41)]
    tree = {
        "kind": "cutaway tree",
        "model": "fable",
        "prompt": "x",
        "given": 1,
        "current": 3,
        "branches": [trunk, *others],
    }
    (tmp_path / "tree.json").write_text(json.dumps(tree), encoding="utf-8")
    page = visit()
    with page.expect_file_chooser() as chooser:
        page.click("button:text-is('Open tree')")
    chooser.value.set_files(tmp_path / "tree.json")
    sync_api.expect(page.locator(".branches button")).to_have_count(41)
    settled(page)
    sync_api.expect(page.locator("[aria-label='Branches'] .note")).to_contain_text("leads back to this branch alone")
    assert "tree=" not in link(page)
    assert written_ids(page) == [300, 301, 302, *[403] * 150]


MISTAKES = [
    ("[1, 2", "{} holds no tree of branches"),
    ('{"kind": "something else"}', "{} holds no tree of branches"),
    ('{"kind": "cutaway tree", "model": "other"}', "{} was written by other; choose that model first"),
    ('{"kind": "cutaway tree", "model": "fable", "branches": 3}', "is no tree of branches that fits"),
]


def test_a_file_that_holds_no_tree_is_told_and_the_text_stays(visit, tmp_path):
    page = visit(START)
    write(page)
    text = tokens(page)
    for number, (content, message) in enumerate(MISTAKES):
        name = f"File{number}.json"
        (tmp_path / name).write_text(content, encoding="utf-8")
        with page.expect_file_chooser() as chooser:
            page.click("button:text-is('Open tree')")
        chooser.value.set_files(tmp_path / name)
        sync_api.expect(page.locator(".write .fault")).to_contain_text(message.format(name))
        assert tokens(page) == text
    visit("#tree=DAAA").wait_for_selector("[role=alert]:text('leads nowhere')")
