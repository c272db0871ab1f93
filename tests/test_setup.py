"""scripts/setup: what is there is left alone, and a kernel that is missing or old is compiled."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KERNEL = "indexer/_kernel.so"


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose environment is this one, but that pip installs nothing into it."""
    for name in ("scripts/setup", "requirements.lock", "pyproject.toml", "hatch_build.py", "indexer/_kernel.c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\n[ "$2" = pip ] || exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return tmp_path


def setup(checkout, **environment):
    """Run the script and return what it says."""
    done = subprocess.run(
        ["scripts/setup", "run"], cwd=checkout, env=os.environ | {"PYTHON": sys.executable} | environment, check=True, capture_output=True, text=True
    )
    return done.stderr


@pytest.fixture
def compiler():
    """Skip where nothing can be compiled."""
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("there is no C compiler")


def test_a_second_setup_does_nothing(checkout, compiler):
    assert "installing" in setup(checkout)
    made = (checkout / KERNEL).stat().st_mtime_ns
    (checkout / ".venv/bin/python").unlink()
    (checkout / ".venv/bin/python").symlink_to("/bin/false")
    assert setup(checkout) == ""
    assert (checkout / KERNEL).stat().st_mtime_ns == made


@pytest.mark.parametrize("spoil", [Path.unlink, lambda kernel: kernel.write_bytes(b"\x7fELF of an older source")])
def test_a_kernel_that_is_gone_or_of_another_source_is_compiled_anew_and_nothing_else_is_done(checkout, compiler, spoil):
    setup(checkout)
    made = (checkout / KERNEL).read_bytes()
    spoil(checkout / KERNEL)
    assert setup(checkout) == ""
    assert (checkout / KERNEL).read_bytes() == made


def test_a_kernel_that_was_not_compiled_is_compiled_as_soon_as_it_can_be(checkout, compiler):
    assert "false failed" in setup(checkout, CC="false")
    assert "false failed" in setup(checkout, CC="false")
    assert not (checkout / KERNEL).exists()
    assert setup(checkout) == ""
    assert (checkout / KERNEL).exists()


def test_without_a_compiler_the_setup_ends_well_and_says_once_what_is_missing(checkout, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "env", "dirname", "cat", "sha256sum", "cut", "grep", "sh"):
        (tools / name).symlink_to(shutil.which(name))
    assert "there is no C compiler" in setup(checkout, PATH=str(tools), CC="")
    assert setup(checkout, PATH=str(tools), CC="") == ""
