"""The door to TensorBoard."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cutaway.errors import MissingExtraError
from cutaway.train.config import TrainConfig
from cutaway.train.log import Line, Listener

FOLDER = "tensorboard"


@contextmanager
def tensorboard(config: TrainConfig) -> Iterator[list[Listener]]:
    """A listener that writes curves for TensorBoard beside the log, if the configuration wants one.

    Raises: MissingExtraError when TensorBoard is not installed.
    """
    if not config.tensorboard:
        yield []
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        raise MissingExtraError("tensorboard", "train", "writing curves for TensorBoard") from None
    with SummaryWriter(str(config.out / FOLDER)) as writer:
        yield [lambda line: write(writer, line)]


def write(writer: Any, line: Line) -> None:
    """Add the numbers of a line to the curves, and its texts to the texts."""
    step = line["step"]
    for name, value in flat(line):
        if isinstance(value, str):
            writer.add_text(name, value, step)
        elif isinstance(value, int | float) and name != "step":
            writer.add_scalar(name, value, step)


def flat(values: Line, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Names and values, those of inner tables as `outer/inner`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value
