"""The one door to outgoing HTTP: one POST, answered within seconds, or an error that says why in words for the desk.

Addresses come from the administrator's settings only, never from what people or articles say: intranet addresses are therefore allowed, and none is
looked up elsewhere. Redirects are not followed (an answer may not choose where a signed message goes), certificates are verified, HTTP proxies are not used.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, InvalidURL
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 5.0
"""Seconds that a POST may take from the first connection to the last byte; only the system's look-up of the host's name comes on top."""
MOST = 64 * 1024
"""Bytes of an answer's body that are read, and of all that stands before it."""
_ONE_ADDRESS = 2.0
"""Seconds that one of a host's addresses may take to connect: a dead one leaves time for the next."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said. `body` is cut at 64 kB, and empty when it did not come in time: a status alone is an answer."""

    status: int
    body: bytes


class UnreachableError(Exception):
    """No answer came. The message names the host and the reason, never the address: it may hold a key."""


def post(url: str, body: bytes, headers: Mapping[str, str], *, limit: float = LIMIT) -> Answer:
    """Send `body` to an http or https address and return the answer, whatever its status. Raises UnreachableError within `limit` seconds."""
    parts = urlsplit(url)
    host, deadline = parts.hostname or "", time.monotonic() + limit
    secure = parts.scheme == "https"
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        connection = (HTTPSConnection if secure else HTTPConnection)(host, parts.port)
    except (ValueError, HTTPException) as error:
        raise UnreachableError(_reason(error, host, limit)) from error
    try:
        connection.sock = _connected(host, connection.port, deadline, secure=secure)
        connection.sock.settimeout(_left(deadline))
        connection.request("POST", target, body, {"User-Agent": "zhida", "Connection": "close", **headers})
        with HTTPResponse(cast("socket.socket", _Reading(connection.sock, deadline)), method="POST") as response:
            response.begin()
            return Answer(response.status, _body(response))
    except (OSError, ValueError, HTTPException) as error:
        raise UnreachableError(_reason(error, host, limit)) from error
    finally:
        connection.close()


class _Reading(io.RawIOBase):
    """A socket read until a moment and up to a size, whatever the other side's pace: past the size it looks as if it had ended."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._allowed = 2 * MOST

    def makefile(self, *_: Any) -> io.BufferedReader:
        """Return what http.client reads from; it asks for nothing else."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        room = memoryview(buffer)[: self._allowed]
        count = self._sock.recv_into(room) if room else 0
        self._allowed -= count
        return count


def _connected(host: str, port: int, deadline: float, *, secure: bool) -> socket.socket:
    """Return a socket to the first of a host's addresses that takes one. Raises OSError."""
    failed: OSError = OSError("the host has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(_ONE_ADDRESS, _left(deadline)))
            sock.connect(address)
            sock.settimeout(_left(deadline))
            return _context().wrap_socket(sock, server_hostname=host) if secure else sock
        except OSError as error:
            sock.close()
            failed = error
    raise failed


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _body(response: HTTPResponse) -> bytes:
    try:
        return response.read(MOST)
    except (OSError, HTTPException):
        return b""


def _reason(error: Exception, host: str, limit: float) -> str:
    reasons: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
        (socket.gaierror, f"找不到主机 {host}"),
        (ssl.SSLCertVerificationError, f"{host} 的证书不可信"),
        (ssl.SSLError, f"和 {host} 建不起加密连接"),
        (TimeoutError, f"{host} 在 {limit:g} 秒内没有回答"),
        (ConnectionRefusedError, f"{host} 拒绝连接"),
        ((ValueError, InvalidURL), f"{host} 的网址写得不对"),
    )
    return next((words for kind, words in reasons if isinstance(error, kind)), f"和 {host} 的连接中断了，或者它答的不是 HTTP")
