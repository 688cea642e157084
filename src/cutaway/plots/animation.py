"""Attention over a generation, as a film."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from cutaway.errors import ConfigError
from cutaway.plots import ink
from cutaway.plots.attention import SCALE
from cutaway.plots.gif import gif
from cutaway.plots.ink import Pixels
from cutaway.plots.mp4 import write_mp4
from cutaway.plots.painter import Frame, Painter
from cutaway.plots.picture_file import MOVING, kind_of, put

FRAME_MS, LAST_MS = 100, 3000

Progress = Callable[[int], None]


def animate(
    frames: Iterable[Frame],
    path: Path | str,
    *,
    names: Sequence[str],
    positions: int,
    title: str = "",
    frame_ms: int = FRAME_MS,
    last_ms: int = LAST_MS,
    progress: Progress | None = None,
) -> Path:
    """Write attention patterns that grow with their text as a GIF or MP4, by the suffix, and return its path.

    The frames are read one by one and not kept. `names` are those of the panels, `positions` is how many tokens
    the text has in the end; `progress` is called with the number of frames painted.

    Raises: ConfigError for another suffix, frames that do not fit, a duration no player keeps, a missing ffmpeg, or
        a file that cannot be written.
    """
    path = Path(path)
    kind = kind_of(path, MOVING)
    if frame_ms < 1:
        raise ConfigError(f"frame_ms={frame_ms} is no duration; give milliseconds")
    painter = Painter(names, positions, SCALE, title)
    painted = timed(counted((painter.show(frame) for frame in frames), progress), frame_ms, last_ms)
    if kind == "gif":
        put(path, gif(painted, ink.palette()))
    else:
        write_mp4(painted, ink.palette(), path, frame_ms)
    return path


def counted(frames: Iterable[Pixels], progress: Progress | None) -> Iterator[Pixels]:
    """The same frames; `progress` hears of each."""
    for n, pixels in enumerate(frames, 1):
        yield pixels
        if progress is not None:
            progress(n)


def timed(frames: Iterable[Pixels], frame_ms: int, last_ms: int) -> Iterator[tuple[Pixels, int]]:
    """The frames with their milliseconds, the last one longer so that it can be looked at."""
    waiting: Pixels | None = None
    for pixels in frames:
        if waiting is not None:
            yield waiting, frame_ms
        # The painter goes on with the same sheet.
        waiting = pixels.copy()
    if waiting is not None:
        yield waiting, max(frame_ms, last_ms)
