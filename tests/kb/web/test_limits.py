"""What stands for an address where wrong passwords are counted, and how much is taken in one request."""

from __future__ import annotations

import io
import json
import socket
import time
from dataclasses import replace

import pytest

from kb.web import limits
from kb.web.limits import source


@pytest.fixture
def seen_from(app, services):
    def look(address, **settings):
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            return source(replace(services.config, **settings))

    return look


def test_an_address_is_counted_by_a_hash_that_needs_the_secret_key(seen_from):
    hashed = seen_from("203.0.113.7")
    assert "203.0.113.7" not in hashed
    assert len(hashed) == 64
    assert hashed == seen_from("203.0.113.7")
    assert hashed != seen_from("203.0.113.7", secret_key="another")
    assert hashed != seen_from("203.0.113.8")


def test_one_line_of_ipv6_is_one_address_and_its_neighbour_another(seen_from):
    assert seen_from("2001:db8:1:2::1") == seen_from("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert seen_from("2001:db8:1:2::1") != seen_from("2001:db8:1:3::1")
    assert seen_from("::ffff:203.0.113.7") == seen_from("203.0.113.7")
    assert seen_from("::ffff:203.0.113.7") != seen_from("::ffff:203.0.113.8")
    assert seen_from("fe80::1%eth0") == seen_from("fe80::2")


@pytest.mark.parametrize("address", ["", "unix:", "not an address"])
def test_an_unknown_address_is_not_counted(seen_from, address):
    assert seen_from(address) == ""


HERS = {"X-Zhida-Visitor": "a" * 32}


@pytest.fixture
def share(app):
    """A program with the address of its question: `program, path`."""
    program = app.test_client()
    token = program.post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}, headers=HERS).json["ticket"]["token"]
    return program, f"/api/v1/tickets/{token}"


@pytest.mark.parametrize("size", [50_001, 65_536, 250_000, 262_144, 3_000_000])
@pytest.mark.parametrize("declared", [True, False])
def test_whatever_is_too_long_is_refused_by_name_with_what_to_do(share, size, declared):
    """A keepalive request of a browser has 64 kB at most, our limits are wider: all of them say which it was."""
    program, _ = share
    for path, body in (("tickets", {"question": "x" * size}), ("intents", {"intent_id": "i", "query": "x" * size, "trigger": "enter"})):
        sent = json.dumps(body).encode()
        more = {} if declared else {"environ_overrides": {"wsgi.input_terminated": True}}
        headers = {**HERS, "Content-Type": "application/json", **({} if declared else {"Transfer-Encoding": "chunked"})}
        answer = program.post(f"/api/v1/{path}", input_stream=io.BytesIO(sent), content_length=len(sent) if declared else None, headers=headers, **more)
        assert (answer.status_code, answer.json["error"]["code"]) == ((413, "too_large") if len(sent) > limits.MAX_BODY else (400, "too_long"))
        assert "请删减后再提交" in answer.json["error"]["message"]


def test_each_field_that_people_fill_in_is_named_as_they_know_it(share):
    program, path = share
    for name, most, shown in (("details", 20_000, "补充说明"), ("contact", 200, "联系方式")):
        message = program.post(f"{path}/details", json={name: "长" * (most + 1)}, headers=HERS).json["error"]["message"]
        assert message == f"{shown}（{name}）太长了：有 {most + 1} 个字，最多 {most} 个。请删减后再提交。"


@pytest.mark.parametrize("size", [5 * 2**20 + 1, 8 * 2**20])
def test_a_file_that_is_too_large_is_said_to_be_so_however_large(share, size):
    program, path = share
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"a" * size + b"\r\n--x--\r\n"
    answer = program.post(f"{path}/files", data=form, content_type="multipart/form-data; boundary=x", headers=HERS)
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "file_too_large")
    assert "5 MB" in answer.json["error"]["message"]


@pytest.mark.parametrize(("size", "heard"), [(3_000_000, True), (limits.HEARD_OUT, True), (limits.HEARD_OUT + 1, False)])
def test_who_sends_too_much_is_heard_out_so_that_they_read_the_answer_but_not_forever(share, size, heard):
    program, _ = share

    class Body(io.BytesIO):
        at = read_so_far = 0

        def seek(self, at, whence=0):
            self.at = size if whence else at

        def tell(self):
            return self.at

        def read(self, most=-1):
            self.read_so_far += most
            return bytes(most)

    body = Body()
    answer = program.post("/api/v1/tickets", input_stream=body, headers={**HERS, "Content-Type": "application/json"})
    assert answer.status_code == 413
    assert body.read_so_far == (size if heard else 0)


class Sent(io.BytesIO):
    """A body that comes as fast as `read` does, and counts what was taken of it."""

    taken = 0

    def read(self, most=-1):
        self.taken += most
        return bytes(most)


def oversize(client, body, **more):
    size = limits.UPLOADS["tickets_api.add_file_"] + 1
    environ = {"CONTENT_LENGTH": str(size), "CONTENT_TYPE": "multipart/form-data; boundary=x", **more}
    return client.post("/api/v1/tickets/x/files", input_stream=body, environ_overrides=environ)


def test_uploads_that_are_too_large_count_and_past_the_limit_are_not_even_read(services_with, app_of):
    client = app_of(services_with(requests_per_minute=6)).test_client()
    bodies = [Sent() for _ in range(8)]
    answers = [oversize(client, body) for body in bodies]
    assert [answer.status_code for answer in answers] == [413] * 6 + [429] * 2
    assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["5", "4", "3", "2", "1", "0", "0", "0"]
    assert [body.taken > 0 for body in bodies] == [True] * 6 + [False] * 2


def test_a_chunked_body_is_not_read_past_the_limit(services_with, app_of):
    client = app_of(services_with(requests_per_minute=1)).test_client()
    client.get("/api/v1/suggest?q=a")
    body = Sent()
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    answer = client.post("/api/v1/tickets", input_stream=body, headers=headers, environ_overrides={"wsgi.input_terminated": True})
    assert (answer.status_code, body.taken) == (429, 0)


def test_who_sends_a_byte_now_and_then_is_heard_for_some_seconds_only(app, monkeypatch):
    """A real connection on which nothing ends a read but its own end."""
    monkeypatch.setattr(limits, "HEARD_FOR", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as coming:
        ours.settimeout(20)
        theirs.sendall(b"x")
        begun = time.monotonic()
        body = io.BytesIO()
        body.read = coming.read
        answer = oversize(app.test_client(), body, **{"gunicorn.socket": ours})
        assert answer.status_code == 413
        assert time.monotonic() - begun < 10
