"""Freed memory stays with the process, where the C library can do that."""

import ctypes
import subprocess
import sys

import pytest

from cutaway.train.heap import keep_freed_memory

LEFT_AFTER_FREEING = """
import os
import numpy as np
from cutaway.train.heap import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

if {keep} and not keep_freed_memory():
    raise SystemExit(3)
before = resident()
blocks = [np.ones(2 << 20) for _ in range(4)]  # 16 MiB each
del blocks
print(resident() - before)
"""


def left_after_freeing(*, keep: bool) -> int:
    """Bytes that stay resident of 64 MiB which were taken and given back, in a process of its own."""
    command = [sys.executable, "-c", LEFT_AFTER_FREEING.format(keep=keep)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("this C library has no mallopt")
    assert not done.returncode, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_is_freed_stays_for_the_next_who_asks() -> None:
    assert left_after_freeing(keep=True) > 48 << 20
    assert left_after_freeing(keep=False) < 16 << 20


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_other_c_libraries_are_left_as_they_are(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def none_there(_: None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", none_there)
    assert not keep_freed_memory()
