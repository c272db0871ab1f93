"""What no browser sends, byte by byte to the real server: an ordinary refusal or a closed connection, and the next request is answered."""

import socket
import urllib.request

import pytest

pytestmark = pytest.mark.browser
JSON = b"Content-Type: application/json\r\n"
SHAPES = {
    "a negative chunk": b"POST /api/v1/intents HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "length and chunks": b"POST /api/v1/intents HTTP/1.1\r\nHost: localhost\r\n"
    + JSON
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /desk HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /api/v1/intents HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}",
    "a length that is none": b"POST /api/v1/intents HTTP/1.1\r\nHost: localhost\r\n" + JSON + b"Content-Length: -1\r\n\r\n{}",
    "two hosts": b"GET /api/v1/search?q=a HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    "no host": b"GET /api/v1/search?q=a HTTP/1.1\r\nConnection: close\r\n\r\n",
    "another host": b'GET /widget/demo HTTP/1.1\r\nHost: evil.example"><script>\r\nConnection: close\r\n\r\n',
    "an address of 100,000 letters": b"GET /api/v1/search?q=" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a header of 100 kB": b"GET /api/v1/search?q=a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + b"a" * 100_000 + b"\r\n\r\n",
    "1,000 headers": b"GET /api/v1/search?q=a HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(1000)) + b"\r\n",
    "cookies of 400 kB": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + (b"Cookie: a=" + b"x" * 8000 + b"\r\n") * 50 + b"\r\n",
    "a folded header": b"GET /api/v1/search?q=a HTTP/1.1\r\nHost: localhost\r\nX-Zhida-Site: travel\r\n  evil\r\nConnection: close\r\n\r\n",
    "a bare line feed": b"GET /api/v1/search?q=a HTTP/1.1\nHost: localhost\nOrigin: https://evil.example\n\n",
    "TRACE": b"TRACE /api/v1/search HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "CONNECT": b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a small method": b"get / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a whole address": b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "a NUL in the path": b"GET /%00/..%2f..%2fetc/passwd;jsessionid=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "bytes that are no text": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\nX-Zhida-Site: \xff\xfe\r\nX-Zhida-Sub: \xc3\x28\r\nConnection: close\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
    "the next version": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


def answered(site, sent):
    """Send bytes, end the sending side, and return all that comes back within some seconds."""
    got = b""
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                got += part
        except (ConnectionResetError, BrokenPipeError):
            return got  # it was refused before all of it had come
    return got


@pytest.mark.parametrize("shape", SHAPES)
def test_what_no_browser_sends_is_refused_and_the_server_goes_on(site, shape):
    got = answered(site, SHAPES[shape])
    status = got.split(b" ", 2)[1] if got.startswith(b"HTTP/1.1 ") else b""
    assert not got or status[:1] in b"234", got[:300]
    assert got.count(b"HTTP/1.1 ") <= 1, "one request, one answer"
    assert b"evil.example" not in got.partition(b"\r\n\r\n")[0].replace(b"Origin: https://evil.example", b"")
    assert b"Traceback" not in got
    assert b"<script>" not in got.partition(b"</head>")[0]
    with urllib.request.urlopen(f"{site.url}/healthz", timeout=5) as answer:  # noqa: S310 - our own address
        assert answer.status == 200
