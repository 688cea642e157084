"""`cutaway train plot`: the curves of one or several runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from cutaway.errors import TrainingError

if TYPE_CHECKING:
    from cutaway.plots.curves import Panel

KEYS = {
    "loss": "training loss, nats per token",
    "held_out_loss": "held-out loss, nats per token",
    "bits_per_byte": "held-out text, bits per byte",
}
AXES = {"step": "step", "elapsed_s": "seconds"}


def plot(
    *runs: Annotated[Path, Parameter(help="Folders of runs, or their log.jsonl.")],
    out: Annotated[Path, Parameter(name=["--out", "-o"], help="The PNG, SVG or PDF to write.")] = Path("curves.png"),
    along: Annotated[
        Literal["step", "elapsed_s"], Parameter(help="What runs from left to right: steps or seconds.")
    ] = "step",
) -> None:
    """Draw the loss, the held-out loss and the bits per byte of one or several runs."""
    from cutaway.plots import draw_curves, save
    from cutaway.train.history import read_log

    if not runs:
        raise TrainingError("there is no run to plot; name the folder of at least one")
    logs = {name: read_log(run) for name, run in zip(names(runs), runs, strict=True)}
    panels = list(panels_of(logs, along))
    if not panels:
        raise TrainingError("these runs have logged no losses yet; wait, or lower log_every")
    save(draw_curves(panels), out)
    print(out)


def panels_of(logs: dict[str, list[dict[str, Any]]], along: str) -> Iterator["Panel"]:
    """A panel for every kind of curve that a run has."""
    from cutaway.plots.curves import Panel
    from cutaway.train.history import curves

    for key, title in KEYS.items():
        found = {
            " · ".join(part for part in (name, text) if part): points
            for name, lines in logs.items()
            for text, points in curves(lines, key, along).items()
        }
        if found:
            yield Panel(title=title, x_label=AXES[along], curves=found)


def names(runs: Sequence[Path]) -> list[str]:
    """What to call each run: the name of its folder, or its whole path where two have the same."""
    folders = [(run.parent if run.is_file() else run).resolve().name for run in runs]
    return folders if len(set(folders)) == len(folders) else [str(run) for run in runs]
