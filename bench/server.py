"""The product's own server on loopback, over a data folder of its own, for as long as a measurement lasts."""

from __future__ import annotations

import http.client
import os
import random
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

START = 60.0
"""Seconds in which a server must answer."""
ENDLESS = "1000000"
"""Requests a minute that are let through: a measurement is no flood."""


class BenchError(Exception):
    """A server or a command under measurement did not do what it should; the message says which."""


def settings(data: Path, articles: Path, **more: str) -> dict[str, str]:
    """Return the environment for the product on this data folder, without any setting of the caller's."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    return environment | {"KB_DATA": str(data), "KB_ARTICLES": str(articles), "KB_REQUESTS_PER_MINUTE": ENDLESS, **more}


def run(environment: dict[str, str], *arguments: str) -> str:
    """Run `kb` with these arguments and return its standard output. Raises BenchError when it fails."""
    done = subprocess.run([sys.executable, "-m", "kb.cli", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"kb {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@contextmanager
def gunicorn(application: str, environment: dict[str, str], *, options: Sequence[str] = ("--config", "python:kb.gunicorn")) -> Iterator[int]:
    """Serve an application ("module:call()") and yield its port; the server and its workers end with the block.

    Raises BenchError when it does not answer within a minute.
    """
    port = _free_port()
    with _running([sys.executable, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", application], environment, port):
        yield port


@contextmanager
def served(environment: dict[str, str]) -> Iterator[int]:
    """Run `kb serve` and yield its port as soon as it answers; all its processes end with the block. Raises BenchError when it does not answer."""
    port = _free_port()
    with _running([sys.executable, "-m", "kb.cli", "serve"], environment, port):
        yield port


@contextmanager
def _running(command: list[str], environment: dict[str, str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, env=environment | {"KB_PORT": str(port)}, stdout=subprocess.DEVNULL) as server:
        try:
            _wait(server, port)
            yield
        finally:
            server.terminate()


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.01)
        else:
            return
        finally:
            connection.close()
    raise BenchError(f"the server on port {port} {f'ended with {server.returncode}' if server.poll() is not None else 'does not answer'}")


def _free_port() -> int:
    """Return a free port below those that the system gives to connections, so that no connection takes it before the server does."""
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise BenchError("no free port on loopback")
