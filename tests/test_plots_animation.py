"""GIFs read back by Pillow; films fed to a stand-in where ffmpeg is missing."""

import os
import shutil
import stat
import sys

import numpy as np
import pytest
from PIL import Image

from cutaway.errors import ConfigError
from cutaway.plots import Frame, animate, growing, ink
from cutaway.plots.attention import SCALE
from cutaway.plots.gif import change, gif
from cutaway.plots.painter import Painter
from cutaway.plots.stage import Stage
from pictures import PIECES

NAMES = ["layer 0", "layer 1"]


def patterns(n, panels=2):
    scores = np.random.default_rng(0).random((panels, n, n)) * np.tri(n)
    return scores / scores.sum(-1, keepdims=True)


def tokens(n):
    return [[*PIECES, " word", "s,"][i % 15] for i in range(n)]


def make(path, n=12, **options):
    return animate(growing(patterns(n), tokens(n)), path, names=NAMES, positions=n, title="Head 0", **options)


def test_a_gif_has_a_frame_for_each_token_and_the_last_one_stays(tmp_path):
    path = make(tmp_path / "a.gif", frame_ms=80, last_ms=1000)
    with Image.open(path) as film:
        assert (film.n_frames, film.info["loop"]) == (12, 0)
        durations = [film.seek(i) or film.info["duration"] for i in range(film.n_frames)]
    assert durations == [80] * 11 + [1000]
    assert not list(tmp_path.glob(".*"))


def test_every_frame_is_what_was_painted(tmp_path):
    path = make(tmp_path / "a.gif")
    painter = Painter(NAMES, 12, SCALE, "Head 0")
    with Image.open(path) as film:
        for i, frame in enumerate(growing(patterns(12), tokens(12))):
            film.seek(i)
            assert np.array_equal(np.asarray(film.convert("RGB")), ink.palette()[painter.show(frame)]), i


def test_it_is_the_same_film_each_time(tmp_path):
    assert make(tmp_path / "a.gif").read_bytes() == make(tmp_path / "b.gif").read_bytes()


def test_progress_counts_the_frames(tmp_path):
    heard = []
    make(tmp_path / "a.gif", progress=heard.append)
    assert heard == list(range(1, 13))


def test_frames_are_read_one_by_one_and_not_kept(tmp_path):
    """The 100th frame is asked for only when the 98th is in the file: nothing waits for the end."""
    asked, heard = [], []

    def frames():
        for i, frame in enumerate(growing(patterns(100, 1), tokens(100))):
            asked.append(i)
            assert len(heard) >= i - 1
            yield frame

    animate(frames(), tmp_path / "a.gif", names=["a"], positions=100, progress=heard.append)
    assert len(asked) == len(heard) == 100


def test_the_last_frame_shows_the_whole_pattern():
    painter = Painter(NAMES, 12, SCALE)
    for frame in growing(patterns(12), tokens(12)):
        painter.show(frame)
    expected = ink.indices(np.where(np.tri(12) > 0, patterns(12), np.nan).astype(np.float32), SCALE)
    cell = painter.stage.cell
    for panel in range(2):
        assert np.array_equal(painter.panel(panel)[::cell, ::cell], expected[panel])


def test_whole_patterns_and_new_rows_paint_the_same():
    whole, rows = (Painter(NAMES, 12, SCALE) for _ in range(2))
    full = patterns(12)
    for t, frame in enumerate(growing(full, tokens(12)), 1):
        given = Frame(patterns=np.where(np.tri(t) > 0, full[:, :t, :t], np.nan), tokens=tokens(t))
        assert np.array_equal(whole.show(given), rows.show(frame))


def test_a_single_bright_cell_stays_visible_among_many_positions():
    full = np.zeros((1, 1024, 1024))
    full[0, 700, 300] = 1
    painter = Painter(["head"], 1024, SCALE)
    painter.show(Frame(patterns=full, tokens=["a"] * 1024))
    assert painter.stage.side == 512
    assert painter.panel(0)[350, 150] == ink.N_COLOURS - 1


def test_the_newest_token_is_marked_in_the_text_and_beside_the_pattern():
    painter = Painter(["head"], 3, SCALE)
    for frame in growing(patterns(3, 1), ["one", " two", "!"]):
        pixels = painter.show(frame)
    marked = (pixels >= ink.MARKED_TEXT) & (pixels < ink.EMPTY)
    left, top = painter.stage.corner(0)
    rows, columns = np.nonzero(marked[:, :left])
    assert rows.min() >= top + 2 * painter.stage.cell
    rows, columns = np.nonzero(marked[painter.stage.text_top :])
    assert columns.min() == 16 + len("one two") * 8
    assert columns.max() - columns.min() == 7


def test_the_text_goes_on_upwards():
    painter = Painter(["head"], 40, SCALE)
    for frame in growing(patterns(40, 1), ["line\n"] * 40):
        painter.show(frame)
    assert {piece.line for piece in painter.pieces} <= set(range(36, 41))


@pytest.mark.parametrize(("panels", "positions"), [(1, 1), (4, 256), (12, 256), (48, 64), (4, 1024)])
def test_everything_has_its_place_on_the_stage(panels, positions):
    stage = Stage(panels=panels, positions=positions, titled=True)
    assert stage.width % 2 == stage.height % 2 == 0
    assert stage.width <= 1400
    corners = [stage.corner(i) for i in range(panels)]
    assert len(set(corners)) == panels
    assert all(left + stage.side < stage.width and top + stage.side < stage.text_top for left, top in corners)


def test_only_what_changed_is_stored():
    last = np.zeros((9, 9), dtype=np.uint8)
    now = last.copy()
    now[2, 3], now[4, 5] = 7, 8
    place, changed = change(last, now)
    assert place == (3, 2)
    assert changed.tolist() == [[7, 255, 255], [255, 255, 255], [255, 255, 8]]
    assert change(last, last)[1].tolist() == [[255]]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frames to animate"),
        ([Frame(patterns=np.zeros((1, 1, 1)), tokens=["a"])], "does not fit 2 panels and 1 tokens"),
        ([Frame(patterns=np.zeros((2, 1, 2)), tokens=["a"])], "does not fit"),
        ([Frame(patterns=np.zeros((2, 3, 3)), tokens=["a"] * 3)] * 2, None),
        ([Frame(patterns=np.zeros((2, n, n)), tokens=["a"] * n) for n in (3, 2)], "out of order"),
        ([Frame(patterns=np.zeros((2, 13, 13)), tokens=["a"] * 13)], "they grow to 12 at most"),
    ],
)
def test_frames_must_fit(tmp_path, frames, message):
    path = tmp_path / "a.gif"
    if message is None:
        animate(frames, path, names=NAMES, positions=12)
        return
    with pytest.raises(ConfigError, match=message):
        animate(frames, path, names=NAMES, positions=12)
    assert not path.exists()


@pytest.mark.parametrize(("options", "message"), [({"frame_ms": 5}, "5 ms a frame"), ({"frame_ms": 0}, "no duration")])
def test_durations_that_no_player_keeps_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        make(tmp_path / "a.gif", **options)


def test_patterns_and_tokens_must_fit():
    with pytest.raises(ConfigError, match="do not fit 3 tokens"):
        next(growing(patterns(4), ["a"] * 3))


@pytest.mark.parametrize(("panels", "positions"), [(0, 4), (49, 4), (1, 0)])
def test_an_impossible_stage_is_refused(panels, positions):
    with pytest.raises(ConfigError, match="make no animation"):
        Stage(panels=panels, positions=positions)


def test_an_unknown_suffix_names_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match=r"known are \.gif, \.mp4"):
        make(tmp_path / "a.avi")


def test_without_frames_there_is_no_gif():
    with pytest.raises(ConfigError, match="no frames"):
        list(gif([], ink.palette()))


def test_a_missing_ffmpeg_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"needs the program ffmpeg, which is not on the PATH"):
        make(tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg is not installed")
needs_shebangs = pytest.mark.skipif(os.name == "nt", reason="Windows does not run scripts by their first line")


@needs_ffmpeg
def test_an_mp4_is_written_and_is_the_same_each_time(tmp_path):
    one, two = (make(tmp_path / name, frame_ms=100, last_ms=300).read_bytes() for name in ("a.mp4", "b.mp4"))
    assert one == two
    assert one[4:8] == b"ftyp"


@needs_ffmpeg
def test_a_film_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="ffmpeg failed"):
        make(tmp_path / "missing" / "a.mp4")


def stand_in(folder, body):
    """A program called ffmpeg that runs a few lines of Python."""
    program = folder / "ffmpeg"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@needs_shebangs
def test_ffmpeg_is_given_each_frame_and_the_last_one_longer(tmp_path, monkeypatch):
    stand_in(tmp_path, "open(sys.argv[-1], 'wb').write(sys.stdin.buffer.read())")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    raw = make(tmp_path / "a.mp4", frame_ms=100, last_ms=300).read_bytes()
    painter = Painter(NAMES, 12, SCALE, "Head 0")
    frames = [ink.palette()[painter.show(frame)] for frame in growing(patterns(12), tokens(12))]
    assert raw == b"".join(frame.tobytes() for frame in [*frames, frames[-1], frames[-1]])


@needs_shebangs
@pytest.mark.parametrize("body", ["sys.exit('no such codec')", "sys.stdin.buffer.read(); sys.exit('no such codec')"])
def test_what_ffmpeg_complains_of_is_told_and_nothing_is_left(tmp_path, monkeypatch, body):
    stand_in(tmp_path, body)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ConfigError, match=r"ffmpeg failed: no such codec; write a \.gif instead"):
        make(tmp_path / "a.mp4", n=40)
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]
