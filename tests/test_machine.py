import mmap
import os
import sys

import pytest

from cutaway import machine


def test_the_processors_name_is_the_one_in_cpuinfo(tmp_path, monkeypatch):
    file = tmp_path / "cpuinfo"
    file.write_text("processor : 0\nmodel name\t: Abacus 9000 @ 2 beads\n")
    monkeypatch.setattr(machine, "CPUINFO", file)
    assert machine.processor() == "Abacus 9000 @ 2 beads"


def test_without_cpuinfo_there_is_still_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "none")
    assert machine.processor()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds")
def test_a_process_holds_more_after_it_filled_some_memory():
    before = machine.resident_bytes()
    with mmap.mmap(-1, 64 << 20) as filled:  # what is allocated may be what this process has kept since it was freed
        filled.write(bytes(len(filled)))
        assert machine.resident_bytes() - before > len(filled) / 2
    assert machine.resident_bytes() < machine.memory_bytes()


def test_what_the_system_does_not_tell_is_none(monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr(os, "getloadavg", refuse, raising=False)
    monkeypatch.setattr(os, "sysconf", refuse, raising=False)
    assert machine.load_average() is None
    assert machine.memory_bytes() is None
