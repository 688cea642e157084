import contextlib
import importlib
import os
import select
import signal
import subprocess
import sys
import time

import pytest

import cutaway
from command_line import COMMAND, environment, mistake, run, tiny
from cutaway.cli.app import COMMANDS

PATIENCE_S = 60


def start(*arguments, **streams):
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.Popen([*COMMAND, *arguments], env=environment(), **streams)


def modules_loaded_by(*arguments):
    code = (
        "import sys; from cutaway.cli import main; main(sys.argv[1:]);"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment(), check=True
    )
    return set(done.stderr.split())


def test_help_names_every_command():
    result = run("--help")
    assert result.code == 0
    assert [name for name in COMMANDS if name not in result.out] == []


def test_without_arguments_it_shows_its_help():
    assert run() == run("--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = run(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: cutaway {command}")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_what_it_does(command):
    rows = [line.strip(" │") for line in run(command, "--help").out.splitlines() if line.startswith("│ --")]
    assert [row for row in rows if len(row.split("  ", 1)) == 1 and " " not in row] == []


@pytest.mark.parametrize("home", [home for home, _ in COMMANDS.values()])
def test_every_command_lives_where_the_list_says(home):
    module, _, name = home.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_it_tells_its_version():
    assert run("--version").out == f"{cutaway.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("generate", "--help"),
        ("next", "--help"),
        ("train", "--help"),
        ("doctor", "--help"),
        ("verify", "--help"),
        ("bench", "--help"),
        ("samples", "--help"),
        ("inspect", "--help"),
        ("inspect", "attention", "--help"),
        ("explain", "--help"),
        ("tokenize", "Hello"),
        ("info", "gpt2"),
        ("models",),
        ("generate", "Hello", "--model", "no-such-model"),
    ],
    ids=" ".join,
)
def test_what_needs_no_model_loads_no_torch(arguments):
    assert "torch" not in modules_loaded_by(*arguments)


def test_help_loads_neither_numpy_nor_the_tokenizer_library():
    assert not {"numpy", "tiktoken", "huggingface_hub"} & modules_loaded_by("--help")


def test_a_piped_table_loads_no_rich_table():
    code = "import sys; from cutaway.cli import main; main(['info', 'gpt2']); sys.exit('rich.table' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_an_unknown_command_gets_the_nearest():
    assert mistake("tokenise") == "there is no command 'tokenise'; did you mean 'tokenize'?"


def test_an_unknown_option_gets_the_nearest():
    assert "--max-tokn" in mistake("generate", "hi", "--max-tokn", 3)
    assert "Did you mean --max-tokens?" in mistake("generate", "hi", "--max-tokn", 3)


def test_an_option_without_its_value_is_named():
    assert "--seed requires an argument" in mistake("generate", "hi", "--seed")


def test_an_option_with_an_impossible_value_is_named():
    assert "--top-k" in mistake("generate", "hi", "--top-k", "many")


def test_an_unknown_choice_gets_the_choices():
    assert "float32" in mistake("generate", "hi", "--dtype", "float33")


def test_unquoted_words_are_explained():
    assert mistake("generate", "once", "upon", "a") == (
        "'upon a' is one argument too many; a text of several words goes in quotes"
    )


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setitem(COMMANDS, "info", ("cutaway.cli.info:no_such_function", "Broken."))
    with pytest.raises(AttributeError):
        run("info", "gpt2")


def test_a_process_exits_with_the_code():
    process = start("info", "gtp2")
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (2, b"")
    assert b"did you mean 'gpt2'?" in err


def test_ctrl_c_leaves_with_130_and_what_was_written():
    process = start("generate", "once", "--model", tiny(), "--max-tokens", "1000000", "--ignore-eot")
    first = process.stdout.read(10)
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert first.startswith(b"once")
    assert rest.endswith(b"\n")
    assert err == b"cutaway: interrupted\n"


def test_a_reader_that_leaves_early_is_no_error():
    process = start("generate", "once", "--model", tiny(), "--max-tokens", "1000000", "--ignore-eot")
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=PATIENCE_S) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_output_is_utf8_whatever_the_locale():
    environ = environment() | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run([*COMMAND, "tokenize", " é"], capture_output=True, env=environ, check=True)
    assert "ĠÃ©" in done.stdout.decode()


class Terminal:
    """The command at a terminal: typed at and read from through a program that holds the other end."""

    def __init__(self, *arguments):
        spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
        self.process = subprocess.Popen(
            [sys.executable, "-c", spawn, *COMMAND, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={k: v for k, v in environment().items() if k not in ("NO_COLOR", "FORCE_COLOR")} | {"TERM": "xterm"},
        )

        self.shown = b""

    def type(self, keys):
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def read_until(self, wanted):
        """All that is shown up to and with these bytes; what follows is left for the next time."""
        deadline = time.monotonic() + PATIENCE_S
        while wanted not in self.shown:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} did not come; so far {self.shown!r}"
            chunk = os.read(self.process.stdout.fileno(), 4096)
            assert chunk, f"it ended before {wanted!r}; so far {self.shown!r}"
            self.shown += chunk
        before, _, self.shown = self.shown.partition(wanted)
        return before + wanted

    def leave(self):
        self.type(b"\x04")
        code = self.process.wait(timeout=PATIENCE_S)
        self.close()
        return code

    def close(self):
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


needs_pty = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals in Python")


@needs_pty
def test_in_conversation_ctrl_c_ends_a_text_and_ctrl_d_the_session():
    terminal = Terminal("generate", "--model", tiny(), "--max-tokens", "1000000", "--ignore-eot")
    terminal.read_until(b"> ")
    terminal.type(b"once upon\n")
    terminal.read_until(b"\x1b[2monce upon\x1b[0m")
    terminal.type(b"\x03")
    terminal.read_until(b"stopped")  # before which anything may have been written, "> " as well
    terminal.read_until(b"> ")
    assert terminal.leave() == 0


@needs_pty
def test_a_terminal_gets_a_drawn_table():
    terminal = Terminal("info", "gpt2")
    assert b"\x1b[1m" in terminal.read_until(b"int4")
    assert terminal.process.wait(timeout=PATIENCE_S) == 0
    terminal.close()
