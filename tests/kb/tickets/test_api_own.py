"""Asking and following one's questions over the API: by cookie on our own pages, by a random id or a signed identity over a site."""

from __future__ import annotations

import io
import re
import secrets

import pytest

from kb.tickets import lifecycle, shares
from kb.widget.models import Site

HERS, HIS = ({"X-Zhida-Site": "travel", "Origin": "https://travel.example.com", "X-Zhida-Visitor": letter * 32} for letter in "ab")


@pytest.fixture
def page(app, embedded):
    """A browser on a page of the site `travel`."""
    return app.test_client()


def ask(client, question, headers=None, **more):
    return client.post("/api/v1/tickets", json={"question": question, **more}, headers=headers)


def mine(client, headers=None):
    return client.get("/api/v1/tickets", headers=headers).json


def test_a_question_opens_a_ticket_and_the_next_person_joins_it(page, services):
    first, second = ask(page, "打印机卡纸怎么处理", HERS), ask(page, "打印机卡纸怎么处理", HIS)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["ticket"]["number"] == second.json["ticket"]["number"] == 1001
    assert second.json["ticket"]["followers"] == 2
    assert first.json["ticket"]["url"] == f"http://localhost/t/{first.json['ticket']['token']}" != second.json["ticket"]["url"]


def test_a_question_that_an_article_answers_is_kept_all_the_same(page):
    said = ask(page, "发票查验失败怎么办", HERS).json
    assert said["verdict"] == "answered"
    assert said["ticket"]["followers"] == 1


def test_details_contact_and_place_are_kept_for_the_agents(page, agent):
    asked = ask(page, "打印机卡纸怎么处理", HERS, details="三楼的那台", contact="8001", context="print.failed\n<b>").json
    desk = agent.get("/desk/1001").text
    assert all(word in desk for word in ("三楼的那台", "8001", "（print.failed &lt;b&gt;）"))
    told = page.get(f"/api/v1/tickets/{asked['ticket']['token']}?lang=en", headers=HERS).json
    assert told["context"] == "print.failed <b>"
    assert [entry["text"] for entry in told["thread"]] == ["三楼的那台"], "what they wrote holds no words of ours"


def test_agents_read_on_which_site_and_where_on_it_somebody_asked_and_find_it_by_the_site(page, agent, asker, read):
    asker.ask("咖啡机漏水找谁")
    sent = {"intent_id": "i1", "query": "打印机卡纸怎么处理", "trigger": "enter", "context": " invoice.upload.failed\n13812345678"}
    assert page.post("/api/v1/intents", json=sent, headers=HERS).status_code == 201
    assert "来自 travel （invoice.upload.failed [手机号]）" in agent.page("/desk/1002").text
    asker.ask("打印机卡纸怎么处理")
    both = " ".join(re.sub("<[^>]*>", "", agent.get("/desk/1002").text).split())
    assert "来自 travel 1 人（invoice.upload.failed [手机号]），帮助中心 1 人" in both
    assert "来自" not in agent.page("/desk/1001").text, "who asks on our own pages asks from nowhere else"
    found = agent.page("/desk?site=travel")
    assert [link for link in found.links if link.startswith("/desk/1")] == ["/desk/1002?from=site%3Dtravel"] * 2
    assert "来自 travel" in found.text
    assert agent.page("/desk?site=nowhere").text.count("没有符合的工单") == 1
    assert page.post("/api/v1/intents", json={**sent, "intent_id": "i2", "context": "x" * 201}, headers=HERS).status_code == 400


def test_a_list_shows_the_callers_own_questions_and_what_is_new_in_them(page, agent_does):
    token = ask(page, "打印机卡纸怎么处理", HERS).json["ticket"]["token"]
    ask(page, "咖啡机漏水找谁", HIS)
    (line,) = mine(page, HERS)["tickets"]
    assert {key: line[key] for key in ("number", "token", "url", "question", "words", "state", "news")} == {
        "number": 1001,
        "token": token,
        "url": f"http://localhost/t/{token}",
        "question": "打印机卡纸怎么处理",
        "words": "已记下",
        "state": "new",
        "news": False,
    }
    agent_does(lifecycle.reply, body="请联系行政")
    assert (mine(page, HERS)["news"], mine(page, HIS)["news"]) == (1, 0)
    page.post(f"/api/v1/tickets/{token}/seen", json={}, headers=HERS)
    assert mine(page, HERS)["news"] == 0


def test_over_a_site_a_token_alone_opens_nothing(page, asker):
    token = ask(page, "打印机卡纸怎么处理", HERS).json["ticket"]["token"]
    for path in ("", "/withdraw", "/files", "/files/1/remove"):
        answer = page.open(f"/api/v1/tickets/{token}{path}", method="POST" if path else "GET", json={} if path else None, headers=HIS)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found"), path
    assert page.get(f"/api/v1/tickets/{token}", headers=HERS).status_code == 200
    assert asker.get(f"/api/v1/tickets/{token}").status_code == 200, "on our own pages the secret address is the key"


def test_who_says_not_who_they_are_is_told_how(app):
    for answer in (app.test_client().get("/api/v1/tickets"), ask(app.test_client(), "打印机卡纸怎么处理")):
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "no_visitor")
        assert "X-Zhida-Visitor" in answer.json["error"]["message"]


def test_the_same_list_by_cookie_on_our_own_pages(asker, second_asker, ticket):
    assert [line["token"] for line in mine(asker)["tickets"]] == [ticket["token"]]
    assert mine(second_asker) == {"tickets": [], "news": 0, "next": None}
    assert asker.get("/api/v1/tickets?state=new").json["tickets"]
    assert not asker.get("/api/v1/tickets?state=closed").json["tickets"]


def test_a_question_sent_again_under_its_key_is_asked_once(page):
    headers = {**HERS, "Idempotency-Key": secrets.token_hex(16)}
    first, again = (ask(page, "打印机卡纸怎么处理", headers, details="三楼") for _ in range(2))
    assert (first.status_code, first.json) == (again.status_code, again.json)
    assert ask(page, "咖啡机漏水找谁", headers).status_code == 422
    assert len(mine(page, HERS)["tickets"]) == 1


@pytest.mark.parametrize("question", ["", "  ", "？？！", 7, None])
def test_what_asks_nothing_is_refused_and_nothing_is_written(page, rows, question):
    before = rows()
    answer = ask(page, question, HERS)
    assert (answer.status_code, answer.json["error"]["code"]) in {(400, "bad_field"), (400, "no_question")}
    assert rows() == before


def test_too_many_questions_of_one_person_are_counted_and_told_so(services, app, embedded, services_with, app_of):
    client = app_of(services_with(tickets_per_hour=1)).test_client()
    visitor = {"X-Zhida-Visitor": "c" * 32}
    assert ask(client, "打印机卡纸怎么处理", visitor).status_code == 201
    limited = ask(client, "咖啡机漏水找谁", visitor, details="二楼")
    assert (limited.status_code, limited.json["ticket"], limited.json["limited"]) == (200, None, True)
    assert limited.json["words"] == "这一小时记下的问题太多了，请稍后再试"


def test_an_address_is_twelve_people_however_many_random_ids_it_makes_up_and_is_told_so(embedded_in, services_with, app_of, clock):
    """Whom somebody vouches for, and other addresses, are not counted with them."""
    strict = services_with(tickets_per_hour=1)
    client = app_of(strict).test_client()

    def limited(ids, address="203.0.113.7", **more):
        asked = {"json": {"question": "打印机卡纸怎么处理"}, "environ_base": {"REMOTE_ADDR": address}}
        answers = [client.post("/api/v1/tickets", headers=more or {"X-Zhida-Visitor": f"{id_:032x}"}, **asked) for id_ in ids]
        assert {answer.status_code for answer in answers} <= {200, 201}, "never refused"
        return [answer.json.get("limited", False) for answer in answers]

    assert limited(range(14)) == [False] * 12 + [True] * 2
    question = {"intent_id": "nobody", "query": "咖啡机漏水找谁", "trigger": "enter"}
    nobody = {"environ_base": {"REMOTE_ADDR": "203.0.113.7"}, "headers": {"Origin": "http://localhost"}}
    assert client.post("/api/v1/intents", json=question, **nobody).json["limited"] is True
    assert limited([99], "203.0.113.8") == [False]
    assert limited([0], **embedded_in(strict)("tickets:write", sub="e-1"), **{"Idempotency-Key": "0123456789abcdef"}) == [False]
    clock.forward(minutes=60)
    assert limited([100]) == [False]


def test_details_too_long_are_refused_before_anything_is_asked(page):
    assert ask(page, "打印机卡纸怎么处理", HERS, details="x" * 20_001).json["error"]["code"] == "too_long"
    assert mine(page, HERS)["tickets"] == []


def test_an_article_that_a_site_does_not_show_is_not_named_to_its_people(page, services, agent_does):
    with services.db.write() as session:
        session.get_one(Site, "travel").modules = ["travel"]
    services.sites.look()
    token = ask(page, "打印机卡纸怎么处理", HERS).json["ticket"]["token"]
    agent_does(lifecycle.resolve, article="invoices/verify-failed", body="见文章")
    (reply,) = page.get(f"/api/v1/tickets/{token}", headers=HERS).json["replies"]
    assert (reply["text"], reply["article"], reply["url"]) == ("见文章", "", None)
    assert ask(page, "发票查验失败怎么办", HIS).json["verdict"] != "answered", "what is not shown answers nothing"


def test_a_file_of_ones_own_opens_by_its_address_alone(page, app):
    """A link sends no header: the address holds the ticket's secret."""
    token = ask(page, "打印机卡纸怎么处理", HERS).json["ticket"]["token"]
    sent = {"file": (io.BytesIO(b"number,amount\n1,20\n"), "list.csv")}
    url = page.post(f"/api/v1/tickets/{token}/files", data=sent, headers=HERS).json["file"]["url"]
    assert app.test_client().get(url.removeprefix("http://localhost")).data == b"number,amount\n1,20\n"


QUESTIONS = ["打印机卡纸怎么处理", "咖啡机漏水找谁", "会议室投影没有信号", "停车位怎么申请", "门禁卡丢了怎么补"]


def pages(client, query, headers=HERS):
    """Return the questions of all pages of a list, page by page."""
    found, after = [], ""
    while after is not None:
        page = mine_at(client, f"{query}{after and f'&after={after}'}", headers)
        found.append([line["question"] for line in page["tickets"]])
        after = page["next"]
    return found


def mine_at(client, query, headers):
    answer = client.get(f"/api/v1/tickets?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_ones_own_questions_come_page_by_page_without_a_gap_while_more_are_asked(page, agent_does):
    for question in QUESTIONS[:4]:
        ask(page, question, HERS)
    ask(page, QUESTIONS[4], HIS)
    first = mine_at(page, "limit=2", HERS)
    assert [line["question"] for line in first["tickets"]] == QUESTIONS[3:1:-1]
    ask(page, QUESTIONS[4], HERS)
    agent_does(lifecycle.resolve, body="请联系行政")
    rest = mine_at(page, f"limit=2&after={first['next']}", HERS)
    assert ([line["question"] for line in rest["tickets"]], rest["next"], rest["news"]) == (QUESTIONS[1::-1], None, 1)
    assert pages(page, "limit=3") == [QUESTIONS[4:1:-1], QUESTIONS[1::-1]]
    assert pages(page, "limit=1&state=resolved") == [[QUESTIONS[0]]]
    assert pages(page, "") == [[QUESTIONS[0], *QUESTIONS[:0:-1]]], "without either, what wants something of the person comes first"


def test_a_list_that_is_longer_than_one_answer_leads_on_to_its_rest(page, monkeypatch):
    for question in QUESTIONS:
        ask(page, question, HERS)
    monkeypatch.setattr(shares, "OVERSEEN", 2)
    monkeypatch.setattr(shares.of_person, "__defaults__", (2,))
    found = pages(page, "")
    assert found == [QUESTIONS[:2:-1], QUESTIONS[2::-1]]


@pytest.mark.parametrize("wrong", ["limit=0", "limit=101", "limit=x", "after=x", "after=-1", "limit=2&state=gone"])
def test_a_page_that_cannot_be_is_refused(page, wrong):
    answer = page.get(f"/api/v1/tickets?{wrong}", headers=HERS)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_field")
