import shutil
from types import SimpleNamespace

import pytest

from cutaway.errors import CheckpointError
from cutaway.weights.new_file import new_file


def test_the_file_appears_when_it_is_whole(tmp_path):
    with new_file(tmp_path / "deep" / "a.bin", 3, overwrite=False) as temporary:
        temporary.write_bytes(b"abc")
        assert not (tmp_path / "deep" / "a.bin").exists()
    assert (tmp_path / "deep" / "a.bin").read_bytes() == b"abc"


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(CheckpointError, match=r"a\.bin is there already; .*overwrite"):
        new_file(tmp_path / "a.bin", 3, overwrite=False).__enter__()
    with new_file(tmp_path / "a.bin", 3, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_folder_is_never_replaced(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder; give the name of a file"):
        new_file(tmp_path, 3, overwrite=True).__enter__()


def test_a_full_disk_is_noticed_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5_000_000))
    with pytest.raises(CheckpointError, match=r"needs 9 MB and the disk of .* has room for 5 MB; free some"):
        new_file(tmp_path / "new" / "a.bin", 9_000_000, overwrite=False).__enter__()
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fails_meanwhile_leaves_what_was_there(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(
        CheckpointError, match="cannot be written: No space left on device; what was there is unchanged"
    ):
        fill_disk(tmp_path / "a.bin")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def fill_disk(path):
    with new_file(path, 3, overwrite=True) as temporary:
        temporary.write_bytes(b"ne")
        raise OSError(28, "No space left on device")


def test_a_place_that_cannot_be_is_an_error_in_a_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match="cannot be written"):
        new_file(tmp_path / "file" / "a.bin", 3, overwrite=False).__enter__()
