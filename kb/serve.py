"""From settings to a running product: checks, migration, index, then gunicorn and the worker as children."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click

from indexer import build as building
from indexer.errors import IndexerError
from kb.accounts import sign_in
from kb.errors import KbError

if TYPE_CHECKING:
    from pathlib import Path

    from kb.config import Config
    from kb.services import Services


def say(text: str) -> None:
    """Tell a person something without disturbing standard output."""
    click.echo(text, err=True)


def require_free_port(config: Config) -> None:
    """Raise KbError when something else listens on our address."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host.strip("[]"), config.port))
        except OSError as error:
            raise KbError(f"cannot listen on {config.host}:{config.port} ({error.strerror}); stop what runs there or set KB_PORT to another port") from error


def upgrade(services: Services) -> Path | None:
    """Bring the database to this version; say and return where the state before is kept."""
    backup = services.db.upgrade(services.now())
    if backup:
        say(f"database migrated; the state before is kept in {backup}")
    return backup


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
    with services.db.write() as session:
        if not sign_in.has_administrator(session):
            token = sign_in.new_link(session, None, services.now())
            say(f"  First administrator (once, within 30 minutes): {config.base_url}/sign-in/{token}")
    say("  Stop with Ctrl-C\n")


def supervise(config: Config) -> None:
    """Run gunicorn and the worker as children; a dead worker is started again, a dead web server ends all."""
    commands = {
        "web": [sys.executable, "-m", "gunicorn", "--config", "python:kb.gunicorn", "kb.gunicorn:application()"],
        "worker": [sys.executable, "-m", "kb.cli", "worker"],
    }
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: stopping.append(received))  # before the first child: none is left behind
    children = {name: subprocess.Popen(command) for name, command in commands.items()}
    while not stopping and children["web"].poll() is None:
        time.sleep(0.2)
        if children["worker"].poll() is not None and not stopping:
            say(f"worker ended with {children['worker'].returncode}; starting it again")
            time.sleep(2)
            children["worker"] = subprocess.Popen(commands["worker"])
    ended_alone = not stopping
    for child in children.values():
        if child.poll() is None:
            child.terminate()
    for child in children.values():
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
    if ended_alone:
        raise KbError(f"the web server on {config.host}:{config.port} ended by itself; its last lines above say why")
