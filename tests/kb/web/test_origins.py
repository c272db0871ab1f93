"""Which pages may speak to the API."""

from __future__ import annotations

import pytest

HOST_APP = "https://app.example.com"
READS = ["/api/v1/search?q=发票", "/api/v1/suggest?q=发票", "/api/v1/suggestions?context=x"]
WRITES = ["/api/v1/intents", "/api/v1/feedback", "/api/v1/tickets/abc/details"]
FOREIGN = [
    "https://evil.example",
    "null",
    "https://app.example.com.evil.example",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://APP.example.com",
    "",
]


@pytest.fixture
def client(services_with, app_of):
    return app_of(services_with(widget_origins=(HOST_APP,))).test_client()


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_cannot_write(client, origin):
    for path in WRITES:
        answer = client.post(path, json={"intent_id": "a", "query": "打印机卡纸", "trigger": "enter"}, headers={"Origin": origin})
        assert answer.status_code == 403, path
        assert answer.json["error"]["code"] == "foreign_origin"
        assert "KB_WIDGET_ORIGINS" in answer.json["error"]["message"]
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_is_not_let_to_read(client, origin):
    for path in READS:
        answer = client.get(path, headers={"Origin": origin})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")], path
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("path", READS)
def test_a_registered_site_reads_under_its_exact_name(client, path):
    headers = client.get(path, headers={"Origin": HOST_APP}).headers
    assert headers["Access-Control-Allow-Origin"] == HOST_APP
    assert "Access-Control-Allow-Credentials" not in headers
    assert "Origin" in headers["Vary"]


def test_a_registered_site_may_ask_before_it_writes_and_then_write(client):
    before = client.options("/api/v1/intents", headers={"Origin": HOST_APP, "Access-Control-Request-Method": "POST"})
    assert before.status_code == 204
    assert before.headers["Access-Control-Allow-Origin"] == HOST_APP
    assert before.headers["Access-Control-Allow-Methods"] == "GET, POST"
    sent = "Content-Type, Idempotency-Key, Authorization, X-Zhida-Site, X-Zhida-Visitor, X-Zhida-Sub"
    assert before.headers["Access-Control-Allow-Headers"] == sent
    assert "Access-Control-Allow-Credentials" not in before.headers
    answer = client.post("/api/v1/intents", json={"intent_id": "a", "query": "打印机卡纸", "trigger": "enter", "visitor": "w1"}, headers={"Origin": HOST_APP})
    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == HOST_APP


def test_a_foreign_preflight_is_refused(client):
    answer = client.options("/api/v1/intents", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_errors_are_readable_for_a_registered_site_too(client):
    answer = client.get("/api/v1/search?limit=0", headers={"Origin": HOST_APP})
    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] == HOST_APP


@pytest.mark.parametrize("origin", ["http://localhost", None])
def test_our_own_pages_and_programs_may_write(client, origin):
    headers = {"Origin": origin} if origin else {}
    assert client.post("/api/v1/intents", json={"intent_id": "a", "query": "打印机卡纸", "trigger": "enter"}, headers=headers).status_code == 201


def test_a_registered_site_never_acts_as_the_person_whose_browser_it_is_in(client):
    client.get("/")
    question = {"query": "打印机卡纸", "trigger": "enter"}
    client.post("/api/v1/intents", json={"intent_id": "a", "visitor": "w1", **question}, headers={"Origin": HOST_APP})
    assert "打印机卡纸" not in client.get("/mine").text
    client.post("/api/v1/intents", json={"intent_id": "b", "visitor": "w1", **question})
    assert "打印机卡纸" in client.get("/mine").text


def test_pages_are_never_shared_with_a_registered_site(client):
    for path in ("/", "/search?q=发票", "/mine", "/healthz"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": HOST_APP}).headers
