import pickle

import pytest

from cutaway import errors
from cutaway.errors import CutawayError, MissingExtraError, did_you_mean

EXCEPTIONS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda exception: exception.__name__)
def test_one_except_catches_every_error(exception):
    assert issubclass(exception, CutawayError)


def test_the_drawing_in_the_docstring_names_every_error():
    assert errors.__doc__ is not None
    drawn = {word for line in errors.__doc__.splitlines() for word in line.split() if word.endswith("Error")}
    assert drawn == {exception.__name__ for exception in EXCEPTIONS}


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ConfigError", ValueError),
        ("TokenizerError", ValueError),
        ("GenerationError", ValueError),
        ("ModelNotFoundError", FileNotFoundError),
        ("MissingExtraError", ImportError),
    ],
)
def test_errors_are_also_what_python_calls_them(name, builtin):
    assert issubclass(getattr(errors, name), builtin)


def test_a_missing_extra_says_how_to_install_it():
    error = MissingExtraError("tokenizers", "data", "training a vocabulary")
    expected = "training a vocabulary needs tokenizers, which is not installed: pip install 'cutaway[data]'"
    assert str(error) == expected
    assert (error.library, error.extra) == ("tokenizers", "data")


def test_a_missing_extra_survives_the_way_between_processes():
    error = MissingExtraError("tokenizers", "data", "training a vocabulary")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_near_miss_is_offered():
    assert did_you_mean("n_layers", ["n_layer", "n_head"]) == "did you mean 'n_layer'?"


def test_without_a_near_name_all_are_listed():
    assert did_you_mean("zzz", iter(["n_layer", "n_head"])) == "known are n_layer, n_head"
