"""A ticket's page on the desk: answered once for all who asked, by several agents who never overwrite each other."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from kb.business_hours import BusinessHours
from kb.errors import InvalidRequestError
from kb.tickets import dossier, history, lifecycle, shares, sla_file
from kb.tickets.alarms import sweep
from kb.tickets.models import Attachment, Detail, Presence, PublicReply, Ticket, TicketEvent
from kb.tickets.shares import Wording
from kb.tickets.steps import until
from tests.conftest import ROOT

PAGE, CHINA = "/desk/1001", ZoneInfo("Asia/Shanghai")
OFFICE = BusinessHours(CHINA, [(510, 720), (810, 1050)])  # 08:30-12:00, 13:30-17:30


@pytest.fixture
def colleague(signed_in):
    return signed_in("客服小周", "agent")


@pytest.fixture
def kinds(services):
    """Return what has happened to a ticket, the opening, that somebody waits, and the taking that goes with an answer, aside."""

    def read_(number: int = 1001) -> list[str]:
        with services.db.read() as session:
            return [one.kind for one in history.find(session, number).events if one.kind not in {"opened", "awaited", "assigned"}]

    return read_


@pytest.fixture
def open_one(services):
    """Open a ticket for some people who asked in some words, without going through a search for each."""

    def make(question: str, people: int = 1, *wordings: str) -> int:
        with services.db.write() as session:
            made = history.open_ticket(session, question, services.now(), module="invoices", category="fault", priority="normal")
            for at in range(people):
                text = (question, *wordings)[at % (1 + len(wordings))]
                shares.join(made, f"v:{question}{at}", Wording(text, text), services.now(), receipt=True)
            return made.number

    return make


# The head


def test_a_list_at_the_head_changes_each_trait_and_the_change_can_be_taken_back(agent, ticket, services, read):
    for step, value in (("category", "complaint"), ("priority", "urgent"), ("module", "travel"), ("assign", "客服小林")):
        answer = agent.submit(PAGE, f"{PAGE}/{step}", value=value)
        assert (answer.status_code, answer.location) == (303, f"{PAGE}?done={step}")
    with services.db.read() as session:
        found = history.find(session, 1001)
        assert (found.category, found.priority, found.module, found.assignee) == ("complaint", "urgent", "travel", "客服小林")
    text = read(agent.get(PAGE).text).text
    assert "类别改为 投诉" in text
    assert "优先级改为 紧急" in text
    assert "模块改为 差旅" in text
    undone = agent.submit(f"{PAGE}?done=assign", f"{PAGE}/undo")
    assert undone.status_code == 303
    with services.db.read() as session:
        assert history.find(session, 1001).assignee == ""


def test_a_ticket_is_given_to_people_of_the_desk_only(agent, colleague, operator, ticket, services):
    options = [given["value"] for tag, given in agent.page(PAGE).elements if tag == "option"]
    assert "客服小周" in options
    assert "运营小方" not in options
    answer = agent.submit(PAGE, f"{PAGE}/assign", value="运营小方")
    assert answer.status_code == 400
    assert "没有叫“运营小方”的客服" in answer.text
    agent.submit(PAGE, f"{PAGE}/assign", value="客服小周")
    assert "客服小林 交给 客服小周" in colleague.page(PAGE).text


@pytest.mark.parametrize(("step", "value"), [("category", "nothing"), ("priority", "x"), ("module", "nowhere"), ("category", "")])
def test_a_trait_that_no_list_offers_is_refused(agent, ticket, rows, step, value):
    before = rows()
    assert agent.post(f"{PAGE}/{step}", data={"csrf_token": agent.token(), "value": value}).status_code == 400
    assert rows() == before


def test_the_neighbours_are_those_of_the_view_that_the_agent_came_from(agent, open_one):
    first, second, third = open_one("甲问题", 5), open_one("乙问题", 3), open_one("丙问题", 1)
    links = agent.page(f"/desk/{second}?from=view%3Dopen").links
    assert f"/desk/{first}?from=view%3Dopen" in links
    assert f"/desk/{third}?from=view%3Dopen" in links
    assert "/desk?view=open" in links
    answer = agent.submit(f"/desk/{second}?from=view%3Dopen", f"/desk/{second}/resolve", body="好了")
    assert answer.location == f"/desk/{second}?done=resolve&from=view%3Dopen"
    assert f"/desk/{third}?from=view%3Dopen" in agent.page(answer.location).links, "the next one waits where it was"
    newest = agent.page(f"/desk/{second}?from=view%3Dall%26sort%3Dnewest")
    assert [link.partition("?")[0] for link in newest.links if "from=" in link and "people" not in link][:2] == [f"/desk/{third}", f"/desk/{first}"]


# The composer


@pytest.mark.parametrize(("mode", "kind", "state"), [("reply", "replied", "in_progress"), ("ask", "asked", "waiting"), ("note", "noted", "new")])
def test_one_composer_replies_asks_back_and_notes(agent, asker, ticket, kinds, services, mode, kind, state):
    answer = agent.submit(PAGE, f"{PAGE}/reply", body="换一台看看", mode=mode)
    assert answer.location == f"{PAGE}?done={mode}"
    assert kinds() == [kind]
    assert ("换一台看看" in asker.get(ticket["path"]).text) == (mode != "note")
    with services.db.read() as session:
        assert history.find(session, 1001).state == state


def test_a_note_is_never_published_by_the_button_beside_it(agent, ticket, rows):
    before = rows()
    answer = agent.submit(PAGE, f"{PAGE}/resolve", body="这个人以前投诉过", mode="note")
    assert answer.status_code == 400
    assert "这个人以前投诉过" in answer.text, "what was typed is kept"
    assert 'value="note" checked' in answer.text
    for fields in ({"mode": "note", "public": "answer"}, {"mode": "ask", "public": "answer"}, {"mode": "other"}):
        assert agent.submit(PAGE, f"{PAGE}/reply", body="这个人以前投诉过", **fields).status_code == 400
    assert rows() == before


def test_what_is_said_to_one_person_is_read_by_nobody_else(agent, asker, second_asker, ticket, services, read):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    with services.db.read() as session:
        first = session.scalars(select(shares.Follower.id).order_by(shares.Follower.id)).first()
    page = f"{PAGE}?to={first}"
    assert agent.page(page).form(f"{PAGE}/reply", {"body": ""})["fields"]["to"] == str(first)
    agent.submit(page, f"{PAGE}/reply", body="你的单号我查到了")
    assert "你的单号我查到了" in asker.get(ticket["path"]).text
    assert "你的单号我查到了" not in second_asker.get(other).text
    text = read(agent.get(PAGE).text).text
    assert "客服小林 回复 提问人 1 别人看不到" in text
    assert agent.submit(page, f"{PAGE}/resolve", body="你的单号好了").status_code == 400
    assert agent.submit(page, f"{PAGE}/reply", body="你的单号", public="answer", until="3").status_code == 400
    assert agent.submit(page, f"{PAGE}/reply", body="你的单号", mode="note").status_code == 400


@pytest.mark.parametrize("to", ["999", "x", "-1", "９", "9" * 30])
def test_nothing_is_said_to_a_person_who_is_not_in_the_ticket(agent, ticket, open_one, rows, to):
    open_one("别的问题")
    before = rows()
    for stranger in (to, "2"):
        assert agent.post(f"{PAGE}/reply", data={"csrf_token": agent.token(), "body": "x", "to": stranger}).status_code == 409
    assert rows() == before


def test_a_blank_of_a_canned_reply_is_never_sent_to_those_who_asked(agent, ticket, kinds):
    for step, fields in (("reply", {}), ("reply", {"mode": "ask"}), ("resolve", {}), ("publish", {"public": "answer", "until": "3"})):
        answer = agent.submit(PAGE, f"{PAGE}/{step}", body="请看：（填写文章链接）。", **fields)
        assert answer.status_code == 400
        assert "还有没填的空：（填写文章链接）" in answer.text
        assert "请看：（填写文章链接）。</textarea>" in answer.text
    agent.submit(PAGE, f"{PAGE}/reply", body="答复里有（填写文章链接）", mode="note")
    assert kinds() == ["noted"]


def test_a_canned_reply_comes_below_what_was_typed_without_a_script_and_those_of_the_module_stand_first(agent, open_one, rows):
    number = open_one("发票抬头错了怎么办")
    page = agent.page(f"/desk/{number}")
    offered = [given["value"] for tag, given in page.elements if tag == "option" and "data-text" in given]
    assert offered[0] == "invoice-exchange"
    assert len(offered) >= 10
    before = rows()
    answer = agent.submit(f"/desk/{number}", f"/desk/{number}/insert", body="你好。", canned="done")
    assert answer.status_code == 200
    assert re.search(r">你好。\n\n问题已经处理好", answer.text)
    assert rows() == before


def test_the_same_words_pressed_twice_are_said_once(agent, ticket, kinds):
    form = agent.page(PAGE).form(f"{PAGE}/reply", {"body": ""})["fields"] | {"body": "换一台"}
    assert [agent.post(f"{PAGE}/reply", data=form).status_code for _ in range(2)] == [303, 303]
    assert kinds() == ["replied"]
    agent.post(f"{PAGE}/reply", data={**form, "mode": "note"})
    assert kinds() == ["replied", "noted"], "the same words for somebody else are other words"
    assert [agent.post(f"{PAGE}/resolve", data=form).status_code for _ in range(2)] == [303, 303]
    assert kinds() == ["replied", "noted", "resolved"]


# Public replies


def test_a_reply_is_made_public_with_the_press_that_sends_it_and_taken_down_or_extended_later(agent, asker, ticket, kinds, services, clock, read):
    agent.submit(PAGE, f"{PAGE}/reply", body="正在修", public="known", until="3")
    assert kinds() == ["replied", "published"]
    text = read(agent.get(PAGE).text).text
    assert "正在公开：已知问题·处理中 客服小林" in text
    with services.db.read() as session:
        assert session.scalar(select(PublicReply.expires_at)) == clock.at + timedelta(days=3)
    agent.submit(PAGE, f"{PAGE}/extend", until="30")
    with services.db.read() as session:
        live = lifecycle.live_public_replies(history.find(session, 1001), clock.at)
        assert [(one.body, one.expires_at, one.role) for one in live] == [("正在修", clock.at + timedelta(days=30), "agent")]
    agent.submit(PAGE, f"{PAGE}/retire")
    assert "正在公开" not in agent.get(PAGE).text
    answer = agent.post(f"{PAGE}/extend", data={"csrf_token": agent.token(), "until": "7"})
    assert (answer.status_code, "已经不在了" in answer.text) == (409, True)


def test_a_reply_to_all_that_is_made_public_is_told_as_both_and_taken_back_by_name(agent, ticket, read):
    answer = agent.submit(PAGE, f"{PAGE}/reply", body="正在修", public="known", until="3")
    page = agent.page(answer.location)
    assert "已发给所有提问的人，并已公开给搜到同类问题的人。 撤销公开" in page.text


def test_what_was_taken_down_is_shown_again_in_the_same_words_to_the_same_end(agent, ticket, services, clock):
    agent.submit(PAGE, f"{PAGE}/reply", body="正在修", public="known", until="3")
    end = clock.at + timedelta(days=3)
    clock.forward(seconds=60)
    answer = agent.submit(PAGE, f"{PAGE}/retire")
    agent.submit(answer.location, f"{PAGE}/republish")
    with services.db.read() as session:
        live = lifecycle.live_public_replies(history.find(session, 1001), clock.at)
        assert [(one.kind, one.body, one.expires_at) for one in live] == [("known", "正在修", end)]
    again = agent.post(f"{PAGE}/republish", data={"csrf_token": agent.token()})
    assert (again.status_code, "正在公开" in again.text) == (409, True)
    agent.submit(PAGE, f"{PAGE}/retire")
    clock.forward(seconds=3 * 86_400)
    assert "/republish" not in agent.get(f"{PAGE}?done=retire").text, "its time is over"


def test_a_day_that_has_passed_is_refused_as_such():
    with pytest.raises(InvalidRequestError, match="到期日已经过了"):
        until("date", "2026-11-19", datetime.fromisoformat("2026-11-20T09:00:00+08:00"), OFFICE)


def test_a_public_reply_may_reach_searchers_alone(agent, asker, ticket, kinds):
    agent.submit(PAGE, f"{PAGE}/publish", body="打印机归行政管", public="elsewhere", until="30")
    assert kinds() == ["published"]
    assert "条回复" not in asker.get("/").text
    refused = agent.submit(PAGE, f"{PAGE}/publish", body="打印机归行政管", public="", until="30")
    assert (refused.status_code, kinds()) == (400, ["published"])


@pytest.mark.parametrize(
    ("choice", "day", "now", "end"),
    [
        ("today", "", "2026-11-20T09:00:00+08:00", "2026-11-20T17:30:00+08:00"),
        ("3", "", "2026-11-20T09:00:00+08:00", "2026-11-23T09:00:00+08:00"),
        ("date", "2026-12-31", "2026-11-20T09:00:00+08:00", "2027-01-01T00:00:00+08:00"),
        ("date", "2026-11-20", "2026-11-19T23:00:00+00:00", "2026-11-21T00:00:00+08:00"),
        ("today", "", "2026-11-19T23:00:00+00:00", "2026-11-20T17:30:00+08:00"),
    ],
)
def test_how_long_a_reply_is_public_is_counted_in_the_companys_days(choice, day, now, end):
    assert until(choice, day, datetime.fromisoformat(now), OFFICE) == datetime.fromisoformat(end)


def test_a_day_ends_by_the_clocks_of_the_companys_zone():
    noon = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
    london = BusinessHours(ZoneInfo("Europe/London"), OFFICE.intervals)
    assert until("today", "", noon, london) == datetime.fromisoformat("2026-11-20T17:30:00+00:00")
    assert until("date", "2026-12-31", noon, london) == datetime.fromisoformat("2027-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        ([(600, 1140)], "2026-11-20T18:59:59+08:00", "2026-11-20T19:00:00+08:00"),
        ([(600, 1140)], "2026-11-20T19:00:00+08:00", "过了下班时间（19:00）"),
        ([(0, 1440)], "2026-11-20T23:59:00+08:00", "2026-11-21T00:00:00+08:00"),
        ([(510, 720), (810, 1050)], "2026-11-21T10:00:00+08:00", "今天不上班"),
        ([(510, 720), (810, 1050)], "2026-02-14T10:00:00+08:00", "2026-02-14T17:30:00+08:00"),
        ([(510, 720), (810, 1050)], "2026-10-01T10:00:00+08:00", "今天不上班"),
    ],
    ids=["evening", "evening over", "round the clock", "Saturday", "make-up Saturday", "National Day"],
)
def test_today_ends_when_the_companys_people_leave_and_a_day_off_has_no_end(hours, now, end):
    office, at = BusinessHours(CHINA, hours), datetime.fromisoformat(now)
    if end.startswith("2"):
        assert until("today", "", at, office) == datetime.fromisoformat(end)
    else:
        with pytest.raises(InvalidRequestError, match=f"{end}.*请选 3 天，或者指定日期"):
            until("today", "", at, office)


def test_the_page_shows_a_reply_until_the_end_of_the_hours_that_the_companys_own_file_names(agent, ticket, services, clock, tmp_path, monkeypatch):
    refused = agent.submit(PAGE, f"{PAGE}/reply", body="正在修", public="known", until="today")
    assert (refused.status_code, "过了下班时间（17:30）" in refused.text) == (400, True)
    own = tmp_path / "sla.toml"
    own.write_text((ROOT / "kb/tickets/sla.toml").read_text(encoding="utf-8").replace("13:30-17:30", "13:30-19:00"), encoding="utf-8")
    monkeypatch.setitem(vars(services), "policies", sla_file.read(own))
    agent.submit(PAGE, f"{PAGE}/reply", body="正在修", public="known", until="today")
    with services.db.read() as session:
        assert session.scalar(select(PublicReply.expires_at)) == clock.at.replace(hour=11, minute=0, second=0, microsecond=0), "19:00 in China"


@pytest.mark.parametrize(
    ("choice", "day", "hour"), [("today", "", 18), ("date", "", 9), ("date", "9999-12-31", 9), ("date", "下周", 9), ("", "", 9), ("5", "", 9), ("-3", "", 9)]
)
def test_an_end_that_is_none_is_refused_with_a_remedy(choice, day, hour):
    with pytest.raises(InvalidRequestError, match=r"请选|写下日期|从列表里选"):
        until(choice, day, datetime.fromisoformat(f"2026-11-20T{hour:02}:00:00+08:00"), OFFICE)


# Resolving


def test_articles_are_suggested_by_all_wordings_together(agent, open_one, services):
    number = open_one("怎么一直转圈", 4, "发票查验失败", "查验发票提示查无此票")
    form = agent.page(f"/desk/{number}").form(f"/desk/{number}/resolve", {"article": ""})
    assert form["fields"]["article"] == "invoices/verify-failed"


def test_a_suggestion_is_confirmed_or_dismissed_for_good(agent, asker, ticket, services, kinds, read):
    def suggest():
        with services.db.write() as session:
            lifecycle.suggest(history.find(session, 1001), "mobile/no-notifications", services.now())

    suggest()
    page = read(agent.get(PAGE).text)
    assert "可能已回答：" in page.text
    assert "确认并通知 1 人" in page.text
    agent.submit(PAGE, f"{PAGE}/dismiss")
    suggest()
    assert "确认并通知" not in agent.get(PAGE).text
    with services.db.write() as session:
        lifecycle.suggest(history.find(session, 1001), "account/forgot-password", services.now())
    form = agent.page(PAGE).form(f"{PAGE}/resolve", {"article": ""})
    agent.post(f"{PAGE}/resolve", data=form["fields"])
    assert "/a/account/forgot-password" in asker.page(ticket["path"]).links
    assert kinds()[-1] == "resolved"


def test_a_resolved_ticket_is_opened_again_with_a_reason_that_only_agents_read(agent, asker, ticket, services):
    agent.submit(PAGE, f"{PAGE}/resolve", body="换一台")
    agent.submit(PAGE, f"{PAGE}/reopen", body="答错了，是网络的事")
    with services.db.read() as session:
        assert history.find(session, 1001).open
    assert "答错了，是网络的事" in agent.get(PAGE).text
    assert "答错了，是网络的事" not in asker.get(ticket["path"]).text


# Two agents


def test_what_an_agent_has_not_seen_stops_their_step_and_keeps_their_words(agent, colleague, asker, ticket, kinds, read):
    form = agent.page(PAGE).form(f"{PAGE}/reply", {"body": ""})["fields"] | {"body": "我写的答复"}
    colleague.submit(PAGE, f"{PAGE}/reply", body="已经在修")
    answer = agent.post(f"{PAGE}/reply", data=form)
    page = read(answer.text)
    assert answer.status_code == 409
    assert "客服小周回复了" in page.text
    assert "新 客服小周 回复 所有人" in page.text
    assert kinds() == ["replied"]
    again = page.form(f"{PAGE}/reply", {"body": ""})["fields"]
    assert again["body"] == "我写的答复"
    assert 'formaction="/desk/1001/reply">仍然发送' in answer.text
    assert agent.post(f"{PAGE}/reply", data=again).status_code == 303
    assert kinds() == ["replied", "replied"]


def test_a_step_without_words_is_refused_the_same_way_and_taken_by_one_more_press(agent, colleague, ticket, services, read):
    form = agent.page(PAGE).form(f"{PAGE}/category", {"value": ""})["fields"] | {"value": "complaint"}
    colleague.submit(PAGE, f"{PAGE}/category", value="suggestion")
    answer = agent.post(f"{PAGE}/category", data=form)
    assert answer.status_code == 409
    again = next(form["fields"] for form in read(answer.text).forms if form["action"] == f"{PAGE}/category" and form["fields"]["value"] == "complaint")
    assert "仍然改为“投诉”" in answer.text
    assert "你写的内容还在" not in answer.text, "nothing was typed"
    assert agent.post(f"{PAGE}/category", data=again).status_code == 303
    with services.db.read() as session:
        assert history.find(session, 1001).category == "complaint"


def test_what_an_agent_did_themselves_in_another_tab_stops_nothing(agent, ticket, kinds):
    form = agent.page(PAGE).form(f"{PAGE}/reply", {"body": ""})["fields"] | {"body": "第一句"}
    agent.submit(PAGE, f"{PAGE}/category", value="complaint")
    assert agent.post(f"{PAGE}/reply", data=form).status_code == 303
    assert kinds() == ["categorised", "replied"]


def test_the_page_says_who_else_is_there_and_what_they_did(agent, colleague, ticket, clock, services):
    assert agent.get(f"{PAGE}/watch?seen=1").json == {"here": "", "news": ""}
    assert colleague.get(f"{PAGE}/watch?seen=1&writing=1").json["here"] == "客服小林也开着这一页。"
    assert agent.get(f"{PAGE}/watch?seen=1").json["here"] == "客服小周正在写回复。"
    assert "客服小周正在写回复。" in agent.get(PAGE).text
    colleague.submit(PAGE, f"{PAGE}/reply", body="已经在修")
    assert agent.get(f"{PAGE}/watch?seen=1").json["news"] == "客服小周回复了，还有另外 1 件事"
    assert colleague.get(f"{PAGE}/watch?seen=1").json["news"] == "", "nobody is told what they did themselves"
    asker_side = agent.page(f"{PAGE}?since=1").text
    assert "新 客服小周 回复 所有人" in asker_side
    clock.forward(seconds=61)
    assert agent.get(f"{PAGE}/watch?seen=1").json["here"] == ""
    assert agent.get("/desk/999/watch").status_code == 404


def test_looking_writes_only_when_it_says_something_new(agent, ticket, clock, services, statements):
    agent.get(f"{PAGE}/watch?seen=1")
    clock.forward(seconds=10)
    with statements() as sent:
        agent.get(f"{PAGE}/watch?seen=1")
    assert [one for one in sent if one.startswith(("INSERT", "UPDATE", "DELETE"))] == []
    agent.get(f"{PAGE}/watch?seen=1&writing=1")
    clock.forward(seconds=50)
    agent.get(f"{PAGE}/watch?seen=1&writing=1")
    with services.db.read() as session:
        stored = session.scalars(select(Presence)).one()
        assert (stored.writing, stored.seen_at) == (True, clock.at)


# Regrouping


def test_wordings_are_split_off_and_come_back_by_undo(agent, open_one, services, read):
    number = open_one("打印机卡纸", 4, "打印机没墨")
    page = agent.page(f"/desk/{number}")
    boxes = [given["value"] for tag, given in page.elements if given.get("name") == "phrasing"]
    answer = agent.submit(f"/desk/{number}", f"/desk/{number}/split", phrasing=boxes[1])
    after = read(agent.get(answer.location).text)
    assert "已拆成新工单 T-1002" in after.text
    assert "/desk/1002" in after.links
    with services.db.read() as session:
        assert [(one.question, one.people) for one in session.scalars(select(Ticket))] == [("打印机卡纸", 2), ("打印机没墨", 2)]
    agent.submit(answer.location, f"/desk/{number}/undo")
    with services.db.read() as session:
        assert history.find(session, number).people == 4
    nothing = agent.post(f"/desk/{number}/split", data={"csrf_token": agent.token()})
    assert (nothing.status_code, "先勾选" in nothing.text) == (400, True)


@pytest.mark.parametrize("written", ["T-1002", "t1002", " 1002 ", "Ｔ－１００２"])
def test_a_ticket_goes_on_in_another_one_however_its_number_is_written(agent, open_one, services, written):
    first, second = open_one("打印机卡纸", 2), open_one("打印机不出纸", 3)
    answer = agent.submit(f"/desk/{first}", f"/desk/{first}/merge", target=written)
    page = agent.page(answer.location)
    assert "这张工单在 T-1002 里继续" in page.text
    assert f"/desk/{second}" in page.links
    with services.db.read() as session:
        assert (history.find(session, first).people, history.find(session, second).people) == (0, 5)
    assert "客服小林 并入这一张： T-1001" in agent.page(f"/desk/{second}").text
    agent.submit(f"/desk/{first}", f"/desk/{first}/undo")
    assert "客服小林 问法移回 T-1001" in agent.page(f"/desk/{second}").text


def test_a_ticket_that_may_be_the_same_wish_is_offered_for_merging(agent, second_asker, ticket, services):
    assert second_asker.ask("打印机总是卡住纸").json["ticket"]["number"] == 1002
    page = agent.page("/desk/1002")
    assert "可能是同一个问题" in page.text
    form = next(form for form in page.forms if form["action"] == "/desk/1002/merge" and form["fields"].get("target") == "T-1001")
    agent.post("/desk/1002/merge", data=form["fields"])
    with services.db.read() as session:
        assert history.find(session, 1002).merged_into == 1001


@pytest.mark.parametrize(("written", "status"), [("", 400), ("打印机", 400), ("T-1001", 400), ("T-999", 400), ("9" * 40, 400)])
def test_a_target_that_is_none_changes_nothing(agent, ticket, rows, written, status):
    before = rows()
    assert agent.post(f"{PAGE}/merge", data={"csrf_token": agent.token(), "target": written}).status_code == status
    assert rows() == before


def test_a_ticket_that_there_is_none_of_is_refused_in_place_with_what_was_typed(agent, ticket, read):
    answer = agent.post(f"{PAGE}/move", data={"csrf_token": agent.token(), "target": "T-9999"})
    page = read(answer.text)
    assert "没有工单 T-9999。请核对目标工单的编号。" in page.text
    assert page.form(f"{PAGE}/move", {"target": ""})["fields"]["target"] == "T-9999"


def test_the_address_of_a_step_leads_to_the_ticket_and_takes_no_step(agent, ticket, rows):
    before = rows()
    assert agent.get(f"{PAGE}/merge?from=view%3Dall").location == f"{PAGE}?from=view%3Dall"
    assert agent.get("/desk/bulk").location == "/desk"
    lost = agent.get(f"{PAGE}/nothing")
    assert (lost.status_code, 'href="/desk"' in lost.text) == (404, True)
    assert rows() == before


def test_spam_is_closed_with_a_way_back(agent, ticket, services):
    agent.submit(PAGE, f"{PAGE}/spam")
    with services.db.read() as session:
        assert history.find(session, 1001).closed_as == "spam"
    page = agent.page(PAGE)
    assert "标为垃圾" in page.text
    assert "发给" not in page.text, "nobody would read it"
    agent.submit(PAGE, f"{PAGE}/undo")
    with services.db.read() as session:
        assert history.find(session, 1001).open


# People, their words and files


def test_people_are_numbers_with_their_words_and_what_they_told(agent, asker, second_asker, ticket, services, read):
    second_asker.ask("请问打印机卡纸怎么处理呢")
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="三楼那台", contact="分机 8001")
    text = read(agent.get(PAGE).text).text
    for words in ("提问人 1", "提问人 2", "“请问打印机卡纸怎么处理呢”", "三楼那台", "联系方式：分机 8001", "提问人 1 补充说明"):
        assert words in text
    with services.db.write() as session:
        for detail in session.scalars(select(Detail)):
            detail.body, detail.forgotten_at = "", services.now()
    text = read(agent.get(PAGE).text).text
    assert "三楼那台" not in text
    assert "内容已按期清除" in text


def test_of_very_many_people_those_who_told_something_stand_first_and_the_rest_on_pages_of_their_own(agent, open_one, services, read):
    number = open_one("月底能延期提交吗", 130)
    with services.db.write() as session:
        found = history.find(session, number)
        shares.add_details(shares.followers(found)[99], "出差在外，网不好", None, services.now())
    page = read(agent.get(f"/desk/{number}").text)
    assert len(re.findall(r"提问人 \d+ \d+月", page.text)) == dossier.PEOPLE
    assert page.text.index("提问人 100 11月") < page.text.index("提问人 1 11月")
    people = read(agent.get(f"/desk/{number}/people").text)
    assert len(re.findall(r"提问人 \d+ \d+月", people.text)) == dossier.PEOPLE_A_PAGE
    rest = next(link for link in people.links if "after=" in link)
    last = read(agent.get(rest).text)
    assert len(re.findall(r"提问人 \d+ \d+月", last.text)) == 30
    assert not [link for link in last.links if "after=" in link]


def test_the_page_asks_the_database_as_often_for_two_people_as_for_sixty(agent, open_one, services, statements):
    sizes = {}
    for people in (2, 60):
        number = open_one(f"{people} 个人的问题", people, "换个说法")
        with services.db.write() as session:
            found = history.find(session, number)
            for follower in shares.followers(found)[: people // 2]:
                shares.add_details(follower, "我的情况", "分机", services.now())
                lifecycle.reply(found, "收到", "客服小林", services.now(), follower)
        agent.get(f"/desk/{number}")
        with statements() as sent:
            agent.get(f"/desk/{number}")
        sizes[people] = len(sent)
    assert sizes[2] == sizes[60] <= 35


def test_a_file_is_saved_never_shown_and_only_under_its_own_ticket(agent, asker, ticket, services, open_one):
    kept = services.files.keep(io.BytesIO(b"%PDF-1.4\n1 0 obj\n%%EOF\n"), "发票 1.pdf")
    with services.db.write() as session:
        follower = shares.followers(history.find(session, 1001))[0]
        session.add(Attachment(follower_id=follower.id, name=kept.name, media_type=kept.media_type, size=kept.size, digest=kept.digest, at=services.now()))
    assert "发票 1.pdf" in agent.get(PAGE).text
    answer = agent.get(f"{PAGE}/files/1")
    assert answer.data.startswith(b"%PDF")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "UTF-8''%E5%8F%91%E7%A5%A8%201.pdf" in answer.headers["Content-Disposition"]
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-store"
    other = open_one("别的问题")
    for wrong in (f"/desk/{other}/files/1", f"{PAGE}/files/2", f"{PAGE}/files/{2**63}", "/desk/999/files/1"):
        assert agent.get(wrong).status_code == 404
    assert asker.get(f"{PAGE}/files/1").location.startswith("/sign-in")
    services.files.remove(kept.digest)
    assert agent.get(f"{PAGE}/files/1").status_code == 404


# The timeline


def test_steps_that_were_taken_back_stay_in_sight_and_say_so(agent, ticket, read):
    agent.submit(PAGE, f"{PAGE}/priority", value="urgent")
    agent.submit(PAGE, f"{PAGE}/undo")
    text = read(agent.get(PAGE).text).text
    assert "优先级改为 紧急 已撤销" in text
    assert "客服小林 撤销：优先级改为 紧急" in text


def test_a_long_story_is_folded_down_to_what_was_said_last(agent, ticket, services, read):
    with services.db.write() as session:
        found = history.find(session, 1001)
        for at in range(300):
            lifecycle.note(found, f"第 {at} 条", "客服小林", services.now())
    page = agent.get(PAGE).text
    folded, _, shown = page.partition("</details>")
    assert "第 299 条" in shown
    assert shown.count('class="spoke internal"') == dossier.RECENT
    assert "第 250 条" in folded
    assert "第 10 条" not in page
    assert "第 10 条" in agent.get(f"{PAGE}?history=all").text


def test_every_kind_of_event_has_words(agent, ticket, services, read):
    shown_elsewhere = {lifecycle.Kind.UNDONE, lifecycle.Kind.MERGED, lifecycle.Kind.OPENED, lifecycle.Kind.PUBLISHED}
    with services.db.write() as session:
        found = history.find(session, 1001)
        for kind in lifecycle.Kind:
            if kind not in shown_elsewhere:
                target = {"moved_out": "1001", "moved_in": "1001", "rated": "4"}.get(kind.value, "")
                session.add(TicketEvent(ticket_number=1001, kind=kind.value, at=services.now(), actor="客服小林", body="话", target=target))
        session.flush()
        session.expire(found)
    text = read(agent.get(PAGE).text).text
    for words in ("放回未分配", "类别改为 未定", "模块改为 未归类", "评价 4 分", "问法移回 T-1001", "先前建议的文章不再合适", "撤下公开回复"):
        assert words in text


# What was answered before


def test_a_question_in_the_same_words_names_what_was_answered_and_one_press_answers_it(signed_in, asker, second_asker, agent_does, clock, kinds):
    asker.ask("打印机卡纸怎么处理")
    agent_does(lifecycle.reply, body="在看")
    agent_does(lifecycle.resolve, body="重启打印机。\n再按 OK。")
    agent_does(lifecycle.note, body="别告诉别人")
    clock.forward(days=29)
    agent = signed_in("客服小林", "agent")
    second_asker.ask("咖啡机漏水找谁")
    assert "已有答复" not in agent.page("/desk/1002").text, "other words"
    second = second_asker.ask("请问打印机卡纸怎么处理？").json["ticket"]
    page = agent.page("/desk/1003")
    assert "同样的问题 T-1001 已有答复 重启打印机。 再按 OK。" in page.text
    assert "/desk/1001" in page.links
    form = next(form for form in page.forms if form["fields"].get("body", "").startswith("重启打印机"))
    assert agent.post("/desk/1003/resolve", data=form["fields"]).location == "/desk/1003?done=resolve"
    assert "重启打印机。" in second_asker.page(second["url"].removeprefix("http://localhost")).text
    assert kinds(1003) == ["resolved"]


def test_an_answer_of_long_ago_and_one_to_one_person_alone_are_not_offered_again(signed_in, asker, second_asker, ticket, agent_does, clock):
    agent_does(lifecycle.reply, body="只给你。", to=ticket["token"])
    asker.submit(ticket["path"], f"{ticket['path']}/settle")
    second_asker.ask("打印机卡纸怎么处理")
    agent = signed_in("客服小林", "agent")
    assert "打印机卡纸怎么处理" in agent.page("/desk/1002").text
    assert "已有答复" not in agent.page("/desk/1002").text
    agent.submit("/desk/1002", "/desk/1002/resolve", body="重启打印机。")
    clock.forward(days=31)
    second_asker.ask("打印机卡纸怎么处理", "unsolved")
    agent = signed_in("客服小林", "agent")
    assert "打印机卡纸怎么处理" in agent.page("/desk/1003").text
    assert "已有答复" not in agent.page("/desk/1003").text


def test_one_tick_beside_the_answer_makes_it_public_for_a_week_when_several_wait(agent, asker, open_one, services, read, clock):
    open_one("打印机卡纸")
    assert "也公开 7 天" not in agent.page(PAGE).text
    number = open_one("咖啡机漏水", 2)
    page = f"/desk/{number}"
    assert "也公开 7 天" in agent.page(page).text
    agent.submit(page, f"{page}/reply", mode="reply", body="在看")
    with services.db.read() as session:
        assert session.scalars(select(PublicReply)).all() == [], "nobody ticked it"
    asked = agent.submit(page, f"{page}/reply", mode="ask", body="哪一台？", also="public")
    assert asked.location == f"{page}?done=ask", "a question back is made public by no tick that is hidden then"
    assert agent.submit(page, f"{page}/resolve", body="关掉总阀，找行政。", also="public").location == f"{page}?done=resolve-public"
    with services.db.read() as session:
        (public,) = session.scalars(select(PublicReply))
        assert (public.kind, public.body, public.expires_at - clock()) == ("answer", "关掉总阀，找行政。", timedelta(days=7))


# What those who asked did, in words


def test_who_says_without_a_word_that_it_is_not_solved_is_read_to_have_said_so(agent, asker, ticket, agent_does):
    agent_does(lifecycle.resolve, body="重启打印机。")
    asker.submit(ticket["path"], f"{ticket['path']}/reopen", details="")
    assert "提问人 说仍未解决" in agent.page(PAGE).text
    assert "你说仍未解决" in asker.page(ticket["path"]).text


def test_who_comes_back_is_said_to_have_come_back_and_wordings_that_nobody_has_any_more_are_left_out(agent, asker, second_asker, ticket):
    asker.submit(ticket["path"], f"{ticket['path']}/withdraw")
    asker.submit(ticket["path"], f"{ticket['path']}/rejoin")
    assert "提问人 恢复了提问" in agent.page(PAGE).text
    other = second_asker.ask("请问打印机卡纸怎么处理呢").json["ticket"]["url"].removeprefix("http://localhost")
    second_asker.submit(other, f"{other}/withdraw")
    text = agent.page(PAGE).text
    assert "0 次" not in text
    assert "请问打印机卡纸怎么处理呢" not in text


# Promised times


def test_the_head_says_what_is_promised_and_how_it_stands(agent, clock, open_one, read):
    clock.forward(minutes=-40)
    open_one("打印机卡纸")
    clock.forward(minutes=40)
    text = read(agent.get(PAGE).text).text
    assert "首次回复 11月20日 17:20 前，已超 10 分钟 解决 11月23日（周一）16:50 前（休息中） 承诺 普通：30 分钟内回复，1 个工作日内解决" in text


def test_an_agent_lets_others_look_at_a_ticket_says_why_to_colleagues_only_and_takes_it_back(agent, asker, ticket, services, kinds):
    answer = agent.submit(PAGE, f"{PAGE}/escalate", value="second", body="要改接口，我没有权限")
    assert (answer.status_code, answer.location) == (303, f"{PAGE}?done=escalate")
    page = agent.page(answer.location)
    for words in ("已升级给二线。", "已升级·二线", "客服小林 升级给二线", "要改接口，我没有权限"):
        assert words in page.text, words
    assert "要改接口" not in asker.get(ticket["path"]).text
    assert "要改接口" not in asker.get(f"/api/v1/tickets/{ticket['path'].removeprefix('/t/')}").text
    assert page.form(f"{PAGE}/escalate", {"value": ""})["buttons"]["value"] == ["manager"], "the second line looks already"
    with services.db.read() as session:
        assert history.find(session, 1001).escalated == "second"
    assert agent.submit(answer.location, f"{PAGE}/undo").status_code == 303
    assert "已升级·" not in agent.page(PAGE).text
    assert kinds() == ["escalated", "undone"]


def test_the_same_level_again_or_a_lower_one_changes_nothing(agent, ticket, rows):
    agent.submit(PAGE, f"{PAGE}/escalate", value="manager")
    before = rows()["ticket_events"]
    for level in ("manager", "second"):
        assert agent.post(f"{PAGE}/escalate", data={"csrf_token": agent.token(), "value": level}).status_code == 303
    assert rows()["ticket_events"] == before


@pytest.mark.parametrize("level", ["", "third", "Second", "administrator"])
def test_a_level_that_there_is_not_is_refused(agent, ticket, rows, level):
    before = rows()
    answer = agent.post(f"{PAGE}/escalate", data={"csrf_token": agent.token(), "value": level, "body": "帮我看看"})
    assert answer.status_code == 400
    assert "请从列表里选" in answer.text
    assert "帮我看看" in answer.text
    assert rows() == before


def test_a_ticket_that_has_ended_is_not_escalated(agent, ticket):
    agent.submit(PAGE, f"{PAGE}/resolve", body="换一台")
    assert agent.post(f"{PAGE}/escalate", data={"csrf_token": agent.token(), "value": "second"}).status_code == 409
    assert "升级给" not in agent.page(PAGE).text


def test_reminders_and_escalations_by_the_clock_stop_nobody_who_is_writing_an_answer(agent, ticket, services, clock):
    form = agent.page(PAGE).form(f"{PAGE}/reply", {"body": ""})["fields"] | {"body": "换一台"}
    clock.forward(days=10)
    clock.at = clock.at.replace(hour=2)
    assert sweep(services.db, services.policies, {}, clock()).escalated == 1
    clock.at -= timedelta(days=10)
    assert agent.post(f"{PAGE}/reply", data=form).status_code == 303
