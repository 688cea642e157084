"""What figures depend on: the processor, its instructions, the versions, and what else the machine is doing."""

import importlib.metadata
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from cutaway.native import available
from cutaway.native.library import choose_instruction_set
from cutaway.native.model import usable_cores

LIBRARIES = ("cutaway", "torch", "numpy")
LINUX_PAGES = Path("/proc/self/statm")


def environment(device: str = "cpu") -> dict[str, Any]:
    """All of it, ready for JSON."""
    return {
        "processor": processor(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "instructions": choose_instruction_set(None) if available() else None,
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "threads": torch_threads(),
        "load_average": load_average(),
        "device": device,
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    told = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.is_file() else ""
    found = re.search(r"model name\s*:\s*(.+)", told)
    return found[1] if found else platform.processor() or platform.machine()


def torch_threads() -> int:
    """How many threads PyTorch computes with."""
    import torch

    return torch.get_num_threads()


def load_average() -> float | None:
    """How many programs wanted to run in the last minute; None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        return None


def resident_bytes() -> int | None:
    """Memory that this process holds now; None but on Linux."""
    if sys.platform != "linux" or not LINUX_PAGES.is_file():
        return None
    return int(LINUX_PAGES.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
