"""What `cutaway doctor` looks at: the installation, the machine, and whether the bundled model writes."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cutaway
import cutaway.native
from cutaway.cli.quantities import scaled
from cutaway.errors import CutawayError
from cutaway.machine import memory_bytes, processor

DEVELOPERS_EXTRA = "dev"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. Only what is `broken` keeps the package from working."""

    topic: str
    name: str
    detail: str
    state: Literal["ok", "absent", "broken"] = "ok"


def python() -> Iterator[Finding]:
    """The package, and the Python it is installed in."""
    yield Finding(topic="Python", name="cutaway", detail=f"{cutaway.__version__} in {Path(cutaway.__file__).parent}")
    version = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    yield Finding(topic="Python", name="Python", detail=version)


def machine() -> Iterator[Finding]:
    """System, processor and memory."""
    yield Finding(topic="machine", name="system", detail=platform.platform())
    yield Finding(topic="machine", name="processor", detail=f"{processor()}, {os.cpu_count()} cores")
    if size := memory_bytes():
        yield Finding(topic="machine", name="memory", detail=scaled(size, "B"))


def dependencies() -> Iterator[Finding]:
    """The libraries that the package needs."""
    for library, extra in requirements():
        if extra is None:
            yield dependency(library)


def dependency(library: str) -> Finding:
    """A library's version, or how to get it."""
    try:
        return Finding(topic="libraries", name=library, detail=importlib.metadata.version(library))
    except importlib.metadata.PackageNotFoundError:
        advice = f"not installed: pip install {library}"
        return Finding(topic="libraries", name=library, detail=advice, state="broken")


def extras() -> Iterator[Finding]:
    """The optional libraries."""
    for library, extra in requirements():
        if extra in (None, DEVELOPERS_EXTRA):
            continue
        found = dependency(library)
        if found.state == "ok":
            yield Finding(topic="extras", name=f"{extra}: {library}", detail=found.detail)
        else:
            advice = f"not installed: pip install 'cutaway[{extra}]'"
            yield Finding(topic="extras", name=f"{extra}: {library}", detail=advice, state="absent")


def torch_and_devices() -> Iterator[Finding]:
    """PyTorch's build, and what it can compute on."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library that does not load
        yield Finding(topic="devices", name="torch", detail=f"does not load: {error}", state="broken")
        return
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs"
    yield Finding(topic="devices", name="torch", detail=f"{torch.__version__}, built {build}")
    threads = f"threads: {torch.get_num_threads()}, vector instructions: {torch.backends.cpu.get_cpu_capability()}"
    yield Finding(topic="devices", name="cpu", detail=threads)
    for index in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(index)
        yield Finding(topic="devices", name=f"cuda:{index}", detail=f"{gpu.name}, {scaled(gpu.total_memory, 'B')}")
    if not torch.cuda.is_available():
        yield Finding(topic="devices", name="cuda", detail="none", state="absent")
    mps = torch.backends.mps.is_available()
    yield Finding(topic="devices", name="mps", detail="available" if mps else "none", state="ok" if mps else "absent")


def native_kernels() -> Iterator[Finding]:
    """Whether the compiled kernels for CPUs are there."""
    found = cutaway.native.available()
    state: Literal["ok", "absent"] = "ok" if found else "absent"
    yield Finding(topic="devices", name="native kernels", detail=found.detail, state=state)


def hub() -> Iterator[Finding]:
    """Where downloaded models are kept, and whether the network may be used."""
    folder = hub_cache()
    state: Literal["ok", "absent"] = "ok" if folder.is_dir() else "absent"
    yield Finding(topic="Hub", name="cache", detail=str(folder) if state == "ok" else f"{folder} (empty)", state=state)
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    yield Finding(topic="Hub", name="network", detail="forbidden by HF_HUB_OFFLINE" if offline else "allowed")


def bundled_model() -> Iterator[Finding]:
    """Whether the default model loads and writes."""
    try:
        from cutaway.language_model import load
        from cutaway.weights import DEFAULT_MODEL

        written = load(DEFAULT_MODEL, device="cpu").generate("Once upon a time", temperature=0, max_tokens=8)
    except (CutawayError, ImportError, OSError) as error:
        advice = f"{error}; install cutaway again"
        yield Finding(topic="model", name="bundled model", detail=advice, state="broken")
        return
    yield Finding(topic="model", name=DEFAULT_MODEL, detail=f"writes: {written.prompt}{written.text}")


ALL: tuple[Callable[[], Iterator[Finding]], ...] = (
    python,
    machine,
    dependencies,
    extras,
    torch_and_devices,
    native_kernels,
    hub,
    bundled_model,
)


def requirements() -> Iterator[tuple[str, str | None]]:
    """Each library that the package names, and the extra that wants it, if one does."""
    for line in importlib.metadata.requires("cutaway") or []:
        requirement, _, marker = line.partition(";")
        library = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"""extra == ['"]([\w-]+)['"]""", marker)
        if library and library[0] != "cutaway":
            yield library[0], extra[1] if extra else None


def hub_cache() -> Path:
    """The folder of downloaded models. Source: huggingface_hub's documentation, "Environment variables"."""
    if folder := os.environ.get("HF_HUB_CACHE"):
        return Path(folder).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    return Path(home).expanduser() / "hub"
