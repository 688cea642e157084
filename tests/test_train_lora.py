"""Additions to a model: they begin as nothing, are all that is learned, and can be merged."""

import time

import numpy as np
import pytest
import torch

import cutaway
from command_line import mistake, run, tiny
from cutaway.errors import ConfigError, TrainingError
from cutaway.train.config import LoRAConfig, TrainConfig
from cutaway.train.loop import train
from cutaway.train.lora import adapt, merge
from cutaway.train.run import Run
from cutaway.train.workers import Workers
from cutaway.weights import load_model, load_tokenizer
from training import TEXT

IDX = torch.arange(20)[None]


def logits(model):
    with torch.no_grad():
        return model(IDX)[0]


@pytest.fixture
def config(tmp_path):
    """Fine-tuning of the tiny model."""
    tokenizer = load_tokenizer(tiny())
    tokenizer.save(tmp_path / "data")
    np.save(tmp_path / "data" / "text.npy", np.array(tokenizer.encode(TEXT), dtype=np.uint16))
    table = {
        "init": tiny(),
        "lora": {"rank": 2, "alpha": 4},
        "sources": [{"path": str(tmp_path / "data" / "text.npy"), "rows": 4}],
        "held_out": {},
        "tokenizer": str(tmp_path / "data"),
        "out": str(tmp_path / "run"),
        "optimizer": {"name": "adamw", "adamw_lr": 0.03},
        "steps": 20,
        "log_every": 1,
        "device": "cpu",
    }
    return TrainConfig.from_dict(table)


def test_at_first_an_adapted_model_is_the_model():
    model = load_model(tiny())
    before = logits(model)
    adapt(model, LoRAConfig())
    assert torch.equal(logits(model), before)


def test_only_the_additions_are_learned(config):
    start = load_model(tiny())
    tuned = train(config)
    weights = dict(tuned.named_parameters())
    assert all(torch.equal(weights[name], weight) for name, weight in start.named_parameters())
    assert {name.rsplit(".", 1)[1] for name, p in weights.items() if p.requires_grad} == {"lora_a", "lora_b"}
    assert not torch.allclose(logits(tuned), logits(start))


def test_muon_learns_them_too_and_then_there_is_nothing_for_adamw(config):
    tuned = train(TrainConfig.from_dict({**config.to_dict(), "optimizer": {"name": "muon"}, "steps": 2}))
    assert not torch.allclose(logits(tuned), logits(load_model(tiny())))


def test_they_are_saved_apart_and_merge_into_the_same_model(config, tmp_path):
    tuned = train(config)
    saved = config.out / "latest"
    assert not (saved / "model.safetensors").exists()
    small, whole = (saved / "adapter.safetensors").stat().st_size, tuned.num_parameters() * 4
    assert small < whole / 2
    assert run("train", "merge", saved, "-o", tmp_path / "merged").code == 0
    merged = cutaway.load(tmp_path / "merged", device="cpu")
    torch.testing.assert_close(logits(merged.model), logits(tuned), rtol=1e-4, atol=1e-5)
    merge(tuned)
    assert torch.equal(logits(tuned), logits(merged.model))


def test_a_resumed_run_equals_an_uninterrupted_one(config):
    with Workers(1) as workers:
        whole, first, second = (Run(config, workers, time.monotonic) for _ in range(3))
        first.checkpoints.prepare()
        losses = [whole.train_step() for _ in range(4)]
        assert [first.train_step() for _ in range(2)] == losses[:2]
        second.load(first.save())
        assert [second.train_step() for _ in range(2)] == losses[2:]


def test_an_adapter_of_another_rank_is_refused(config):
    table = config.to_dict()
    with Workers(1) as workers:
        first = Run(config, workers, time.monotonic)
        first.checkpoints.prepare()
        other = Run(TrainConfig.from_dict({**table, "lora": {"rank": 3}}), workers, time.monotonic)
        with pytest.raises(TrainingError, match="does not fit this model"):
            other.load(first.save())


def test_a_plain_checkpoint_has_nothing_to_merge():
    assert "holds no adapter" in mistake("train", "merge", tiny(), "-o", "nowhere")


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({"rank": 0}, "rank=0 is out of range"),
        ({"alpha": 0}, "alpha=0 must be a number above 0"),
        ({"targets": "c_attn"}, "must be a list of layers"),
        ({"targets": []}, "must be a list of layers"),
        ({"ranks": 3}, "did you mean 'rank'"),
        (3, "lora=3 must be a table"),
    ],
)
def test_a_bad_value_is_named(config, lora, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig.from_dict({**config.to_dict(), "lora": lora})


def test_additions_need_a_checkpoint(config):
    with pytest.raises(ConfigError, match="name one by init"):
        TrainConfig.from_dict({**config.to_dict(), "init": "scratch"})


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"'c_proy', which no layer is called; choose c_attn"):
        adapt(load_model(tiny()), LoRAConfig(targets=("c_proy",)))
