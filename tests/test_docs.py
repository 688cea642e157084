"""The pages: what is made from the program is fresh, and every link within them leads somewhere."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
CHAPTERS = sorted((DOCS / "guide").glob("*.md"))
FENCED = re.compile(r"^(```|:::).*?^\1$", re.MULTILINE | re.DOTALL)
WRITER = runpy.run_path(str(ROOT / "scripts" / "write_reference.py"), run_name="writer")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda page: page.stem)


def anchor(heading):
    """The name by which a heading is linked to, as GitHub and MyST make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def headings(page):
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)}


@pytest.mark.parametrize("name", WRITER["PAGES"])
def test_what_is_made_from_the_program_is_fresh(name):
    written = WRITER["PAGES"][name]()
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == written, "run: make reference"


def test_every_command_is_in_the_reference():
    from cutaway.cli.app import COMMANDS

    text = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert all(f"\n## cutaway {command}\n" in text for command in COMMANDS)


def test_every_key_of_a_recipe_is_in_the_reference():
    import dataclasses

    from cutaway.train.config import TrainConfig

    text = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    keys = [field.name for field in dataclasses.fields(TrainConfig) if field.name != "optimizer"]
    assert all(f"| `{key}` |" in text for key in keys)


@each_page
def test_links_lead_somewhere(page):
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose):
        path, _, fragment = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        if fragment:
            assert fragment in headings(other), target


@each_page
def test_pages_load_nothing_from_elsewhere(page):
    assert not re.search(r"<(script|img|iframe|link)\b", page.read_text(encoding="utf-8"))


def test_every_page_can_be_reached_from_the_first():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    globs = re.findall(r"^(\S+/\*)$", index, re.MULTILINE)
    reached = {page for pattern in globs for page in DOCS.glob(f"{pattern}.md")}
    named = {DOCS / f"{name}.md" for name in re.findall(r"^(\w[\w/-]*)$", index, re.MULTILINE)}
    assert set(PAGES) - {DOCS / "index.md"} <= reached | named


@each_chapter
def test_a_chapter_begins_with_a_question_and_ends_with_its_exercises(chapter):
    text = chapter.read_text(encoding="utf-8")
    number = int(chapter.stem[:2])
    body = text.partition(f"\n# {number}. ")[2].partition("\n\n")[2]
    assert body.partition("\n\n")[0].endswith("?")
    assert text.endswith(f":::{{exercises}} {number}\n:::\n")


@each_chapter
def test_a_chapter_takes_ten_to_twenty_minutes(chapter):
    minutes = runpy.run_path(str(DOCS / "_extensions" / "reading_time.py"))["minutes"]
    assert 8 <= minutes(chapter.read_text(encoding="utf-8")) <= 20


@each_chapter
def test_the_objects_that_a_chapter_shows_are_there(chapter):
    import importlib

    names = re.findall(r"^:::\{source\} (\S+)$", chapter.read_text(encoding="utf-8"), re.MULTILINE)
    assert names
    for name in names:
        parts = name.split(".")
        for length in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:length]))
                break
            except ModuleNotFoundError:
                continue
        for attribute in parts[length:]:
            found = getattr(found, attribute)


@each_chapter
def test_prose_is_calm(chapter):
    prose = re.sub(r"`[^`]*`|\$[^$]*\$", "", FENCED.sub("", chapter.read_text(encoding="utf-8")))
    assert "!" not in prose
    assert not re.findall(r"\b(?:simply|just|easily|obviously)\b", prose)
