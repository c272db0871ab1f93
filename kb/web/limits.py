"""Floods are cut per address; generously, since a whole company may sit behind one. Over the API each caller is counted too, and told how much is left.

Whatever is refused counts like what is answered. What becomes a ticket is limited per person elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import time
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from threading import Timer
from typing import TYPE_CHECKING, Any

from flask import request
from flask_limiter import Limit, Limiter
from flask_limiter.util import get_remote_address
from werkzeug.exceptions import RequestEntityTooLarge

from kb.errors import InvalidRequestError
from kb.web.origins import SITE_IN_QUERY

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from flask.wrappers import Response

    from kb.config import Config

TOO_MANY = 429
MAX_BODY = 256 * 1024
"""Bytes of a request: 20,000 Han characters in a form."""
MAX_URL = 120_000
HEARD_OUT = 64 * 2**20
"""Bytes of a refused request that are read all the same."""
HEARD_FOR = 5.0
"""Seconds for which they are read: a large file on a good line; who sends a byte now and then would have a thread for days."""
UPLOADS = {"tickets.add_files": 26 * 2**20, "tickets_api.add_file_": 6 * 2**20}
"""Bytes of a request to the views that take files: five of 5 MB, or one, and what stands around them."""

OF_A_PERSON = {"search_api.search": 60, "search_api.suggest": 600, "search_api.suggestions": 600}
"""Requests of one person in a minute to one address of the API; `OTHERWISE` to all others together. A search while somebody types counts as a suggestion."""
OTHERWISE = 120
OF_A_KEY = 600
"""Requests of one server key in a minute, to all addresses together."""
OF_NOBODY = 0.5
"""Share of an address's requests that may come to the API from who says nothing of who they are: a script that runs wild leaves pages to its colleagues."""
PAGE_LOAD = "n"
"""Parameter of a site's anonymous GET: random for each load of a page, 32 hexadecimal digits. What one load asks is counted like a person's, so that one that
runs wild leaves the others behind its address alone; it says nothing of who asks, and is looked at for nothing else."""
_PAGE_LOAD = re.compile(r"[0-9a-f]{32}", re.ASCII)
_HOW: Any = {"storage_uri": "memory://", "strategy": "moving-window", "request_identifier": lambda: request.endpoint or "nowhere"}
"""How is counted: what leads nowhere too."""


def install(app: Flask, config: Config) -> None:
    """Count requests of one address in this process, and bound bodies. To be installed before all that refuses."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    limiter = Limiter(get_remote_address, app=app, application_limits=[f"{config.requests_per_minute} per minute"], **_HOW)
    limiter.request_filter(_is_health_check)
    _tell_of(app, limiter)

    @app.before_request
    def _let_files_in() -> None:
        """Before anything looks at the form: a token is looked for in it."""
        if (most := UPLOADS.get(request.endpoint or "")) is None:
            return
        request.max_content_length = most
        if (request.content_length or 0) <= most:
            return
        if request.path.startswith("/api/"):
            raise InvalidRequestError("file_too_large", "这个文件太大：每个文件 5 MB 以内。截图可压缩或裁小，表格可只留相关的行。", 413)
        raise InvalidRequestError("too_large", "这些文件加起来太大了，一个也没有添加：每个文件 5 MB 以内，最多 5 个。请返回上一页，去掉大的或分几次添加。", 413)

    @app.before_request
    def _measure() -> None:
        """A body that does not say its length would be cut at its most, and what is left be taken for all of it."""
        if "Transfer-Encoding" in request.headers and request.mimetype != "multipart/form-data" and len(request.get_data()) >= MAX_BODY:
            raise RequestEntityTooLarge

    @app.after_request
    def _hear_out(response: Response) -> Response:
        """Who is still sending reads no answer, only that the connection is gone. Who has asked too much, or sends too slowly, is not waited for."""
        left = request.content_length or 0
        if left <= (request.max_content_length or 0):
            return response
        if response.status_code == TOO_MANY:
            _hear_no_more(_connection())
        elif left <= HEARD_OUT:
            end, enough = time.monotonic() + HEARD_FOR, Timer(HEARD_FOR, _hear_no_more, [_connection()])
            enough.start()
            with suppress(OSError):  # they are gone themselves
                while left > 0 and time.monotonic() < end and (part := request.environ["wsgi.input"].read(min(left, 64 * 1024))):
                    left -= len(part)
            enough.cancel()
        return response


def _connection() -> socket.socket | None:
    """Return what this request comes by, None where no server says so."""
    found: socket.socket | None = request.environ.get("gunicorn.socket")
    return found


def _hear_no_more(connection: socket.socket | None) -> None:
    """End what comes by a connection, whoever waits for it; an answer can still be sent."""
    if connection is not None:
        with suppress(OSError):  # it has ended
            connection.shutdown(socket.SHUT_RD)


def install_for_callers(app: Flask, config: Config, whose: Callable[[], str]) -> None:
    """Count what each caller of the API does in this process, and tell them how much is left. `whose` returns who calls, "" for nobody.

    To be installed after what finds out who calls. Who was refused before anybody knew who calls is told how much is left to their address.
    """

    def counted() -> str:
        return whose() or _page_load()

    def bucket() -> str:
        return f"{(who := counted())} {_kind(who)}"

    def allowed() -> str:
        return f"{_allowed(counted())} per minute"

    def address() -> str:
        return f"address {get_remote_address()}"

    own = Limit(allowed, key_function=bucket, exempt_when=lambda: not _is_api() or not counted(), shared=True, scope="callers")
    share = f"{max(1, int(OF_NOBODY * config.requests_per_minute))} per minute"
    of_nobody = Limit(share, key_function=address, exempt_when=lambda: not _is_api() or bool(whose()), shared=True, scope="callers")
    _tell_of(app, Limiter(address, app=app, default_limits=[own, of_nobody], key_prefix="callers", **_HOW))


def _tell_of(app: Flask, limiter: Limiter) -> None:
    """Say in the API's answers how much is left, unless what was installed later has said so: it is asked first, and knows more of who calls."""

    @app.after_request
    def _tell(response: Response) -> Response:
        limit = min(limiter.current_limits, key=lambda one: one.remaining, default=None)
        if limit is not None and _is_api() and "RateLimit-Limit" not in response.headers:
            rest = min(max(1, ceil(limit.reset_at - time.time())), limit.limit.get_expiry())
            response.headers.update({"RateLimit-Limit": limit.limit.amount, "RateLimit-Remaining": limit.remaining, "RateLimit-Reset": rest})
            if limit.breached:
                response.headers["Retry-After"] = str(rest)
        return response


def _page_load() -> str:
    """Return which load of a page asks, "" where none says so."""
    number = request.args.get(PAGE_LOAD, "")
    return f"load {number}" if request.method == "GET" and SITE_IN_QUERY in request.args and _PAGE_LOAD.fullmatch(number) else ""


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _kind(who: str) -> str:
    """Return what a request is counted with."""
    if who.startswith("key:"):
        return "key"
    if request.endpoint == "search_api.search" and request.args.get("typing") == "1":
        return "search_api.suggest"
    return request.endpoint if request.endpoint in OF_A_PERSON else "others"


def _allowed(who: str) -> int:
    kind = _kind(who)
    return OF_A_KEY if kind == "key" else OF_A_PERSON.get(kind, OTHERWISE)


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
