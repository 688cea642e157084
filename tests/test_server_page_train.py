"""The page's view of training runs in a real browser, while somebody trains, looks elsewhere, takes a folder away."""

import csv
import re
import shutil
from contextlib import ExitStack
from xml.etree import ElementTree

import pytest

import cutaway
from browsing import link, needs_chromium, saved, sync_api, visiting
from cutaway.server import Service
from cutaway.server.runs.runs import Runs
from cutaway.server.runs.watched_run import watched_runs
from cutaway.train.log import LOG, RunLog
from cutaway.train.loop import train
from serving import PATIENCE_S, served, serving
from training import log_of, tiny_run, write_data

pytestmark = needs_chromium

SAMPLED = {"sample_every": 2, "sample_prompt": "The ", "sample_tokens": 5, "log_every": 1, "eval_every": 2}
PANELS = ["Training loss", "Held-out text", "Learning rate", "Speed", "Memory", "Gradient norm"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Two runs to copy from: with samples on its way, and without."""
    folder = tmp_path_factory.mktemp("runs")
    configs = [
        tiny_run(data, folder / "one", **SAMPLED),
        tiny_run(data, folder / "other", steps=4, seed=7, log_every=1, eval_every=2),
    ]
    for config in configs:
        train(config)
    return configs


@pytest.fixture
def one(trained, tmp_path):
    """A run of which a test may do what it likes."""
    shutil.copytree(trained[0].out, tmp_path / "one", symlinks=True)
    return tmp_path / "one"


@pytest.fixture
def visit(browser):
    """Serves some runs and opens the view, whose clock goes on when it is told to."""
    with ExitStack() as stack, visiting(browser) as open_page:

        def open_runs(*folders, fragment="#view=train", url=None, **how):
            if url is None:
                service = Service(lambda: [served()[0]], runs=Runs(watched_runs([str(folder) for folder in folders])))
                url = stack.enter_context(serving(service))
                service.wait(PATIENCE_S)
            page = open_page(f"{url}/{fragment}", clock=True, **how)
            page.base = url
            return page

        yield open_runs


def watched(page):
    page.wait_for_selector(".train[data-ready]")
    return page


def news(page):
    """Let the time go by until the page looks for news."""
    with page.expect_response(lambda answer: answer.url.endswith("/inside/runs")):
        page.clock.fast_forward(3500)


def standing(page, at=0):
    return page.locator(".runs .standing").nth(at)


def chart(page, title):
    return page.locator(f".chart[aria-label='{title}']")


def look(page, text):
    page.get_by_label("A text for it to read").fill(text)
    page.click(".checkpoint button.main")
    page.wait_for_selector(".checkpoint .answers[data-ready]")
    page.wait_for_selector(".expected:not([hidden])")


def choice(page, label):
    return page.locator(f".train .choice:has(> span:text-is('{label}')) select").last


def curves(page, title):
    """The lines of a chart, those of the axes left out."""
    lines = (
        chart(page, title).locator(".curves polyline").evaluate_all("all => all.map(one => one.getAttribute('stroke'))")
    )
    grid = page.evaluate("getComputedStyle(document.querySelector('.runs s')).backgroundColor")
    return [colour for colour in lines if colour != grid]


def test_the_curves_are_those_of_the_logs(visit, trained):
    page = watched(visit(*(config.out for config in trained)))
    lines = [log_of(config) for config in trained]
    for title, key in (("Training loss", "loss"), ("Learning rate", "lr_scale"), ("Gradient norm", "grad_norm")):
        shown = chart(page, title).locator(".now").inner_text().split()
        last = [[line[key] for line in log if key in line][-1] for log in lines]
        assert [float(value) for value in shown] == pytest.approx(last, rel=1e-3)
    for title in PANELS:
        assert chart(page, title).is_visible()
        assert len(set(curves(page, title))) == 2
    assert standing(page).inner_text().startswith("Finished at step 6, ")
    final = lines[0][-1]["final_bits_per_byte"]["text"]
    assert standing(page).inner_text().endswith(f" ago. Bits per byte: text {final:.3f}.")


def test_a_run_that_goes_on_is_followed(visit, one):
    page = watched(visit(one))
    RunLog(one / LOG).append(step=7, elapsed_s=99.0, loss=1.2345, lr_scale=0.5)
    news(page)
    sync_api.expect(standing(page)).to_contain_text("Last step 7 of 6")
    sync_api.expect(chart(page, "Training loss").locator(".now")).to_contain_text("1.234")
    RunLog(one / LOG).forget_after(3)
    news(page)
    sync_api.expect(standing(page)).to_contain_text("Last step 3 of 6 (50%, about")
    asked = [request.url for request in page.requests if "/log?" in request.url]
    assert asked[0].endswith("since=")
    assert all(re.search(r"since=\d+\.[0-9a-f]{8}$", url) for url in asked[1:])


def test_nothing_is_asked_while_nobody_looks(visit, one):
    page = watched(visit(one))
    page.click("[aria-controls=view-write]")
    page.clock.fast_forward(3500)
    asked = len(page.requests)
    page.clock.fast_forward(60_000)
    page.wait_for_timeout(200)
    assert len(page.requests) == asked
    with page.expect_response(lambda answer: answer.url.endswith("/inside/runs")):
        page.click("[aria-controls=view-train]")


def test_nothing_new_is_told_in_a_word(visit, one, caplog):
    caplog.set_level("INFO", "cutaway.server")
    page = watched(visit(one))
    asked = len(page.requests)
    for _ in range(2):
        with page.expect_response(lambda answer: answer.url.endswith("/inside/runs")) as told:
            page.clock.fast_forward(3500)
        assert told.value.status == 304
    assert all(request.url.endswith("/inside/runs") for request in page.requests[asked:])
    assert 304 not in [record.status for record in caplog.records]
    page.clock.fast_forward(10 * 60_000)
    sync_api.expect(standing(page)).to_contain_text(re.compile(r"step 6, [1-8]\d min ago"))


def test_any_number_of_runs_can_be_told_apart(visit, one, tmp_path):
    folders = [shutil.copytree(one, tmp_path / f"run{number}", symlinks=True) for number in range(16)]
    page = watched(visit(*folders))
    marks = "marks => marks.map((mark) => mark.outerHTML)"
    assert len(set(page.locator(".runs .mark").evaluate_all(marks))) == 16
    assert len(set(chart(page, "Training loss").locator(".now .mark").evaluate_all(marks))) == 16
    drawn = chart(page, "Training loss").locator("polyline")
    signed = drawn.count()
    for number in range(7, 16):
        page.locator(".runs input").nth(number).uncheck()
    sync_api.expect(chart(page, "Training loss").locator(".now .mark")).to_have_count(7)
    assert drawn.count() < signed
    assert len(set(curves(page, "Training loss"))) == 7


def test_samples_are_read_step_by_step(visit, trained):
    page = watched(visit(trained[0].out))
    samples = {line["step"]: line["sample"] for line in log_of(trained[0]) if "sample" in line}
    text, slider = page.locator(".sample"), page.locator(".run-samples input")
    assert text.text_content() == samples[6]
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert text.text_content() == samples[4]
    assert slider.get_attribute("aria-valuetext") == "4"
    assert "sample=4" in link(page)
    again = watched(visit(url=page.base, fragment=link(page)))
    assert again.locator(".sample").text_content() == samples[4]
    assert again.locator(".run-samples .note").inner_text() == "Written on the way, at step 4."


def test_a_run_without_samples_has_its_checkpoint_write_one(visit, trained):
    page = watched(visit(trained[1].out))
    note = page.locator(".run-samples .note")
    assert note.inner_text().startswith("There is no sample. Set sample_every")
    page.click("button:text-is('Write one now')")
    sync_api.expect(note).to_have_text("Written here by the checkpoint of step 4.")
    assert page.locator(".sample").text_content()


def test_the_newest_checkpoint_is_looked_into_and_then_the_next(visit, data, one):
    page = watched(visit(one))
    look(page, "The cat sat")
    gpt = cutaway.load(one / "latest", device="cpu")
    expected = gpt.score("The cat sat", 1)[-1].predictions[0]
    first = page.locator(".expected li").first
    assert float(first.locator("b").inner_text().strip("%")) == pytest.approx(100 * expected.probability, abs=0.06)
    assert page.locator(".checkpoint .toolbar h2").nth(1).inner_text() == "4 heads, 11 tokens"
    page.locator(".checkpoint .thumbnails").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".checkpoint [data-shown='0-0']")
    train(tiny_run(data, one, **SAMPLED | {"steps": 8}))
    news(page)
    sync_api.expect(page.locator(".expected h3")).to_have_text("Expected next, at step 8")
    page.wait_for_selector(".checkpoint [data-ready=attention] [data-shown='0-0']")
    again = watched(visit(url=page.base, fragment=link(page)))
    again.wait_for_selector(".checkpoint [data-shown='0-0']")
    assert again.get_by_label("A text for it to read").input_value() == "The cat sat"


def test_every_question_can_be_asked_of_a_checkpoint(visit, trained):
    page = watched(visit(trained[0].out))
    look(page, "The cat sat")
    for question in ("text", "lens", "attribution"):
        choice(page, "See").select_option(question)
        page.wait_for_selector(f".checkpoint .answers[data-ready={question}] .frame")
    page.get_by_label("A text for it to read").fill("y" * 17)
    page.keyboard.press("Control+Enter")
    sync_api.expect(page.locator(".checkpoint .fault")).to_contain_text("17 tokens do not fit a context of 16")
    sync_api.expect(page.locator(".expected")).to_be_hidden()
    assert all(page.faults.pop().startswith("Failed to load resource") for _ in range(2))


def test_what_is_shown_stays_in_the_address(visit, trained):
    page = watched(visit(*(config.out for config in trained)))
    choice(page, "Along").select_option("minutes")
    choice(page, "Smooth").select_option("5")
    choice(page, "Show").select_option("0.5")
    page.locator(".runs input").first.uncheck()
    choice(page, "Look into").select_option("other")
    sync_api.expect(page.locator(".run-samples .note")).to_contain_text("There is no sample")
    again = watched(visit(url=page.base, fragment=link(page)))
    assert choice(again, "Along").input_value() == "minutes"
    assert choice(again, "Smooth").input_value() == "5"
    assert choice(again, "Show").input_value() == "0.5"
    assert choice(again, "Look into").input_value() == "other"
    assert not again.locator(".runs input").first.is_checked()
    assert len(set(curves(again, "Training loss"))) == 1


def test_a_chart_is_read_by_keyboard(visit, trained):
    page = watched(visit(trained[0].out))
    losses = {line["step"]: line["loss"] for line in log_of(trained[0]) if "loss" in line}
    said = page.locator(".train .readout").first
    chart(page, "Training loss").locator(".curves").focus()
    for key, step in (("Home", 1), ("ArrowRight", 2), ("End", 6), ("ArrowLeft", 5)):
        page.keyboard.press(key)
        assert said.inner_text().startswith(f"Step {step}: training loss one ")
        assert float(said.inner_text().split()[-1]) == pytest.approx(losses[step], rel=1e-3)
    page.keyboard.press("Escape")
    assert said.inner_text().startswith("Point at a curve")
    box = chart(page, "Speed").locator(".curves").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    sync_api.expect(said).to_contain_text("speed one")


def test_a_run_is_not_said_to_be_where_it_never_was(visit, trained):
    page = watched(visit(*(config.out for config in trained)))
    chart(page, "Training loss").locator(".curves").focus()
    page.keyboard.press("End")
    assert page.locator(".train .readout").first.inner_text().endswith(", other –")
    page.keyboard.press("Home")
    assert re.search(r", other \d", page.locator(".train .readout").first.inner_text())


def test_a_server_that_comes_back_with_other_runs_is_believed(visit, one):
    page = watched(visit(one))
    card = {"name": "new", "problem": "the folder /new is gone"}
    page.route("**/inside/runs", lambda route: route.fulfill(json={"runs": [card]}))
    news(page)
    sync_api.expect(page.locator(".runs b")).to_have_text(["new"])
    assert standing(page).inner_text() == "The folder /new is gone."
    assert page.locator(".chart:visible").count() == 0


def test_numbers_and_pictures_can_be_taken_away(visit, trained, tmp_path):
    page = watched(visit(*(config.out for config in trained)))
    with saved(page, "CSV", tmp_path, ".all-charts").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for config in trained:
        mine = [row for row in rows if row["run"] == config.out.name]
        losses = [line["loss"] for line in log_of(config) if "loss" in line]
        assert [float(row["value"]) for row in mine if row["quantity"] == "loss"] == losses
        assert {row["text"] for row in mine if row["quantity"] == "bits_per_byte"} == {"text"}
    picture = ElementTree.parse(saved(page, "SVG", tmp_path, ".all-charts"))
    words = {element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {*PANELS, "one", "other"} <= words
    assert saved(page, "PNG", tmp_path, ".all-charts").read_bytes().startswith(b"\x89PNG")
    page.click(".all-charts button:text-is('Numbers')")
    assert page.locator("dialog.numbers tbody tr").count() == len(rows)


def test_a_folder_that_is_taken_away_is_told_and_may_come_back(visit, one, trained):
    page = watched(visit(one, trained[1].out))
    away = one.rename(one.with_name("away"))
    news(page)
    sync_api.expect(standing(page)).to_contain_text("is gone; bring it back")
    sync_api.expect(standing(page, 1)).to_contain_text("Finished at step 4")
    away.rename(one)
    news(page)
    sync_api.expect(standing(page)).to_contain_text("Finished at step 6")


def test_before_anything_is_logged_there_is_little_to_see(visit, tmp_path):
    (tmp_path / "new" / "checkpoints").mkdir(parents=True)
    page = watched(visit(tmp_path / "new"))
    assert standing(page).inner_text() == "Nothing is logged yet."
    assert page.locator(".chart:visible").count() == 0
    page.click(".checkpoint button.main")
    sync_api.expect(page.locator(".checkpoint .answers")).to_contain_text("There is no checkpoint yet")


def test_without_a_run_the_page_says_how_to_watch_one(visit):
    page = watched(visit())
    assert page.locator(".train .command").inner_text() == "cutaway serve --run runs/mine"
    assert page.locator(".train button:visible").count() == 0


def test_what_a_run_says_is_only_text(visit, trained, tmp_path):
    hostile = "<img src=x onerror=alert(1)>"
    folder = tmp_path / hostile
    shutil.copytree(trained[0].out, folder, symlinks=True)
    RunLog(folder / LOG).append(step=7, elapsed_s=1.0, sample=hostile, bits_per_byte={hostile: 1.0, "text": 2.0})
    page = watched(visit(folder))
    assert page.locator(".sample").text_content() == hostile
    assert page.locator(".runs b").inner_text() == hostile
    look(page, "The cat")
    assert page.locator("img").count() == 0
    picture = ElementTree.parse(saved(page, "SVG", tmp_path, ".all-charts"))
    assert hostile in {element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(visit, trained, scheme):
    page = watched(visit(*(config.out for config in trained), width=360, scheme=scheme))
    look(page, "The cat sat")
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    assert page.locator(".curves svg").first.bounding_box()["width"] <= 360
