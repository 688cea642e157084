"""Have the C library keep memory that is freed: the next step asks for the same again."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""The numbers by which `mallopt` of glibc knows them (malloc.h)."""
LARGEST_KEPT = 32 << 20
"""Blocks of more bytes go back to the system all the same; glibc allows no higher limit."""
UNBOUNDED = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep what is freed for the rest of this process, where the C library is glibc; returns whether it is.

    Otherwise activations of every step are new pages, which the system has to clear first: a tenth of a small model's
    time. The peak does not grow, for what is kept is what the next step takes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # not to be opened (Windows), or without it (macOS, musl)
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST_KEPT)) and bool(mallopt(TRIM_THRESHOLD, UNBOUNDED))
