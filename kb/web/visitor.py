"""Who is asking, never by IP address.

On our own pages: a signed-in account, else a random first-party cookie. Over a site's pages: whom its token vouches for, else the widget's random id; cookies
do not count there. Else this request alone.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import g, request

from indexer.published import ALL, EVERYONE
from kb.accounts import sign_in
from kb.accounts.identity import bad_identity, verify
from kb.accounts.roles import Right, is_staff, may
from kb.accounts.sign_in import Staff
from kb.errors import InvalidRequestError, NotFoundError
from kb.web import api_keys, limits
from kb.web.origins import TOLD_TO_ALL, VISITOR, same_origin, site

if TYPE_CHECKING:
    from flask import Flask
    from flask.wrappers import Response

    from indexer.published import Audience
    from kb.services import Services
    from kb.widget.sites import SiteInForce

PERSON_COOKIE_DAYS = 180
_POLLED = frozenset({"desk.counts", "tickets_api.ticket"})
"""Addresses that open pages ask whether or not somebody is there, so they keep no session alive."""
_COOKIELESS = "site_frame.frame"
"""The page that stands in frames of other sites, where a browser keeps no cookie of ours."""
_MAX_VISITOR = 100
_VISITOR_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person behind a request. `person` is "" when nothing identifies them; `audience` is what exists for them; `site`: the one they come through."""

    person: str
    staff: Staff | None
    audience: Audience
    site: SiteInForce | None = None

    @property
    def working(self) -> bool:
        """True for people whose searches are work, not demand."""
        return self.staff is not None and is_staff(self.staff.role)

    def may(self, right: Right) -> bool:
        """Tell whether they have a right."""
        return self.staff is not None and may(self.staff.role, right)


NOBODY = Visitor("", None, EVERYONE)


def session_cookie(services: Services) -> str:
    """Return the name of the session cookie; over https the prefix binds it to this host."""
    return "__Host-kb_session" if services.config.secure else "kb_session"


def _person_cookie(services: Services) -> str:
    return "__Host-kb_person" if services.config.secure else "kb_person"


def install(app: Flask, services: Services) -> None:
    """Find out before each request who asks, and give pages' visitors their cookie."""

    @app.before_request
    def _identify() -> None:
        g.visitor = _visitor(services)

    @app.after_request
    def _give_cookie(response: Response) -> Response:
        wanted = response.mimetype == "text/html" and request.method == "GET" and request.endpoint != _COOKIELESS
        if wanted and _person_cookie(services) not in request.cookies and response.status_code == 200:  # noqa: PLR2004
            response.set_cookie(
                _person_cookie(services),
                secrets.token_urlsafe(24),
                max_age=PERSON_COOKIE_DAYS * 86400,
                httponly=True,
                samesite="Lax",
                secure=services.config.secure,
                path="/",
            )
        return response


def _visitor(services: Services) -> Visitor:
    if (server := api_keys.caller()) is not None:
        roles = frozenset() if server.sub else server.site.audience  # a key proves the site, not the roles of the person it names
        return Visitor(server.person, None, server.site.readers(roles), server.site)
    if request.path.startswith("/api/") and (found := _sent_along(services)) is not None:
        return found
    if not same_origin(services.config):
        return NOBODY
    staff = _staff(services)
    if staff is not None:
        audience = ALL if may(staff.role, Right.READ_ALL) else EVERYONE
        return Visitor(f"u:{staff.id}", staff, audience)
    cookie = request.cookies.get(_person_cookie(services), "")
    return Visitor(f"c:{_digest(cookie)}" if cookie else "", None, EVERYONE)


def _sent_along(services: Services) -> Visitor | None:
    """Return whom the headers of a request to the API speak for; None when they say nothing.

    Raises InvalidRequestError 401 for a token that is not accepted, and where a site takes nobody without one.
    """
    named, given, id_ = site(), request.headers.get("Authorization"), request.headers.get(VISITOR)
    if request.method == "OPTIONS" or request.path == TOLD_TO_ALL:
        return None
    if given is not None and (named is not None or given[:6].lower() == "bearer"):  # a proxy's password is no token
        scheme, _, token = given.partition(" ")
        if named is None or scheme != "Bearer":
            raise bad_identity()
        identity = verify(token, named.name, named.keys, services.now())
        return Visitor(f"s:{named.name}:{identity.subject.sub}", None, named.readers(identity.roles), named)
    if named is not None and not named.anonymous:
        raise InvalidRequestError("no_identity", "this site takes only people that it vouches for: send Authorization: Bearer TOKEN (docs/widget.md)", 401)
    if id_ is not None and not _VISITOR_ID.fullmatch(id_):
        raise InvalidRequestError("bad_visitor", f"{VISITOR} is not 32 hexadecimal digits in lower case")
    if named is None and id_ is None:
        return None
    return Visitor(person_named(id_, named), None, EVERYONE if named is None else named.readers(), named)


def _staff(services: Services) -> Staff | None:
    token = request.cookies.get(session_cookie(services))
    if not token:
        return None
    now = services.now()
    with services.db.read() as session:
        found = sign_in.whose_session(session, token, now)
        if found is None:
            return None
        staff, idle = Staff(found.user.id, found.user.name, found.user.role), now - found.seen_at
    if idle > sign_in.IDLE_LIFE / 10 and request.endpoint not in _POLLED:
        with services.db.write() as session:
            again = sign_in.whose_session(session, token, now)
            if again is not None:
                again.seen_at = now
    return staff


def sender(visitor_id: object = None) -> str:
    """Return whose words this request brings: whom its headers or cookies speak for, else the random id in its body; "" for nobody.

    Raises InvalidRequestError 400 for a server that does not say on whose behalf it speaks: for it a random id is nobody.
    """
    found = visitor()
    if found.person:
        return found.person
    if api_keys.caller() is not None:
        raise InvalidRequestError("no_sub", f"send {api_keys.SUB}: your id of the person on whose behalf you ask")
    return person_named(visitor_id, found.site)


def anonymous_source(services: Services) -> str:
    """Return what stands for the address of this request, "" where somebody vouches for who asks: a session, a site's signature or its server."""
    found = visitor()
    return "" if found.staff is not None or found.person.startswith("s:") else limits.source(services.config)


def person_named(visitor_id: object, at: SiteInForce | None = None) -> str:
    """Return the person behind a widget's random id, "" without one; on each site somebody else. Raises InvalidRequestError when it is no short text."""
    if visitor_id is None or visitor_id == "":
        return ""
    if not isinstance(visitor_id, str) or len(visitor_id) > _MAX_VISITOR:
        raise InvalidRequestError("bad_visitor", f"visitor is not a text of at most {_MAX_VISITOR} characters")
    return f"v:{_digest(visitor_id if at is None else f'{at.name} {visitor_id}')}"


def _digest(secret: str) -> str:
    """Return what is stored of a cookie or visitor id: whoever reads the database cannot impersonate."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()[:40]


def visitor() -> Visitor:
    """Return the person behind this request; nobody when it was refused before anybody asked."""
    found: Visitor = g.get("visitor", NOBODY)
    return found


def named_site() -> str:
    """Return the name of the site that this request comes through, "" for none."""
    found = visitor().site
    return found.name if found is not None else ""


def signed_in() -> Staff:
    """Return the signed-in person. Raises InvalidRequestError 401 for strangers."""
    found = visitor()
    if found.staff is None:
        raise InvalidRequestError("sign_in", "请先登录。", 401)
    return found.staff


def require(right: Right) -> Staff:
    """Return the signed-in person if they have a right. Raises InvalidRequestError 401 for strangers, NotFoundError for the signed-in without it."""
    staff = signed_in()
    if not may(staff.role, right):
        raise NotFoundError("这一页不对你的角色开放。需要的话请联系管理员。")
    return staff
