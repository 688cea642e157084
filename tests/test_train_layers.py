"""File, environment, settings: whatever is said later counts."""

import pytest

from cutaway.errors import ConfigError
from cutaway.train.config import TrainConfig
from cutaway.train.layers import from_environment, from_settings, merged

FILE = """
tokenizer = "t"
out = "o"
steps = 10
seed = 1
[model]
n_layer = 1
[optimizer]
muon_lr = 0.5
adamw_lr = 0.5
[[sources]]
path = "x.npy"
rows = 4
[held_out]
x = "y.npy"
"""


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(FILE)
    return path


def test_the_environment_stands_over_the_file_and_settings_over_both(toml):
    environment = {"CUTAWAY_TRAIN_STEPS": "20", "CUTAWAY_TRAIN_OPTIMIZER__MUON_LR": "0.25", "CUTAWAY_OTHER": "x"}
    config = TrainConfig.from_toml(toml, environment, ["steps=30", "model.n_layer=3"])
    assert (config.steps, config.seed, config.model.n_layer) == (30, 1, 3)
    assert (config.optimizer.muon_lr, config.optimizer.adamw_lr) == (0.25, 0.5)


def test_without_them_the_file_counts(toml):
    assert TrainConfig.from_toml(toml).steps == 10


def test_a_resolved_configuration_makes_itself_again(toml):
    config = TrainConfig.from_toml(toml, {}, ["max_minutes=3", "precision=bfloat16"])
    assert TrainConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("x=3", 3),
        ("x=3e-4", 3e-4),
        ("x=true", True),
        ("x=adamw", "adamw"),
        ("x=runs/a b", "runs/a b"),
        ("x='3'", "3"),
        ("x= 3 ", 3),
        ("x=", ""),
        ("x=a=b", "a=b"),
        ("x=[1, 2]", [1, 2]),
        ("x=1\ny = 2", "1\ny = 2"),
    ],
)
def test_a_value_is_read_as_toml_or_else_is_a_word(setting, value):
    assert from_settings([setting]) == {"x": value}


def test_the_last_setting_counts():
    assert from_settings(["a.b=1", "a.c=2", "a.b=3"]) == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize("setting", ["steps", "=3", " =3"])
def test_a_setting_without_name_or_value_is_refused(setting):
    with pytest.raises(ConfigError, match="write it like steps=100"):
        from_settings([setting])


def test_a_name_cannot_be_a_value_and_a_table():
    with pytest.raises(ConfigError, match=r"model\.n_layer is set, and so is model itself"):
        from_settings(["model=3", "model.n_layer=3"])


def test_an_unknown_variable_is_refused_with_the_nearest_name(toml):
    with pytest.raises(ConfigError, match="did you mean 'steps'"):
        TrainConfig.from_toml(toml, {"CUTAWAY_TRAIN_STEPZ": "3"})


def test_merging_changes_none_of_the_tables():
    first, second = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert merged(first, second) == {"a": {"b": 1, "c": 2}}
    assert (first, second) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_names_in_the_environment_are_lower_case_in_the_table():
    assert from_environment({"CUTAWAY_TRAIN_MODEL__N_LAYER": "2"}) == {"model": {"n_layer": 2}}
