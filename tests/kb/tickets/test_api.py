"""A follower's ticket over HTTP: its secret address is the only key, and shows nothing of the others."""

from __future__ import annotations

import io
from itertools import count

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from kb.files import MAX_FILE
from kb.tickets import lifecycle

_FORMS = count()
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0....\0\0\0\0IEND\xaeB`\x82"


def send(client, ticket, content, name="一.png", field="file", **headers):
    """Send one file; the bytes between the parts are drawn anew at each call, as every client does."""
    boundary, body = encode_multipart({field: FileStorage(io.BytesIO(content), name)}, boundary=f"form-{next(_FORMS)}")
    return client.post(f"/api/v1/tickets/{ticket['token']}/files", data=body, content_type=f"multipart/form-data; boundary={boundary}", headers=headers)


def told(client, ticket):
    return client.get(f"/api/v1/tickets/{ticket['token']}").json


def act(client, ticket, action, **sent):
    return client.post(f"/api/v1/tickets/{ticket['token']}/{action}", json=sent)


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


def test_a_program_sees_the_thread_the_steps_and_what_is_asked_of_its_person(asker, second_asker, agent_does, ticket, clock):
    second_asker.ask("打印机卡纸怎么处理")
    act(asker, ticket, "details", details="三楼", contact="8001")
    clock.forward(minutes=5)
    agent_does(lifecycle.ask, body="哪一台？", to=ticket["token"])
    body = told(asker, ticket)
    assert [(entry["kind"], entry["by"], entry["text"]) for entry in body["thread"]] == [("added", "self", "三楼"), ("asked", "agent", "哪一台？")]
    assert [(step["step"], step["reached"], step["current"]) for step in body["steps"]] == [
        ("noted", True, False),
        ("handled", True, False),
        ("asked", True, True),
        ("solved", False, False),
        ("confirmed", False, False),
    ]
    assert (body["state"], body["words"], body["asked"], body["contact"], body["news_at"]) == (
        "in_progress",
        "等你补充",
        "哪一台？",
        "8001",
        clock().isoformat(),
    )
    act(asker, ticket, "details", details="窗边那台")
    assert (told(asker, ticket)["asked"], told(asker, ticket)["words"]) == (None, "客服在处理")


def test_a_program_takes_the_whole_way_of_its_person(asker, agent_does, ticket):
    assert act(asker, ticket, "withdraw").json == {"status": "ok"}
    assert act(asker, ticket, "rejoin").json == act(asker, ticket, "rejoin").json == {"status": "ok"}
    assert (told(asker, ticket)["state"], told(asker, ticket)["followers"]) == ("new", 1)
    act(asker, ticket, "contact", contact="8001")
    assert told(asker, ticket)["contact"] == "8001"
    assert act(asker, ticket, "rate", satisfaction=5).status_code == 409, "there is no answer yet"
    agent_does(lifecycle.resolve, body="换一台")
    act(asker, ticket, "reopen", details="还是卡")
    assert told(asker, ticket)["thread"][-1]["text"] == "还是卡"
    agent_does(lifecycle.resolve, body="换好了")
    act(asker, ticket, "confirm")
    act(asker, ticket, "rate", satisfaction=4, word="不错")
    act(asker, ticket, "seen")
    body = told(asker, ticket)
    assert (body["state"], body["words"], body["satisfaction"], body["news"]) == ("confirmed", "已确认解决", 4, False)


def test_who_confirmed_stays_done_when_another_reopens_until_they_say_otherwise(asker, second_asker, agent_does, ticket, clock):
    other = {"token": second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].rpartition("/")[2]}
    agent_does(lifecycle.resolve, body="换一台")
    act(asker, ticket, "confirm")
    clock.forward(minutes=5)
    act(second_asker, other, "reopen", details="还是卡")
    assert told(asker, ticket)["words"] == "你已确认解决。另一位同事还没解决，客服在继续处理"
    agent_does(lifecycle.resolve, body="换好了")
    assert [step["step"] for step in told(asker, ticket)["steps"] if step["current"]] == ["confirmed"]
    act(asker, ticket, "reopen", details="我的又坏了")
    assert told(asker, ticket)["words"] == "客服在处理"
    agent_does(lifecycle.resolve, body="又换了")
    assert [step["step"] for step in told(asker, ticket)["steps"] if step["current"]] == ["solved"]
    clock.forward(minutes=5)
    act(asker, ticket, "confirm")
    assert [step["step"] for step in told(asker, ticket)["steps"] if step["current"]] == ["confirmed"]


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("contact", {}),
        ("contact", {"contact": 8001}),
        ("rate", {}),
        ("rate", {"satisfaction": 0}),
        ("rate", {"satisfaction": 6}),
        ("rate", {"satisfaction": True}),
        ("rate", {"satisfaction": "5"}),
        ("rate", {"satisfaction": 5, "word": ["好"]}),
        ("rate", {"satisfaction": 5, "word": "好" * 1001}),
        ("reopen", {"details": "x" * 20_001}),
    ],
)
def test_what_makes_no_sense_is_refused_and_writes_nothing(asker, agent_does, ticket, rows, action, body):
    agent_does(lifecycle.resolve, body="换一台")
    before = rows()
    assert act(asker, ticket, action, **body).status_code == 400
    assert rows() == before


def test_a_file_is_added_once_listed_and_removed(asker, ticket, rows):
    first, again = send(asker, ticket, PNG), send(asker, ticket, PNG, "另一个名字.png")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json == first.json
    file = first.json["file"]
    assert {key: file[key] for key in ("name", "size", "media_type")} == {"name": "一.png", "size": len(PNG), "media_type": "image/png"}
    assert told(asker, ticket)["files"] == [file]
    assert asker.get(file["url"].removeprefix("http://localhost")).data == PNG
    assert act(asker, ticket, f"files/{file['id']}/remove").json == {"status": "ok"}
    assert act(asker, ticket, f"files/{file['id']}/remove").status_code == 404
    assert (told(asker, ticket)["files"], rows()["attachments"]) == ([], [])


def test_a_file_that_is_sent_again_under_its_key_is_answered_the_same(asker, ticket, rows):
    key = {"Idempotency-Key": "file-1-file-1-file"}
    first, again = send(asker, ticket, PNG, **key), send(asker, ticket, PNG, **key)
    assert (first.status_code, again.status_code, again.data) == (201, 201, first.data)
    assert send(asker, ticket, b"other", **key).status_code == 422
    assert len(rows()["attachments"]) == 1


def test_the_fifth_file_may_be_sent_again_and_the_sixth_may_not(asker, ticket):
    assert [send(asker, ticket, str(number).encode(), f"{number}.txt").status_code for number in (0, 1, 2, 3, 4, 4, 5)] == [201] * 5 + [200, 409]


@pytest.mark.parametrize(
    ("content", "name", "status", "code"),
    [(b"", "空.txt", 400, "file_empty"), (b"x" * (MAX_FILE + 1), "大.txt", 413, "file_too_large"), (b"x" * 7 * 2**20, "更大.txt", 413, "file_too_large")],
)
def test_a_file_that_cannot_be_kept_is_refused_in_our_form(asker, ticket, rows, services, content, name, status, code):
    before = rows()
    answer = send(asker, ticket, content, name)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert rows() == before
    assert not list(services.config.files.glob("??/*"))


def test_what_is_no_upload_is_refused(asker, ticket, rows):
    before = rows()
    assert send(asker, ticket, PNG, field="other").status_code == 400
    assert act(asker, ticket, "files").status_code == 400
    assert send(asker, {"token": "guessed"}, PNG).status_code == 404
    assert send(asker, ticket, PNG, Origin="https://elsewhere.example").status_code == 403
    assert rows() == before


def test_who_withdrew_adds_no_files(asker, ticket, rows, services):
    act(asker, ticket, "withdraw")
    assert send(asker, ticket, PNG).status_code == 409
    assert (rows()["attachments"], list(services.config.files.glob("??/*"))) == ([], [])


def test_an_equal_file_of_two_people_stays_while_one_of_them_has_it(asker, second_asker, ticket):
    other = {"token": second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].rpartition("/")[2]}
    mine, hers = send(asker, ticket, PNG).json["file"], send(second_asker, other, PNG).json["file"]
    assert act(asker, ticket, f"files/{hers['id']}/remove").status_code == 404
    act(asker, ticket, f"files/{mine['id']}/remove")
    assert second_asker.get(hers["url"].removeprefix("http://localhost")).data == PNG


def test_what_to_expect_is_told_with_its_moment_and_nothing_once_it_has_ended(asker, agent, ticket):
    assert told(asker, ticket)["expected"] == {
        "what": "reply",
        "at": "2026-11-23T01:00:00+00:00",
        "late": False,
        "words": "预计 11月23日（周一）09:00 前回复。现在是休息时间，客服 11月23日（周一）08:30 上班",
    }
    agent.submit("/desk/1001", "/desk/1001/reply", body="哪一台？", mode="ask")
    assert told(asker, ticket)["expected"] == {"what": "solution", "at": None, "late": False, "words": "等你补充后继续"}
    agent.submit("/desk/1001", "/desk/1001/resolve", body="换一台", mode="reply")
    assert told(asker, ticket)["expected"] is None
