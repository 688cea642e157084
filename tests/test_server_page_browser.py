"""The live page in a real browser: it writes, branches, sees, changes, compares, and finds its way back."""

import asyncio
import re
import threading

import pytest

from browsing import (
    link,
    needs_chromium,
    open_view,
    saved,
    see,
    settled,
    sync_api,
    tokens,
    write,
    written_ids,
)
from cutaway import load
from cutaway.server.inside import routes
from serving import client_of, served, tiny_language_model

pytestmark = needs_chromium

SEE = ["text", "attention", "lens", "attribution", "tokens", "positions"]


def compared(page, *, changes=0):
    page.wait_for_selector(f".beside[data-ready='{changes}']")


def test_it_writes_what_the_model_writes(visit):
    page = visit()
    write(page)
    expected = load("fable").stream("Once upon a time", max_tokens=12, temperature=0.8, top_p=0.95, seed=1)
    assert "".join(tokens(page)[4:]).replace("↵", "\n") == "".join(step.text for step in expected)
    assert page.locator(".paper .given").count() == 4
    colours = page.locator(".paper .tokens span").evaluate_all("all => all.map(span => span.style.backgroundColor)")
    assert colours[0] == ""
    assert all(colours[1:])


def test_an_alternative_begins_a_branch_and_the_first_can_be_had_again(visit):
    page = visit()
    write(page)
    first = tokens(page)
    page.click(".paper [data-token='6']")
    assert "In place of" in page.locator(".alternatives-here h2").inner_text()
    other = page.locator(".draws .draw:not(.true)").first
    piece = other.locator("span").inner_text()
    other.click()
    settled(page)
    sync_api.expect(page.locator(".branches button")).to_have_count(2)
    branch = tokens(page)
    assert branch[:6] == first[:6]
    assert branch[6].replace(" ", "␣") == piece
    page.click(".branches button >> nth=0")
    sync_api.expect(page.locator(".branches button >> nth=0")).to_have_attribute("aria-current", "true")
    assert tokens(page) == first
    page.click(".branches button >> nth=1")
    assert tokens(page) == branch


def test_the_sliders_weigh_the_alternatives_at_once(visit):
    page = visit()
    write(page)
    page.click(".paper [data-token='6']")
    asked = len(page.requests)
    highest = page.locator(".draws .draw b").first

    def share():
        return float(highest.inner_text().strip("≈ %"))

    before = share()
    page.get_by_label("Temperature").fill("2")
    assert share() < before
    page.get_by_label("Top-k").fill("1")
    assert share() == 100
    assert page.locator(".draws .draw.out").count() == page.locator(".draws .draw").count() - 1
    assert "none of them" in page.locator(".alternatives-here .note").inner_text()
    assert not [request for request in page.requests[asked:] if "/inside/" in request.url]
    assert "temperature=2" in link(page)
    assert "top_k=1" in link(page)


def test_the_text_is_read_by_keyboard(visit):
    page = visit()
    write(page)
    page.locator(".paper .tokens").focus()
    heading = page.locator(".alternatives-here h2")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert heading.inner_text() == "In place of “␣upon”"
    page.keyboard.press("Escape")
    assert heading.inner_text() == "What may come next"


@pytest.fixture
def go(monkeypatch):
    """What the server waits for after the fifth token of a text."""
    go, written = threading.Event(), routes.written

    async def held_up(*asked):
        left = 5
        async for event in written(*asked):
            while not left and not go.is_set():
                await asyncio.sleep(0.01)
            left = max(0, left - 1)
            yield event

    monkeypatch.setattr(routes, "written", held_up)
    return go


def begun(page):
    """The page, where five tokens after “The fox” have been written and more are to come."""
    page.click("button.main")
    page.wait_for_selector(".paper [data-token='6']")
    return page


def test_writing_can_be_stopped_and_goes_on(visit, go):
    page = begun(visit("#max_tokens=20&prompt=The+fox"))
    page.click("button:text-is('Stop')")
    settled(page)
    stopped = tokens(page)
    assert len(stopped) == 2 + 5
    go.set()
    for written in (20, 40):
        page.click("button:text-is('Continue')")
        settled(page)
        assert tokens(page)[: len(stopped)] == stopped
        assert len(tokens(page)) == len(stopped) + written


def test_who_stops_and_goes_on_at_once_is_not_told_that_all_is_done(visit, go):
    page = begun(visit("#max_tokens=20&prompt=The+fox"))
    reading = []
    page.route("**/inside/read", lambda route: reading.append(route))
    with page.expect_request("**/inside/read"):  # what might come after the end of the text
        page.click("button:text-is('Stop')")
    page.click("button:text-is('Continue')")
    page.wait_for_selector(".paper [data-token='11']")
    with page.expect_response("**/inside/read"):
        reading.pop().continue_()
    page.evaluate("fetch('/health').then((answer) => answer.text())")  # which is told after that was
    assert page.locator(".write[data-settled]").count() == 0
    page.unroute("**/inside/read")
    go.set()
    settled(page)


def test_a_full_context_is_told(visit):
    context = tiny_language_model().config.block_size
    page = visit(f"#model=tiny&max_tokens={context}&prompt=The+fox&temperature=2")
    write(page)
    while len(full := tokens(page)) < context:  # a text may come to its end before
        page.click("button:text-is('Continue')")
        settled(page)
    for more in ("button:text-is('Continue')", ".draws .draw"):
        page.locator(more).first.click()
        settled(page)
        assert page.locator(".write .fault").inner_text() == f"The context of {context} tokens is full."
        assert tokens(page) == full


def test_every_picture_is_drawn_of_the_text(visit, tmp_path):
    page = visit()
    write(page)
    open_view(page, "see")
    for name in SEE:
        see(page, name)
        assert page.locator(f"#see-{name} .frame").first.is_visible()
        assert (
            len(
                saved(page, "CSV", tmp_path, f"#see-{name} .frame:not([hidden])")
                .read_text(encoding="utf-8")
                .splitlines()
            )
            > 2
        )
    see(page, "attention")
    page.locator(".thumbnails").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-shown]")
    assert "layer=0&head=0" in link(page)
    page.keyboard.press("Escape")
    sync_api.expect(page.locator(".thumbnails")).to_be_visible()


def test_the_token_taken_apart_is_the_one_chosen(visit):
    page = visit()
    write(page)
    words = tokens(page)
    open_view(page, "see")
    see(page, "attribution")
    page.click("#see-attribution .picker [data-token='2']")
    sync_api.expect(page.locator("#see-attribution .answers h2").first).to_have_text(
        "Parts of the logit of Ġa after Ġupon"
    )
    assert words[2] == " a"
    page.locator("#see-attribution .picker").focus()
    page.keyboard.press("ArrowRight")
    sync_api.expect(page.locator("#see-attribution .answers h2").first).to_contain_text("after Ġa")


def test_a_switch_changes_the_text_and_the_pictures(visit):
    page = visit()
    write(page)
    open_view(page, "change")
    compared(page)
    sides = "[aria-label='Unchanged']", "[aria-label='With your changes']"
    assert tokens(page, sides[0]) == tokens(page, sides[1]) == tokens(page, ".write")
    assert page.locator(".beside .total").inner_text() == "Both write the same."
    page.locator(".switches button[tabindex='0']").focus()
    for key in ("End", "Enter"):
        page.keyboard.press(key)
    compared(page, changes=1)
    assert tokens(page, sides[0]) == tokens(page, ".write")
    assert tokens(page, sides[1]) != tokens(page, sides[0])
    assert page.locator(f"{sides[1]} .differs").count() > 0
    assert page.locator(".changes").inner_text() == "the MLP of layer 0 off"
    open_view(page, "see")
    see(page, "text")
    changed = page.locator("#see-text .toolbar h2").inner_text()
    page.get_by_label("Inside").select_option("plain")
    sync_api.expect(page.locator("#see-text .toolbar h2")).not_to_have_text(changed)


def test_patches_and_pushes_are_added_and_taken_back(visit):
    page = visit()
    open_view(page, "change")
    compared(page)
    page.click("summary:text('Push')")
    page.get_by_label("Toward").fill(" the sea")
    page.click("form:visible button:text-is('Add')")
    page.click("summary:text('Push')")
    page.click("summary:text('Patch')")
    page.get_by_label("From the reading of").fill("The old king")
    page.click(".chips button >> nth=1")
    page.click("form:visible button:text-is('Add')")
    assert page.locator(".changes li").all_inner_texts() == [
        "push the stream into layer 2 toward “ the sea”, × 1 Remove",
        "the stream into layer 2 as when reading “The old king”, at 1 Remove",
    ]
    compared(page, changes=2)
    assert page.locator(".differs").count() > 0
    page.click(".changes button >> nth=0")
    page.click("button:text-is('Undo all')")
    assert "None" in page.locator(".changes").inner_text()


def test_a_link_leads_back(visit):
    page = visit("#max_tokens=12&prompt=The+fox&seed=5&temperature=1.2")
    write(page)
    page.click(".paper [data-token='4']")
    page.locator(".draws .draw:not(.true)").first.click()
    settled(page)
    sync_api.expect(page.locator(".branches button")).to_have_count(2)
    words = tokens(page)
    open_view(page, "change")
    compared(page)
    page.click("[aria-label^='Layer 1, head 2']")
    compared(page, changes=1)
    changed = tokens(page, "[aria-label='With your changes']")
    again = visit(link(page))
    compared(again, changes=1)
    assert tokens(again, "[aria-label='With your changes']") == changed
    assert again.locator("[aria-label='Layer 1, head 2: off']").is_visible()
    open_view(again, "write")
    assert tokens(again) == words
    assert again.get_by_label("Seed").input_value() == "5"
    assert again.get_by_label("Temperature").input_value() == "1.2"
    open_view(page, "see")
    see(page, "attention")
    page.locator(".thumbnails").focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("[data-shown='1-1']")
    visit(link(page)).wait_for_selector("[data-shown='1-1']")


def test_two_prompts_and_two_models_are_compared(visit):
    page = visit("#view=compare&a=The+king&b=The+queen")
    sides = [page.locator(f"[aria-label='Side {name}']") for name in "AB"]
    for name in ("text", "attention", "lens"):
        page.locator(".compare > .toolbar select").select_option(name)
        for side in sides:
            sync_api.expect(side.locator(f"[data-ready={name}]")).to_be_visible()
    sides[1].get_by_label("Model").select_option("tiny")
    page.locator(".compare > .toolbar select").select_option("attention")
    sync_api.expect(sides[1].locator(".toolbar h2").first).to_contain_text(
        f"{tiny_language_model().config.n_head * 2} heads"
    )
    assert "model_b=tiny" in link(page)


def test_another_model_begins_afresh(visit):
    page = visit()
    write(page)
    page.locator("header").get_by_label("Model").select_option("tiny")
    sync_api.expect(page.locator(".paper .tokens")).to_have_count(0)
    page.fill("#prompt", "The fox")
    write(page)
    assert "".join(tokens(page)).startswith("The fox")
    open_view(page, "change")
    compared(page)
    assert page.locator(".switches tbody tr").count() == tiny_language_model().config.n_layer


def test_the_tour_goes_through_the_page_to_its_end(visit):
    page = visit("")
    page.click("button:text-is('Tour')")
    total = int(re.search(r"of (\d+)", page.locator(".tour .note").inner_text())[1])
    for number in range(1, total + 1):
        page.wait_for_selector(f".tour:not([aria-busy]) .note:text-is('{number} of {total}')")
        assert page.locator(".spoken:visible").count() == 1, number
        page.keyboard.press("Enter")
    sync_api.expect(page.locator(".tour")).to_be_hidden()
    assert page.locator(".changes").inner_text().startswith("None")


def test_a_text_is_only_text(visit):
    page = visit("#max_tokens=4")
    page.fill("#prompt", "<img src=x onerror=alert(1)></script><script>alert(2)</script> &amp;")
    write(page)
    assert "".join(tokens(page)).startswith("<img src=x onerror=alert(1)></script><script>alert(2)</script> &amp;")
    open_view(page, "see")
    for name in SEE[:4]:
        see(page, name)
    open_view(page, "change")
    compared(page)
    assert page.locator("img").count() == 0


def test_mistakes_are_told_in_the_page(visit):
    page = visit()
    context = load("fable").config.block_size
    page.fill("#prompt", "word " * 2 * context)
    page.click("button.main")
    sync_api.expect(page.locator(".write .fault")).to_contain_text(f"do not fit a context of {context}")
    assert page.faults.pop().startswith("Failed to load resource")
    visit("#text=zzz.zzzzzzz").wait_for_selector("[role=alert]:text('leads nowhere')")
    assert page.faults.pop().startswith("Failed to load resource")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(visit, scheme):
    page = visit(width=360, scheme=scheme)
    fits = "document.documentElement.scrollWidth <= 360"
    write(page)
    page.click(".paper [data-token='5']")
    assert page.evaluate(fits)
    open_view(page, "see")
    for name in SEE:
        see(page, name)
        assert page.evaluate(fits), name
    open_view(page, "change")
    compared(page)
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate(fits)
    open_view(page, "zoom")
    for ready in ("", "0", "0.0", "0.0.0"):
        page.wait_for_selector(f".network[data-ready='{ready}']")
        assert page.evaluate(fits), ready
        page.locator(".network [data-step='0']").first.click()
    open_view(page, "compare")
    page.wait_for_selector("[aria-label='Side B'] [data-ready]")
    assert page.evaluate(fits)


def test_a_key_is_asked_for_and_kept_for_this_tab(visit):
    with client_of(served()[0], keys=("a-long-secret",)) as client:
        page = visit("", url=str(client.base_url), ready="dialog[open]")
        page.get_by_label("Key", exact=True).last.fill("a-wrong-secret")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog:has-text('does not know that key')")
        page.get_by_label("Key", exact=True).last.fill("a-long-secret")
        page.keyboard.press("Enter")
        page.wait_for_selector("body[data-ready]")
        assert page.evaluate("sessionStorage.getItem('cutaway-key')") == "a-long-secret"
        assert page.evaluate("localStorage.length") == 0
        page.reload()
        page.wait_for_selector("body[data-ready]")
        assert all("401" in fault for fault in page.faults)
        page.faults.clear()


def test_one_multiplication_is_that_of_the_network(visit):
    page = visit()
    write(page)
    seen = load("fable").trace(written_ids(page), ["h.1.q", "h.1.k", "h.1.pattern"])
    token, layer, head, key, channel = len(seen.ids) - 1, 1, 2, 3, 4
    open_view(page, "zoom")
    for step, ready in ((layer, "1"), (head, "1.2"), (key, "1.2.3"), (channel, "1.2.3.4")):
        for more in page.locator(".network .more").all():
            more.click()
        page.click(f".network [data-step='{step}']")
        page.wait_for_selector(f".network[data-ready='{ready}']")
        if ready == "1.2":
            shown = page.locator(".network .box b").nth(key).inner_text()
            weight = float(seen[f"h.{layer}.pattern"][head, token, key])
            said = shown.partition("→")[2].strip(" %")
            assert said == "<0.01" if weight < 1e-4 else float(said) == pytest.approx(100 * weight, abs=0.06)
    query, keys = seen[f"h.{layer}.q"][head, token], seen[f"h.{layer}.k"][head, key]
    expected = [float((query * keys)[:channel].sum()), float(query[channel]), float(keys[channel])]
    numbers = re.findall(r"−?[\d.]+(?:e−?\d+)?", page.locator(".network .sum").inner_text())
    before, one, other, after = (float(number.replace("−", "-")) for number in numbers)
    assert [before, one, other] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert after == pytest.approx(before + one * other, rel=1e-4, abs=1e-5)
    again = visit(link(page))
    again.wait_for_selector(".network[data-ready='1.2.3.4']")
    assert again.locator(".network .sum").inner_text() == page.locator(".network .sum").inner_text()
    page.locator(".zoom .way button").first.focus()
    page.keyboard.press("Escape")
    page.wait_for_selector(".network[data-ready='1.2.3']")
    visit("#view=zoom&zoom=9.9.9").wait_for_selector(".network:has-text('no text yet')")
