import os
import stat
import sys

import pytest

from cutaway.native import compile as compiling
from cutaway.native.library import LIBRARY

posix = pytest.mark.skipif(os.name != "posix", reason="the stand-in for a compiler is a script")

# Writes what it was told into its output; refuses what contains a word of REFUSED.
COMPILER = f"""#!{sys.executable}
import os, pathlib, sys
told = " ".join(sys.argv[1:])
if any(word in told for word in os.environ.get("REFUSED", "").split()):
    sys.exit("no: " + told)
output = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
parts = [pathlib.Path(name).read_text() for name in sys.argv if name.endswith(".o") and name != str(output)]
output.write_text("\\n".join([told, *parts]))
"""


def test_what_is_compiled_is_what_is_loaded():
    assert compiling.LIBRARY == LIBRARY


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    script = tmp_path / "compiler"
    script.write_text(COMPILER)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.delenv("REFUSED", raising=False)
    return script


@posix
@pytest.mark.usefixtures("compiler")
def test_kernels_are_compiled_for_each_set_of_instructions(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "machine", lambda: "x86_64")
    text = compiling.compile_library(tmp_path / "new" / "kernels.so").read_text()
    for name in ("portable", "avx2", "avxvnni", "avx512", "avx512bf16"):
        assert f"-DCUTAWAY_ISA={name} " in text
    assert "-DHAS_AVX2 -DHAS_AVXVNNI -DHAS_AVX512 -DHAS_AVX512BF16 -c" in text
    assert "-shared" in text


@posix
@pytest.mark.usefixtures("compiler")
def test_a_set_that_the_compiler_does_not_know_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "machine", lambda: "x86_64")
    monkeypatch.setenv("REFUSED", "-mavx512bf16")
    text = compiling.compile_library(tmp_path / "kernels.so").read_text()
    assert "-DHAS_AVX2 -DHAS_AVXVNNI -DHAS_AVX512 -c" in text
    assert "avx512bf16" not in text.lower()


@posix
@pytest.mark.usefixtures("compiler")
def test_on_a_processor_of_another_family_only_the_portable_kernels_are_compiled(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "machine", lambda: "riscv64")
    text = compiling.compile_library(tmp_path / "kernels.so").read_text()
    assert "-DCUTAWAY_ISA=portable" in text
    assert "HAS_" not in text


@posix
@pytest.mark.usefixtures("compiler")
def test_a_compiler_that_fails_leaves_the_old_library_alone(tmp_path, monkeypatch):
    old = tmp_path / "kernels.so"
    old.write_text("old")
    monkeypatch.setenv("REFUSED", "threads.cpp")
    with pytest.raises(compiling.CompilationError, match=r"threads\.cpp.* failed:\nno: "):
        compiling.compile_library(old)
    assert old.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"compiler", "kernels.so"}


def test_without_a_compiler_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", str(tmp_path / "missing"))
    with pytest.raises(compiling.CompilationError, match=r"no C\+\+ compiler found .*missing\); set CXX to one"):
        compiling.compile_library(tmp_path / "kernels.so")
    with pytest.raises(SystemExit, match="no C"):
        compiling.main([])


def test_the_environment_names_the_compiler_and_its_arguments(monkeypatch):
    monkeypatch.setenv("CXX", f"{sys.executable} -v")
    assert compiling.find_compiler() == [sys.executable, "-v"]


@posix
@pytest.mark.usefixtures("compiler")
def test_the_sanitizers_are_asked_for(tmp_path, capsys):
    compiling.main(["--sanitize", "--output", str(tmp_path / "kernels.so")])
    assert capsys.readouterr().out == f"{tmp_path / 'kernels.so'}\n"
    assert "-fsanitize=address,undefined" in (tmp_path / "kernels.so").read_text()
