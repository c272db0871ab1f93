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
from pathlib import Path

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


def _wait_until_ready(server: subprocess.Popen, port: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, server.stderr.read()
        try:
            if _ask(port, "/readyz")[0] == 200 and len(_in_session(server.pid)) == EVERYBODY:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready within {seconds} s; there are {len(_in_session(server.pid))} processes")


def test_serve_answers_with_two_workers_and_ends_all_its_children_when_told_to(tmp_path, write, article):
    folder = write({"office/printer.md": article("关机再开机。\n", "打印机卡纸怎么处理", questions=["打印机卡纸"])})
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KB_")}
    environment |= {"KB_DATA": str(tmp_path / "data"), "KB_ARTICLES": str(folder), "KB_PORT": str(port)}
    command = [sys.executable, "-m", "kb.cli", "serve", "--workers", "2"]
    with subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            _wait_until_ready(server, port, 40)
            status, body = _ask(port, "/api/v1/search?q=%E6%89%93%E5%8D%B0%E6%9C%BA%E5%8D%A1%E7%BA%B8")
            assert (status, body["verdict"], body["hits"][0]["article"]) == (200, "answered", "office/printer")
            idle = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            idle.request("GET", "/healthz")
            idle.getresponse().read()  # a browser keeps its connection; it must not keep the server
            server.send_signal(signal.SIGTERM)
            out, err = server.communicate(timeout=10)
            idle.close()
        finally:
            left = _in_session(server.pid)
            for process in left:
                os.kill(process, signal.SIGKILL)
    assert left == set()
    assert server.returncode == 0
    assert out == ""
    assert f"Zhida 知答 is on http://127.0.0.1:{port}" in err
    assert f"http://127.0.0.1:{port}/sign-in/" in err, "the link of the first administrator"
    assert "Traceback" not in err
