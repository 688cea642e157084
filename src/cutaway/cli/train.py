"""`cutaway train`: a training run from a TOML file."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cyclopts
from cyclopts import Parameter

from cutaway.cli import terminal
from cutaway.cli.app import MISTAKE
from cutaway.cli.options import Flag
from cutaway.errors import CutawayError

if TYPE_CHECKING:
    from cutaway.train.place import Place

train = cyclopts.App(
    name="train",
    help="Train a model as a TOML file says; an interrupted run goes on from its last checkpoint.",
    help_format="plaintext",
    default_parameter=Parameter(negative=""),
)
train.command("cutaway.cli.train_plot:plot", name="plot", help="Draw the curves of one or several runs as a PNG.")
train.command("cutaway.cli.train_ngram:ngram", name="ngram", help="Count n-grams: what a network must beat.")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What to change, and what to show."""

    set: Annotated[tuple[str, ...], Parameter(show_default=False, negative_iterable="")] = ()
    """A value in place of the file's, as in --set steps=100 or --set optimizer.adamw_lr=3e-4; may be repeated."""
    dry_run: Flag = False
    """Say what the run would take, from a few steps on this machine, and write nothing."""
    json: Flag = False
    """With --dry-run: print JSON."""
    quiet: Flag = False
    """No progress line."""


@train.default
def train_command(
    config: Annotated[Path, Parameter(help="The TOML file; configs/ holds examples.")],
    /,
    *,
    options: TrainOptions | None = None,
) -> int:
    """Train a model as a TOML file says; an interrupted run goes on from its last checkpoint.

    Above the file stand environment variables such as CUTAWAY_TRAIN_STEPS, and above those --set. Ctrl-C and SIGTERM
    save the run before they end it.
    """
    from cutaway.train.place import Place

    place = Place.from_environment(os.environ)
    try:
        return run_from(config, options or TrainOptions(), place)
    except CutawayError:
        # Processes share their mistakes, so one on each machine tells of them.
        if place.is_first_here:
            raise
        return MISTAKE


def run_from(config: Path, options: TrainOptions, place: "Place") -> int:
    """Train as the file says; of several processes only the first one speaks."""
    from cutaway.cli.training_progress import show_estimate, training_line
    from cutaway.train.config import TrainConfig
    from cutaway.train.log import LOG
    from cutaway.train.loop import train  # brings torch
    from cutaway.train.signals import StopSignal

    chosen = TrainConfig.from_toml(config, os.environ, options.set)
    if options.dry_run:
        show_estimate(chosen, as_json=options.json, silent=not place.is_first)
        return 0
    say = terminal.notice if place.is_first else lambda text: None
    say(f"{chosen.steps:,} steps at most; losses go to {chosen.out / LOG}")
    quiet = options.quiet or not place.is_first
    with StopSignal(patient=not place.is_alone) as stopping, training_line(quiet=quiet) as line:
        train(chosen, stopping=stopping, watch=line.watch, listeners=[line.listen])
    # Of several processes, another one may have been asked to stop.
    if stopping.received is not None or line.share < 1:
        say(f"stopped and saved; the same command goes on from {chosen.out / 'latest'}")
        return stopping.exit_code
    if place.is_first:
        print(chosen.out)
    return 0


@train.command
def merge(
    checkpoint: Annotated[Path, Parameter(help="A checkpoint of a run with [lora], such as RUN/best.")],
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The folder for the model.")],
) -> None:
    """Make one model of what a run with LoRA learned and the model that it began with."""
    from cutaway.train.merge import merge_checkpoint

    merge_checkpoint(checkpoint, out)
    print(out)
