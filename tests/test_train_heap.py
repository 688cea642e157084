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
    return answer(LEFT_AFTER_FREEING.format(keep=keep))


def answer(program: str) -> int:
    """The number that a program prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("this C library has no mallopt")
    assert not done.returncode, done.stderr
    return int(done.stdout)


FAULTS_OF_A_THREAD = """
import resource
import threading
import numpy as np
from cutaway.train.heap import keep_freed_memory

if not keep_freed_memory(one_heap={one_heap}):
    raise SystemExit(3)

def pages_taken():
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    blocks = [np.ones(1 << 18) for _ in range(64)]  # 2 MiB each: for larger ones numpy asks for large pages
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

def work():
    pages_taken()
    print(pages_taken())

thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def again_taken(*, one_heap: bool) -> int:
    """Pages that a thread takes for 128 MiB which it has had before and given back, in a process of its own."""
    return answer(FAULTS_OF_A_THREAD.format(one_heap=one_heap))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_is_freed_stays_for_the_next_who_asks() -> None:
    assert left_after_freeing(keep=True) > 48 << 20
    assert left_after_freeing(keep=False) < 16 << 20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the pages of a thread")
def test_threads_that_share_one_heap_keep_theirs_too() -> None:
    assert again_taken(one_heap=True) < 500
    assert again_taken(one_heap=False) > 5_000


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_other_c_libraries_are_left_as_they_are(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def none_there(_: None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", none_there)
    assert not keep_freed_memory()
