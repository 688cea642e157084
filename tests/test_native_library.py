import subprocess
import sys

import pytest

from cutaway.errors import ConfigError
from cutaway.native import available, library
from native_models import needs_kernels


@needs_kernels
def test_it_says_where_it_is_and_for_which_processors():
    assert available().found
    assert str(library.library_path()) in available().detail
    assert available().detail.endswith("portable")


def test_where_there_is_none_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("CUTAWAY_NATIVE_LIBRARY", str(tmp_path / "kernels.so"))
    assert not available()
    assert "are not compiled" in available().detail
    assert available().detail.endswith("install a C++ compiler and run: python -m cutaway.native")


def test_a_file_that_is_no_library_is_refused(monkeypatch, tmp_path):
    file = tmp_path / "kernels.so"
    file.write_text("not a library")
    monkeypatch.setenv("CUTAWAY_NATIVE_LIBRARY", str(file))
    with pytest.raises(ConfigError, match="the native kernels do not load"):
        library.load_library()


@needs_kernels
def test_a_library_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(library, "INTERFACE", library.INTERFACE + 1)
    library._load.cache_clear()
    with pytest.raises(ConfigError, match=f"has interface {library.INTERFACE - 1}, and this is {library.INTERFACE}"):
        library.load_library()


@needs_kernels
def test_the_best_instructions_come_first_and_are_the_default(monkeypatch):
    monkeypatch.delenv("CUTAWAY_ISA", raising=False)
    sets = library.instruction_sets()
    assert sets[-1] == "portable"
    assert library.choose_instruction_set(None) == sets[0]


@needs_kernels
def test_a_misspelt_set_of_instructions_is_refused(monkeypatch):
    monkeypatch.setenv("CUTAWAY_ISA", "portabel")
    with pytest.raises(ConfigError, match="kernels for 'portabel' cannot be used here; did you mean 'portable'"):
        library.choose_instruction_set(None)


@needs_kernels
def test_a_model_is_loaded_and_read_without_torch():
    code = (
        "import sys; from cutaway.weights.native import load_native; model = load_native('fable');"
        "print(model.forward(model.cache(), [0], [[1]]).shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(1, 8192) False"
