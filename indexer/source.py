"""The folder that articles come from, read whole and safely: the one door to the file system's articles and to git."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from indexer.errors import IndexerError

if TYPE_CHECKING:
    from pathlib import Path

MAX_ARTICLE = 200_000
"""Bytes of one article; a longer one cannot be read by a person either."""
MAX_MEDIA = 2_000_000
MEDIA_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif"}
MODULES = "_modules.toml"
COMPANY = "_company.toml"
REPLIES = "_replies"
_MODULE_KEYS = ("name", "about", "owners")


@dataclass(frozen=True, slots=True)
class Module:
    """A folder of articles with the name people see. `owners` are the names of the accounts that take its tickets in turn; none is no rule."""

    id: str
    name: str
    about: str = ""
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unreadable:
    """A file that is there and must not or cannot be read."""

    path: str
    rule: str
    message: str
    line: int = 1


@dataclass(frozen=True)
class Folder:
    """Everything in an articles folder at one moment; paths are relative with `/`."""

    path: Path
    articles: dict[str, str] = field(default_factory=dict)
    media: dict[str, bytes] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    modules: tuple[Module, ...] = ()
    company: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    editors_files: dict[str, bytes] = field(default_factory=dict)
    replies: dict[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """Return a hash of every byte that a build of this folder depends on."""
        hashed = hashlib.sha256()
        texts = {path: text.encode() for path, text in (*self.articles.items(), *self.replies.items())}
        for name, data in sorted({**texts, **self.media, **self.editors_files}.items()):
            hashed.update(f"{name}\0{len(data)}\0{self.changed.get(name, '')}\0".encode())
            hashed.update(data)
        return hashed.hexdigest()


def fingerprint(path: Path) -> str:
    """Return a cheap mark of a folder's state (names, sizes, times): it changes whenever a file does."""
    hashed = hashlib.sha256()
    for file in _files(path):
        status = file.lstat()
        hashed.update(f"{file.relative_to(path)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return hashed.hexdigest()


def read_folder(path: Path) -> Folder:
    """Read an articles folder. Files that must not be read are listed, not raised; only a missing folder raises IndexerError."""
    if not path.is_dir():
        raise IndexerError(f"there is no articles folder {path}; set KB_ARTICLES to the folder that holds the modules")
    articles: dict[str, str] = {}
    replies: dict[str, str] = {}
    media: dict[str, bytes] = {}
    editors: dict[str, bytes] = {}
    unreadable: list[Unreadable] = []
    for file in _files(path):
        name = file.relative_to(path).as_posix()
        if refusal := _refusal(file, name, path):
            unreadable.append(refusal)
        elif "/" not in name and name.startswith("_"):
            editors[name] = file.read_bytes()
        elif file.suffix.lower() in MEDIA_TYPES:
            media[name] = file.read_bytes()
        elif file.suffix.lower() in {".md", ".markdown"}:
            data = file.read_bytes()
            try:
                (replies if name.startswith(f"{REPLIES}/") else articles)[name] = data.decode("utf-8")
            except UnicodeDecodeError as error:
                line = data[: error.start].count(b"\n") + 1
                unreadable.append(Unreadable(name, "encoding", f"is not UTF-8 (byte {error.start}); save it as UTF-8", line))
    modules, module_flaws = _modules(editors.get(MODULES))
    company, company_flaws = _company(editors.get(COMPANY, b""))
    flaws = (*unreadable, *module_flaws, *company_flaws)
    return Folder(path, articles, media, flaws, modules, company, _last_changes(path, [*articles]), editors, replies)


def _files(path: Path) -> list[Path]:
    """Return every regular file and link below `path`, without hidden ones and README.md; links are not followed."""
    found: list[Path] = []
    for folder, names, files in os.walk(path, followlinks=False):
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]  # noqa: PTH114, PTH118 - os.walk gives strings
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in links)
        here = path.__class__(folder)
        found.extend(here / name for name in sorted([*files, *links]) if not name.startswith(".") and name != "README.md")
    return found


def _refusal(file: Path, name: str, root: Path) -> Unreadable | None:
    if not _utf8(name):
        return Unreadable(name.encode(errors="replace").decode(), "path", "has a file name that is not UTF-8; rename it")
    if file.is_symlink() and _leads_out(file, root):
        return Unreadable(name, "symlink", "is a symbolic link out of the articles folder; copy the file instead")
    if not file.is_file():
        return Unreadable(name, "symlink", "is no file, or a symbolic link that leads to none; remove it or copy the file")
    size = file.stat().st_size
    limit = MAX_ARTICLE if file.suffix.lower() in {".md", ".markdown"} else MAX_MEDIA
    if size > limit:
        return Unreadable(name, "size", f"has {size:,} bytes, more than {limit:,}; split it into several files")
    return None


def _leads_out(link: Path, root: Path) -> bool:
    """Tell whether a link leads out of the tree or to a hidden part of it, such as .git/config."""
    try:
        target = link.resolve()
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return True
    return not target.is_relative_to(root.resolve()) or any(part.startswith(".") for part in target.relative_to(root.resolve()).parts)


def _utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _toml(data: bytes, name: str) -> tuple[dict[str, object], tuple[Unreadable, ...]]:
    try:
        return tomllib.loads(data.decode("utf-8-sig")), ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = re.search(r"line (\d+)", str(error))
        return {}, (Unreadable(name, "editors-file", f"is not TOML: {error}", int(line[1]) if line else 1),)


def _modules(data: bytes | None) -> tuple[tuple[Module, ...], tuple[Unreadable, ...]]:
    if data is None:
        return (), (Unreadable(MODULES, "editors-file", 'is missing; name each folder of articles in it: `[invoices]` and `name = "发票"`'),)
    table, flaws = _toml(data, MODULES)
    modules = []
    for id_, entry in table.items():
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            owners = _owners(entry)
            modules.append(Module(id_, entry["name"], str(entry.get("about", "")), owners or ()))
            if owners is None:
                message = f'the owners of [{id_}] are not a list of names; write `owners = ["王敏", "李雷"]`, or take the line out'
                flaws = (*flaws, Unreadable(MODULES, "editors-file", message, _line_in(data, id_, "owners")))
            for key in sorted(entry.keys() - _MODULE_KEYS):
                message = f"the key {key} of [{id_}] is unknown; use only {', '.join(_MODULE_KEYS)}"
                flaws = (*flaws, Unreadable(MODULES, "editors-file", message, _line_in(data, id_, key)))
        else:
            flaws = (*flaws, Unreadable(MODULES, "editors-file", f'[{id_}] lacks `name = "…"`'))
    return tuple(modules), flaws


def _owners(entry: dict[str, object]) -> tuple[str, ...] | None:
    """Return the owners of a module's entry, () where none are written, None for what is no list of names or an empty one."""
    if "owners" not in entry:
        return ()
    owners = entry["owners"]
    if not isinstance(owners, list) or not owners or not all(isinstance(name, str) and name.strip() for name in owners):
        return None
    return tuple(name.strip() for name in owners)


def _line_in(data: bytes, table: str, key: str) -> int:
    """Return the line of a key in a table, 1 where it is written in another way than below `[table]`; TOML's parser does not keep lines."""
    current = ""
    for number, line in enumerate(data.decode("utf-8-sig").splitlines(), 1):
        if header := re.match(r"\s*\[\s*[\"']?([^\"'\]]*?)[\"']?\s*\]", line):
            current = header[1]
        elif current == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return 1


def _company(data: bytes) -> tuple[dict[str, str], tuple[Unreadable, ...]]:
    table, flaws = _toml(data, COMPANY)
    bad = tuple(Unreadable(COMPANY, "editors-file", f"{key} is not text; put it in quotes") for key, value in table.items() if not isinstance(value, str))
    return {key: value for key, value in table.items() if isinstance(value, str)}, (*flaws, *bad)


def _last_changes(path: Path, names: list[str]) -> dict[str, str]:
    """Return the date (ISO) of each article's last change: by git where the folder is in a checkout, else by its modification time."""
    found = {name: datetime.fromtimestamp((path / name).stat().st_mtime, UTC).date().isoformat() for name in names}
    command = ["git", "-c", "core.quotepath=off", "-C", str(path), "log", "--format=%x00%cs", "--name-only", "--relative", "--no-renames", "--", "."]
    try:
        log = subprocess.run(command, capture_output=True, check=True, timeout=20, text=True, errors="replace").stdout
        dirty = subprocess.run(
            ["git", "-c", "core.quotepath=off", "-C", str(path), "ls-files", "-mo", "--", "."],
            capture_output=True,
            check=True,
            timeout=20,
            text=True,
            errors="replace",
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return found
    uncommitted = set(dirty.splitlines())
    seen: set[str] = set()
    for commit in log.split("\0")[1:]:
        date, *files = commit.splitlines()
        for name in files:
            if name in found and name not in seen and name not in uncommitted:
                found[name] = date
            seen.add(name)
    return found
