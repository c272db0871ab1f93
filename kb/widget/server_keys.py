"""The keys that the servers of sites come in with: how one is written, what is stored of it, and what it may be good for."""

from __future__ import annotations

import hashlib
import re
import secrets
from enum import StrEnum
from typing import NamedTuple


class Scope(StrEnum):
    """What a key may be good for."""

    SEARCH = "search"
    TICKETS_READ = "tickets:read"
    TICKETS_WRITE = "tickets:write"
    ARTICLES_READ = "articles:read"


class Presented(NamedTuple):
    """A key as somebody came with it: the id of its row, and the hash of its secret."""

    id: int
    secret_hash: str


_WRITTEN = re.compile(r"zk_([1-9][0-9]{0,17})_([A-Za-z0-9_-]{43})")


def new_secret() -> str:
    """Return a new secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """Return what is stored of a secret. It is random and long: nothing slower is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def written(id_: int, secret: str) -> str:
    """Return a key as it is shown once and sent with each request: zk_<id>_<secret>."""
    return f"zk_{id_}_{secret}"


def looks_like_one(text: str) -> bool:
    """Tell whether a bearer's text is meant as a server's key, and not as a signed identity."""
    return text.startswith("zk_")


def read(text: str) -> Presented | None:
    """Return a key from its text, None for what is none."""
    found = _WRITTEN.fullmatch(text)
    return Presented(int(found[1]), hashed(found[2])) if found else None
