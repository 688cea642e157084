"""Other ways to compute the same network, and the doors that a run has to the outside."""

import json
import time

import pytest
import torch

from cutaway.config import GPTConfig
from cutaway.errors import ConfigError, MissingExtraError
from cutaway.model import GPT
from cutaway.train import tensorboard as door
from cutaway.train.batches import suitable_rows
from cutaway.train.config import OptimizerConfig, Source
from cutaway.train.device import autocast, choose_device, peak_memory_bytes
from cutaway.train.loop import train, workers_for
from cutaway.train.network import recompute_layers
from cutaway.train.run import Run
from cutaway.train.sample import write_sample
from training import SMALL, log_of, tiny_run, write_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


def losses(config):
    with workers_for(config) as workers:
        run = Run(config, workers, time.monotonic)
        return [run.train_step() for _ in range(5)], run


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("threads", [1, 2])
def test_recomputed_layers_learn_the_same(folder, tmp_path, dropout, threads):
    changes = {"model": SMALL.replace(dropout=dropout), "threads": threads}
    plain, _ = losses(tiny_run(folder, tmp_path, **changes))
    lean, _ = losses(tiny_run(folder, tmp_path, recompute=True, **changes))
    assert lean == plain


def test_recomputing_keeps_less():
    kept = []
    for recompute in (False, True):
        model, saved = GPT(SMALL), []
        if recompute:
            recompute_layers(model)
        with torch.autograd.graph.saved_tensors_hooks(lambda x, saved=saved: saved.append(x.nbytes) or x, lambda x: x):
            model(torch.zeros(1, 16, dtype=torch.long))
        kept.append(sum(saved))
    assert kept[1] < kept[0] / 2


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_nearly_the_same_and_keeps_float32_weights(folder, tmp_path, precision):
    adamw = OptimizerConfig(name="adamw")
    plain, _ = losses(tiny_run(folder, tmp_path, optimizer=adamw))
    rounded, run = losses(tiny_run(folder, tmp_path, precision=precision, optimizer=adamw))
    assert rounded != plain
    assert rounded == pytest.approx(plain, rel=0.01)
    assert {parameter.dtype for parameter in run.parameters} == {torch.float32}
    assert run.meter.skipped == 0


def test_float32_is_not_rounded_even_inside_the_with():
    x = torch.randn(4, 4)
    with autocast(torch.device("cpu"), "float32"):
        assert (x @ x).dtype == torch.float32


def test_dropout_changes_each_step_and_is_off_when_evaluating(folder, tmp_path):
    config = tiny_run(folder, tmp_path, model=SMALL.replace(dropout=0.5))
    with workers_for(config) as workers:
        run = Run(config, workers, time.monotonic)
        assert run.evaluate() == run.evaluate()
        rates = [group.update(lr=0) for group, _ in run.optimizers.peaks]
        assert rates
        run.batches = [run.batches[0]] * 2
        run.optimizers.set_learning_rate = lambda scale: None
        assert run.train_step() != run.train_step()


def test_with_dropout_the_parts_of_a_batch_come_one_by_one(folder, tmp_path):
    for dropout, side_by_side in ((0.0, True), (0.1, False)):
        with workers_for(tiny_run(folder, tmp_path, threads=2, model=SMALL.replace(dropout=dropout))) as workers:
            assert workers.side_by_side is side_by_side


def test_auto_is_some_device_and_an_unknown_one_is_refused():
    assert choose_device("auto").type in ("cuda", "mps", "cpu")
    with pytest.raises(ConfigError, match="cannot be used here"):
        choose_device("cuda:99")


def test_memory_is_counted_in_bytes():
    used = peak_memory_bytes(torch.device("cpu"))
    assert used is None or 50e6 < used < 1e12


def test_a_sample_begins_with_the_prompt_and_is_always_the_same(folder, tmp_path):
    config = tiny_run(folder, tmp_path, sample_prompt="The cat", sample_tokens=5)
    _, run = losses(config)
    texts = {write_sample(run.model.eval(), run.tokenizer, config) for _ in range(2)}
    assert len(texts) == 1
    assert texts.pop().startswith("The cat")


def test_a_padded_vocabulary_writes_no_token_that_stands_for_nothing(folder, tmp_path):
    config = tiny_run(folder, tmp_path, model=SMALL.replace(vocab_size=5000))
    _, run = losses(config)
    assert isinstance(write_sample(run.model.eval(), run.tokenizer, config), str)


def test_listeners_hear_every_line_of_the_log(folder, tmp_path):
    config, heard = tiny_run(folder, tmp_path / "run", log_every=2, eval_every=3, sample_every=3), []
    train(config, listeners=[heard.append])
    assert json.loads(json.dumps(heard)) == log_of(config)
    assert {"loss", "bits_per_byte", "held_out_loss", "sample", "final_bits_per_byte"} <= set().union(*heard)


def test_tensorboard_gets_numbers_as_curves_and_texts_as_texts():
    class Writer:
        def __init__(self):
            self.seen = []

        def add_scalar(self, name, value, step):
            self.seen.append((name, value, step))

        add_text = add_scalar

    writer = Writer()
    door.write(writer, {"step": 3, "loss": 2.5, "bits_per_byte": {"a": 1.5}, "sample": "text", "memory_bytes": None})
    assert writer.seen == [("loss", 2.5, 3), ("bits_per_byte/a", 1.5, 3), ("sample", "text", 3)]


def test_without_tensorboard_its_extra_is_named(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cutaway\[train\]'"):
        train(tiny_run(folder, tmp_path / "run", tensorboard=True))


def test_by_default_all_cores_take_parts_that_suit_them(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    config = tiny_run(
        folder, tmp_path, threads=None, micro_rows=None, sources=(Source(path=folder / "text.npy", rows=12),)
    )
    with workers_for(config) as workers:
        assert (workers.side_by_side, workers.at_once) == (True, 3)
        assert Run(config, workers, time.monotonic).part_rows == 4


@pytest.mark.parametrize(
    ("rows", "block_size", "at_once", "expected"),
    [(12, 256, 2, 6), (12, 256, 4, 3), (24, 256, 2, 6), (2, 512, 1, 2), (2, 512, 2, 1), (3, 4096, 2, 1), (7, 64, 2, 7)],
)
def test_parts_are_as_large_as_the_caches_and_as_many_as_the_threads(rows, block_size, at_once, expected):
    assert suitable_rows(rows, block_size, at_once) == expected


def test_a_large_network_is_not_held_by_every_thread(folder, tmp_path):
    config = tiny_run(folder, tmp_path, threads=2, model=GPTConfig.preset("gpt2"))
    with workers_for(config) as workers:
        assert not workers.side_by_side
