"""What every test may ask for: a folder of articles made from a dictionary, builds of it, a database, and a fixed time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pysqlite3.dbapi2 as sqlite
import pytest
from argon2 import PasswordHasher
from sqlalchemy import create_engine
from werkzeug.routing import Rule

import kb.db
import kb.models  # relationships between tables resolve once all are known
from indexer import evaluate, lint, vocabulary
from indexer.build import build, write_build
from indexer.published import current_id, open_build
from indexer.render import Renderer
from kb.accounts import sign_in
from kb.db import Database

FIRST = (
    "browser/test_widget.py",
    "kb/search/test_retrieval.py",
    "test_bench.py",
    "browser/test_stories.py",
    "faults/test_ledger.py",
    "browser/test_typing.py",
    "hostile/test_hostile_http.py",
    "hostile/test_fuzz_api.py",
    "browser/test_pages.py",
    "browser/test_following.py",
    "browser/test_desk_ticket.py",
    "browser/test_demo.py",
    "indexer/test_impacts.py",
    "hostile/test_hostile_search.py",
    "hostile/test_hostile_indexer.py",
    "kb/search/test_leave_one_out.py",
    "kb/test_serve.py",
    "kb/test_cli.py",
)
"""Files that take longest, in the order in which the processes of a run take them: what waits for a browser beside what computes, nothing long at the end."""
ROOT = Path(__file__).parents[1]
ARTICLES = ROOT / "articles"
SETS = ROOT.parent / "shared" / "eval"
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
UNUSED = 86_400
"""Seconds after which a folder that was kept for later runs gives way to the next one of its name: until then a run beside this one may read it."""

hypothesis.settings.register_profile("zhida", deadline=None)  # a machine at work on other things breaks no promise; where time is one, a test measures it
hypothesis.settings.load_profile("zhida")


def pytest_collection_modifyitems(items):
    places = {f"tests/{name}": at for at, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


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


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id):
    """Return `once(name, make)`: a folder that `make(folder)` filled for the whole run, in whichever process asked first. Nobody writes there later."""
    base = tmp_path_factory.getbasetemp()
    run = base if worker_id == "master" else base.parent

    def once_(name, make):
        folder, aside = run / f"once-{name}", run / f"making-{name}"
        with (run / f"once-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(aside, ignore_errors=True)  # of a process whose `make` failed
                aside.mkdir()
                make(aside)
                aside.rename(folder)
        return folder

    return once_


@pytest.fixture(scope="session", autouse=True)
def _one_renderer_for_all_builds():
    """Keep the renderer's child from one build to the next: starting it takes longer than all else that a build of an article or two does."""

    class Kept(Renderer):
        def __call__(self, cache=None):
            self._cache = cache
            return self

        def __exit__(self, *_: object) -> None:
            self._cache = None

    with pytest.MonkeyPatch.context() as patch:
        kept = Kept()
        patch.setattr(lint, "Renderer", kept)
        yield
        Renderer.__exit__(kept, None, None, None)


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords():
    """Hash passwords as the program does, at a cost that lets tests try many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sign_in, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        sign_in._no_password.cache_clear()  # noqa: SLF001 - the next one is made at the quick cost
        yield


@pytest.fixture(scope="session", autouse=True)
def _statements_compiled_once():
    """Let the databases of all tests share what SQLAlchemy compiles for one: it keeps that by engine and dialect, and each test has its own."""
    kept: dict = {}
    first = create_engine("sqlite://", module=sqlite)
    first.connect().close()  # the first connection completes a dialect

    def sharing(*arguments, **options):
        engine = create_engine(*arguments, **options)
        engine.dialect = engine.pool._dialect = first.dialect  # noqa: SLF001 - the engine hands it on when it is made
        engine.update_execution_options(compiled_cache=kept)
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kb.db, "create_engine", sharing)
        yield
    first.dispose()


@pytest.fixture(scope="session", autouse=True)
def _routes_compiled_once():
    """Let the applications of all tests share the code that werkzeug generates for each route: most of the time that making an application takes."""
    compiled: dict = {}
    compile_ = Rule._compile_builder  # noqa: SLF001 - nothing public stands between

    def once(rule, append_unknown=True):  # noqa: FBT002 - werkzeug's signature
        key = (rule.rule, *rule._trace, repr(rule.defaults), append_unknown)  # noqa: SLF001 - all that the code is made from
        if key not in compiled:
            compiled[key] = compile_(rule, append_unknown)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", once)
        yield


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
def shipped(once):
    """The published build of the articles that come with the program."""
    index = once("shipped", lambda folder: build(ARTICLES, folder, NOW))
    with open_build(index, current_id(index)) as published:
        yield published


def _made_of(folder: Path) -> str:
    """Return a digest of what a build of a public set is made from: the set, the editors' files, the indexer and the versions of what it runs on."""
    files = [*folder.glob("*.jsonl"), *ARTICLES.glob("_*"), *(ROOT / "indexer").glob("*.py"), ROOT / "requirements.lock", ROOT / "pyproject.toml"]
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for path in files if path.is_file()):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="session")
def kept(once, request):
    """Return `kept(name, of, make)`: a folder that later runs use again as long as `of`, the digest of what it is made from, is the same."""
    place = request.config.cache.mkdir("zhida-sets")

    def kept_(name, of, make):
        folder = place / f"{name}-{of}"

        def look(_):
            if not folder.exists():
                aside = place / f".{name}-{of}-{os.getpid()}"
                make(aside)
                for old in place.glob(f"{name}-*"):
                    if time.time() - old.stat().st_mtime > UNUSED:
                        shutil.rmtree(old)
                with suppress(OSError):  # another run was sooner
                    aside.rename(folder)
                shutil.rmtree(aside, ignore_errors=True)

        once(f"look-{name}", look)
        return folder

    return kept_


@pytest.fixture(scope="session")
def public_set(kept):
    """Return `public_set(name)`: the folder of a public set and its documents as an open build, read with the shipped editors' files.

    Without the set the test is skipped, and counted as skipped.
    """
    opened = {}

    def public_set_(name):
        if not (SETS / name).is_dir():
            pytest.skip(f"the set is not at {SETS / name}")
        if name not in opened:
            index = kept(name, _made_of(SETS / name), lambda folder: write_build(folder, name, evaluate.documents(SETS / name), vocabulary.load(ARTICLES)))
            opened[name] = open_build(index, name)
        return SETS / name, opened[name]

    yield public_set_
    for published in opened.values():
        published.backend.close()


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
