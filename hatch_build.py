"""The build hook: compiles the native kernels where there is a compiler, and quietly leaves them out elsewhere."""

import platform
import runpy
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILE = Path("src") / "cutaway" / "native" / "compile.py"


class NativeKernels(BuildHookInterface):
    """Puts the compiled library beside its sources, for a wheel and for an editable installation alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tag the wheel for this platform if that worked; pure Python, it suits every one."""
        if self.target_name != "wheel":
            return
        compiling = runpy.run_path(str(Path(self.root) / COMPILE), run_name="compile")
        try:
            library = compiling["compile_library"]()
        except (compiling["CompilationError"], OSError) as error:
            self.app.display_warning(f"cutaway will compute on PyTorch alone: {error}")
            # One left over from another machine must not travel in a wheel that claims to be pure.
            compiling["LIBRARY"].unlink(missing_ok=True)
            return
        build_data["artifacts"].append(library.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        # ctypes loads it, so it belongs to no version of Python.
        build_data["tag"] = f"py3-none-{platform_tag()}"


def platform_tag() -> str:
    """The platform the library was compiled for, as wheels name it."""
    name = sysconfig.get_platform()
    if sys.platform == "darwin":
        # A universal Python still gets a library for this processor only.
        name = name.rpartition("-")[0] + f"-{platform.machine()}"
    return name.replace("-", "_").replace(".", "_")
