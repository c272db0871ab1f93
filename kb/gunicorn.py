"""gunicorn's settings: threads in preloaded workers; dictionary and published build loaded once and shared by fork, no searcher or connection before it."""

from __future__ import annotations

import ctypes
import gc
import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gunicorn.http import message
from gunicorn.http.errors import ParseException
from sqlalchemy.orm import configure_mappers
from werkzeug.exceptions import BadRequest

from indexer.errors import IndexerError
from indexer.segment import warm_up
from indexer.text import let_go_of_traditional
from kb import logs
from kb.app import create_app
from kb.config import Config
from kb.services import Services
from kb.web import language
from kb.widget import pages

if TYPE_CHECKING:
    from flask import Flask

_config = Config.from_env().prepare()
_services = Services.of(_config)

message.MAX_REQUEST_LINE = 131_072  # a pasted question in a URL gets our own answer with a remedy instead of a bare 400
limit_request_line = message.MAX_REQUEST_LINE - 1
bind = f"{_config.host}:{_config.port}"
workers = _config.workers
worker_class = "gthread"
threads = 4
preload_app = True
graceful_timeout = 25
timeout = 60
keepalive = 5
_SILENCE = 10
"""Seconds without a byte after which a request that has not come whole is given up: until then it has a thread, and a few such would have all of them."""
forwarded_allow_ips = "*" if _config.proxies else "127.0.0.1"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108 - gunicorn's heartbeat must not wait for a disk
control_socket_disable = True  # its thread would be there when a worker is replaced, and its file is shared by all of an account's servers
loglevel = "warning"
proc_name = "kb-web"


def application() -> Flask:
    """Return the application, with the dictionary and the published build in memory; called once, before the fork."""
    logs.configure()
    warm_up(_config.data / "jieba")
    app = create_app(_services)
    app.register_error_handler(ParseException, lambda _: app.handle_user_exception(BadRequest()))  # chunks that are none, met when a view reads the body
    configure_mappers()  # else the first request to each worker waits for it, 20 ms of a processor
    _learn_languages()
    with suppress(IndexerError):  # what is wrong with it stands in /readyz and on the desk
        _services.library.current().warm_up()
    gc.collect()
    gc.freeze()  # what is loaded now stays shared between the workers
    return app


def _learn_languages() -> None:
    """Make what is said in other languages, else the first page in Traditional Chinese waits for each worker's dictionaries: 4 s on a busy machine."""
    language.warm_up()
    pages.warm_up()
    let_go_of_traditional()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)  # 42 MB go back to the system, which would else stay in each worker's share


def when_ready(server: Any) -> None:
    """Let no connection be silent for long in the middle of a request: sockets that are accepted inherit it, whatever Python's own timeout says."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _SILENCE, 0))


def post_fork(_server: Any, _worker: Any) -> None:
    """Open a build that was published since the preload before the worker's first request."""
    with suppress(IndexerError):
        _services.library.current()
