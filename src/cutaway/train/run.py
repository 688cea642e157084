"""A training run and where it stands."""

import copy
import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from cutaway.data import Batches
from cutaway.data.permutation import mix_all
from cutaway.errors import TrainingError
from cutaway.model import GPT
from cutaway.train.background import Background
from cutaway.train.batches import open_held_out, open_sources, parts_of, read_tokenizer, rows_at_a_time
from cutaway.train.checkpoint import RunState
from cutaway.train.checkpoint_folder import OPTIMIZER, CheckpointFolder, read_checkpoint
from cutaway.train.config import TrainConfig
from cutaway.train.device import autocast, peak_flops, peak_memory_bytes
from cutaway.train.evaluate import Evaluation, evaluate, token_bytes
from cutaway.train.gradients import Part, set_gradients
from cutaway.train.heap import keep_freed_memory
from cutaway.train.layout import laid_out
from cutaway.train.lora import read_adapter, write_adapter
from cutaway.train.loss_scale import LossScale
from cutaway.train.meter import Meter, Outcome, Reading
from cutaway.train.network import copy_weights, initial_model
from cutaway.train.optimizer import Optimizers
from cutaway.train.optimizer_shards import read_shards, write_shards
from cutaway.train.outliers import Outliers
from cutaway.train.processes import ALONE, Clock, Processes
from cutaway.train.provenance import data_of, versions
from cutaway.train.sample import write_sample
from cutaway.train.schedule import cosine_scale, learning_rate_scale, progress
from cutaway.train.sharding import whole
from cutaway.train.workers import Workers
from cutaway.weights import load_model, save_model


class Run:
    """A training run: made at its start, or put back to where a checkpoint left it by `load`.

    Raises: CutawayError when the data, the tokenizer or the checkpoint to start from cannot be used.
    """

    def __init__(self, config: TrainConfig, workers: Workers, clock: Clock, processes: Processes = ALONE) -> None:
        self.config, self.workers, self.processes = config, workers, processes
        self.clock = clock = processes.clock(clock)
        with processes.one_fate():
            self.device = processes.device(config.device)
            if self.device.type == "cpu":
                keep_freed_memory(one_heap=workers.side_by_side)
            self.peak_flops = peak_flops(self.device, config.precision)
            self.tokenizer = read_tokenizer(config.tokenizer, config.model.vocab_size)
            sources = open_sources(config, self.tokenizer)
            self.source_tokens = [len(tokens) for tokens, _ in sources]
            self.batches = Batches(
                sources,
                config.model.block_size,
                config.seed,
                rank=processes.rank,
                world_size=processes.world_size,
                by_document=config.by_document,
            )
            self.part_rows = rows_at_a_time(config, processes.world_size, self.device, workers.at_once)
            self.held_out = open_held_out(config, self.tokenizer)
            self.token_bytes = token_bytes(self.tokenizer)
            self.data = data_of(config)
            self.model = initial_model(config, self.tokenizer, self.device)
        self.layout = laid_out(self.model, config, processes)
        self.optimizers = Optimizers(self.model, config.optimizer, workers.map)
        self.parameters = list(self.optimizers.parameters.values())
        self.loss_scale, self.outliers = LossScale(config.precision), Outliers(config.outlier_sigmas)
        self.checkpoints = CheckpointFolder(config.out, config.keep_checkpoints)
        self.writing = Background()
        self.step, self.started_s = 0, clock()
        self.meter = Meter(config.model, config.tokens_per_step, self.elapsed_s)

    @property
    def elapsed_s(self) -> float:
        """Seconds of training, those before an interruption included."""
        return self.clock() - self.started_s

    @property
    def progress(self) -> float:
        """The finished share of the run."""
        return progress(self.step, self.config.steps, self.elapsed_s, self.config.max_minutes)

    @property
    def learning_rate_scale(self) -> float:
        """The share of their peaks that the learning rates have now."""
        config = self.config
        if config.schedule == "cosine":
            return cosine_scale(self.progress, config.warmup, config.final_lr)
        return learning_rate_scale(self.progress, config.warmup, config.decay, config.final_lr)

    def train_step(self) -> float:
        """Learn from one batch; the loss before, in nats per token.

        Raises: TrainingError when the loss is no number any more.
        """
        # All that is random in a step depends on its number, and the process's, so a resumed run draws the same.
        torch.manual_seed(mix_all(self.config.seed, self.step, *self.processes.distinct))
        self.model.train()
        self.optimizers.set_learning_rate(self.learning_rate_scale)
        parts = parts_of(self.batches, self.step, self.part_rows, self.device)
        loss_of = partial(self.loss_of, last=parts[-1])
        loss = set_gradients(loss_of, self.parameters, parts, self.workers, self.loss_scale.value)
        grad_norm = whole(clip_grad_norm_(self.parameters, self.config.clip))
        outcome = self.judged(*self.processes.mean(loss.item(), grad_norm.item()))
        if outcome.skipped is None:
            self.optimizers.step()
        else:
            self.optimizers.forget_gradients()
        self.meter.add(outcome)
        self.outcome = outcome
        self.step += 1
        return outcome.loss

    def loss_of(self, part: Part, last: Part) -> Tensor:
        """The loss of some rows; with the last ones of a batch, processes exchange their gradients.

        Shapes: each of a part (B, T) -> ()
        """
        with autocast(self.device, self.config.precision):
            return self.layout.loss(part, last=part is last)

    def judged(self, loss: float, grad_norm: float) -> Outcome:
        """The step's outcome, and whether its gradient may be used.

        Raises: TrainingError when the loss is no number any more.
        """
        overflow = self.loss_scale.adapts and math.isfinite(loss) and not math.isfinite(grad_norm)
        if overflow and self.loss_scale.value > 1:
            self.loss_scale.overflowed()
            return Outcome(loss=loss, grad_norm=grad_norm, skipped="a gradient overflowed float16")
        if not math.isfinite(loss) or not math.isfinite(grad_norm):
            raise self.no_number(loss, grad_norm)
        self.loss_scale.held()
        return Outcome(loss=loss, grad_norm=grad_norm, skipped=self.outliers.reason(loss=loss, grad_norm=grad_norm))

    def no_number(self, loss: float, grad_norm: float) -> TrainingError:
        """The error that says where it happened and from where to go on."""
        good = self.checkpoints.latest()
        way_out = f"go on from the last good checkpoint, {good}," if good else "start again"
        return TrainingError(
            f"at step {self.step:,} the loss became {loss} and the gradient norm {grad_norm}, on batch {self.step:,} "
            f"of seed {self.config.seed}; {way_out} with lower learning rates"
        )

    def evaluate(self, windows: int | None = None) -> dict[str, Evaluation]:
        """Loss and bits per byte of each held-out text, or of so many windows of each."""
        self.model.eval()
        with autocast(self.device, self.config.precision):
            return {
                name: evaluate(
                    self.model,
                    tokens,
                    self.token_bytes,
                    windows,
                    processes=self.processes,
                    loss_of=self.layout.summed_loss,
                )
                for name, tokens in self.held_out.items()
            }

    def sample(self) -> str:
        """What the model writes now; the first process does it for all."""
        model = self.layout.whole_model()
        if not self.processes.is_first:
            return ""
        return write_sample(model.to(self.device).eval(), self.tokenizer, self.config)

    def reading(self) -> Reading:
        """A glance at the run."""
        tokens_per_s = self.meter.tokens_per_s(self.elapsed_s)
        flops_per_s = tokens_per_s * self.meter.flops_per_token
        return Reading(
            step=self.step,
            steps=self.config.steps,
            share=self.progress,
            elapsed_s=self.elapsed_s,
            loss=self.meter.loss,
            tokens_per_s=tokens_per_s,
            flops_per_s=flops_per_s,
            utilisation=flops_per_s / self.processes.world_size / self.peak_flops if self.peak_flops else None,
            memory_bytes=peak_memory_bytes(self.device),
            skipped=self.meter.skipped,
        )

    def save(self, held_out_loss: float | None = None) -> Path:
        """Write all of the run's state, or with `background_checkpoints` begin to; where it will be.

        The first process writes for all, what is sharded excepted: of that, each has written its share before.

        Raises: TrainingError when it, or the one before it in the background, cannot be written.
        """
        state, model = self.state(), self.layout.whole_model()
        with self.processes.one_fate():
            if self.layout.is_sharded:
                write_shards(state.optimizer, self.checkpoints.shares_of(state.step))
                state = replace(state, optimizer={})
            if self.processes.is_first:
                self.write(state, model, self.record(held_out_loss))
        return self.checkpoints.path_of(state.step)

    def state(self) -> RunState:
        """What the run remembers besides its weights."""
        numbers = {"loss_scale": self.loss_scale.value, "good_steps": self.loss_scale.good_steps}
        return RunState(
            step=self.step,
            elapsed_s=self.elapsed_s,
            optimizer=self.optimizers.state(),
            numbers=numbers | {"skipped": self.meter.skipped} | self.outliers.state(),
        )

    def write(self, state: RunState, model: GPT, record: dict[str, Any]) -> None:
        """Write a checkpoint, or begin to.

        Raises: TrainingError when it, or the one before it in the background, cannot be written.
        """
        if self.config.background_checkpoints:
            state, model = state.copied(), copy.deepcopy(model)
        write_model = partial(self.write_model, model)
        self.writing.begin(lambda: self.checkpoints.save(state, write_model, record))
        if not self.config.background_checkpoints:
            self.writing.wait()

    def write_model(self, model: GPT, folder: Path) -> None:
        """Write what was learned: the model, or with LoRA the additions to it."""
        if self.config.lora is None:
            save_model(model, folder, self.tokenizer)
        else:
            write_adapter(model, folder)

    def record(self, held_out_loss: float | None) -> dict[str, Any]:
        """What a checkpoint says of itself."""
        config = self.config.to_dict()
        return {"held_out_loss": held_out_loss, "config": config, "versions": versions(), "data": self.data}

    def load(self, path: Path) -> None:
        """Go on from what `save` wrote.

        Raises: TrainingError when that is damaged, or was a run with another shape of model or other data.
        """
        with self.processes.one_fate():
            state, record = read_checkpoint(path, check=self.processes.is_first)
            if record.get("data") != json.loads(json.dumps(self.data)):
                raise TrainingError(f"{path} learned from other data than there is now; choose another `out`")
            if self.config.lora is None:
                copy_weights(load_model(path), self.model)
            else:
                read_adapter(path, self.model)
        shards = path / OPTIMIZER
        remembered = read_shards(shards, self.optimizers.parameters) if shards.is_dir() else state.optimizer
        self.optimizers.load_state(remembered)
        self.loss_scale.value = state.numbers["loss_scale"]
        self.loss_scale.good_steps = state.numbers["good_steps"]
        self.outliers.load_state(state.numbers)
        self.meter.skipped = int(state.numbers["skipped"])
        self.step, self.started_s = state.step, self.clock() - state.elapsed_s
        self.meter.begin(self.elapsed_s)
