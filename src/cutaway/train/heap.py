"""Have the C library keep memory that is freed: the next step asks for the same again."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8
"""The numbers by which `mallopt` of glibc knows them (malloc.h)."""
LARGEST_KEPT = 32 << 20
"""Blocks of more bytes go back to the system all the same; glibc allows no higher limit."""
UNBOUNDED = 2**31 - 1


def keep_freed_memory(*, one_heap: bool = False) -> bool:
    """Keep what is freed for the rest of this process, where the C library is glibc; returns whether it is.

    Otherwise activations of every step are new pages, which the system has to clear first: a tenth of a small model's
    time. The peak does not grow, for what is kept is what the next step takes.

    Threads that begin later have heaps of their own, of which glibc gives back whole pieces all the same. With
    `one_heap` they share that of the process, where one takes what another has freed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not to be opened (Windows), or without it (macOS, musl)
        return False
    settings = {MMAP_THRESHOLD: LARGEST_KEPT, TRIM_THRESHOLD: UNBOUNDED} | ({ARENA_MAX: 1} if one_heap else {})
    return all(bool(mallopt(name, value)) for name, value in settings.items())
