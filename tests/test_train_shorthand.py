"""What a prepared folder, a preset and a checkpoint stand for."""

import pytest
import torch

from command_line import run, tiny
from cutaway.config import GPTConfig
from cutaway.errors import ConfigError, DataError, ModelNotFoundError, TrainingError
from cutaway.train.config import TrainConfig
from cutaway.train.loop import train
from cutaway.train.shorthand import written_out
from cutaway.weights import load_model
from training import TEXT


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The text as `cutaway prepare` leaves it, with the vocabulary of the tiny model."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "text.txt").write_text(TEXT)
    arguments = ["--tokenizer", tiny(), "--validation", "0.2", "--workers", "1"]
    assert run("prepare", folder / "text.txt", "-o", folder / "data", *arguments).code == 0
    return folder / "data"


def values(folder, **changes):
    model = {"n_layer": 1, "n_head": 1, "n_embd": 8, "block_size": 8}
    return {"data": str(folder), "batch_size": 2, "out": "o", "model": model, "device": "cpu", **changes}


def test_a_folder_stands_for_its_parts_its_tokenizer_and_its_vocabulary(prepared):
    config = TrainConfig.from_dict(values(prepared))
    assert [(source.path, source.rows) for source in config.sources] == [(prepared, 2)]
    assert config.held_out == {"validation": prepared}
    assert config.tokenizer == prepared
    assert config.model.vocab_size == GPTConfig.from_dict(load_model(tiny()).config.to_dict()).vocab_size


def test_a_larger_vocabulary_may_be_asked_for(prepared):
    assert TrainConfig.from_dict(values(prepared, model={"vocab_size": 320})).model.vocab_size == 320


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": []}, r"data and \[\[sources\]\] exclude each other"),
        ({"data": 3}, "data=3 must be a text"),
        ({"batch_size": 0}, "rows=0 is out of range"),
        ({"model": {"preset": "gpt3"}}, "there is no preset 'gpt3'"),
        ({"model": 3}, "model=3 must be a table"),
    ],
)
def test_a_contradiction_is_refused(prepared, changes, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_dict(values(prepared, **changes))


def test_a_folder_needs_a_batch_size_and_a_batch_size_a_folder(prepared):
    with pytest.raises(ConfigError, match="data needs batch_size"):
        written_out({"data": str(prepared)})
    with pytest.raises(ConfigError, match="batch_size belongs to data"):
        written_out({"batch_size": 3})


def test_a_folder_that_is_not_prepared_is_refused(tmp_path):
    with pytest.raises(DataError, match="run `cutaway prepare`"):
        TrainConfig.from_dict(values(tmp_path))


def test_a_preset_is_a_published_shape_of_which_values_may_differ():
    model = written_out({"model": {"preset": "gpt2-medium", "dropout": 0.1}})["model"]
    assert GPTConfig.from_dict(model) == GPTConfig.preset("gpt2-medium").replace(dropout=0.1)


def test_a_checkpoint_brings_its_shape_and_its_weights(prepared, tmp_path):
    changes = {"init": tiny(), "model": {"dropout": 0.1}, "steps": 1, "out": str(tmp_path / "run")}
    rates = {"muon_lr": 1e-12, "adamw_lr": 1e-12}
    config = TrainConfig.from_dict(values(prepared, optimizer=rates, **changes))
    start = load_model(tiny())
    assert config.model == start.config.replace(dropout=0.1)
    tuned = train(config)
    for name, weight in start.state_dict().items():
        assert tuned.state_dict()[name].sub(weight).abs().max() < 1e-6


@pytest.mark.parametrize("block_size", [8, 40])
def test_the_context_of_a_checkpoint_may_be_cut_or_grown(prepared, tmp_path, block_size):
    changes = {"init": tiny(), "model": {"block_size": block_size}, "steps": 1, "out": str(tmp_path / "run")}
    config = TrainConfig.from_dict(values(prepared, optimizer={"muon_lr": 1e-12, "adamw_lr": 1e-12}, **changes))
    start, tuned = load_model(tiny()), train(config)
    assert tuned.config == start.config.replace(block_size=block_size)
    before, after = start.wpe.weight, tuned.wpe.weight
    for position in range(block_size):
        torch.testing.assert_close(after[position], before[position % len(before)], rtol=0, atol=1e-6)
    idx = torch.arange(8)[None]
    torch.testing.assert_close(tuned(idx)[0], start(idx)[0], rtol=0, atol=1e-3)
    assert load_model(config.out / "latest").config.block_size == block_size


def test_another_shape_than_the_checkpoints_is_refused(prepared):
    with pytest.raises(ConfigError, match=r"model\.n_layer=9, but .* has 2"):
        TrainConfig.from_dict(values(prepared, init=tiny(), model={"n_layer": 9}))


def test_a_checkpoint_that_is_not_there_is_refused(prepared):
    with pytest.raises(ModelNotFoundError):
        TrainConfig.from_dict(values(prepared, init="./nowhere"))


def test_a_checkpoint_of_another_vocabulary_is_refused(prepared, tmp_path):
    config = TrainConfig.from_dict(values(prepared, init="fable", model={}, out=str(tmp_path)))
    with pytest.raises(TrainingError, match="'fable' has another vocabulary than the data"):
        train(config)
