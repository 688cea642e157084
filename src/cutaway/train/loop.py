"""The training loop: read `train` and `to_the_end`, at the end, first."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

from cutaway.errors import TrainingError
from cutaway.model import GPT
from cutaway.tokenizer import Tokenizer
from cutaway.train.batches import Batches, read_tokens
from cutaway.train.checkpoint import RunState, load_run, save_run
from cutaway.train.config import TrainConfig
from cutaway.train.evaluate import bits_per_byte, token_bytes
from cutaway.train.gradients import set_gradients
from cutaway.train.log import RunLog
from cutaway.train.optimizer import Optimizers
from cutaway.train.schedule import learning_rate_scale, progress
from cutaway.train.workers import Workers

Clock = Callable[[], float]


class Run:
    """A training run and where it stands."""

    def __init__(self, config: TrainConfig, workers: Workers, clock: Clock) -> None:
        self.config, self.workers, self.clock = config, workers, clock
        torch.manual_seed(config.seed)
        self.model = GPT(config.model)
        self.optimizers = Optimizers(self.model, config.optimizer, workers.map)
        vocab_size = config.model.vocab_size
        sources = [(read_tokens(source.path, vocab_size), source.rows) for source in config.sources]
        self.batches = Batches(sources, config.model.block_size, config.seed)
        self.held_out = {name: read_tokens(path, vocab_size) for name, path in config.held_out.items()}
        self.token_bytes = token_bytes(Tokenizer.from_folder(config.tokenizer))
        self.log = RunLog(config.out / "log.jsonl")
        self.step, self.started_s = 0, clock()

    @property
    def elapsed_s(self) -> float:
        """Seconds of training, those before an interruption included."""
        return self.clock() - self.started_s

    @property
    def progress(self) -> float:
        """The finished share of the run."""
        return progress(self.step, self.config.steps, self.elapsed_s, self.config.max_minutes)

    def train_step(self) -> float:
        """Learn from one batch; the loss before, in nats per token."""
        self.optimizers.set_learning_rate(learning_rate_scale(self.progress, self.config.warmup, self.config.decay))
        idx, targets = self.batches[self.step]
        loss = set_gradients(self.model, idx, targets, self.config.micro_rows, self.workers)
        clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimizers.step()
        self.step += 1
        return loss

    def evaluate(self, windows: int | None = None) -> dict[str, float]:
        """Bits per byte of each held-out text, or of so many windows of each."""
        return {
            name: round(bits_per_byte(self.model, tokens, self.token_bytes, windows), 4)
            for name, tokens in self.held_out.items()
        }

    def save(self) -> None:
        """Write all of the run's state."""
        weights = {name: parameter.detach() for name, parameter in self.model.named_parameters()}
        optimizer = self.optimizers.state()
        state = RunState(step=self.step, elapsed_s=self.elapsed_s, weights=weights, optimizer=optimizer)
        save_run(state, checkpoint_path(self.config))

    def load(self) -> None:
        """Go on from what `save` wrote.

        Raises: TrainingError when that was a run with another shape of model.
        """
        state = load_run(checkpoint_path(self.config))
        parameters = dict(self.model.named_parameters())
        if {n: p.shape for n, p in parameters.items()} != {n: w.shape for n, w in state.weights.items()}:
            raise TrainingError(f"{checkpoint_path(self.config)} holds another shape of model; choose another `out`")
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(state.weights[name])
        self.optimizers.load_state(state.optimizer)
        self.step, self.started_s = state.step, self.clock() - state.elapsed_s
        self.log.forget_after(self.step)

    def report(self, **values: object) -> None:
        """Log these values of the present moment."""
        self.log.append(step=self.step, elapsed_s=round(self.elapsed_s, 1), **values)


class LossMeter:
    """The mean loss and the speed since one last looked."""

    def __init__(self, run: Run) -> None:
        self.run, self.losses, self.since_s = run, list[float](), run.elapsed_s

    def read(self) -> dict[str, float]:
        """Both, to be logged; counting starts anew."""
        seconds, steps = self.run.elapsed_s - self.since_s, len(self.losses)
        loss = sum(self.losses) / steps
        self.losses, self.since_s = [], self.run.elapsed_s
        tokens_per_s = steps * self.run.config.tokens_per_step / max(seconds, 1e-9)
        return {"loss": round(loss, 4), "tokens_per_s": round(tokens_per_s)}


def checkpoint_path(config: TrainConfig) -> Path:
    """Where a run keeps its state."""
    return config.out / "checkpoint.safetensors"


def train(config: TrainConfig, clock: Clock = time.monotonic) -> GPT:
    """Train from the start, or on from the last checkpoint, to the end; the finished model.

    Raises: TrainingError when data or a checkpoint cannot be used, or the loss is no number any more.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    with Workers(config.threads) as workers:
        run = Run(config, workers, clock)
        if checkpoint_path(config).exists():
            run.load()
        to_the_end(run)
        run.save()
        run.report(final_bits_per_byte=run.evaluate())
    return run.model


def to_the_end(run: Run) -> None:
    """Step after step until the run is over; now and then log, evaluate and save."""
    config, meter, saved_s = run.config, LossMeter(run), run.elapsed_s
    while run.progress < 1:
        meter.losses.append(run.train_step())
        if run.step % config.log_every == 0:
            run.report(**meter.read())
        if run.step % config.eval_every == 0:
            run.report(bits_per_byte=run.evaluate(config.eval_windows))
        if run.elapsed_s - saved_s >= 60 * config.checkpoint_minutes:
            run.save()
            saved_s = run.elapsed_s
