import importlib.metadata
import importlib.util
import subprocess
import sys
import typing

import pytest

import cutaway

HEAVY = {"torch", "numpy", "tiktoken", "huggingface_hub", "safetensors", "cyclopts", "rich"}
LIGHT = set(cutaway.__all__) - {"__version__", "GPT", "KVCache", "Trace"}


def modules_after(statement):
    """The top-level modules that a fresh interpreter has loaded after running a statement."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_public_names_are_exactly_these():
    assert set(cutaway.__all__) == {
        "GPT",
        "Completion",
        "CutawayError",
        "Engine",
        "GPTConfig",
        "KVCache",
        "Labelled",
        "LanguageModel",
        "SamplingParams",
        "TextGenerator",
        "Tokenizer",
        "Trace",
        "__version__",
        "load",
        "load_generator",
    }


@pytest.mark.parametrize("name", cutaway.__all__)
def test_every_public_name_can_be_had_and_says_what_it_is(name):
    value = getattr(cutaway, name)
    assert isinstance(value, str) or value.__doc__


@pytest.mark.parametrize("name", sorted(set(cutaway.__all__) - {"__version__"}))
def test_a_public_name_is_the_one_defined_in_its_module(name):
    value = getattr(cutaway, name)
    assert value is getattr(importlib.import_module(value.__module__), name)


def test_type_checkers_see_the_same_names():
    source = importlib.util.find_spec("cutaway").loader.get_source("cutaway")
    namespace = {"__name__": "cutaway"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typing, "TYPE_CHECKING", True)
        exec(compile(source, "cutaway/__init__.py", "exec"), namespace)
    for name in set(cutaway.__all__) - {"__version__"}:
        assert namespace[name] is getattr(cutaway, name)


def test_dir_lists_the_public_names_before_their_first_use():
    code = "import cutaway; print(set(cutaway.__all__) <= set(dir(cutaway)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_star_import_gives_exactly_the_public_names():
    namespace = {}
    exec("from cutaway import *", namespace)
    assert namespace.keys() - {"__builtins__"} == set(cutaway.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cutaway' has no attribute 'gpt3'"):
        cutaway.gpt3  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    assert not HEAVY & modules_after("import cutaway")


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_the_light_names_load_no_torch(name):
    assert "torch" not in modules_after(f"import cutaway; cutaway.{name}")


def test_the_version_is_that_of_the_installed_package():
    assert importlib.metadata.version("cutaway") == cutaway.__version__
