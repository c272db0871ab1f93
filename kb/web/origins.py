"""Which pages may speak to the API: our own, and those of registered sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, request

from kb.errors import InvalidRequestError

if TYPE_CHECKING:
    from flask import Flask

    from kb.config import Config


def same_origin(config: Config) -> bool:
    """Tell whether a request comes from our own pages, or from no page at all (a program or a typed address)."""
    origin = request.headers.get("Origin")
    return origin is None or origin in {config.base_url, request.host_url.rstrip("/")}


def install(app: Flask, config: Config) -> None:
    """Refuse foreign pages' writes, answer registered sites' preflights, and let registered sites read what the API says (without cookies)."""

    @app.before_request
    def _check() -> Response | None:
        if not request.path.startswith("/api/") or same_origin(config):
            return None
        if request.headers["Origin"] not in config.widget_origins:
            if request.method in {"GET", "HEAD"}:
                return None  # the browser keeps the answer from the page, for want of the header below
            raise InvalidRequestError("foreign_origin", f"{request.headers['Origin'][:200]} is no registered site; add it to KB_WIDGET_ORIGINS", 403)
        if request.method == "OPTIONS":
            return Response(
                status=204,
                headers={
                    "Access-Control-Allow-Methods": "GET, POST",
                    "Access-Control-Allow-Headers": "Content-Type, Idempotency-Key",
                    "Access-Control-Max-Age": "600",
                },
            )
        return None

    @app.after_request
    def _allow(response: Response) -> Response:
        if request.path.startswith("/api/"):
            response.vary.add("Origin")
            origin = request.headers.get("Origin")
            if origin in config.widget_origins:
                response.headers["Access-Control-Allow-Origin"] = origin
        return response
