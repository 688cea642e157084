"""Twenty steps beside a plain loop over the model of `transformers`."""

import time

import pytest
import torch
import transformers

from cutaway.train.config import OptimizerConfig
from cutaway.train.run import Run
from cutaway.train.workers import Workers
from cutaway.weights import save_model
from peers import ours
from training import tiny_run, write_data

STEPS, RATE, DECAY = 20, 3e-3, 0.1


def plain_loop(peer, batches):
    """The losses of the plainest training there is."""
    matrices = [p for p in peer.parameters() if p.ndim > 1]
    vectors = [p for p in peer.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), fused=False, foreach=False)
    losses = []
    for batch in batches:
        logits = peer(torch.from_numpy(batch.inputs)).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("micro_rows", "threads"), [(None, 1), (1, 1), (2, 2)])
def test_twenty_steps_of_adamw_are_those_of_a_plain_loop_over_transformers(tmp_path, micro_rows, threads):
    config = tiny_run(
        write_data(tmp_path),
        tmp_path / "run",
        optimizer=OptimizerConfig(name="adamw", adamw_lr=RATE, weight_decay=DECAY),
        steps=STEPS,
        warmup=0.0,
        decay=0.0,
        micro_rows=micro_rows,
        threads=threads,
    )
    with Workers(threads) as workers:
        run = Run(config, workers, time.monotonic)
        save_model(run.model, tmp_path / "start", run.tokenizer)
        peer = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "start")
        peer.train()  # there is no dropout in this configuration
        expected = plain_loop(peer, [run.batches[step] for step in range(STEPS)])
        losses = [run.train_step() for _ in range(STEPS)]
    assert losses[-1] < losses[0] - 1
    assert losses == pytest.approx(expected, rel=2e-6)
    weights = dict(ours(name, parameter) for name, parameter in peer.named_parameters())
    for name, parameter in run.model.named_parameters():
        torch.testing.assert_close(parameter, weights[name], rtol=1e-4, atol=2e-5)
