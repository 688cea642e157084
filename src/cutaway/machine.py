"""What the system tells of the machine and of this process, where it does."""

import os
import platform
import re
import sys
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
STATM = Path("/proc/self/statm")


def processor() -> str:
    """The processor's name."""
    told = CPUINFO.read_text(encoding="utf-8", errors="replace") if CPUINFO.is_file() else ""
    found = re.search(r"model name\s*:\s*(.+)", told)
    return found[1] if found else platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """The machine's memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def resident_bytes() -> int | None:
    """Memory that this process holds now; None but on Linux."""
    if sys.platform != "linux" or not STATM.is_file():
        return None
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def load_average() -> float | None:
    """How many programs wanted to run in the last minute; None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        return None
