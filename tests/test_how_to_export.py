"""The page on other programs, tried as it stands: its commands, and its programs where the libraries are installed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import environment, run

PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "export.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ cutaway (.+)$", PAGE, re.MULTILINE)
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LIBRARY = re.compile(r"^(?:from|import) (llama_cpp|onnxruntime|transformers)", re.MULTILINE)
LIBRARIES = [LIBRARY.search(program)[1] for program in PROGRAMS]


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """A folder in which every command of the page was given, in order; what the commands printed."""
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'cutaway[export]'")
    folder, before, printed = tmp_path_factory.mktemp("exports"), Path.cwd(), []
    os.chdir(folder)
    try:
        for command in COMMANDS:
            result = run(*shlex.split(command))
            assert result.code == 0, (command, result.err)
            printed.append(result.out)
    finally:
        os.chdir(before)
    return folder, printed


def test_the_commands_write_what_the_page_says(tried):
    folder, _ = tried
    there = {path.name for path in folder.iterdir()}
    assert there >= {"fable.gguf", "fable.onnx", "fable-cache.onnx", "fable-hf"}
    assert all(name in there for name in re.findall(r"\"(fable[\w.-]+)\"", PAGE))


@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=LIBRARIES)
def test_the_programs_write_what_cutaway_writes(number, tried):
    library = LIBRARIES[number]
    if subprocess.run([sys.executable, "-c", f"import {library}"], capture_output=True, check=False).returncode:
        pytest.skip(f"{library} is not installed")
    folder, printed = tried
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS[number]], cwd=folder, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    written = next(out for command, out in zip(COMMANDS, printed, strict=True) if command.startswith("generate"))
    # llama.cpp keeps keys and values in float16, so it need not agree to the last token.
    same = 12 if library == "llama_cpp" else None
    text = written.strip()[len("Once upon a time") if library == "llama_cpp" else 0 :]
    assert done.stdout.decode().strip()[:same] == text.strip()[:same]
