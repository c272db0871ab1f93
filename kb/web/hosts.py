"""Under which names we answer. Any page can point its own name to our address, and would then be a page of ours to every browser behind our firewall."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import request

from kb.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask import Flask

    from kb.config import Config

_FOR_ALL = frozenset({"/healthz", "/readyz"})
"""What is asked by whatever address a machine has at the time."""


def install(app: Flask, config: Config) -> None:
    """Refuse requests to names that are none of ours, in words that name the setting. To be installed before all that believes a request's name."""
    known = config.known_hosts

    @app.before_request
    def _check() -> None:
        if request.path in _FOR_ALL or is_known(request.host, known):
            return
        host = request.host[:100] or "（空）"
        raise InvalidRequestError(
            "unknown_host",
            f"这个网址里的主机名 {host} 没有登记，所以打不开。请向管理员要正确的网址。"
            f"管理员请把大家用的网址写进 KB_BASE_URL（例如 http://{host}），其他主机名写进 KB_HOSTS，然后重新启动。",
        )


def is_known(host: str, known: Collection[str]) -> bool:
    """Tell whether a request's host ("name", "name:port", "[IPv6]:port") is one of ours or this machine's own, whatever the port."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    if name in known or name == "localhost":
        return bool(name)
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
