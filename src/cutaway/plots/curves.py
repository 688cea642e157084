"""Curves side by side in one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.errors import ConfigError, MissingExtraError

Points = Sequence[tuple[float, float]]

PANEL_INCHES = (6.0, 4.0)
DPI = 150


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes and its curves, by name."""

    title: str
    x_label: str
    curves: Mapping[str, Points]


def draw_curves(panels: Sequence[Panel], path: Path) -> None:
    """Draw the panels next to each other as a PNG.

    Raises: MissingExtraError when matplotlib is not installed; ConfigError when the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # type: ignore[import-not-found,unused-ignore]
        from matplotlib.figure import Figure  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise MissingExtraError("matplotlib", "plot", "drawing curves") from None
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * len(panels), height), dpi=DPI, layout="constrained")
    # Not pyplot: that would keep the figure, and choose a window system.
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        draw(axes, panel)
    save(figure, path)


def draw(axes: Any, panel: Panel) -> None:
    """Fill a pair of axes."""
    for name, points in panel.curves.items():
        x, y = zip(*points, strict=True)
        axes.plot(x, y, label=name, linewidth=1.5, marker="o" if len(points) < 20 else None, markersize=3)
    axes.set_title(panel.title, loc="left", fontsize=11)
    axes.set_xlabel(panel.x_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.legend(frameon=False)


def save(figure: Any, path: Path) -> None:
    """Write the picture.

    Raises: ConfigError when the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        figure.savefig(temporary, format="png")
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"the picture cannot be written to {path}: {error.strerror}; give another --out") from None
    finally:
        temporary.unlink(missing_ok=True)
