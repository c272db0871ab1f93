"""A follower's ticket over HTTP: its secret address is the only key, and shows nothing of the others."""

from __future__ import annotations

import pytest


def test_a_follower_reads_the_state_the_own_words_and_the_replies(asker, agent, ticket):
    agent.submit("/desk/1001", "/desk/1001/reply", body="请联系行政。")
    agent.submit("/desk/1001", "/desk/1001/resolve", article="mobile/no-notifications", body="见文章")
    body = asker.get(f"/api/v1/tickets/{ticket['token']}").json
    assert {key: body[key] for key in ("number", "state", "question", "followers", "withdrawn", "news", "url")} == {
        "number": 1001,
        "state": "resolved",
        "question": "打印机卡纸怎么处理",
        "followers": 1,
        "withdrawn": False,
        "news": True,
        "url": ticket["url"],
    }
    assert [(reply["text"], reply["article"], reply["url"]) for reply in body["replies"]] == [
        ("请联系行政。", "", None),
        ("见文章", "mobile/no-notifications", "http://localhost/a/mobile/no-notifications"),
    ]


def test_a_follower_never_sees_what_another_added_or_how_they_asked(asker, second_asker, ticket):
    other = second_asker.ask("请问打印机卡纸怎么处理呢").json["ticket"]["url"].removeprefix("http://localhost/t/")
    second_asker.post(f"/api/v1/tickets/{other}/details", json={"details": "财务室的打印机", "contact": "8002"})
    for said in (asker.get(f"/api/v1/tickets/{ticket['token']}").text, asker.get(ticket["path"]).text):
        assert not [word for word in ("财务室", "8002", other, "请问打印机") if word in said]
    assert asker.get(f"/api/v1/tickets/{ticket['token']}").json["followers"] == 2


def test_details_are_added_and_the_contact_is_replaced(asker, agent, ticket, read):
    for details, contact in (("三楼", "8001"), ("其实是五楼", "8002")):
        assert asker.post(f"/api/v1/tickets/{ticket['token']}/details", json={"details": details, "contact": contact}).json == {"status": "ok"}
    assert asker.page(ticket["path"]).form(f"{ticket['path']}/details", {"details": ""})["fields"]["contact"] == "8002"
    desk = read(agent.get("/desk/1001").text).text
    assert all(word in desk for word in ("三楼", "其实是五楼", "8002"))
    assert "8001" not in desk


@pytest.mark.parametrize(
    ("body", "code"),
    [({"details": ["x"]}, "bad_field"), ({"details": "x" * 20_001}, "too_long"), ({"contact": "x" * 201}, "too_long"), ([], "bad_json")],
)
def test_what_cannot_be_kept_is_refused(asker, ticket, body, code):
    answer = asker.post(f"/api/v1/tickets/{ticket['token']}/details", json=body)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, code)


def test_undo_takes_the_share_back_and_the_last_one_closes_the_ticket(asker, ticket, rows):
    for _ in range(2):
        assert asker.post(f"/api/v1/tickets/{ticket['token']}/withdraw", json={}).status_code == 200
    body = asker.get(f"/api/v1/tickets/{ticket['token']}").json
    assert (body["state"], body["withdrawn"], body["followers"]) == ("closed", True, 0)


def test_undo_is_refused_once_an_agent_has_replied(asker, agent, ticket):
    agent.submit("/desk/1001", "/desk/1001/reply", body="正在处理")
    answer = asker.post(f"/api/v1/tickets/{ticket['token']}/withdraw", json={})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize("action", ["confirm", "reopen"])
def test_who_withdrew_cannot_speak_for_those_who_wait(asker, second_asker, agent, ticket, action):
    second_asker.ask("打印机卡纸怎么处理")
    asker.post(f"/api/v1/tickets/{ticket['token']}/withdraw", json={})
    agent.submit("/desk/1001", "/desk/1001/resolve", body="换一台")
    assert asker.post(f"/api/v1/tickets/{ticket['token']}/{action}", json={}).status_code == 409
    assert asker.get(f"/api/v1/tickets/{ticket['token']}").json["state"] == "resolved"


@pytest.mark.parametrize("action", ["reply", "resolve", "assign", "nothing"])
def test_what_only_agents_do_cannot_be_done_by_a_follower(asker, ticket, action):
    assert asker.post(f"/api/v1/tickets/{ticket['token']}/{action}", json={}).status_code == 404
    assert asker.get(f"/api/v1/tickets/{ticket['token']}").json["state"] == "new"


@pytest.mark.parametrize("token", ["1001", "x", "%00", "a" * 64, "' OR 1=1 --"])
def test_a_guessed_address_finds_nothing(asker, ticket, token):
    assert asker.get(f"/api/v1/tickets/{token}").status_code == 404
    assert asker.get(f"/t/{token}").status_code == 404
    assert asker.post(f"/api/v1/tickets/{token}/withdraw", json={}).status_code == 404


def test_an_address_cannot_be_guessed(asker, ticket):
    assert len(ticket["token"]) == 32, "24 random bytes"
