import os
from pathlib import Path

import pytest

from cutaway.atomic_file import put_in_place, remove_leftovers, write_atomically


def test_the_parts_stand_one_after_the_other(tmp_path):
    write_atomically(tmp_path / "file", [b"ab", memoryview(b"cd")])
    assert (tmp_path / "file").read_bytes() == b"abcd"


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def parts():
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(file, parts())
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208


def test_a_reader_never_sees_half_a_file(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    seen = []

    def parts():
        yield b"ne"
        seen.append(file.read_bytes())
        yield b"w"

    write_atomically(file, parts())
    assert seen == [b"old"]
    assert file.read_bytes() == b"new"


def test_a_file_that_somebody_else_writes_is_put_in_place_whole_or_not_at_all(tmp_path):
    file = tmp_path / "file"
    with put_in_place(file) as temporary:
        temporary.write_bytes(b"old")
        assert not file.exists()

    def failing():
        with put_in_place(file) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_leftovers_of_killed_processes_are_removed_and_other_files_are_not(tmp_path):
    names = [".shard.bin.123", ".other.txt.9", ".hidden", "shard.bin.123"]
    for name in names:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "shard*")
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == sorted(names[1:])
