"""Runs that read each document as if it stood alone."""

import time
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from command_line import run as run_command
from cutaway.data import Batches, Tokens
from cutaway.errors import ConfigError, TrainingError
from cutaway.train.batches import with_documents
from cutaway.train.config import OptimizerConfig, Source
from cutaway.train.loop import workers_for
from cutaway.train.optimizer import Optimizers
from cutaway.train.run import Run
from training import SMALL, TEXT, tiny_run, write_data

EOT = 256
ADAMW = OptimizerConfig(name="adamw", adamw_lr=0.01)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Many short documents: in every window several end."""
    folder = write_data(tmp_path_factory.mktemp("data"))
    rng = np.random.default_rng(0)
    ids = np.load(folder / "text.npy")
    ids[rng.random(len(ids)) < 0.15] = EOT
    np.save(folder / "text.npy", ids)
    return folder


def started(config):
    """A run in float64, so that equal means equal."""
    with workers_for(config) as workers:
        run = Run(config, workers, time.monotonic)
    run.model.double()
    run.optimizers = Optimizers(run.model, config.optimizer)
    return run


def slow_truth(run, step):
    """The mean loss of a batch, of which each document is read by itself."""
    batch = run.batches[step]
    total = torch.zeros((), dtype=torch.float64)
    for idx, targets in zip(batch.inputs, batch.targets, strict=True):
        starts = [0, *[t for t in range(1, len(idx)) if idx[t] == EOT], len(idx)]
        for start, stop in pairwise(starts):
            logits, _ = run.model(torch.tensor(idx[start:stop])[None])
            total = total + F.cross_entropy(logits[0], torch.tensor(targets[start:stop]), reduction="sum")
    return total / batch.inputs.size


@pytest.mark.parametrize(
    "changes", [{}, {"micro_rows": 1}, {"micro_rows": None}, {"threads": 2, "micro_rows": 1}, {"recompute": True}]
)
def test_loss_and_gradients_are_those_of_documents_read_one_by_one(folder, tmp_path, changes):
    run = started(tiny_run(folder, tmp_path, by_document=True, clip=1e9, **changes))
    expected = slow_truth(run, 0)
    gradients = torch.autograd.grad(expected, run.parameters)
    run.optimizers.step = lambda: None
    with workers_for(run.config) as run.workers:
        assert run.train_step() == pytest.approx(expected.item(), abs=1e-10)
    for parameter, gradient in zip(run.parameters, gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=0, atol=1e-10)


def test_documents_matter(folder, tmp_path):
    apart, together = (started(tiny_run(folder, tmp_path, by_document=flag)) for flag in (True, False))
    assert apart.train_step() != together.train_step()


def test_the_model_counts_positions_as_the_batches_do(folder, tmp_path):
    run = started(tiny_run(folder, tmp_path, by_document=True))
    batch = run.batches[3]
    positions, mask = run.model._place(torch.tensor(batch.inputs), torch.tensor(batch.documents), None)
    assert batch.positions.max() > 1
    assert positions.tolist() == batch.positions.tolist()
    assert mask.shape == (4, 1, 16, 16)


def test_a_resumed_run_equals_an_uninterrupted_one(folder, tmp_path):
    config = tiny_run(folder, tmp_path / "run", by_document=True, optimizer=ADAMW)
    with workers_for(config) as workers:
        whole, first, second = (Run(config, workers, time.monotonic) for _ in range(3))
        first.checkpoints.prepare()
        losses = [whole.train_step() for _ in range(6)]
        assert [first.train_step() for _ in range(3)] == losses[:3]
        second.load(first.save())
        assert [second.train_step() for _ in range(3)] == losses[3:]
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters, second.parameters, strict=True))


def test_a_prepared_folder_knows_its_documents(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)
    arguments = ["--separator", "\n", "--tokenizer", "char", "--validation", "0", "-o", "data"]
    assert run_command("prepare", "text.txt", *arguments).code == 0
    config = tiny_run(
        tmp_path / "data",
        tmp_path / "run",
        model=SMALL.replace(block_size=200),
        sources=(Source(path=tmp_path / "data", rows=2),),
        held_out={},
        by_document=True,
    )
    run = started(config)
    batch = run.batches[0]
    assert run.tokenizer.eot is None
    first_of_documents = batch.inputs[:, 1:][np.diff(batch.documents) > 0]
    assert set(run.tokenizer.decode(first_of_documents)) == {"T"}, "each line begins with The"
    assert len(first_of_documents) >= 4


def test_a_file_of_ids_without_a_separating_token_cannot_be_read_by_document(folder):
    class Separatorless:
        eot = None

    with pytest.raises(TrainingError, match=r"has no <\|endoftext\|> to say so; prepare a folder"):
        with_documents(folder / "text.npy", Separatorless(), 257)


def test_a_file_of_ids_has_its_documents_from_the_separating_token(folder):
    tokens = with_documents(folder / "text.npy", type("Bytes", (), {"eot": EOT})(), 257)
    ids = np.load(folder / "text.npy")
    assert isinstance(tokens, Tokens)
    starts = tokens.document_starts(0, len(ids))
    assert (starts[1:] == (ids[1:] == EOT)).all()
    batch = Batches([(tokens, 2)], 16, 0, by_document=True)[0]
    assert (batch.positions[batch.inputs == EOT] == 0).all()


def test_by_document_is_a_flag(folder, tmp_path):
    with pytest.raises(ConfigError, match="by_document='yes' must be true or false"):
        tiny_run(folder, tmp_path, by_document="yes")
