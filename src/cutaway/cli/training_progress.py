"""What one sees of a training run: a line that is rewritten, samples, and an estimate beforehand."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from cutaway.cli import terminal
from cutaway.cli.quantities import scaled

if TYPE_CHECKING:
    from rich.progress import Progress

    from cutaway.train.config import TrainConfig
    from cutaway.train.estimate import Estimate
    from cutaway.train.meter import Reading

MINUTE, HOUR, DAY = 60, 3600, 86400


class TrainingLine:
    """A line on stderr that says where the run stands."""

    def __init__(self, bar: "Progress") -> None:
        self.bar, self.task = bar, bar.add_task("starting", total=1.0)
        self.share = 1.0
        """The finished part of the run; of one that has nothing left to do, all."""

    def watch(self, reading: "Reading") -> None:
        """Show where the run stands."""
        self.share = reading.share
        self.bar.update(self.task, completed=reading.share, description=in_a_line(reading))

    def listen(self, line: Mapping[str, object]) -> None:
        """Show what the line cannot: evaluations, samples and steps that were skipped."""
        for name in ("bits_per_byte", "held_out_loss", "sample", "skipped"):
            if name in line:
                text = f"step {line['step']:,}: {name.replace('_', ' ')} {shown(line[name])}"
                self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def training_line(*, quiet: bool = False) -> Iterator[TrainingLine]:
    """The line, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True, quiet=quiet)
    columns = (BarColumn(bar_width=20), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        yield TrainingLine(bar)


def in_a_line(reading: "Reading") -> str:
    """Step, loss, speed, memory and the time left."""
    parts = [
        f"step {reading.step:,}/{reading.steps:,}",
        f"loss {reading.loss:.3f}",
        scaled(reading.tokens_per_s, "tokens/s"),
        scaled(reading.flops_per_s, "FLOP/s"),
    ]
    if reading.utilisation is not None:
        parts.append(f"{reading.utilisation:.0%} MFU")
    if reading.memory_bytes is not None:
        parts.append(scaled(reading.memory_bytes, "B"))
    if reading.eta_s is not None:
        parts.append(f"{duration(reading.eta_s)} left")
    if reading.skipped:
        parts.append(f"{reading.skipped:,} skipped")
    return " · ".join(parts)


def shown(value: object) -> str:
    """A value of the log as people read it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return terminal.harmless(str(value))


def duration(seconds: float) -> str:
    """A time in its two largest units."""
    if seconds < MINUTE:
        return f"{seconds:.0f} s"
    if seconds < HOUR:
        return f"{seconds // MINUTE:.0f} min {seconds % MINUTE:.0f} s"
    if seconds < DAY:
        return f"{seconds // HOUR:.0f} h {seconds % HOUR / MINUTE:.0f} min"
    return f"{seconds // DAY:,.0f} d {seconds % DAY / HOUR:.0f} h"


def show_estimate(config: "TrainConfig", *, as_json: bool, silent: bool = False) -> None:
    """Print what a run would take; a `silent` process only helps to find out."""
    from cutaway.train.estimate import estimate

    found = estimate(config, time.monotonic)
    if silent:
        return
    if as_json:
        terminal.print_json(asdict(found))
    else:
        print("\n".join(f"{name:<20} {value}" for name, value in estimate_rows(found)))


def estimate_rows(found: "Estimate") -> Iterator[tuple[str, str]]:
    """The estimate, item by item."""
    yield "parameters", f"{found.parameters:,}, of which {found.trained_parameters:,} are trained"
    parts = {"weights": found.weight_bytes, "gradients": found.gradient_bytes, "optimizer": found.optimizer_bytes}
    yield "memory", ", ".join(f"{name} {scaled(size, 'B')}" for name, size in parts.items())
    if found.peak_memory_bytes is not None:
        yield "peak memory", f"{scaled(found.peak_memory_bytes, 'B')}, measured"
    times = ", ".join(f"{epochs:.3g}" for epochs in found.epochs)
    yield "tokens", f"{found.tokens:,}; the sources are read through {times} times"
    yield "work", scaled(found.flops, "FLOP")
    yield f"speed on {found.device}", f"{scaled(found.tokens_per_s, 'tokens/s')}, {scaled(found.flops_per_s, 'FLOP/s')}"
    yield "time", duration(found.total_s)
