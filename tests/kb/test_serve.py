"""`kb serve` as people start it: one command, several processes, and none left behind."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kb.clock import utc_now
from kb.db import Database
from kb.errors import ConfigError
from kb.serve import announce, require_promises
from kb.tickets import history, lifecycle, shares
from kb.tickets.shares import Wording

if TYPE_CHECKING:
    from collections.abc import Callable

ANY = "0.0.0.0"  # noqa: S104 - nothing listens there
EVERYBODY = 5
"""The supervisor, gunicorn's arbiter, two web workers, the worker."""


def _in_session(leader: int) -> set[int]:
    """Return the processes of a session that are alive: the one that was started and all its children."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            state, *_, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4] if entry.name.isdigit() else ("", "0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(session) == leader and state != "Z":
            found.add(int(entry.name))
    return found


def _children(parent: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _free_port() -> int:
    """Return a free port below those that the system gives to connections, so that no connection takes it before the server does."""
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise AssertionError("no free port")


def _ask(port: int, path: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def _wait_until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.1)


def _wait_until_ready(server: subprocess.Popen, port: int, seconds: float) -> None:
    def ready() -> bool:
        assert server.poll() is None, server.stderr.read()
        try:
            return _ask(port, "/readyz")[0] == 200 and len(_in_session(server.pid)) == EVERYBODY
        except OSError:
            return False

    _wait_until(ready, seconds)


@pytest.fixture
def started(tmp_path, write, article):
    """Start `kb serve` on a port of its own and return its process and port; whatever is left of it is ended afterwards."""
    folder = write({"office/printer.md": article("关机再开机。\n", "打印机卡纸怎么处理", questions=["打印机卡纸"])})
    servers = []

    def start() -> tuple[subprocess.Popen, int]:
        port = _free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
        environment |= {"KB_DATA": str(tmp_path / "data"), "KB_ARTICLES": str(folder), "KB_PORT": str(port), "HOME": str(tmp_path / "home")}
        command = [sys.executable, "-m", "kb.cli", "serve", "--workers", "2"]
        servers.append(subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return servers[-1], port

    yield start
    for server in servers:
        for process in _in_session(server.pid):
            os.kill(process, signal.SIGKILL)
        server.communicate()


def test_serve_answers_with_two_workers_and_ends_all_its_children_when_told_to(started, tmp_path):
    server, port = started()
    _wait_until_ready(server, port, 40)
    status, body = _ask(port, "/api/v1/search?q=%E6%89%93%E5%8D%B0%E6%9C%BA%E5%8D%A1%E7%BA%B8")
    assert (status, body["verdict"], body["hits"][0]["article"]) == (200, "answered", "office/printer")
    idle = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    idle.request("GET", "/healthz")
    idle.getresponse().read()  # a browser keeps its connection; it must not keep the server
    server.send_signal(signal.SIGTERM)
    out, err = server.communicate(timeout=10)
    idle.close()
    assert _in_session(server.pid) == set()
    assert server.returncode == 0
    assert out == ""
    assert f"Zhida 知答 is on http://127.0.0.1:{port}" in err
    assert f"http://127.0.0.1:{port}/sign-in/" in err, "the link of the first administrator"
    assert "Traceback" not in err
    assert not (tmp_path / "home").exists(), "all that is written stands in KB_DATA"


def test_a_server_that_is_told_to_end_while_it_starts_leaves_nobody(started):
    server, _ = started()
    while "Stop with Ctrl-C" not in server.stderr.readline():
        assert server.poll() is None
    server.send_signal(signal.SIGTERM)
    server.wait(10)
    assert _in_session(server.pid) == set()


def _answer_somebody(data: Path) -> None:
    """Open a ticket for somebody who can be told by mail, and answer it."""
    db, now = Database(f"sqlite:///{data / 'kb.sqlite3'}"), utc_now()
    with db.write() as session:
        ticket = history.open_ticket(session, "食堂几点开门", now)
        share = shares.join(ticket, "c:1", Wording("食堂几点开门", "key"), now, receipt=True)
        shares.add_details(share, "", "lin@example.com", now)
        lifecycle.reply(ticket, "十一点半", "王敏", now)
    db.disconnect()


def test_a_worker_that_died_is_started_again_and_tells_what_is_due_and_a_web_server_that_died_ends_all(started, tmp_path):
    server, port = started()
    _wait_until_ready(server, port, 40)
    worker = next(child for child in _children(server.pid) if not _children(child))
    web = next(child for child in _children(server.pid) if child != worker)
    os.kill(worker, signal.SIGKILL)
    _wait_until(lambda: worker not in _in_session(server.pid) and len(_in_session(server.pid)) == EVERYBODY, 10)
    assert _ask(port, "/readyz")[0] == 200
    _answer_somebody(tmp_path / "data")
    _wait_until(lambda: len(list((tmp_path / "data" / "mail").glob("*.eml"))) == 1, 20)
    os.kill(web, signal.SIGTERM)
    _, err = server.communicate(timeout=20)
    assert server.returncode == 1
    assert "worker ended with -9; starting it again" in err
    assert "ended by itself" in err
    assert _in_session(server.pid) == set()


def test_a_file_of_promises_that_cannot_be_used_stops_the_start(services_with, tmp_path):
    path = tmp_path / "sla.toml"
    path.write_text('zone = "Asia/Shanghai"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"sla\.toml: hours is missing"):
        require_promises(services_with(sla=path))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"host": ANY, "base_url": "http://0.0.0.0:8000"}, True),
        ({"host": "[::]", "base_url": "http://[::]:8000"}, True),
        ({"host": ANY, "base_url": "http://0.0.0.0:8000", "hosts": ("192.168.1.10",)}, False),
        ({"host": ANY, "base_url": "https://help.example.com"}, False),
        ({}, False),
    ],
)
def test_who_listens_for_others_without_saying_under_which_name_is_told_at_the_start(services, capsys, more, told):
    announce(replace(services, config=replace(services.config, **more)))
    assert ("set KB_BASE_URL to the address that people use" in capsys.readouterr().err) is told


def test_holidays_that_are_not_known_are_told_at_the_start(services, clock, capsys):
    clock.at = clock.at.replace(year=2098, month=11, day=14)
    require_promises(services)
    assert "the holidays of 2098 are not known" in capsys.readouterr().err
    clock.at = clock.at.replace(year=2016)
    require_promises(services)
    assert capsys.readouterr().err == ""
