"""A site's server comes in with its key, does what the key is good for, and reaches what is its site's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kb.web import openapi
from kb.widget import server_keys
from kb.widget.models import ServerKey, Site
from kb.widget.server_keys import Scope

KEYED = {"Idempotency-Key": "0123456789abcdef"}


@pytest.fixture
def server(app):
    """A program: it has no cookies and comes from no page."""
    return app.test_client()


def code(answer):
    return answer.status_code, answer.json["error"]["code"]


def test_a_key_is_stored_as_a_hash_and_read_back_as_written():
    secret = server_keys.new_secret()
    presented = server_keys.read(server_keys.written(7, secret))
    assert presented == (7, server_keys.hashed(secret))
    assert secret not in presented.secret_hash


def test_a_server_searches_with_its_key(server, embedded):
    assert server.get("/api/v1/search?q=发票查验失败", headers=embedded("search")).json["verdict"] == "answered"


@pytest.mark.parametrize("change", ["unknown", "cut", "other secret", "revoked", "site disabled", "other letters"])
def test_every_key_that_is_not_in_force_is_refused_alike(server, embedded, services, change):
    headers = embedded("search")
    key = headers["Authorization"]
    with services.db.write() as session:
        stored = session.get_one(ServerKey, 1)
        if change == "revoked":
            stored.revoked_at = services.now()
        elif change == "site disabled":
            session.get_one(Site, "travel").disabled_at = services.now()
    services.sites.look()
    changed = {
        "unknown": key.replace("zk_1_", "zk_2_"),
        "cut": key[:-1],
        "other secret": key[:-1] + ("A" if key[-1] != "A" else "B"),
        "other letters": key + "é",
    }
    answer = server.get("/api/v1/search?q=发票", headers={"Authorization": changed.get(change, key)})
    assert code(answer) == (401, "bad_server_key")
    assert answer.json == server.get("/api/v1/search?q=发票", headers={"Authorization": "Bearer zk_"}).json


def test_a_key_opens_only_what_its_scopes_say_and_the_refusal_names_the_missing_one(server, embedded, app):
    """All addresses, with a key for all other scopes."""
    asked = 0
    for rule in app.url_map.iter_rules():
        operation = openapi.operation_of(app, rule.endpoint)
        if operation is None or operation.any_key:
            continue
        path = rule.rule.replace("<int:file>", "1")
        headers = embedded(*(scope for scope in Scope if scope is not operation.scope), sub="e-1")
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = server.open(path, method=method, json={} if method == "POST" else None, headers=headers)
            assert code(answer) == (403, "missing_scope"), path
            assert (operation.scope.value if operation.scope else "of no kind") in answer.json["error"]["message"]
            asked += 1
    assert asked >= 14


@pytest.mark.parametrize("scope", [*Scope])
def test_a_key_of_any_scope_reads_the_description_of_the_api(server, embedded, scope):
    answer = server.get("/api/v1/openapi.json", headers=embedded(scope))
    assert (answer.status_code, answer.json["openapi"]) == (200, "3.1.0")
    assert {"serverKey": []} in answer.json["paths"]["/api/v1/openapi.json"]["get"]["security"]


def test_a_key_in_a_page_is_refused_with_a_warning_even_on_the_sites_own_pages(server, embedded):
    answer = server.get("/api/v1/search?q=发票", headers={**embedded("search"), "Origin": "https://travel.example.com", "X-Zhida-Site": "travel"})
    assert code(answer) == (403, "key_in_page")


def test_a_key_is_of_no_use_on_pages(server, embedded):
    assert server.get("/desk", headers=embedded(*Scope)).status_code == 303


def test_when_a_key_was_last_used_is_kept_to_the_hour(server, embedded, services, clock, statements):
    headers, first = embedded("search"), clock()

    def used():
        with services.db.read() as session:
            return session.get_one(ServerKey, 1).used_at

    for minutes, expected in ((0, first), (59, first), (1, first + timedelta(hours=1))):
        clock.forward(minutes=minutes)
        assert server.get("/api/v1/search?q=发票", headers=headers).status_code == 200
        assert used() == expected
    with statements() as seen:
        server.get("/api/v1/search?q=发票", headers=headers)
    assert not [one for one in seen if one.startswith("UPDATE")]


def test_a_server_asks_on_behalf_of_its_people_whatever_their_ids_are_written_in(server, embedded):
    for sub, sent in (("e-1024", "e-1024"), ("小林 1号", "%E5%B0%8F%E6%9E%97%201%E5%8F%B7")):
        headers = embedded("tickets:write", "tickets:read", sub=sent)
        opened = server.post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}, headers={**headers, **KEYED})
        assert opened.status_code == 201
        assert [line["sub"] for line in server.get("/api/v1/tickets", headers=headers).json["tickets"]] == [sub]


@pytest.mark.parametrize("sub", ["x" * 53, "%0A", " %20", "a%00b", "%FF", "%E5%B0", "e-é"])
def test_what_is_nobodys_id_is_refused(server, embedded, sub):
    assert code(server.get("/api/v1/tickets", headers={**embedded("tickets:read"), "X-Zhida-Sub": sub})) == (400, "bad_sub")


def test_a_server_must_say_on_whose_behalf_and_send_a_key_for_repeats(server, embedded):
    asked = {"json": {"question": "打印机卡纸怎么处理"}}
    assert code(server.post("/api/v1/tickets", **asked, headers={**embedded("tickets:write"), **KEYED})) == (400, "no_sub")
    assert code(server.post("/api/v1/tickets", **asked, headers=embedded("tickets:write", sub="e-1"))) == (400, "key_required")


def test_a_server_is_nobody_by_a_random_id_and_reaches_no_question_by_the_id_of_another(server, embedded):
    headers, hers = embedded("tickets:write"), "a" * 32
    question = {"intent_id": "of-a-person-in-a-page", "query": "打印机卡纸怎么处理", "trigger": "enter", "visitor": hers}
    word = {"article": "invoices/verify-failed", "helpful": True, "visitor": hers}
    for path, body in (("intents", question), ("feedback", word)):
        assert code(server.post(f"/api/v1/{path}", json=body, headers=headers)) == (400, "no_sub")
    assert server.post("/api/v1/intents", json=question).status_code == 201
    assert code(server.post("/api/v1/intents", json=question, headers={**headers, "X-Zhida-Sub": "e-1"})) == (409, "conflict")
    assert server.post("/api/v1/feedback", json=word, headers={**headers, "X-Zhida-Sub": "e-1"}).status_code == 201


def test_a_key_reads_what_the_sites_people_may_but_for_a_person_it_names_only_what_everyone_may(restricted, app_of, embedded_in):
    """A key proves the site; a role is vouched for by a signed identity."""
    program, headers = app_of(restricted).test_client(), embedded_in(restricted, audience=["finance"])("articles:read")
    listed = [[one["article"] for one in program.get("/api/v1/articles", headers={**headers, **sub}).json["articles"]] for sub in ({}, {"X-Zhida-Sub": "e-1"})]
    assert listed == [["finance/keys", "open/pay"], ["open/pay"]]


def test_a_server_reads_and_writes_the_questions_of_its_own_people_only(server, embedded, services, ticket):
    with services.db.write() as session:
        session.add(Site(name="travel2", origins=[], modules=[], audience=[], anonymous=True, created_at=services.now()))
    services.sites.look()
    ours, theirs = (embedded("tickets:read", "tickets:write", site=name) for name in ("travel", "travel2"))
    opened = server.post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}, headers={**ours, "X-Zhida-Sub": "e-1", **KEYED})
    token = opened.json["ticket"]["token"]
    assert opened.json["ticket"]["followers"] == 2, "it is the asker's ticket too"
    for path in (token, ticket["token"]):
        answers = [server.get(f"/api/v1/tickets/{path}", headers=theirs), server.post(f"/api/v1/tickets/{path}/withdraw", json={}, headers=theirs)]
        assert [code(answer) for answer in answers] == [(404, "not_found")] * 2
    assert server.get(f"/api/v1/tickets/{ticket['token']}", headers=ours).status_code == 404
    assert server.get(f"/api/v1/tickets/{token}", headers=ours).json["question"] == "打印机卡纸怎么处理"
    assert server.get(f"/api/v1/tickets/{token}", headers={**ours, "X-Zhida-Sub": "e-2"}).status_code == 404
    assert server.post(f"/api/v1/tickets/{token}/details", json={"details": "三楼"}, headers=ours).json == {"status": "ok"}
    assert server.get("/api/v1/tickets", headers=theirs).json == {"tickets": [], "news": 0, "next": None}


def test_a_list_of_questions_is_read_page_by_page_without_a_gap_while_more_come(server, embedded):
    questions = ["打印机卡纸怎么处理", "咖啡机漏水找谁", "会议室投影没有信号", "停车位怎么申请", "门禁卡丢了怎么补"]

    def ask(at):
        headers = {**embedded("tickets:write", sub=f"e-{at}"), "Idempotency-Key": f"question-number-{at}"}
        assert server.post("/api/v1/tickets", json={"question": questions[at]}, headers=headers).status_code == 201

    for at in range(4):
        ask(at)
    headers, found, after = embedded("tickets:read"), [], ""
    while after is not None:
        page = server.get(f"/api/v1/tickets?limit=2&after={after}", headers=headers).json
        found += [line["sub"] for line in page["tickets"]]
        after = page["next"]
        if len(found) == 2:
            ask(4)
    assert found == ["e-3", "e-2", "e-1", "e-0"]
    assert [line["sub"] for line in server.get("/api/v1/tickets?sub=e-2", headers=headers).json["tickets"]] == ["e-2"]
    assert server.get("/api/v1/tickets?state=resolved", headers=headers).json["tickets"] == []
    assert len(server.get("/api/v1/tickets?state=new", headers=headers).json["tickets"]) == 5
    for wrong in ("state=gone", "limit=0", "after=x", "sub=%0A"):
        assert code(server.get(f"/api/v1/tickets?{wrong}", headers=headers)) == (400, "bad_field")


def test_a_list_on_behalf_of_one_person_is_not_that_of_another(server, embedded):
    ours = embedded("tickets:write", sub="e-1")
    server.post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}, headers={**ours, "Idempotency-Key": "question-number-1"})
    headers = embedded("tickets:read", sub="e-2")
    assert code(server.get("/api/v1/tickets?sub=e-1", headers=headers)) == (400, "bad_sub")
    for same in ("", "?sub=e-2", "?sub="):
        assert server.get(f"/api/v1/tickets{same}", headers=headers).json["tickets"] == []


def test_the_servers_key_never_stands_in_the_log_or_an_answer(server, embedded, log):
    headers = embedded("search")
    answers = [server.get(f"/api/v1/{path}", headers=headers).text for path in ("search?q=发票", "tickets", "nothing")]
    secret = headers["Authorization"].rpartition("_")[2]
    assert not [text for text in (*answers, log()) if secret[:20] in text]
