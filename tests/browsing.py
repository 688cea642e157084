"""Visits in a real browser: where a Chromium is, the live page over a server, and whether anything complained."""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from cutaway import load, load_generator
from cutaway.server import ServedModel
from serving import client_of

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser and is not installed")

USUAL_PLACES = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
]
PATIENCE_MS = 60_000
"""How long anything is waited for: long enough for a busy machine, and nothing where all goes well."""
sync_api.expect.set_options(timeout=PATIENCE_MS)
LIVE = r"http://127\.0\.0\.1:\d+/|blob:"
"""What a live page may ask for: its own server, and pictures of its own on their way into files."""
SHORT = "#max_tokens=12&prompt=Once+upon+a+time"


def chromium():
    """Where a Chromium is: the one in $CHROMIUM, on the PATH, or in a usual place."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, names), *USUAL_PLACES]
    return next((place for place in found if place and Path(place).exists()), None)


needs_chromium = pytest.mark.skipif(chromium() is None, reason="there is no Chromium here; name one in CHROMIUM")


@contextmanager
def launched():
    """A browser."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def fable_server(*others):
    """The address of a server of the bundled model, and beside it of others."""
    fable = ServedModel.start("fable", load_generator("fable"), lambda: load("fable"))
    with client_of(fable, *others) as client:
        yield str(client.base_url)


@contextmanager
def visiting(browser, allowed=LIVE):
    """Opens pages and hands them out; then nothing may have complained, nor been asked for but what is allowed."""
    faults, requests, contexts = [], [], []

    def open_page(address, *, width=1280, scheme="light", motion=None, clock=False, ready="body[data-ready]"):
        size = {"width": width, "height": 800}
        context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion=motion)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: requests.append(request))
        if clock:
            page.clock.install()
        page.goto(address)
        page.wait_for_selector(ready)
        page.requests, page.faults = requests, faults
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults
    assert all(re.match(allowed, request.url) for request in requests)


def saved(page, button, folder, where="section:not([hidden]) .frame:not([hidden])"):
    """What a button hands out at one click, not faster than anybody clicks."""
    with page.expect_download() as waiting:
        page.locator(f"{where} button:text-is('{button}')").first.click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    # Chromium drops a page's eleventh file within a second (`LocalFrame::ShouldThrottleDownload`).
    page.wait_for_timeout(110)
    return path


def settled(page):
    """Wait until nothing is being written."""
    page.wait_for_selector(".write[data-settled]", state="attached")


def write(page):
    page.click("button.main:visible")
    settled(page)


def tokens(page, within=".paper"):
    """The tokens that are shown, one string for each."""
    spans = page.locator(f"{within} .tokens").first
    return spans.evaluate(
        """box => {
            const said = [];
            for (const { dataset, textContent } of box.querySelectorAll('span'))
                said[dataset.token] = (said[dataset.token] ?? '') + textContent;
            return said;
        }"""
    )


def link(page):
    """What leads back to what the page shows now; `page.url` hears of a change only some time after it."""
    return page.evaluate("location.hash")


def written_ids(page):
    """The token ids in the page's address."""
    query = dict(parse_qsl(link(page)[1:]))
    return [int(number, 36) for number in query["text"].split(".")[1:]]


def open_view(page, name):
    page.click(f"[aria-controls=view-{name}]")


def see(page, name):
    page.click(f"[aria-controls=see-{name}]")
    page.wait_for_selector(f"#see-{name} [data-ready={name}]")
