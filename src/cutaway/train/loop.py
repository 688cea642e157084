"""The training loop: read `train` and `to_the_end` first, then `Run.train_step`."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import torch

from cutaway.anatomy import anatomy
from cutaway.model import GPT
from cutaway.train.checkpoint_folder import step_of
from cutaway.train.config import TrainConfig
from cutaway.train.dense import multiply_as_usual
from cutaway.train.device import choose_device
from cutaway.train.journal import Journal
from cutaway.train.log import Listener
from cutaway.train.meter import Reading
from cutaway.train.processes import ALONE, Clock, Processes, joined
from cutaway.train.run import Run
from cutaway.train.tensorboard import tensorboard
from cutaway.train.wandb import wandb
from cutaway.train.workers import Workers

MAX_GRADIENT_BYTES = 1 << 28
"""For the gradients that threads hold of their own, all together."""


def train(
    config: TrainConfig,
    clock: Clock = time.monotonic,
    *,
    stopping: Callable[[], bool] = lambda: False,
    watch: Callable[[Reading], None] = lambda reading: None,
    listeners: Sequence[Listener] = (),
) -> GPT:
    """Train from the start, or on from the last checkpoint, to the end; the finished model, in eval mode.

    After every step `stopping` is asked whether to save and leave before the end, and `watch` is shown where the run
    stands. Each line of the log also goes to the listeners. Under torchrun all processes decide alike, and only the
    first one writes and has listeners. With FSDP each has just its shards of the finished model.

    Raises: TrainingError when data or a checkpoint cannot be used, or the loss is no number any more.
    """
    with ExitStack() as stack:
        processes = stack.enter_context(joined())
        run = Run(config, stack.enter_context(workers_for(config, processes)), clock, processes)
        with processes.one_fate():
            if processes.is_first:
                run.checkpoints.prepare()
            doors = (stack.enter_context(door(config)) for door in (tensorboard, wandb) if processes.is_first)
            journal = Journal(run, [*listeners, *chain.from_iterable(doors)])
        if (latest := latest_of(run)) is not None:
            run.load(latest)
        if processes.is_first:
            journal.log.forget_after(run.step)
        stack.callback(run.writing.wait)
        to_the_end(run, journal, stopping, watch)
        if run.progress < 1:
            run.save()
        else:
            finish(run, journal)
    multiply_as_usual(run.model)
    return run.model.eval()


def to_the_end(run: Run, journal: Journal, stopping: Callable[[], bool], watch: Callable[[Reading], None]) -> None:
    """Step after step until the run is over; now and then log, evaluate, sample and save."""
    config, saved_s = run.config, run.elapsed_s
    while run.progress < 1 and not run.processes.meet(stopping()):
        run.train_step()
        watch(run.reading())
        if run.outcome.skipped:
            journal.report(skipped=run.outcome.skipped, loss_of_it=run.outcome.loss)
        if is_due(run.step, config.log_every):
            journal.losses()
        improved = is_due(run.step, config.eval_every) and journal.evaluation(run.evaluate(config.eval_windows))
        if is_due(run.step, config.sample_every):
            journal.report(sample=run.sample())
        minutes_over = run.elapsed_s - saved_s >= 60 * config.checkpoint_minutes
        if improved or minutes_over or is_due(run.step, config.checkpoint_every):
            run.save(journal.held_out_loss)
            saved_s = run.elapsed_s


def finish(run: Run, journal: Journal) -> None:
    """Save the finished run and evaluate it on all of what was held out."""
    run.save(journal.held_out_loss)
    final = run.evaluate()
    journal.report(
        final_bits_per_byte={name: round(result.bits_per_byte, 4) for name, result in final.items()},
        final_held_out_loss={name: round(result.loss, 4) for name, result in final.items()},
    )


def latest_of(run: Run) -> Path | None:
    """The newest checkpoint that the first process sees: on a shared disk, others may see it a little later."""
    latest = run.checkpoints.latest()
    step = run.processes.first(-1 if latest is None else step_of(latest))
    return None if step < 0 else run.checkpoints.path_of(int(step))


def workers_for(config: TrainConfig, processes: Processes = ALONE) -> Workers:
    """Threads that take whole parts of a batch, unless chance is involved: who drew first would change the result.

    Nor where there are other processes, which exchange the gradients of one part after the other, nor with a large
    network, of which each thread would hold all gradients.
    """
    threads = config.threads or torch.get_num_threads()
    on_cpu = choose_device(config.device).type == "cpu"
    small = 4 * threads * anatomy(config.model).parameters <= MAX_GRADIENT_BYTES
    return Workers(threads, whole=processes.is_alone and on_cpu and small and not config.model.dropout)


def is_due(step: int, every: int | None) -> bool:
    """Whether something that comes every so many steps, or never, comes now."""
    return every is not None and step % every == 0
