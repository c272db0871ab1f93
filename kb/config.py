"""Settings: `KB_*` environment variables, read once and strictly. README.md lists them; a test holds the two together."""

from __future__ import annotations

import difflib
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from indexer.published import SCORERS
from kb.errors import ConfigError
from kb.mail_address import is_address

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
    "KB_HOSTS": (
        "",
        "Other names or IP addresses under which people come, separated by commas; those of `KB_BASE_URL`, `KB_HOST` and this machine need not stand here",
    ),
    "KB_SECRET_KEY": ("", "Signs form tokens; empty: made once and kept in `KB_DATA`. Also `KB_SECRET_KEY_FILE`"),
    "KB_SCORER": ("compiled", "What ranks: `compiled`, or `whoosh`, the engine's own searcher, a thousand times slower"),
    "KB_TICKETS_PER_HOUR": (
        "20",
        "Questions of one person in an hour that become tickets (12 times as many of all anonymous people at one address); more are told so",
    ),
    "KB_REQUESTS_PER_MINUTE": ("6000", "Requests of one address in a minute and process before 429; sized for 5,000 colleagues behind one address"),
    "KB_SLA": ("", "File of the promises in time, as `kb/tickets/sla.toml`, which holds when this is empty"),
    "KB_PROXIES": ("0", "Reverse proxies in front whose X-Forwarded-* headers are believed"),
    "KB_WIDGET_ORIGINS": ("", "Origins of other pages that may embed the widget, separated by commas: `https://app.example.com`"),
    "KB_SMTP": (
        "",
        "Mail server: `smtp://user:password@host:587` or `smtps://…:465` (docs/mail.md); empty: `.eml` files in `KB_DATA/mail`. Also `KB_SMTP_FILE`",
    ),
    "KB_MAIL_FROM": ("", "Whom mails are from: `知答 <help@example.com>` or an address; empty: `zhida@` and the host of `KB_BASE_URL`"),
    "KB_BOTS": ("", "Group bots of the team, by lines or commas: `wecom ADDRESS`, `dingtalk ADDRESS SECRET`, `feishu ADDRESS SECRET`. Also `KB_BOTS_FILE`"),
    "KB_FOLLOWER_HOOK": ("", "Address of a host app that is told about its people's questions (docs/notifications.md); empty: none is"),
    "KB_HOOK_SECRET": ("", "Signs what `KB_FOLLOWER_HOOK` gets; 32 characters or more. Also `KB_HOOK_SECRET_FILE`"),
}
_SECRETS = {"KB_SECRET_KEY", "KB_SMTP", "KB_BOTS", "KB_HOOK_SECRET"}
_HIDDEN = _SECRETS | {"KB_FOLLOWER_HOOK"}
"""What is not shown: secrets, and an address that may hold one."""
HIDDEN = "…"
_NAME = r"(?=[a-z0-9.-]{1,253}(?![a-z0-9.-]))[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.?"
"""A host's name: one with an empty or too long part can be asked of no name server."""
_HOST = rf"https?://(?:{_NAME}|\[[0-9a-f:]+\])(?::\d{{1,5}})?"
_ORIGIN = re.compile(_HOST)
_HOST_NAME = re.compile(rf"{_NAME}|[0-9a-f.]*:[0-9a-f:.]+")
_ADDRESS = re.compile(_HOST + r"(?:[/?][!-~]*)?")
_MAIL_HOST = re.compile(rf"{_NAME}|[0-9a-f:.]+")
_BOTS = {"wecom": 0, "dingtalk": 1, "feishu": 1}
"""Kinds of group bots, and how many secrets one may have besides its address."""
_SHORTEST_SECRET = 32


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server. `tls`: `implicit`, `starttls` or `no`; without a user nobody signs in."""

    host: str
    port: int
    tls: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bot:
    """A group bot of the team: its kind, its address (which holds its key), and what it signs with, if it does. Neither is ever printed."""

    kind: str
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)


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
    hosts: tuple[str, ...]
    secret_key: str
    scorer: Scorer
    tickets_per_hour: int
    requests_per_minute: int
    sla: Path | None
    proxies: int
    widget_origins: tuple[str, ...]
    smtp: SmtpServer | None
    mail_from: tuple[str, str]
    bots: tuple[Bot, ...]
    follower_hook: str
    hook_secret: str = field(repr=False)
    as_read: tuple[tuple[str, str], ...] = ()
    """Each setting and its text, `HIDDEN` in the place of a secret."""

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

    @property
    def known_hosts(self) -> frozenset[str]:
        """The names and IP addresses under which people come, without ports, in lower case; besides those that this machine has for itself."""
        return frozenset({urlsplit(self.base_url).hostname or "", self.host.strip("[]").lower(), *self.hosts})

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Config:
        """Read the settings. Raises ConfigError for an unknown or unusable one."""
        values = _values(environ)
        data = Path(values["KB_DATA"]).absolute()
        port = _number(values, "KB_PORT", 1, 65535)
        host = f"[{values['KB_HOST']}]" if ":" in values["KB_HOST"] else values["KB_HOST"]
        base_url = values["KB_BASE_URL"].rstrip("/") or f"http://{host}:{port}"
        if not _fits(_ORIGIN, base_url):
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
            hosts=_hosts(values["KB_HOSTS"]),
            secret_key=values["KB_SECRET_KEY"],
            scorer=scorer,
            tickets_per_hour=_number(values, "KB_TICKETS_PER_HOUR", 1, 1_000_000),
            requests_per_minute=_number(values, "KB_REQUESTS_PER_MINUTE", 1, 100_000_000),
            sla=Path(values["KB_SLA"]).absolute() if values["KB_SLA"] else None,
            proxies=_number(values, "KB_PROXIES", 0, 10),
            widget_origins=_origins(values["KB_WIDGET_ORIGINS"]),
            smtp=_smtp(values["KB_SMTP"]) if values["KB_SMTP"] else None,
            mail_from=_mail_from(values["KB_MAIL_FROM"], urlsplit(base_url).hostname or "localhost"),
            bots=_bots(values["KB_BOTS"]),
            follower_hook=_follower_hook(values),
            hook_secret=values["KB_HOOK_SECRET"],
            as_read=tuple((name, HIDDEN if value and name in _HIDDEN else value) for name, value in values.items()),
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


def _fits(pattern: re.Pattern[str], url: str) -> bool:
    try:
        return pattern.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:
        return False  # a port above 65535


def _origins(value: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in value.split(",") if origin.strip())
    for origin in origins:
        if not _fits(_ORIGIN, origin):
            raise ConfigError(f"KB_WIDGET_ORIGINS holds {origin!r}; an origin is scheme and host, as in https://app.example.com")
    return origins


def _hosts(value: str) -> tuple[str, ...]:
    hosts = tuple(host.strip().lower() for host in value.split(",") if host.strip())
    for host in hosts:
        if not _HOST_NAME.fullmatch(host):
            raise ConfigError(f"KB_HOSTS holds {host!r}; write names or IP addresses without scheme and port, as in help.example.com, 192.168.1.10")
    return hosts


def _smtp(value: str) -> SmtpServer:
    """Return the mail server. What is wrong is told without the value: it holds a password."""
    how = "write it as in smtp://user:password@mail.example.com:587 or smtps://mail.example.com:465; in a password write @ as %40, / as %2F and % as %25"
    try:
        url = urlsplit(value)
        host, port = url.hostname or "", url.port or {"smtp": 587, "smtps": 465}.get(url.scheme, 0)
    except ValueError as error:
        raise ConfigError(f"KB_SMTP is no address of a mail server; {how}") from error
    if url.scheme not in {"smtp", "smtps"} or not _MAIL_HOST.fullmatch(host) or url.path not in {"", "/"} or url.fragment:
        raise ConfigError(f"KB_SMTP is no address of a mail server; {how}")
    if url.query not in {"", "tls=no", "tls=yes"} or (url.query == "tls=no" and url.scheme == "smtps"):
        raise ConfigError("KB_SMTP ends in something else than ?tls=no or ?tls=yes, which only smtp:// takes; leave it out for STARTTLS")
    here = host in {"localhost", "::1"} or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
    starttls = url.query == "tls=yes" or (url.query == "" and not here)
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if bool(user) != bool(password):
        raise ConfigError(f"KB_SMTP has a user without a password, or the other way round; {how}")
    if not f"{user}{password}".isascii():
        raise ConfigError("KB_SMTP has a user or a password with other letters than ASCII, which no mail server is sent; set another password there")
    return SmtpServer(host, port, "implicit" if url.scheme == "smtps" else "starttls" if starttls else "no", user, password)


def _mail_from(value: str, host: str) -> tuple[str, str]:
    """Return the name and the address that mails are from."""
    if not value:
        return "知答", f"zhida@{host}"
    found = re.fullmatch(r"\s*(?:\"?([^\"<>\x00-\x1f]*?)\"?\s*<([^<>\s]+)>|([^<>\s]+))\s*", value)
    name, address = (found[1] or "知答", found[2] or found[3]) if found else ("", "")
    if not is_address(address) or "=?" in name:
        raise ConfigError(f"KB_MAIL_FROM={value!r} is no mail address; write help@example.com or 知答 <help@example.com>")
    return name, address


def _bots(value: str) -> tuple[Bot, ...]:
    bots = []
    for place, entry in enumerate((part for part in re.split(r"[\n,]", value) if part.strip()), 1):
        kind, *given = entry.split()
        if kind not in _BOTS:
            raise ConfigError(f"KB_BOTS, entry {place}: begin it with {', '.join(_BOTS)}; as in: wecom https://… or dingtalk https://… SECRET")
        if not given or not _fits(_ADDRESS, given[0]):
            raise ConfigError(f"KB_BOTS, entry {place} ({kind}): what follows {kind} is no http or https address; copy it from the group's settings")
        if len(given) > 1 + _BOTS[kind]:
            raise ConfigError(f"KB_BOTS, entry {place} ({kind}) has too many words; separate bots by commas or lines")
        bots.append(Bot(kind, *given))
    if len({bot.url for bot in bots}) < len(bots):
        raise ConfigError("KB_BOTS names one address twice; its group would be told twice: leave one of them out")
    return tuple(bots)


def _follower_hook(values: Mapping[str, str]) -> str:
    url = values["KB_FOLLOWER_HOOK"]
    if url and not _fits(_ADDRESS, url):
        raise ConfigError("KB_FOLLOWER_HOOK is no address like https://app.example.com/hooks/zhida")
    if url and len(values["KB_HOOK_SECRET"]) < _SHORTEST_SECRET:
        raise ConfigError(f"KB_HOOK_SECRET has fewer than {_SHORTEST_SECRET} characters; KB_FOLLOWER_HOOK needs it: make one with openssl rand -hex 32")
    return url


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
