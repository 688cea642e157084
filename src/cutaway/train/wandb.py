"""The door to Weights & Biases."""

from collections.abc import Iterator
from contextlib import contextmanager

from cutaway.errors import MissingExtraError
from cutaway.train.config import TrainConfig
from cutaway.train.log import Listener
from cutaway.train.tensorboard import flat


@contextmanager
def wandb(config: TrainConfig) -> Iterator[list[Listener]]:
    """A listener that reports to the project that the configuration names, if it names one.

    Raises: MissingExtraError when the library is not installed.
    """
    if config.wandb is None:
        yield []
        return
    try:
        import wandb as library  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError:
        raise MissingExtraError("wandb", "wandb", "reporting to Weights & Biases") from None
    with library.init(project=config.wandb, dir=str(config.out), config=config.to_dict(), resume="allow") as run:
        yield [lambda line: run.log(dict(flat(line)), step=line["step"])]
