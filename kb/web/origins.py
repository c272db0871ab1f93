"""Which pages may speak to the API: our own, and those of registered sites. A site's pages name it in `X-Zhida-Site`, or as `?site=`.

A GET with the name in its address and no header of ours is one that a browser sends without asking first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, g, request

from kb.errors import InvalidRequestError

if TYPE_CHECKING:
    from flask import Flask

    from kb.config import Config
    from kb.services import Services
    from kb.widget.sites import SiteInForce

SITE = "X-Zhida-Site"
SITE_IN_QUERY = "site"
VISITOR = "X-Zhida-Visitor"
TOLD_TO_ALL = "/api/v1/site"
"""What says nothing about anybody, so that every page may read it: there a developer reads why a page of theirs is refused."""
_MAY_SEND = ("Content-Type", "Idempotency-Key", "Authorization", SITE, VISITOR, "X-Zhida-Sub")
_MAY_READ = ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def same_origin(config: Config) -> bool:
    """Tell whether a request comes from our own pages, or from no page at all (a program or a typed address)."""
    origin = request.headers.get("Origin")
    return origin is None or origin in {config.base_url, request.host_url.rstrip("/")}


def site() -> SiteInForce | None:
    """Return the site that this request to the API names, None when it names none. Its origin is one of that site's, one of ours, or none."""
    found: SiteInForce | None = g.get("site")
    return found


def install(app: Flask, services: Services) -> None:
    """Let registered sites read whatever the API says (without cookies), and caches tell their answers apart. To be installed before all that refuses."""

    @app.before_request
    def _note() -> None:
        if request.path.startswith("/api/") and not same_origin(services.config) and _is_registered(services):
            g.registered_origin = request.headers["Origin"]

    @app.after_request
    def _allow(response: Response) -> Response:
        if request.path.startswith("/api/"):
            response.vary.update(("Origin", SITE, VISITOR, "Authorization"))
            allowed = "*" if request.path == TOLD_TO_ALL else g.get("registered_origin")
            if allowed and "Origin" in request.headers:
                response.headers["Access-Control-Allow-Origin"] = allowed
                response.headers["Access-Control-Expose-Headers"] = ", ".join(_MAY_READ)
        return response


def install_refusals(app: Flask, services: Services) -> None:
    """Refuse foreign pages' writes, and answer registered sites' preflights."""

    @app.before_request
    def _check() -> Response | None:
        if not request.path.startswith("/api/"):
            return None
        if request.method == "OPTIONS" and not same_origin(services.config):
            return _preflight(services)
        _admit(services)
        return None


def _preflight(services: Services) -> Response:
    """Answer what a browser asks before it sends a page's request; the request itself is looked at when it comes. Raises InvalidRequestError."""
    if not _is_registered(services) and request.path != TOLD_TO_ALL:
        raise _foreign("the origin of no registered site; add it with kb site add or in KB_WIDGET_ORIGINS")
    return Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": ", ".join(_MAY_SEND),
            "Access-Control-Max-Age": "600",
        },
    )


def _admit(services: Services) -> None:
    """Look at where a request comes from and which site it names. Raises InvalidRequestError 403 when the two do not belong together."""
    ours, name = same_origin(services.config), _named()
    if name is not None:
        named = services.sites.current().by_name.get(name)
        if named is None:
            raise InvalidRequestError("unknown_site", f"there is no site {name[:40]!r} in use; its name is the one that kb site add and /admin/sites show", 403)
        if not ours and request.headers["Origin"] not in named.origins:
            raise _foreign(f"no origin of the site {name}; add it at /admin/sites/{name} or with kb site set")
        g.site = named
    elif not ours and not _is_registered(services):
        if request.method not in {"GET", "HEAD"} or request.path == TOLD_TO_ALL:  # of all else the browser keeps the answer from the page
            raise _foreign("the origin of no registered site; add it with kb site add or in KB_WIDGET_ORIGINS")
    elif not ours and request.headers["Origin"] not in services.config.widget_origins:
        raise InvalidRequestError("unknown_site", f"this page is registered, but the request does not say as which site: send {SITE} (data-kb of the tag)", 403)


def _named() -> str | None:
    """Return the site that a request names, None when it names none. Raises InvalidRequestError 400 when it names several."""
    names = {*request.headers.getlist(SITE), *request.args.getlist(SITE_IN_QUERY)}
    if len(names) > 1:
        raise InvalidRequestError("two_sites", f"{SITE} and ?{SITE_IN_QUERY}= name different sites: send one of them, or the same name twice")
    return names.pop() if names else None


def _is_registered(services: Services) -> bool:
    """Tell whether a request comes from a page of some site."""
    origin = request.headers.get("Origin")
    return origin in services.config.widget_origins or origin in services.sites.current().origins


def _foreign(what: str) -> InvalidRequestError:
    return InvalidRequestError("foreign_origin", f"{request.headers['Origin'][:200]} is {what}", 403)
