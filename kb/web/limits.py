"""Floods are cut per address; generously, since a whole company may sit behind one. What becomes a ticket is limited per person elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

if TYPE_CHECKING:
    from flask import Flask

    from kb.config import Config

MAX_BODY = 256 * 1024
"""Bytes of a request: 20,000 Han characters in a form."""
MAX_URL = 120_000


def install(app: Flask, config: Config) -> None:
    """Count requests of one address in this process, and bound bodies."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    limiter = Limiter(
        get_remote_address, app=app, application_limits=[f"{config.requests_per_minute} per minute"], storage_uri="memory://", strategy="moving-window"
    )
    limiter.request_filter(_is_health_check)


def _is_health_check() -> bool:

    return request.path in {"/healthz", "/readyz"}
