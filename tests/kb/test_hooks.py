"""One POST against real sockets on this machine, among them such that stall, drip, cut, redirect and never end."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from kb import hooks

KIND = {"Content-Type": "application/json"}


def whole(connection) -> bytes:
    """Read a request with its body."""
    seen = b""
    while b"\r\n\r\n" not in seen or len(seen.partition(b"\r\n\r\n")[2]) < int(seen.partition(b"Content-Length: ")[2].split(b"\r\n")[0]):
        seen += connection.recv(65536)
    return seen


class Listener:
    """A server that does with each connection what it was told to."""

    def __init__(self, behave, wrap) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.released = threading.Event()
        self._behave = behave
        self._wrap = wrap
        self.port = self._server.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/take?key=k-1"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            try:
                with self._wrap(connection) as wrapped:
                    self.requests.append(whole(wrapped))
                    self._behave(self, wrapped)
            except OSError:
                connection.close()  # the other side went, or did not trust us

    def close(self) -> None:
        self.released.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@contextmanager
def listening(behave, wrap=lambda connection: connection):
    listener = Listener(behave, wrap)
    try:
        yield listener
    finally:
        listener.close()


def saying(answer: bytes):
    return lambda _, connection: connection.sendall(answer)


def reason(url, **more):
    with pytest.raises(hooks.UnreachableError) as raised:
        hooks.post(url, b"{}", KIND, **more)
    return str(raised.value)


def test_what_is_posted_arrives_byte_by_byte_and_the_answer_comes_back():
    with listening(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")) as listener:
        answer = hooks.post(listener.url, '{"问":1}'.encode(), KIND)
    assert answer == hooks.Answer(200, b"good")
    head, _, body = listener.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /take?key=k-1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{listener.port}".encode() in head
    assert b"Content-Type: application/json" in head
    assert body == '{"问":1}'.encode()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status):
    with listening(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as elsewhere:
        head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        with listening(saying(head.encode())) as listener:
            assert hooks.post(listener.url, b"{}", KIND).status == status
    assert elsewhere.requests == []


def test_who_takes_the_message_and_says_nothing_is_left_in_time():
    with listening(lambda listener, _: listener.released.wait()) as listener:
        began = time.monotonic()
        assert reason(listener.url, limit=0.2) == "127.0.0.1 在 0.2 秒内没有回答"
    assert time.monotonic() - began < 2


def drip(listener, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not listener.released.wait(0.02):
        connection.sendall(b"x")


def test_who_drips_a_letter_at_a_time_is_left_in_time_as_well():
    with listening(drip) as listener:
        began = time.monotonic()
        assert "没有回答" in reason(listener.url, limit=0.3)
    assert time.monotonic() - began < 2


def test_a_status_is_an_answer_even_when_its_body_never_ends():
    def endless(listener, connection):
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nhal")
        listener.released.wait()

    with listening(endless) as listener:
        assert hooks.post(listener.url, b"{}", KIND, limit=0.3) == hooks.Answer(202, b"")


def test_of_a_huge_answer_64_kb_are_read():
    def huge(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1526):
            connection.sendall(b"x" * 65536)

    with listening(huge) as listener:
        answer = hooks.post(listener.url, b"{}", KIND)
    assert answer.status == 200
    assert answer.body == b"x" * 65536


def test_headers_without_end_are_no_answer():
    def endless(listener, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not listener.released.is_set():
            connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")

    with listening(endless) as listener:
        assert "中断" in reason(listener.url)


@pytest.mark.parametrize("answer", [b"", b"220 mail.example.com ESMTP\r\n", b"\0\xff\r\n\r\n"])
def test_what_is_no_http_is_said_to_be_none(answer):
    with listening(saying(answer)) as listener:
        assert "中断了，或者它答的不是 HTTP" in reason(listener.url)


def test_a_port_where_nobody_listens_refuses():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert reason(f"http://127.0.0.1:{port}/hook?key=k-1") == "127.0.0.1 拒绝连接"


def test_a_host_that_does_not_exist_is_named_without_the_key():
    said = reason("https://nowhere.invalid/hook?key=k-1")
    assert said == "找不到主机 nowhere.invalid"


@pytest.mark.parametrize("url", ["https://a..example/hook?key=k-1", f"http://{'a' * 64}.example/k-1", "https://a.example:99999/k-1", "http://a b.example/k-1"])
def test_an_address_that_no_name_server_can_be_asked_for_is_unreachable_like_others(url):
    said = reason(url)
    assert said.endswith("的网址写得不对")
    assert "k-1" not in said


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for this machine that nobody vouches for: the file of it and of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here to make a certificate")
    file = tmp_path_factory.mktemp("tls") / "own.pem"
    ask = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*ask, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", file, "-out", file.with_suffix(".crt")], check=True, capture_output=True)
    return file.with_suffix(".crt"), file


@pytest.fixture
def fresh_trust():
    hooks._context.cache_clear()  # noqa: SLF001 - read once by the program, per test here
    yield
    hooks._context.cache_clear()  # noqa: SLF001


def secure(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return lambda connection: context.wrap_socket(connection, server_side=True)


@pytest.mark.usefixtures("fresh_trust")
def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(certificate):
    with listening(saying(b"HTTP/1.1 200 OK\r\n\r\n"), secure(certificate)) as listener:
        assert reason(listener.url.replace("http:", "https:")) == "127.0.0.1 的证书不可信"
    assert listener.requests == []


@pytest.mark.usefixtures("fresh_trust")
def test_a_company_certificate_is_trusted_by_ssl_cert_file(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with listening(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), secure(certificate)) as listener:
        assert hooks.post(listener.url.replace("http:", "https:"), b"{}", KIND).body == b"ok"
