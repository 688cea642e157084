"""Compile the C++ files beside this one into the library that `library.py` loads.

    python -m cutaway.native [--sanitize]

The build hook calls it at installation; later, one that found no compiler then can be repeated by hand. It imports
nothing of this package, so that the hook can run it before there is one. CXX names another compiler.
"""

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LIBRARY = FOLDER / {"win32": "kernels.dll", "darwin": "kernels.dylib"}.get(sys.platform, "kernels.so")

COMPILERS = ("c++", "g++", "clang++")
FLAGS = ["-std=c++17", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden", "-pthread"]
FLAGS += [] if sys.platform == "win32" else ["-fPIC"]
# Errno of the square root interests nobody.
FLAGS += ["-fno-math-errno"]
# Vectors wider than the machine's are passed between inlined functions only; GCC 12's own headers are not clean.
FLAGS += ["-Wno-psabi", "-Wno-uninitialized", "-Wno-maybe-uninitialized"]
# In kernels a product and a sum become one instruction where there is one. Elsewhere never, so that weights are rounded
# to the same whole numbers on every machine.
IN_KERNELS, ELSEWHERE = "-ffp-contract=fast", "-ffp-contract=off"
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"]

_AVX2 = ["-mavx2", "-mfma", "-mf16c"]
_AVX512 = [*_AVX2, "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni"]
INSTRUCTION_SETS = {
    "x86_64": {
        "avx2": _AVX2,
        "avxvnni": [*_AVX2, "-mavxvnni"],
        "avx512": _AVX512,
        "avx512bf16": [*_AVX512, "-mavx512bf16"],
    },
    "aarch64": {"neon": ["-march=armv8.2-a+dotprod"]},
}
"""The flags of each set of instructions beyond the machine's least, by the namespace that its kernels get."""


class CompilationError(Exception):
    """There is no compiler, or it refuses the files."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One call of the compiler."""

    source: Path
    output: Path
    flags: Sequence[str] = ()


def find_compiler() -> list[str] | None:
    """The command that compiles C++ here, if there is one."""
    if named := os.environ.get("CXX"):
        command = shlex.split(named)
        return command if shutil.which(command[0]) else None
    return next(([found] for name in COMPILERS if (found := shutil.which(name))), None)


def machine() -> str:
    """The processor's family, by its name on Linux."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name := platform.machine().lower(), name)


def compile_library(library: Path = LIBRARY, *, sanitize: bool = False) -> Path:
    """Compile everything and put the library in place, whole or not at all.

    A set of instructions that the compiler does not know is left out; the library says which it has.

    Raises: CompilationError when there is no compiler, or it fails.
    """
    compiler = find_compiler()
    if compiler is None:
        tried = os.environ.get("CXX") or ", ".join(COMPILERS)
        raise CompilationError(f"no C++ compiler found (tried {tried}); set CXX to one")
    compiler = [*compiler, *FLAGS, *(SANITIZE if sanitize else [])]
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cutaway-") as scratch:
        objects = _compile(compiler, Path(scratch))
        linked = Path(scratch) / library.name
        _run([*compiler, "-shared", "-o", str(linked), *map(str, objects)])
        # Copied beside its place first: renaming across file systems is not atomic, and a library may be in use.
        beside = library.with_suffix(".tmp")
        shutil.copyfile(linked, beside)
        beside.replace(library)
    return library


def _compile(compiler: Sequence[str], scratch: Path) -> list[Path]:
    sets = INSTRUCTION_SETS.get(machine(), {})
    kernels = FOLDER / "kernels.cpp"
    optional = {
        name: Unit(
            source=kernels, output=scratch / f"kernels-{name}.o", flags=[f"-DCUTAWAY_ISA={name}", IN_KERNELS, *flags]
        )
        for name, flags in sets.items()
    }
    portable = Unit(source=kernels, output=scratch / "kernels-portable.o", flags=["-DCUTAWAY_ISA=portable", IN_KERNELS])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        known = dict(zip(optional, pool.map(lambda unit: _succeeds(compiler, unit), optional.values()), strict=True))
        has = [ELSEWHERE, *(f"-DHAS_{name.upper()}" for name, there in known.items() if there)]
        others = [source for source in sorted(FOLDER.glob("*.cpp")) if source != kernels]
        units = [portable, *(Unit(source=file, output=scratch / f"{file.stem}.o", flags=has) for file in others)]
        list(pool.map(lambda unit: _run(_command(compiler, unit)), units))
    return [unit.output for unit in [*units, *(optional[name] for name, there in known.items() if there)]]


def _command(compiler: Sequence[str], unit: Unit) -> list[str]:
    return [*compiler, *unit.flags, "-c", str(unit.source), "-o", str(unit.output)]


def _succeeds(compiler: Sequence[str], unit: Unit) -> bool:
    return subprocess.run(_command(compiler, unit), capture_output=True, check=False).returncode == 0  # noqa: S603


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise CompilationError(f"{command[0]} does not run: {error}") from None
    if done.returncode:
        raise CompilationError(f"{shlex.join(command)} failed:\n{done.stderr.strip()}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Compile and say where the library is."""
    parser = argparse.ArgumentParser(prog="python -m cutaway.native", description=__doc__.partition("\n")[0])
    parser.add_argument("--sanitize", action="store_true", help="with the address and undefined-behaviour sanitizers")
    parser.add_argument("--output", type=Path, default=LIBRARY)
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(f"{compile_library(options.output, sanitize=options.sanitize)}\n")
    except CompilationError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
