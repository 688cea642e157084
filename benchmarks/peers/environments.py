"""A virtual environment for each peer, in a folder that is told.

Each also sees the packages of the environment that runs the benchmark, so that PyTorch is not installed again.
"""

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A library and how it is installed."""

    name: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    """What can be imported when it is there."""
    from_source: str = ""
    """The package that is compiled here, for this processor."""
    variables: tuple[tuple[str, str], ...] = ()


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="llama",
            packages=("llama-cpp-python",),
            modules=("llama_cpp",),
            from_source="llama-cpp-python",
            # The wheels are for the least processor; without AVX-512, VNNI and BF16 llama.cpp runs at half its speed.
            variables=(("CMAKE_ARGS", "-DGGML_NATIVE=ON"),),
        ),
        Peer(name="openvino", packages=("openvino", "nncf"), modules=("openvino", "nncf")),
        Peer(name="ctranslate2", packages=("ctranslate2",), modules=("ctranslate2",)),
    )
}
OURS = "cutaway"
"""The environment that runs the benchmark; transformers is in it too."""


def python_of(name: str, folder: Path) -> str:
    """The interpreter of an environment, which is made first if need be."""
    if name == OURS:
        return sys.executable
    peer, home = PEERS[name], folder / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (python.exists() and has(python, peer.modules)):
        install(peer, home, python)
    return str(python)


def has(python: Path, modules: tuple[str, ...]) -> bool:
    """Whether an interpreter can import all of them."""
    return subprocess.run([python, "-c", f"import {', '.join(modules)}"], capture_output=True).returncode == 0


def install(peer: Peer, home: Path, python: Path) -> None:
    """Make an environment; compiling llama.cpp takes ten minutes."""
    print(f"installing {', '.join(peer.packages)} into {home}", file=sys.stderr)
    venv.create(home, with_pip=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip())
    (site / "zz_benchmarks.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ["--no-binary", peer.from_source] if peer.from_source else []
    command = [str(python), "-m", "pip", "install", "--quiet", *options, *peer.packages]
    subprocess.run(command, check=True, env=os.environ | dict(peer.variables))


def versions(names: set[str], folder: Path) -> dict[str, str]:
    """The version of each library that takes part."""
    found = {package: importlib.metadata.version(package) for package in ("cutaway", "torch", "transformers")}
    for name in sorted(names & PEERS.keys()):
        for package in PEERS[name].packages:
            code = f"import importlib.metadata as m; print(m.version({package!r}))"
            done = subprocess.run([python_of(name, folder), "-c", code], check=True, capture_output=True, text=True)
            found[package] = done.stdout.strip()
    return found
