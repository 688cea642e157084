"""GIF, frame by frame: only what changed is stored, and only one frame is held.

Pillow compresses the pixels. Its own way to save an animation keeps every frame until the end.

Source: CompuServe 1990, "Graphics Interchange Format, Version 89a".
"""

import struct
from collections.abc import Iterable, Iterator

import numpy as np

from cutaway.errors import ConfigError
from cutaway.plots.ink import UNCHANGED, Pixels
from cutaway.plots.library import pillow

FASTEST_MS = 20
"""Browsers show anything faster at a tenth of a second."""

SLOWEST_MS = 655_350
GLOBAL_PALETTE, LEAVE_AND_TRANSPARENT = 0b11110111, 0b00000101
FOR_EVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
END = b";"


def gif(frames: Iterable[tuple[Pixels, int]], palette: Pixels) -> Iterator[bytes]:
    """The parts of the file: frames of places in the palette, each with its milliseconds, shown over and over.

    The palette's last place is not a colour: it says that a pixel stays.
    """
    last: Pixels | None = None
    for pixels, ms in frames:
        if last is None:
            height, width = pixels.shape
            yield b"GIF89a" + struct.pack("<HHBBB", width, height, GLOBAL_PALETTE, 0, 0) + palette.tobytes() + FOR_EVER
        (left, top), changed = change(last, pixels)
        yield b"\x21\xf9\x04" + struct.pack("<BHBB", LEAVE_AND_TRANSPARENT, hundredths(ms), UNCHANGED, 0)
        yield from pillow().GifImagePlugin.getdata(pillow().Image.fromarray(changed), (left, top))
        last = pixels.copy()
    if last is None:
        raise ConfigError("there are no frames to animate; give at least one")
    yield END


def hundredths(ms: int) -> int:
    """The duration in the unit of the file.

    Raises: ConfigError for one that would not be kept.
    """
    if not FASTEST_MS <= ms <= SLOWEST_MS:
        raise ConfigError(f"{ms} ms a frame cannot be shown; choose {FASTEST_MS} to {SLOWEST_MS:,}")
    return round(ms / 10)


def change(last: Pixels | None, pixels: Pixels) -> tuple[tuple[int, int], Pixels]:
    """Left, top and pixels of the smallest rectangle that holds all changes."""
    if last is None:
        return (0, 0), pixels
    differs = pixels != last
    if not differs.any():
        return (0, 0), np.full((1, 1), UNCHANGED, dtype=np.uint8)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return (int(columns[0]), int(rows[0])), np.where(differs[box], pixels[box], np.uint8(UNCHANGED))
