"""The product's own server on loopback, over a data folder of its own, for as long as a measurement lasts."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


class Server:
    """`kb serve` on one port of loopback and one data folder, in a process group of its own: it may be killed and started again."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        """Start nothing yet. What it says on standard error is added to the file `log`."""
        self.port = _free_port()
        self.log = log
        self._environment = environment | {"KB_PORT": str(self.port)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it and return the seconds until it answered. Raises BenchError when it does not."""
        started = time.monotonic()
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "kb.cli", "serve"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)
        while not self.web_workers() and self._process.poll() is None and time.monotonic() < started + START:
            time.sleep(0.01)  # until then it may be children of one that was killed who answer
        _wait(self._process, self.port)
        return time.monotonic() - started

    def until_served(self) -> float:
        """Return the seconds until it answers again. Raises BenchError when it does not."""
        started = time.monotonic()
        _wait(self._running(), self.port)
        return time.monotonic() - started

    def web_workers(self) -> list[int]:
        """Return the processes that answer requests at this moment: the children of gunicorn's arbiter, which is the supervisor's first child."""
        arbiters = _children(self._running().pid)[:1]
        return [worker for arbiter in arbiters for worker in _children(arbiter)]

    def kill_supervisor(self) -> None:
        """End `kb serve` itself by SIGKILL, and leave it to its children to notice."""
        self._running().kill()
        self._running().wait()

    def kill(self) -> None:
        """End all its processes at once by SIGKILL, as when the machine is switched off."""
        process = self._running()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End it as people do. Raises BenchError when it does not end."""
        self._running().terminate()
        try:
            self._running().wait(START)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BenchError(f"the server on port {self.port} did not end within {START:.0f} s") from None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BenchError("the server was never started")
        return self._process


def _children(parent: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        return []  # it has ended


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
