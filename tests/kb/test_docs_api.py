"""docs/api.md: its client and its check of signatures run, its tables say what the program does."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from kb.notifications import bots, webhooks
from kb.tickets import lifecycle
from kb.web import limits, openapi
from kb.widget.server_keys import Scope

ROOT = Path(__file__).parents[2]
DOC, CHINESE = ((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("api.md", "api.zh-CN.md"))


def snippet(name):
    """Run a snippet of the document and return what it defines."""
    defined: dict = {}
    (source,) = re.findall(rf"<!-- tested: {name} -->\n```python\n(.+?)```", DOC, re.DOTALL)
    exec(compile(source, f"docs/api.md ({name})", "exec"), defined)  # noqa: S102 - it is the document's own
    return defined


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


class Live:
    """A server on this machine that loses answers, or refuses, as it is told: `fails` are taken one for each request."""

    def __init__(self, app):
        self.app, self.fails, self.requests = app, [], []

    def __call__(self, environ, start):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_IDEMPOTENCY_KEY")))
        fail = self.fails.pop(0) if self.fails else ""
        if fail == "busy":
            environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            start("429 Too Many Requests", [("Retry-After", "7"), ("Content-Type", "application/json")])
            return [b'{"error":{"code":"too_many_requests","message":"wait"}}']
        answer = self.app(environ, start)
        if fail == "lost":
            raise ConnectionAbortedError
        return answer


@pytest.fixture
def live(app):
    world = Live(app.wsgi_app)
    server = make_server("127.0.0.1", 0, world, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    world.url = f"http://127.0.0.1:{server.server_port}"
    yield world
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def client(live, embedded, slept):
    make = snippet("client")["Zhida"]
    return make(live.url, embedded(*Scope)["Authorization"].removeprefix("Bearer "), sleep=slept.append)


def test_the_two_languages_have_the_same_code_and_name_the_same_things():
    blocks, bodies = [], []
    for text in (DOC, CHINESE):
        blocks.append(re.findall(r"^(?:<!-- tested: [^\n]*\n)?^ *```.*?^ *```$", text, re.MULTILINE | re.DOTALL))
        rows = re.findall(r"^\|(?! ---)(.+)\|$", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
        bodies.append([set(re.findall(r"`([^`]+)`|\b(\d+)\b", row)) for row in rows])
    assert len(blocks[0]) >= 8
    assert blocks[0] == blocks[1]
    assert len(bodies[0]) >= 30
    assert bodies[0] == bodies[1]
    assert len(re.findall("^##+ ", DOC, re.MULTILINE)) == len(re.findall("^##+ ", CHINESE, re.MULTILINE))


@pytest.mark.parametrize("text", [DOC, CHINESE], ids=["English", "Chinese"])
def test_what_the_document_points_to_is_there(text):
    headings = {title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        assert target[1:] in headings if target.startswith("#") else (ROOT / "docs" / target).exists(), target


def test_the_client_of_the_document_searches_asks_and_follows(client, agent_does):
    assert client.search("发票查验失败怎么办")["verdict"] == "answered"
    assert client.article("invoices/verify-failed")["module"] == "invoices"
    ticket = client.ask("小林 1号", "打印机卡纸怎么处理", details="三楼的那台")
    client.add_details(ticket["token"], "现在冒烟了")
    agent_does(lifecycle.reply, body="请联系行政")
    assert [reply["text"] for reply in client.ticket(ticket["token"])["replies"]] == ["请联系行政"]
    assert [(line["sub"], line["number"]) for line in client.tickets(sub="小林 1号")] == [("小林 1号", 1001)]


def test_the_client_reads_a_list_to_its_end(client):
    for at in range(23):
        client.ask(f"e-{at}", "打印机卡纸怎么处理")
    assert [line["sub"] for line in client.tickets()] == [f"e-{at}" for at in reversed(range(23))]


def test_the_client_waits_as_it_is_told_and_a_lost_answer_is_asked_for_again_without_asking_twice(client, live, slept):
    live.fails = ["busy", "lost"]
    ticket = client.ask("e-1", "打印机卡纸怎么处理")
    assert ticket["followers"] == 1
    assert len(live.requests) == 3
    assert len({key for _, _, key in live.requests}) == 1
    assert slept[0] == 7
    assert len(list(client.tickets())) == 1


def test_the_client_tells_what_was_refused_and_that_nobody_answers(client, embedded):
    module = snippet("client")
    with pytest.raises(Exception, match="no_question") as refused:
        client.ask("e-1", "？？")
    assert refused.value.code == "no_question"
    away = module["Zhida"]("http://127.0.0.1:9", "zk_1_x", tries=2, sleep=lambda _: None)
    with pytest.raises(module["ZhidaError"]) as unreachable:
        away.search("发票")
    assert unreachable.value.code == "unreachable"


def test_the_signature_check_of_the_document_takes_our_messages_and_no_others():
    genuine = snippet("signature")["genuine"]
    secret, body = "s" * 43, '{"id":"一"}'.encode()
    headers = {"X-Zhida-Timestamp": "1795166400", "X-Zhida-Signature": f"v1={bots.signature(secret, '1795166400', body)}"}
    assert genuine(headers, body, secret, 1795166400 + 299)
    assert not genuine(headers, body, secret, 1795166400 + 301)
    assert not genuine(headers, body + b" ", secret, 1795166400)
    assert not genuine(headers, body, "other", 1795166400)
    assert not genuine({**headers, "X-Zhida-Timestamp": "1795166401"}, body, secret, 1795166400)
    assert not genuine({}, body, secret, 1795166400)


def test_the_table_of_scopes_is_that_of_the_program(app):
    rows = dict(re.findall(r"^\| `([a-z:]+)` \| (?:GET|POST|`)(.+) \|$", DOC, re.MULTILINE))
    assert set(rows) == set(Scope)
    for rule in app.url_map.iter_rules():
        operation = openapi.operation_of(app, rule.endpoint)
        if operation is not None and operation.scope is not None and "remove" not in rule.rule:
            assert rule.rule.removeprefix(openapi.PREFIX) in rows[operation.scope].replace("/api/v1", ""), rule.rule


def test_the_table_of_limits_is_that_of_the_program(services):
    rows = [int(number) for number in re.findall(r"^\| an? [^|]+ \| [^|]+ \| (\d+) \|$", DOC, re.MULTILINE)]
    known = limits.OF_A_PERSON
    suggestions = known["search_api.suggest"]
    assert known["search_api.suggestions"] == suggestions
    of_address = services.config.requests_per_minute
    assert rows == [limits.OF_A_KEY, known["search_api.search"], suggestions, limits.OTHERWISE, limits.OF_NOBODY * of_address, of_address]
    assert f"the first {webhooks.MOST_PEOPLE} of" in DOC


def test_every_code_of_the_document_is_one_that_the_program_answers():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "kb").rglob("*.py"))
    table = DOC.split("## Errors")[1].split("## Webhooks")[0]
    codes = {code for row in re.findall(r"^\| \d+ \| (.+?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)}
    assert len(codes) >= 18
    assert {code for code in codes if f'"{code}"' not in sources} == set()


def test_a_program_whose_json_is_broken_is_told_so_and_not_sent_back_to_a_page(live):
    broken = urllib.request.Request(f"{live.url}/api/v1/intents", b"{", {"Content-Type": "application/json"})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(broken)  # noqa: S310 - our own address
    assert json.load(refused.value)["error"] == {"code": "bad_request", "message": "the body is no JSON: it is cut off, or not encoded as UTF-8 JSON"}
