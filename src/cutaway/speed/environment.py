"""What figures depend on: the processor, its instructions, the versions, and what else the machine is doing."""

import importlib.metadata
import os
import platform
from typing import Any

import torch

from cutaway.machine import load_average, processor
from cutaway.native import available
from cutaway.native.library import choose_instruction_set
from cutaway.native.model import usable_cores

LIBRARIES = ("cutaway", "torch", "numpy")


def environment() -> dict[str, Any]:
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
        "threads": torch.get_num_threads(),
        "load_average": load_average(),
    }
