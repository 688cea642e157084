import contextlib
import io
import json

import pytest

from cutaway.cli import conversation, source_text, terminal
from cutaway.cli.inspect.screen import fitting
from cutaway.cli.shades import ground
from cutaway.cli.table import Column, lines, print_table
from cutaway.errors import CutawayError


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def screen(monkeypatch):
    """Puts a terminal in place of stdout, inside a `with`: pytest would put its own back before a test begins."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return contextlib.redirect_stdout(Screen())


def test_a_terminal_has_colours(screen):
    with screen:
        assert terminal.dim("a") == "\x1b[2ma\x1b[0m"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(screen, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with screen:
        assert terminal.dim("a") == "a"


def test_a_pipe_has_no_colours(capsys):
    assert terminal.dim("a") == "a"


def test_on_a_terminal_control_characters_are_shown_and_not_obeyed(screen):
    with screen:
        assert terminal.harmless("a\x1b[2J\r\x7f\x9b\n\té") == "a␛[2J␍␡\ufffd\n\té"


def test_in_a_pipe_the_text_is_exact(capsys):
    assert terminal.harmless("a\x1b[2J") == "a\x1b[2J"


def test_json_has_no_nan(capsys):
    terminal.print_json({"a": "é"})
    assert json.loads(capsys.readouterr().out) == {"a": "é"}
    with pytest.raises(ValueError, match="JSON"):
        terminal.print_json(float("nan"))


def test_a_plain_table_is_aligned():
    columns = [Column("name"), Column("count", right=True)]
    assert lines(columns, [("a", "1"), ("long name", "22")]) == [
        "name       count",
        "a              1",
        "long name     22",
    ]


def test_a_drawn_table_takes_no_cell_for_markup(screen):
    with screen as shown:
        print_table([Column("piece")], [("[bold]",)])
    assert "[bold]" in shown.getvalue()


def test_a_piped_table_is_plain(capsys):
    print_table([Column("piece")], [("[bold]",)])
    assert capsys.readouterr().out == "piece\n[bold]\n"


def test_a_text_over_the_limit_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(source_text, "MAX_TEXT_BYTES", 1 << 20)
    file = tmp_path / "long.txt"
    file.write_bytes(b"a" * ((1 << 20) + 1))
    with pytest.raises(CutawayError, match="longer than 1 MiB"):
        source_text.read_file(file)


def test_a_byte_order_mark_is_no_text(tmp_path):
    file = tmp_path / "windows.txt"
    file.write_bytes(b"\xef\xbb\xbfhello")
    assert source_text.read_file(file) == "hello"


@pytest.mark.parametrize(("text", "kept"), [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("a\r", "a\r")])
def test_one_line_end_is_dropped(text, kept):
    assert source_text.without_final_newline(text) == kept


class Typist:
    """Types lines, then Ctrl-D."""

    def __init__(self, *typed):
        self.typed = iter(typed)

    def __call__(self, prompt):
        assert prompt == "> "
        try:
            return next(self.typed)
        except StopIteration:
            raise EOFError from None


class Writer:
    """Notes what it is asked to continue, and fails where it is told to."""

    def __init__(self, failures):
        self.failures, self.prompts = failures, []

    def write(self, prompt):
        self.prompts.append(prompt)
        if prompt in self.failures:
            raise self.failures[prompt]


def test_a_conversation_goes_on_after_mistakes_and_ctrl_c(monkeypatch, capsys):
    monkeypatch.setattr("builtins.input", Typist("one", "", "two", "three", "caf\udce9", "four"))
    writer = Writer({"one": CutawayError("no good"), "two": KeyboardInterrupt()})
    conversation.converse(writer)
    assert writer.prompts == ["one", "two", "three", "four"]
    notices = capsys.readouterr().err
    assert "cutaway: error: no good" in notices
    assert "stopped" in notices
    assert "not UTF-8" in notices


def test_ctrl_c_at_the_prompt_leaves(monkeypatch):
    def interrupted(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    with pytest.raises(KeyboardInterrupt):
        conversation.converse(Writer({}))


@pytest.mark.parametrize(
    ("shade", "style"),
    [
        (None, ""),
        (float("nan"), ""),
        (0.01, ""),
        (1.0, "white on rgb(217,95,2)"),
        (7.0, "white on rgb(217,95,2)"),
        (-1.0, "white on rgb(33,102,172)"),
        (0.1, "black on rgb(251,239,230)"),
    ],
)
def test_a_ground_is_as_strong_as_its_shade(shade, style):
    assert ground(shade) == style


def test_a_drawn_table_has_its_shades(screen, monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    with screen as shown:
        print_table([Column("piece"), Column("share")], [("a", "1.0")], shades=[(None, 1.0)])
    assert "48;2;217;95;2" in shown.getvalue()


def test_what_fits_on_a_screen_is_evenly_spaced_and_ends_with_the_last(monkeypatch):
    def table(places):
        return [Column("x" * 8) for _ in places], []

    for letters, places in ((200, list(range(9))), (60, [0, 2, 4, 6, 8]), (30, [2, 5, 8]), (1, [8])):
        monkeypatch.setattr("cutaway.cli.inspect.screen.PIPE", letters)
        assert fitting(9, table) == places
