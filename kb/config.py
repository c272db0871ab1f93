"""Settings: `KB_*` environment variables, read once and strictly. README.md lists them; a test holds the two together."""

from __future__ import annotations

import difflib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from indexer.published import SCORERS
from kb.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from indexer.published import Scorer

SETTINGS: dict[str, tuple[str, str]] = {
    "KB_DATA": ("var", "Folder for everything that is written: SQLite, index, keys (made with mode 0700)"),
    "KB_ARTICLES": ("articles", "Folder of the articles; may be a checkout of its own"),
    "KB_DATABASE_URL": ("", "Where the database is; empty: `kb.sqlite3` in `KB_DATA`. This version runs on SQLite only"),
    "KB_HOST": ("127.0.0.1", "Address that `kb serve` listens on"),
    "KB_PORT": ("8000", "Port that `kb serve` listens on"),
    "KB_WORKERS": ("2", "Web processes"),
    "KB_BASE_URL": ("", "Address that people use, for links and cookies; empty: `http://KB_HOST:KB_PORT`"),
    "KB_SECRET_KEY": ("", "Signs form tokens; empty: made once and kept in `KB_DATA`. Also `KB_SECRET_KEY_FILE`"),
    "KB_SCORER": ("compiled", "What ranks: `compiled`, or `whoosh`, the engine's own searcher, a thousand times slower"),
    "KB_TICKETS_PER_HOUR": ("20", "Questions of one person in an hour that become tickets; more are counted and told so"),
    "KB_REQUESTS_PER_MINUTE": ("6000", "Requests of one address in a minute and process before 429; sized for 5,000 colleagues behind one address"),
    "KB_PROXIES": ("0", "Reverse proxies in front whose X-Forwarded-* headers are believed"),
    "KB_WIDGET_ORIGINS": ("", "Origins of other pages that may embed the widget, separated by commas: `https://app.example.com`"),
}
_SECRETS = {"KB_SECRET_KEY"}
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?")


@dataclass(frozen=True)
class Config:
    """The settings in force. Paths are absolute."""

    data: Path
    articles: Path
    database_url: str
    host: str
    port: int
    workers: int
    base_url: str
    secret_key: str
    scorer: Scorer
    tickets_per_hour: int
    requests_per_minute: int
    proxies: int
    widget_origins: tuple[str, ...]

    @property
    def index(self) -> Path:
        """The folder of the builds."""
        return self.data / "index"

    @property
    def files(self) -> Path:
        """The folder of the files that people add to tickets."""
        return self.data / "files"

    @property
    def secure(self) -> bool:
        """True when people come by https."""
        return self.base_url.startswith("https://")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Read the settings. Raises ConfigError for an unknown or unusable one."""
        values = _values(environ)
        data = Path(values["KB_DATA"]).absolute()
        port = _number(values, "KB_PORT", 1, 65535)
        host = f"[{values['KB_HOST']}]" if ":" in values["KB_HOST"] else values["KB_HOST"]
        base_url = values["KB_BASE_URL"].rstrip("/") or f"http://{host}:{port}"
        if not _ORIGIN.fullmatch(base_url):
            raise ConfigError(f"KB_BASE_URL={base_url!r} is not an address like https://help.example.com (without a path)")
        database_url = values["KB_DATABASE_URL"] or f"sqlite:///{data / 'kb.sqlite3'}"
        if not database_url.startswith("sqlite:///"):
            raise ConfigError(f"KB_DATABASE_URL={_scheme(database_url)} is not supported in this version; use sqlite:////path/to/kb.sqlite3 or leave it empty")
        scorer = next((known for known in SCORERS if known == values["KB_SCORER"]), None)
        if scorer is None:
            raise ConfigError(f"KB_SCORER={values['KB_SCORER']!r} is unknown; use {' or '.join(SCORERS)}")
        return cls(
            data=data,
            articles=Path(values["KB_ARTICLES"]).absolute(),
            database_url=database_url,
            host=host,
            port=port,
            workers=_number(values, "KB_WORKERS", 1, 64),
            base_url=base_url,
            secret_key=values["KB_SECRET_KEY"],
            scorer=scorer,
            tickets_per_hour=_number(values, "KB_TICKETS_PER_HOUR", 1, 1_000_000),
            requests_per_minute=_number(values, "KB_REQUESTS_PER_MINUTE", 1, 100_000_000),
            proxies=_number(values, "KB_PROXIES", 0, 10),
            widget_origins=_origins(values["KB_WIDGET_ORIGINS"]),
        )

    def prepare(self) -> Config:
        """Make the data folder (0700) and the secret key; return the settings with the key. Raises ConfigError when the folder cannot be written."""
        try:
            os.umask(0o077)  # questions, keys and backups are for this account only
            self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data.chmod(0o700)
            key = self.secret_key or _kept_key(self.data / "secret_key")
        except OSError as error:
            raise ConfigError(f"KB_DATA={self.data} cannot be written ({error.strerror}); set KB_DATA to a folder of yours") from error
        return Config(**{**self.__dict__, "secret_key": key})


def _values(environ: Mapping[str, str]) -> dict[str, str]:
    given = {name: value for name, value in environ.items() if name.startswith("KB_")}
    for name in list(given):
        setting = name.removesuffix("_FILE")
        if name != setting and setting in _SECRETS:
            given[setting] = _secret_file(name, given.pop(name))
        elif name not in SETTINGS:
            near = difflib.get_close_matches(name, SETTINGS, 1)
            raise ConfigError(f"the setting {name} is unknown{f'; did you mean {near[0]}?' if near else ''}; README.md lists all settings")
    return {name: given.get(name) or default for name, (default, _) in SETTINGS.items()}


def _secret_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}={path} cannot be read; name a readable text file") from error


def _number(values: Mapping[str, str], name: str, low: int, high: int) -> int:
    value = values[name]
    if not re.fullmatch(r"\d{1,9}", value) or not low <= int(value) <= high:
        raise ConfigError(f"{name}={value!r} is not a whole number from {low} to {high}")
    return int(value)


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in value.split(",") if origin.strip())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigError(f"KB_WIDGET_ORIGINS holds {origin!r}; an origin is scheme and host, as in https://app.example.com")
    return origins


def _scheme(url: str) -> str:
    return f"{urlsplit(url).scheme}://…"


def _kept_key(path: Path) -> str:
    """Return the key in `path`, making it at the first call; of two processes at once one wins and both read its key."""
    if path.exists() and not path.read_text(encoding="utf-8").strip():
        path.unlink()  # an earlier start ended before the key was on disk; nobody has used it
    if not path.exists():
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return path.read_text(encoding="utf-8").strip()
