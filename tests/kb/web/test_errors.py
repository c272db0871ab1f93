"""Every failure has one form: JSON for programs, a page with a remedy for people; and says nothing that somebody typed."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

SECRET = "我的密码 hunter2-hunter2"
LARGE = "报" * 100_000


def _long_url(client):
    return client.get(f"/search?q={'a' * 130_000}")


def _range(client):
    return client.get("/media/invoices/red-letter.svg", headers={"Range": "bytes=9999999-"})


PAGES = {
    "no such page": (lambda client: client.get("/no/such/page"), 404, "搜一下"),
    "no such article": (lambda client: client.get("/a/invoices/nothing"), 404, "搜一下"),
    "no such module": (lambda client: client.get("/m/nothing"), 404, "首页"),
    "no such ticket": (lambda client: client.get("/t/nothing"), 404, "我的提问"),
    "wrong method": (lambda client: client.put("/search"), 405, "按钮"),
    "too large": (lambda client: client.post("/search", data={"q": LARGE}), 413, "删减"),
    "too long an address": (_long_url, 400, "400 字"),
    "expired form": (lambda client: client.post("/search", data={"q": "发票"}), 400, "刷新"),
    "a part that is not there": (_range, 416, "再试"),
    "an unknown module": (lambda client: client.get("/search?q=发票&module=nothing"), 400, "全部"),
    "an unknown button": (lambda client: client.post("/search", data={"q": "发票", "trigger": "leave", "csrf_token": client.token()}), 400, "刷新"),
}
ANSWERS = {
    "no such route": (lambda client: client.get("/api/v1/nothing"), 404, "not_found"),
    "wrong method": (lambda client: client.get("/api/v1/intents"), 405, "method_not_allowed"),
    "too large": (lambda client: client.post("/api/v1/intents", json={"query": LARGE}), 413, "too_large"),
    "no JSON": (lambda client: client.post("/api/v1/intents", data="query=x"), 415, "not_json"),
    "broken JSON": (lambda client: client.post("/api/v1/intents", data="{", content_type="application/json"), 400, "bad_request"),
    "no object": (lambda client: client.post("/api/v1/intents", json=[]), 400, "bad_json"),
    "deep JSON": (lambda client: client.post("/api/v1/intents", data="[" * 100_000, content_type="application/json"), 400, "bad_json"),
    "a missing field": (lambda client: client.post("/api/v1/intents", json={"intent_id": "a"}), 400, "bad_field"),
    "too long a field": (lambda client: client.post("/api/v1/intents", json={"intent_id": "a" * 65, "query": "x"}), 400, "too_long"),
    "no such ticket": (lambda client: client.get("/api/v1/tickets/nothing"), 404, "not_found"),
}


@pytest.mark.parametrize("case", PAGES)
def test_a_page_that_fails_says_what_to_do(asker, read, case):
    request, status, remedy = PAGES[case]
    answer = request(asker)
    page = read(answer.text)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert remedy in page.text
    assert "/" in page.links, "there is a way home"
    assert page.form("/search", {"q": ""}), "and a search box"
    assert not re.search(r"Traceback|Error|\.py\b", answer.text)


@pytest.mark.parametrize("case", ANSWERS)
def test_the_api_fails_in_one_form(asker, case):
    request, status, code = ANSWERS[case]
    answer = request(asker)
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "message"}
    assert answer.json["error"]["code"] == code
    assert answer.json["error"]["message"]


def test_a_wrong_method_names_the_right_ones(asker):
    assert {"GET", "POST"} <= set(asker.put("/search").headers["Allow"].split(", "))
    assert "POST" in asker.get("/api/v1/intents").headers["Allow"]


def test_a_flood_is_told_to_wait_on_pages_and_in_the_api_but_never_by_the_health_check(services_with, app_of, read):
    client = app_of(services_with(requests_per_minute=3)).test_client()
    for _ in range(3):
        assert client.get("/").status_code == 200
    page, answer = client.get("/"), client.get("/api/v1/search?q=发票")
    assert (page.status_code, answer.status_code) == (429, 429)
    assert "等一分钟" in read(page.text).text
    assert answer.json["error"]["code"] == "too_many_requests"
    assert page.headers["Retry-After"] == "60"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_an_unexpected_failure_shows_a_number_and_logs_places_but_no_words(services, asker, read, log):
    with services.db.write() as session:
        session.execute(text("DROP TABLE intents"))
    page = asker.get("/")
    answer = asker.post("/api/v1/intents", json={"intent_id": "a", "query": SECRET, "trigger": "enter"})
    assert (page.status_code, answer.status_code) == (500, 500)
    shown = re.search(r"编号 ([0-9a-f]{8})", read(page.text).text)[1]
    assert "再试" in page.text
    assert answer.json["error"]["code"] == "internal"
    assert shown in log()
    assert "OperationalError" in log()
    for said in (page.text, answer.text):
        assert not re.search(r"Traceback|OperationalError|\.py\b|intents", said)
    assert "hunter2" not in page.text + answer.text + log()


def test_without_an_index_pages_say_who_can_help_and_the_process_stays_alive(services_with, app_of, tmp_path, log):
    (tmp_path / "nothing").mkdir()
    client = app_of(services_with(tmp_path / "nothing")).test_client()
    page, answer = client.get("/"), client.get("/api/v1/search?q=发票")
    assert (page.status_code, answer.status_code) == (503, 503)
    assert "kb index status" in page.text
    assert answer.json["error"]["code"] == "index_unavailable"
    assert client.get("/healthz").status_code == 200
    assert "index_unavailable" in log()
