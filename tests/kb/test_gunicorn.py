"""What gunicorn is told at its start, on real sockets."""

import importlib
import socket
import struct
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """The settings, read anew for a data folder of their own."""
    monkeypatch.setenv("KB_DATA", str(tmp_path / "var"))
    monkeypatch.delitem(sys.modules, "kb.gunicorn", raising=False)
    yield importlib.import_module("kb.gunicorn")
    sys.modules.pop("kb.gunicorn", None)


def test_a_connection_that_is_silent_in_the_middle_of_a_request_holds_a_thread_for_seconds_only(settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.when_ready(SimpleNamespace(LISTENERS=[SimpleNamespace(sock=listener)]))
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                accepted.settimeout(None)  # blocking, as gunicorn's threads do
                kept = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
                assert struct.unpack("ll", kept) == (10, 0)
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 20_000))
                with pytest.raises(BlockingIOError):
                    accepted.recv(1)
