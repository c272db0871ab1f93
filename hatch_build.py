"""Compiles indexer/_kernel.c while the package is installed. Without a C compiler the install goes on, and ranking adds up with numpy instead."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "indexer/_kernel.c"
LIBRARY = "indexer/_kernel.so"
COMPILERS = ("cc", "gcc", "clang")


def compile_kernel(root: Path) -> str:
    """Compile the kernel in place; return why that was not possible, "" when it was. A library of an older source never stays."""
    source, library = root / SOURCE, root / LIBRARY
    library.unlink(missing_ok=True)
    compiler = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), "")
    if not compiler:
        return "there is no C compiler"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    aside = library.with_suffix(f".{os.getpid()}")
    # no -march=native: what is built here may run elsewhere; no contraction: every machine rounds alike
    command = [*compiler.split(), "-std=c99", "-O3", "-fPIC", "-shared", "-ffp-contract=off", f'-DSOURCE="{digest}"', "-o", str(aside), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        aside.replace(library)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip()
        return f"{compiler} failed: {said.splitlines()[-1] if said else error}"
    finally:
        aside.unlink(missing_ok=True)
    return ""


class KernelHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling calls this for wheels and for editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Compile, and put the library into the wheel."""
        if reason := compile_kernel(Path(self.root)):
            self.app.display_warning(f"{reason}; ranking will add up with numpy")
            return
        build_data["artifacts"].append(LIBRARY)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{re.sub('[-.]', '_', sysconfig.get_platform())}"  # ctypes loads it into any Python
