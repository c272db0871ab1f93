"""Headers of every answer: what a browser must not do with it, and how long it may be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from kb.web import authorisation
from kb.web.origins import VISITOR
from kb.web.visitor import visitor

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask import Flask
    from flask.wrappers import Response

    from kb.config import Config

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
_NO_FRAME = "frame-ancestors 'none'"
_PERMISSIONS = "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()"

_PERSONAL = ("/mine", "/t/", "/sign-in", "/forgot", "/unsubscribe", "/api/v1/tickets", "/api/v1/intents")


def framed_by(origins: Collection[str]) -> str:
    """Return the policy of a page without scripts that these origins, exactly, and we may put in a frame."""
    return CONTENT_SECURITY_POLICY.replace("script-src 'self'", "script-src 'none'").replace(_NO_FRAME, " ".join(["frame-ancestors 'self'", *sorted(origins)]))


def install(app: Flask, config: Config) -> None:
    """Set what a view has not set itself."""

    @app.after_request
    def _set(response: Response) -> Response:
        defaults = {
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "Permissions-Policy": _PERMISSIONS,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "cross-origin" if request.endpoint == "static" else "same-origin",  # a frame in a sandbox is of no origin
            "Cache-Control": "private, no-store" if _personal() else "no-cache",
        }
        if config.secure:
            defaults["Strict-Transport-Security"] = "max-age=31536000"
        if request.endpoint == "static" and "v" not in request.args:  # imported by another module: the address does not name the content
            response.headers["Cache-Control"] = "no-cache"
        for name, value in defaults.items():
            response.headers.setdefault(name, value)
        if response.mimetype == "text/html":
            response.vary.add("Cookie")
        return response


def _personal() -> bool:
    """Tell whether an answer is for one person's eyes.

    So is all that is not open to everybody, what is so under an address that only one person has, what a site's people are shown, and what the API says
    to whoever says who they are, a refusal too.
    """
    addressed = request.path.startswith(_PERSONAL) or "i" in request.args
    found, known = visitor(), any(name in request.headers for name in ("Authorization", VISITOR))
    told = request.path.startswith("/api/") and (known or found.staff is not None or found.site is not None)
    return addressed or told or not authorisation.is_public()
