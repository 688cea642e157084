"""Where a run computes, in which number format, and how much memory that has taken."""

import sys

import torch

from cutaway.weights.load import check_device

AUTOCAST: dict[str, torch.dtype | None] = {
    "float32": None,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


PEAK_FLOPS = {
    "H200": 989e12,
    "H100": 989e12,
    "A100": 312e12,
    "RTX 4090": 165e12,
    "V100": 125e12,
    "L4": 121e12,
    "T4": 65e12,
}
"""What GPUs could do in half precision without sparsity, in FLOP/s. Source: the makers' data sheets."""


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is the fastest there is.

    Raises: ConfigError when this machine, or this PyTorch, has none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = check_device(name)
    if device.type == "cuda":
        # What autocast leaves in float32 may use the tensor cores' 19-bit format, as is usual in training.
        torch.set_float32_matmul_precision("high")
    return device


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """A `with` in which multiplications are computed in that number format."""
    dtype = AUTOCAST[precision]
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def peak_flops(device: torch.device, precision: str) -> float | None:
    """The most FLOP/s that this device could do; None where nobody has said."""
    if device.type != "cuda" or AUTOCAST[precision] is None:
        return None
    name = torch.cuda.get_device_name(device)
    return next((flops for known, flops in PEAK_FLOPS.items() if known in name), None)


def peak_memory_bytes(device: torch.device) -> int | None:
    """The most memory that has been in use, the GPU's or else the process's; None where nobody counts."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
