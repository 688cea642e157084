"""MP4 (H.264), through the program ffmpeg."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from cutaway.errors import ConfigError
from cutaway.plots.ink import Pixels


def write_mp4(frames: Iterable[tuple[Pixels, int]], palette: Pixels, path: Path, frame_ms: int) -> None:
    """Write the film, whole or not at all. A frame that lasts longer than `frame_ms` is repeated.

    Raises: ConfigError when ffmpeg is not there, fails, or the file cannot be written.
    """
    program = ffmpeg()
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ConfigError("there are no frames to animate; give at least one")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    height, width = first[0].shape
    try:
        run([program, *options(width, height, frame_ms), str(temporary)], chain([first], frames), palette, frame_ms)
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"the film cannot be written to {path}: {error.strerror}; choose another place") from None
    finally:
        temporary.unlink(missing_ok=True)


def ffmpeg() -> str:
    """Where the program is.

    Raises: ConfigError when it is not there.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise ConfigError("an MP4 needs the program ffmpeg, which is not on the PATH; install it, or write a .gif")
    return program


def options(width: int, height: int, frame_ms: int) -> list[str]:
    """What ffmpeg is told: raw pixels in, out a file that plays everywhere and is the same every day."""
    source = ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{width}x{height}", "-framerate"]
    same = ["-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-threads", "1"]
    film = ["-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"]
    return ["-y", "-loglevel", "error", *source, f"1000/{frame_ms}", "-i", "-", *same, *film]


def run(command: list[str], frames: Iterable[tuple[Pixels, int]], palette: Pixels, frame_ms: int) -> None:
    """Feed the frames to ffmpeg and wait until it is done.

    Raises: ConfigError with its last line when it fails.
    """
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log) as process:  # noqa: S603
        assert process.stdin is not None
        try:
            for pixels, ms in frames:
                raw = palette[pixels].tobytes()
                for _ in range(max(1, round(ms / frame_ms))):
                    process.stdin.write(raw)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has given up, and says why
        except BaseException:
            process.kill()
            raise
        if process.wait():
            log.seek(0)
            last = log.read().decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
            raise ConfigError(f"ffmpeg failed: {last[0]}; write a .gif instead")
