"""From settings to a running product: checks, migration, index, then gunicorn and the worker as children."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import time
from multiprocessing import get_context
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gunicorn.app.wsgiapp import WSGIApplication

from indexer import build as building
from indexer.errors import IndexerError
from kb.accounts import sign_in
from kb.console import say
from kb.errors import KbError
from kb.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkProcess

    from kb.config import Config
    from kb.services import Services

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def require_free_port(config: Config) -> None:
    """Raise KbError when something else listens on our address."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host.strip("[]"), config.port))
        except OSError as error:
            raise KbError(f"cannot listen on {config.host}:{config.port} ({error.strerror}); stop what runs there or set KB_PORT to another port") from error


def require_promises(services: Services) -> None:
    """Raise ConfigError when the file of promises cannot be used; say which holidays it should know and does not."""
    since = services.policies.unknown_from(services.now())
    if since is not None:
        say(f"calendar: the holidays of {since.year} are not known; update chinesecalendar, or write them under [days] into the file that KB_SLA names")


def build_if_changed(services: Services) -> None:
    """Build when there is no index or the articles changed; a rejected change leaves the last good index in service."""
    config = services.config
    last = building.last_outcome(config.index)
    damage = _damage(config)
    if damage == "" and last and last.fingerprint == building.fingerprint(config.articles):
        return
    try:
        outcome = building.build(config.articles, config.index, services.now(), progress=lambda step: say(f"index: {step} …"))
    except IndexerError as error:
        if damage is None:
            raise
        say(f"index: the articles were rejected, the last good index stays: {error}")
    else:
        say(f"index: {outcome.articles} articles, {outcome.sections} sections")


def _damage(config: Config) -> str | None:
    """Return what a build would mend in the published index, which can serve as it is; None when there is none to serve."""
    try:
        with building.open_published(config.index) as published:
            return published.damage
    except IndexerError:
        return None


def announce(services: Services) -> None:
    """Print the address and, while there is no administrator, a sign-in link."""
    config = services.config
    say(f"\n  Zhida 知答 is on {config.base_url}")
    if config.host in {"0.0.0.0", "[::]"} and urlsplit(config.base_url).hostname == config.host.strip("[]") and not config.hosts:  # noqa: S104 - compared only
        say("  It opens on this machine only: set KB_BASE_URL to the address that people use, such as http://192.168.1.10:8000")
    with services.db.write() as session:
        if not sign_in.has_administrator(session):
            token = sign_in.new_link(session, None, services.now())
            say(f"  First administrator (once, within 30 minutes): {config.base_url}/sign-in/{token}")
    say("  Stop with Ctrl-C\n")


def supervise(services: Services) -> None:
    """Run gunicorn and the worker as children; a dead worker is started again, a dead web server ends all.

    The children are forks: what this process has loaded is loaded once, and shared.
    """
    config = services.config
    services.db.disconnect()  # a connection of SQLite's must not be carried through a fork
    gc.freeze()
    tasks = {"web": _serve_web, "worker": Worker(services).run}
    stopping: list[int] = []
    for number in _STOPS:
        signal.signal(number, lambda received, _: stopping.append(received))  # before the first child: none is left behind
    children = {name: _child(task) for name, task in tasks.items()}
    while not stopping and children["web"].is_alive():
        time.sleep(0.2)
        if not children["worker"].is_alive() and not stopping:
            say(f"worker ended with {children['worker'].exitcode}; starting it again")
            time.sleep(2)
            children["worker"] = _child(tasks["worker"])
    ended_alone = not stopping
    for child in children.values():
        child.terminate()
    for child in children.values():
        child.join(30)
        child.kill()
    if ended_alone:
        raise KbError(f"the web server on {config.host}:{config.port} ended by itself; its last lines above say why")


def _child(task: Callable[[], None]) -> ForkProcess:
    """Start a process of its own for a task. It is ended by the signals that end this one, and when this one is killed; none is lost while it starts."""
    supervisor = os.getpid()

    def run() -> None:
        for number in _STOPS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)  # else it would keep the address, and the next start would find it taken
        if os.getppid() == supervisor:  # it may have been killed before the line above
            task()

    child = get_context("fork").Process(target=run)
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        child.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    return child


class _Web(WSGIApplication):  # type: ignore[misc]
    """gunicorn with the settings of kb/gunicorn.py and none from its own command line."""

    def load_config(self) -> None:
        self.load_config_from_file("python:kb.gunicorn")
        self.app_uri = "kb.gunicorn:application()"


def _serve_web() -> None:
    _Web().run()
