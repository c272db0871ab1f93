"""The documents say what the program does: every setting, command, route and module is in them, and what they point to is there."""

import re
import tomllib
from pathlib import Path

import click
import pytest

from kb.cli import cli
from kb.config import SETTINGS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_setting_stands_in_the_readme_with_its_default_and_meaning():
    rows = dict(re.findall(r"^\| `(KB_\w+)` \| (.+) \|$", README, re.MULTILINE))
    assert rows == {name: f"{f'`{default}`' if default else 'empty'} | {meaning}" for name, (default, meaning) in SETTINGS.items()}


def commands(group, prefix=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name)


def test_every_command_stands_in_the_readme():
    table = README.split("## Commands")[1].split("## Settings")[0]
    for words in commands(cli):
        assert all(re.search(rf"`[^`]*\b{word}\b", table) for word in words), words


def test_every_address_stands_in_the_readme():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "kb").rglob("*.py"))
    pages = {route.split("<")[0].rstrip("/") or "/" for route in re.findall(r'@views\.get\("([^"]+)"\)', sources)}
    undocumented = {"/media", "/favicon.ico", "/widget/v1.js", ""}  # files that pages ask for
    documented = README.replace("GET /api/v1", "").replace("/api/v1", "")
    missing = {page for page in pages - undocumented if page not in documented}
    assert missing == set()


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md", "ARCHITECTURE.md"])
def test_links_of_the_documents_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target


def test_every_module_stands_in_a_layer():
    layers = PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    listed = [name.strip() for layer in layers for name in layer.split(":")]
    assert len(listed) == len(set(listed))
    present = {
        str(path.relative_to(ROOT).with_suffix("")).replace("/", ".")
        for package in ("indexer", "kb")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py" and "migrations" not in path.parts
    }
    assert set(listed) == present


def test_lock_files_pin_everything_with_hashes_and_name_no_host():
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert "index-url" not in text
        requirements = re.split(r"\n(?=[a-z])", text.strip())
        assert all("--hash=sha256:" in requirement and "==" in requirement for requirement in requirements)


def test_the_two_lock_files_agree():
    run, dev = (
        dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert run.items() <= dev.items()


def test_ci_runs_exactly_the_test_command():
    lines = [line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert lines == ["exec make test"]
