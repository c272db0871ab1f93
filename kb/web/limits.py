"""Floods are cut per address; generously, since a whole company may sit behind one. What becomes a ticket is limited per person elsewhere."""

from __future__ import annotations

import hashlib
import hmac
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from flask import request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from kb.errors import InvalidRequestError

if TYPE_CHECKING:
    from flask import Flask

    from kb.config import Config

MAX_BODY = 256 * 1024
"""Bytes of a request: 20,000 Han characters in a form."""
MAX_URL = 120_000
UPLOADS = {"tickets.add_files": 26 * 2**20, "tickets_api.add_file_": 6 * 2**20}
"""Bytes of a request to the views that take files: five of 5 MB, or one, and what stands around them."""


def install(app: Flask, config: Config) -> None:
    """Count requests of one address in this process, and bound bodies."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY

    @app.before_request
    def _let_files_in() -> None:
        """Before anything looks at the form: a token is looked for in it."""
        if (most := UPLOADS.get(request.endpoint or "")) is None:
            return
        request.max_content_length = most
        if (request.content_length or 0) > most:
            raise InvalidRequestError(
                "too_large", "这些文件加起来太大了，一个也没有添加：每个文件 5 MB 以内，最多 5 个。请返回上一页，去掉大的或分几次添加。", 413
            )

    limiter = Limiter(
        get_remote_address, app=app, application_limits=[f"{config.requests_per_minute} per minute"], storage_uri="memory://", strategy="moving-window"
    )
    limiter.request_filter(_is_health_check)


def _is_health_check() -> bool:
    return request.path in {"/healthz", "/readyz"}


def source(config: Config) -> str:
    """Return what stands for the address of a request where wrong passwords are counted: a hash that nobody can turn back without the secret key.

    One IPv6 line is one /64, since whoever has one has all its addresses. "" when the address is unknown.
    """
    try:
        address = ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or ip_network((address, 64), strict=False).network_address
    return hmac.new(config.secret_key.encode(), f"sign-in from {address}".encode(), hashlib.sha256).hexdigest()
