"""`cutaway train`: a training run from a TOML file."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cutaway.cli import terminal


def train(config: Annotated[Path, Parameter(help="The TOML file; configs/ holds examples.")], /) -> None:
    """Train a model as a TOML file says; an interrupted run goes on from its last checkpoint."""
    from cutaway.train.config import TrainConfig
    from cutaway.train.loop import train as run  # brings torch

    chosen = TrainConfig.from_toml(config)
    terminal.notice(f"{chosen.steps:,} steps at most; losses go to {chosen.out / 'log.jsonl'}")
    run(chosen)
    print(chosen.out)
