import re
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

from cutaway.errors import ConfigError, MissingExtraError
from cutaway.plots import draw_heat_map, save
from cutaway.plots.library import matplotlib as door
from cutaway.plots.library import pillow
from pictures import pixels

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


def figure():
    axes = [("query", ["$a$", "東"]), ("key", ["a", "b"])]
    return draw_heat_map(np.eye(2), axes=axes, title="Weights", unit="nats")


@pytest.mark.parametrize("kind", STARTS)
def test_the_suffix_decides_and_the_bytes_are_the_same_each_time(tmp_path, kind):
    for name in ("one", "two"):
        save(figure(), tmp_path / f"{name}.{kind.upper()}")
    one, two = ((tmp_path / f"{name}.{kind.upper()}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert one.startswith(STARTS[kind])
    assert not list(tmp_path.glob(".*"))


def test_a_picture_says_nothing_of_when_it_was_made(tmp_path):
    for kind in STARTS:
        save(figure(), tmp_path / f"a.{kind}")
        assert not re.search(rb"20\d\d-\d\d|CreationDate|Software", (tmp_path / f"a.{kind}").read_bytes())


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png.txt"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path, name):
    with pytest.raises(ConfigError, match=r"known are \.png, \.svg, \.pdf"):
        save(figure(), tmp_path / name)


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="choose another place"):
        save(figure(), tmp_path / "missing" / "a.png")


def test_the_users_own_settings_change_nothing(tmp_path):
    plain = pixels(figure())
    loud = {"font.size": 30, "image.cmap": "jet", "axes.facecolor": "black", "savefig.dpi": 20, "text.parse_math": True}
    with matplotlib.rc_context(loud):
        assert np.array_equal(pixels(figure()), plain)


def test_drawing_leaves_the_users_settings_alone():
    before = dict(matplotlib.rcParams)
    pixels(figure())
    assert dict(matplotlib.rcParams) == before


def test_a_notebook_shows_the_picture(tmp_path):
    save(shown := figure(), tmp_path / "a.png")
    assert shown._repr_png_() == (tmp_path / "a.png").read_bytes()


def test_no_window_system_is_looked_for():
    code = "import sys; from cutaway.plots import *; draw([1], axes=[('a', 'b')])._repr_png_(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "matplotlib.figure" in done.stdout.split()
    assert "matplotlib.pyplot" not in done.stdout.split()


def test_a_picture_has_150_pixels_an_inch(tmp_path):
    save(shown := figure(), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == tuple(round(inches * 150) for inches in shown.get_size_inches())


@pytest.mark.parametrize(("library", "open_door"), [("matplotlib", door), ("PIL", pillow)])
def test_a_missing_library_names_the_extra(monkeypatch, library, open_door):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cutaway\[plot\]'"):
        open_door()
