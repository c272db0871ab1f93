"""What every test may ask for: a folder of articles made from a dictionary, builds of it, a database, and a fixed time."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import kb.models  # noqa: F401 - relationships between tables resolve once all are known
from indexer.build import build
from indexer.published import open_build
from kb.db import Database

ARTICLES = Path(__file__).parents[1] / "articles"
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def article(body: str, title: str = "怎么办", **meta: object) -> str:
    """Return the source of an article; a list of the front matter is written as YAML writes it."""
    lines = [f"title: {title}", *(f"{key}: {value if isinstance(value, str) else list(value)}" for key, value in meta.items())]
    return "\n".join(["---", *lines, "---", body])


def write_articles(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write files (path → content) below `folder`; each module gets its entry in _modules.toml unless that file is given."""
    modules = sorted({path.split("/")[0] for path in files if "/" in path and not path.startswith((".", "_"))})
    entries = "\n".join(f'["{module}"]\nname = "{module}"' for module in modules)
    for path, content in {"_modules.toml": entries, **files}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@pytest.fixture
def now():
    return NOW


@pytest.fixture(name="article")
def article_source():
    return article


@pytest.fixture
def write(tmp_path):
    """Write an articles folder; a second call adds to it."""
    return lambda files: write_articles(tmp_path / "articles", files)


@pytest.fixture
def publish(tmp_path, write):
    """Build an articles folder and open the build; all are closed at the end."""
    opened = []

    def publish_(files):
        index = tmp_path / "index"
        opened.append(open_build(index, build(write(files), index, NOW).build))
        return opened[-1]

    yield publish_
    for one in opened:
        one.backend.close()


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """The published build of the articles that come with the program."""
    index = tmp_path_factory.mktemp("shipped") / "index"
    with open_build(index, build(ARTICLES, index, NOW).build) as published:
        yield published


@pytest.fixture(scope="session")
def upgraded(tmp_path_factory):
    """An SQLite file that was upgraded once, to be copied."""
    path = tmp_path_factory.mktemp("upgraded") / "kb.sqlite3"
    database = Database(f"sqlite:///{path}")
    database.upgrade(NOW)
    database.engine.dispose()
    return path


@pytest.fixture
def db(tmp_path, upgraded):
    """A real SQLite file with the schema of this version."""
    database = Database(f"sqlite:///{shutil.copy(upgraded, tmp_path / 'kb.sqlite3')}")
    yield database
    database.engine.dispose()
