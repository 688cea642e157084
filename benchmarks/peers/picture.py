"""The results as bars: a panel for each task, a bar for each contestant."""

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peers.measure import OURS
from cutaway.plots import glyphs
from cutaway.plots.bars import lay
from cutaway.plots.colours import CYCLE
from cutaway.plots.page import NAME_SIZE, PAD, framed, place
from cutaway.plots.ticks import SIZE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, PITCH, GAP, BELOW = 190.0, 13.0, 22.0, 20.0


def draw(result: dict[str, Any]) -> "Figure":
    """Tokens a second of everybody at everything; ours in another colour."""
    rows, tasks = result["rows"], list(result["tasks"])
    names = [f"{row['library']} {row['dtype']}" for row in rows]
    left = PAD + max(glyphs.width(name, SIZE) for name in names) + 5
    whole, height = len(tasks) * (WIDTH + GAP) - GAP, PITCH * len(rows) + NAME_SIZE * 2
    title = "GPT-2 124M on {cores} cores: tokens per second, more is better".format(**result["environment"])
    with framed(whole, height, left=left, bottom=BELOW, title=title) as (figure, frame, below):
        frame.set_axis_off()
        for i, task in enumerate(tasks):
            axes = place(figure, left + i * (WIDTH + GAP), below, WIDTH, PITCH * len(rows))
            panel(axes, rows, task)
            axes.set_yticks(range(len(rows)), names if i == 0 else [""] * len(rows), fontsize=SIZE)
            axes.set_title(task, loc="left", size=NAME_SIZE, pad=4)
    return figure


def panel(axes: Any, rows: list[dict[str, Any]], task: str) -> None:
    """One task."""
    speeds = np.array([row["tokens_per_s"].get(task, 0.0) for row in rows])
    lay(axes, speeds, [f"{speed:,.0f}" if speed else "" for speed in speeds], diverging=False)
    for bar, row in zip(axes.patches, rows, strict=True):
        bar.set_color(CYCLE[1] if row["library"] == OURS else CYCLE[0])
