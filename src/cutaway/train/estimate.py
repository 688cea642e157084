"""What a run will take, from its configuration and a few steps that are thrown away."""

from collections.abc import Callable
from dataclasses import dataclass

from cutaway.anatomy import anatomy
from cutaway.train.config import TrainConfig
from cutaway.train.device import peak_memory_bytes
from cutaway.train.loop import workers_for
from cutaway.train.processes import joined
from cutaway.train.run import Run

MEASURED_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The size of a run."""

    device: str
    parameters: int
    trained_parameters: int
    weight_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    peak_memory_bytes: int | None
    """Measured: of the GPU, or else of the whole process."""
    tokens: int
    epochs: tuple[float, ...]
    """How often each source will be read through."""
    flops: int
    tokens_per_s: float
    flops_per_s: float
    total_s: float
    """Until the last step, or until `max_minutes` are over."""


def estimate(config: TrainConfig, clock: Callable[[], float]) -> Estimate:
    """Take a few steps in memory, write nothing, and work out the whole.

    Raises: CutawayError when the run could not start.
    """
    with joined() as processes, workers_for(config, processes) as workers:
        run = Run(config, workers, clock, processes)
        run.train_step()  # the first is slower: memory is fetched, kernels are made
        began_s = clock()
        for _ in range(MEASURED_STEPS):
            run.train_step()
        step_s = max((clock() - began_s) / MEASURED_STEPS, 1e-9)
        return summary(run, step_s)


def summary(run: Run, step_s: float) -> Estimate:
    """The estimate from a run of which a step takes so long."""
    config = run.config
    tokens = config.steps * config.tokens_per_step
    flops_per_token = anatomy(config.model).training_flops_per_token
    total_s = config.steps * step_s
    return Estimate(
        device=str(run.device),
        parameters=run.model.num_parameters(),
        trained_parameters=sum(p.numel() for p in run.parameters),
        weight_bytes=sum(p.nbytes for p in run.model.parameters()),
        gradient_bytes=sum(p.nbytes for p in run.parameters),
        optimizer_bytes=sum(tensor.nbytes for tensor in run.optimizers.state().values()),
        peak_memory_bytes=peak_memory_bytes(run.device),
        tokens=tokens,
        epochs=tuple(
            config.steps * source.rows * config.model.block_size / n
            for source, n in zip(config.sources, run.source_tokens, strict=True)
        ),
        flops=tokens * flops_per_token,
        tokens_per_s=config.tokens_per_step / step_s,
        flops_per_s=config.tokens_per_step * flops_per_token / step_s,
        total_s=total_s if config.max_minutes is None else min(total_s, 60 * config.max_minutes),
    )
