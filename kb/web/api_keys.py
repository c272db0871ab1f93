"""A site's server comes in with a key of its own: which site it is of, what it is good for, and on whose behalf it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

from flask import current_app, g, request

from kb.accounts.identity import is_subject
from kb.errors import InvalidRequestError
from kb.web.openapi import PREFIX, operation_of
from kb.widget import server_keys
from kb.widget.models import ServerKey

if TYPE_CHECKING:
    from flask import Flask

    from kb.services import Services
    from kb.widget.sites import SiteInForce

SUB = "X-Zhida-Sub"
_USED_EVERY = timedelta(hours=1)
"""How exactly is kept when a key was last used: a key that nobody uses can be revoked, and a search writes nothing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The server of a site. `sub`: the site's id of the person on whose behalf it speaks, "" for nobody's. `scopes`: what its key is good for."""

    key: int
    site: SiteInForce
    sub: str
    scopes: frozenset[str]

    @property
    def person(self) -> str:
        """The person on whose behalf it speaks, "" for nobody."""
        return f"s:{self.site.name}:{self.sub}" if self.sub else ""


def install(app: Flask, services: Services) -> None:
    """Find out before each request to the API whether a server asks, and refuse a key that is not in force."""

    @app.before_request
    def _look() -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if request.path.startswith(f"{PREFIX}/") and scheme.lower() == "bearer" and server_keys.looks_like_one(key):
            g.server = _admitted(services, key)


def install_scopes(app: Flask) -> None:
    """Refuse a server what its key is not good for. To be installed after callers are counted, so that such a call counts as the key's."""

    @app.before_request
    def _require() -> None:
        operation, server = operation_of(current_app, request.endpoint), caller()
        if operation is None or server is None or operation.any_key or operation.scope in server.scopes:
            return
        needed = operation.scope.value if operation.scope else "of no kind"
        raise InvalidRequestError("missing_scope", f"this server key lacks the scope {needed} that {request.method} {request.path[:80]} needs", 403)


def caller() -> Caller | None:
    """Return the server that asks, None when a person does."""
    found: Caller | None = g.get("server")
    return found


def _admitted(services: Services, given: str) -> Caller:
    """Return whose key this is. Raises InvalidRequestError 401 for a key that is not in force, 403 for one in a page, 400 for what is no person."""
    if "Origin" in request.headers:
        raise InvalidRequestError("key_in_page", "a server key came from a page, where everybody can read it: revoke it, and sign identities instead", 403)
    now, presented = services.now(), server_keys.read(given)
    with services.db.read() as session:
        key = session.get(ServerKey, presented.id) if presented is not None else None
        known = key is not None and presented is not None and key.secret_hash == presented.secret_hash and key.revoked_at is None
        site = services.sites.current().by_name.get(key.site_name) if key is not None and known else None
        if key is None or site is None:
            raise InvalidRequestError("bad_server_key", "this server key is not in force: make one with kb site server-key add or at /admin/sites", 401)
        unused = key.used_at is None or not timedelta() <= now - key.used_at < _USED_EVERY
        id_, scopes = key.id, frozenset(key.scopes)
    if unused:
        with services.db.write() as session:
            session.get_one(ServerKey, id_).used_at = now
    return Caller(id_, site, _sub(), scopes)


def _sub() -> str:
    sent = request.headers.get(SUB, "")
    try:
        sub = unquote(sent, errors="strict")
    except UnicodeDecodeError:
        sub = None
    if sub is None or not sent.isascii() or (sub and not is_subject(sub)):
        raise InvalidRequestError("bad_sub", f"{SUB} is no id of a person: 1 to 52 visible characters, percent-encoded where they are not ASCII (as UTF-8)")
    return sub
