"""A site's server is told what happens to the questions of its people, and of nobody else's; against a real HTTP server on this machine."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from sqlalchemy import select

from kb.notifications import outages, webhooks
from kb.notifications.courier import MOST_TRIES, Courier
from kb.notifications.models import Message
from kb.tickets import history, lifecycle, shares
from kb.tickets.models import Follower
from kb.tickets.shares import Wording
from kb.widget.models import Site, Webhook
from tests.kb.notifications.test_bots import receiver  # noqa: F401 - a fixture is found by its name

SECRET = "0123456789abcdef0123456789abcdef"
ALL = ["ticket.opened", "ticket.answered", "ticket.closed"]


@pytest.fixture
def server(receiver, services):  # noqa: F811 - pytest hands fixtures over by name
    """Two sites, of which `travel` has a server that listens."""
    with services.db.write() as session:
        for name in ("travel", "wages"):
            session.add(Site(name=name, origins=[], modules=[], audience=[], anonymous=True, created_at=services.now()))
        session.flush()
        session.add(Webhook(site_name="travel", url=f"{receiver.url}/hooks/zhida", secret=SECRET, topics=ALL, created_at=services.now()))
    return receiver


@pytest.fixture
def carry(services, said):
    """Send what is due by now; mail goes to `said`."""
    courier = Courier(services, {"mail": said}, lambda: 0.5)

    def work(minutes=2):
        services.now.forward(minutes=minutes)
        return courier.work()

    return work


@pytest.fixture
def told(server, carry):
    """Carry what is due and return what the server was told, as it read it."""

    def read():
        before = len(server.got)
        carry()
        return [json.loads(one.body) for one in server.got[before:]]

    return read


def brief(messages):
    return [(one["type"], one["ticket"], [person["sub"] for person in one["people"]]) for one in messages]


def test_a_server_is_told_of_its_peoples_questions_from_the_first_word_to_the_last(question, happens, told):
    number, _ = question({"s:travel:e-1": ""})
    assert brief(told()) == [("ticket.opened", f"T-{number}", ["e-1"])]
    happens(number, lifecycle.reply, "请联系行政", "王敏")
    assert brief(told()) == [("ticket.answered", f"T-{number}", ["e-1"])]
    happens(number, lambda ticket, now: lifecycle.resolve(ticket, "王敏", now, article="mobile/no-notifications", body="见文章"))
    (resolved,) = told()
    assert (resolved["type"], resolved["state"], resolved["text"], resolved["article"]) == ("ticket.answered", "resolved", "见文章", "mobile/no-notifications")
    happens(number, lambda ticket, now: shares.confirm(ticket.followers[0], now))
    assert [(one["type"], one["state"]) for one in told()] == [("ticket.closed", "confirmed")]


def test_a_message_says_who_is_concerned_and_where_they_read_on(question, told, services):
    number, made = question({"s:travel:e-1": ""})
    (message,) = told()
    with services.db.read() as session:
        token = session.get_one(Follower, made["s:travel:e-1"]).token
    person = {"sub": "e-1", "question": "打印机卡纸怎么处理", "token": token, "url": f"http://localhost/t/{token}"}
    assert {key: value for key, value in message.items() if key not in {"id", "at", "happened_at"}} == {
        "type": "ticket.opened",
        "site": "travel",
        "ticket": f"T-{number}",
        "state": "new",
        "people": [person],
        "count": 1,
    }


def test_every_message_is_signed_with_the_webhooks_secret_and_the_time(question, server, carry, services):
    question({"s:travel:e-1": ""})
    carry()
    (got,) = server.got
    stamp = got.headers["X-Zhida-Timestamp"]
    assert got.path == "/hooks/zhida"
    assert stamp == str(int(services.now().timestamp()))
    assert got.headers["X-Zhida-Signature"] == "v1=" + hmac.new(SECRET.encode(), stamp.encode() + b"." + got.body, hashlib.sha256).hexdigest()


def test_people_of_other_sites_and_of_none_stay_unknown_to_a_server(question, happens, told, server):
    number, _ = question({"s:wages:w-1": "", "c:1": "lin@example.com", "v:2": ""})
    assert told() == []
    happens(number, lifecycle.reply, "请联系行政", "王敏")
    assert told() == []
    question({"s:travel:e-1": "", "s:wages:w-2": "", "s:travel2:x": ""}, words="咖啡机漏水找谁")
    assert brief(told()) == [("ticket.opened", "T-1002", ["e-1"])]
    happens(1002, lifecycle.reply, "找行政", "王敏")
    (message,) = told()
    assert [person["sub"] for person in message["people"]] == ["e-1"]
    assert not [word for word in (b"w-1", b"w-2", b"lin@") if word in b"".join(one.body for one in server.got)]


def test_what_is_said_to_one_person_is_told_to_that_persons_site_only(question, happens, told):
    number, made = question({"s:wages:w-1": "", "s:travel:e-1": "", "s:travel:e-2": ""})
    told()

    def say(share):
        happens(number, lambda ticket, now: lifecycle.reply(ticket, "只给你一个人", "王敏", now, to=history.session_of(ticket).get_one(Follower, made[share])))
        return told()

    assert say("s:wages:w-1") == []
    assert brief(say("s:travel:e-2")) == [("ticket.answered", f"T-{number}", ["e-2"])]


def test_one_message_tells_of_all_people_of_a_site_and_names_the_first(question, happens, told, monkeypatch):
    monkeypatch.setattr(webhooks, "MOST_PEOPLE", 2)
    number, _ = question({f"s:travel:e-{at}": "" for at in range(4)})
    assert len(told()) == 4, "each question that is noted is told"
    happens(number, lifecycle.reply, "请联系行政", "王敏")
    (message,) = told()
    assert ([person["sub"] for person in message["people"]], message["count"]) == (["e-0", "e-1"], 4)


@pytest.fixture
def take_back(do, services):
    """Let a share be taken back, or joined again, now."""

    def step(share, deed="withdraw"):
        def act(session):
            mine = session.get_one(Follower, share)
            shares.withdraw(mine.ticket, mine, services.now()) if deed == "withdraw" else shares.rejoin(mine, services.now())

        do(act)

    return step


def types(messages):
    return [one["type"] for one in messages]


def test_a_question_taken_back_in_its_first_minute_is_told_neither_as_opened_nor_as_closed(question, take_back, told):
    _, made = question({"s:travel:e-1": ""})
    take_back(made["s:travel:e-1"])
    assert told() == []


def test_a_question_that_was_told_as_opened_is_told_as_closed_when_it_is_taken_back_however_soon(question, take_back, told):
    _, made = question({"s:travel:e-1": ""})
    assert types(told()) == ["ticket.opened"]
    take_back(made["s:travel:e-1"])
    assert types(told()) == ["ticket.closed"]


def test_a_question_taken_back_while_the_server_was_away_is_told_as_opened_and_as_closed(question, take_back, carry, server, told):
    server.answer = (503, b"", {})
    _, made = question({"s:travel:e-1": ""})
    carry()
    take_back(made["s:travel:e-1"])
    server.answer = (200, b"", {})
    assert [(one["type"], one["state"]) for one in (*told(), *told())] == [("ticket.opened", "closed"), ("ticket.closed", "closed")]


def test_a_question_taken_back_while_nothing_was_carried_is_told_as_neither(question, take_back, told, services):
    _, made = question({"s:travel:e-1": ""})
    services.now.forward(minutes=30)
    take_back(made["s:travel:e-1"])
    assert told() == []


def test_a_question_asked_again_after_it_was_taken_back_is_told_as_opened_once(question, take_back, told, happens):
    number, made = question({"s:travel:e-1": ""})
    take_back(made["s:travel:e-1"])
    assert told() == []
    take_back(made["s:travel:e-1"], "rejoin")
    assert types(told()) == ["ticket.opened"]
    take_back(made["s:travel:e-1"])
    take_back(made["s:travel:e-1"], "rejoin")
    assert told() == [], "nothing has ended"
    happens(number, lifecycle.spam, "王敏")
    assert types(told()) == ["ticket.closed"]


def test_a_question_answered_and_confirmed_within_its_first_minute_is_told_from_first_to_last(question, do, told, services):
    number, _ = question({"s:travel:e-1": ""})
    do(lambda session: lifecycle.resolve(history.find(session, number), "王敏", services.now(), body="重开机"))
    do(lambda session: shares.confirm(history.find(session, number).followers[0], services.now()))
    assert sorted(types(told())) == ["ticket.answered", "ticket.closed", "ticket.opened"]


def test_who_only_searched_is_not_told_as_closed(question, do, happens, told, services):
    number, _ = question({"s:travel:e-1": ""})
    do(lambda session: shares.join(history.find(session, number), "s:travel:e-2", Wording("打印机卡纸怎么处理", "key", ()), services.now(), receipt=False))
    assert brief(told()) == [("ticket.opened", f"T-{number}", ["e-1"])]
    happens(number, lifecycle.spam, "王敏")
    assert brief(told()) == [("ticket.closed", f"T-{number}", ["e-1"])]


@pytest.mark.parametrize("end", ["withdrawn", "spam", "expired"])
def test_every_end_is_told_once(question, happens, told, end):
    number, _ = question({"s:travel:e-1": ""})
    told()
    if end == "withdrawn":
        happens(number, lambda ticket, now: shares.withdraw(ticket, ticket.followers[0], now))
    elif end == "spam":
        happens(number, lifecycle.spam, "王敏")
    else:
        happens(number, lifecycle.reply, "请联系行政", "王敏")
        happens(number, lambda ticket, now: lifecycle.resolve(ticket, "王敏", now, body="见文章"))
        told()
        happens(number, lifecycle.expire)
    assert brief(told()) == [("ticket.closed", f"T-{number}", ["e-1"])]
    assert told() == []


def test_a_ticket_that_goes_on_for_others_is_not_told_as_closed(question, happens, told):
    number, _ = question({"s:travel:e-1": "", "s:travel:e-2": ""})
    happens(number, lifecycle.reply, "请联系行政", "王敏")
    told()
    happens(number, lambda ticket, now: shares.settle(ticket.followers[0], now))
    assert told() == []


def test_a_server_that_is_away_is_told_when_it_is_back_under_the_same_id(question, server, carry, services):
    server.answer = (503, b"", {})
    question({"s:travel:e-1": ""})
    carry()
    assert outages.read(services.config.data / "outages.json")["webhook-1"].reason == "站点的通知地址回答 503"
    server.answer = (200, b"", {})
    carry(minutes=10)
    first, again = (json.loads(one.body) for one in server.got)
    assert first["id"] == again["id"]
    assert first["at"] < again["at"]
    assert outages.read(services.config.data / "outages.json") == {}


def test_a_server_that_refuses_does_not_hold_up_mail_and_is_given_up_after_a_day(question, server, carry, said, ended):
    server.answer = (500, b"", {})
    question({"s:travel:e-1": "lin@example.com"})
    for _ in range(MOST_TRIES):
        carry(minutes=90)
    assert [one.address for one in said.sent] == ["lin@example.com"]
    assert ended()["received", "travel"] == "dead"


def test_a_webhook_that_was_taken_away_or_whose_site_is_closed_gets_nothing(question, told, do, server, ended):
    server.answer = (500, b"", {})
    question({"s:travel:e-1": ""})
    told()
    do(lambda session: setattr(session.get_one(Webhook, 1), "ended_at", session.get_one(Site, "travel").created_at))
    question({"s:travel:e-1": ""}, words="咖啡机漏水找谁")
    assert told() == []
    assert ended() == {("received", "travel"): "void"}
    do(lambda session: setattr(session.get_one(Webhook, 1), "ended_at", None))
    do(lambda session: setattr(session.get_one(Site, "travel"), "disabled_at", session.get_one(Site, "travel").created_at))
    question({"s:travel:e-1": ""}, words="会议室投影没有信号")
    assert told() == []


def test_a_webhook_hears_of_its_topics_only(question, happens, told, do):
    do(lambda session: setattr(session.get_one(Webhook, 1), "topics", ["ticket.answered"]))
    number, _ = question({"s:travel:e-1": ""})
    happens(number, lifecycle.reply, "请联系行政", "王敏")
    assert [one["type"] for one in told()] == ["ticket.answered"]


def test_without_a_webhook_the_end_of_a_ticket_writes_no_notice(question, happens, services, rows):
    number, _ = question({"c:1": ""})
    before = len(rows()["notices"])
    happens(number, lambda ticket, now: shares.withdraw(ticket, ticket.followers[0], now))
    assert len(rows()["notices"]) == before


def test_what_is_forgotten_about_a_person_is_not_told_later(question, told, do, happens):
    number, made = question({"s:travel:e-1": "", "s:travel:e-2": ""})
    told()
    happens(number, lifecycle.reply, "请联系行政", "王敏")
    do(lambda session: setattr(session.get_one(Follower, made["s:travel:e-1"]), "person", "gone:1"))
    assert brief(told()) == [("ticket.answered", f"T-{number}", ["e-2"])]


def test_a_message_is_stored_with_the_site_it_is_for_and_no_persons_name(question, happens, told, services):
    number, _ = question({"s:travel:e-1": ""})
    happens(number, lifecycle.reply, "请联系行政", "王敏")
    told()
    with services.db.read() as session:
        found = session.execute(select(Message.channel, Message.address, Message.user_id).where(Message.channel == "webhook-1"))
        assert {tuple(row) for row in found} == {("webhook-1", "travel", None)}


def test_joining_again_is_not_told_again(question, told, do, services):
    number, _ = question({"s:travel:e-1": ""})
    told()
    do(lambda session: shares.join(history.find(session, number), "s:travel:e-1", Wording("打印机卡纸怎么处理", "key", ()), services.now(), receipt=True))
    do(lambda session: shares.add_details(session.get_one(Follower, 1), "", "lin@example.com", services.now()))
    assert told() == []


@pytest.mark.parametrize("step", [lifecycle.reply, lambda ticket, text, agent, now: lifecycle.resolve(ticket, agent, now, body=text)])
def test_what_was_said_while_somebody_was_out_of_a_ticket_to_people_of_another_site_no_server_and_no_letter_tells(question, happens, told, do, said, step):
    number, made = question({"s:wages:e-9": "he@example.com", "s:travel:e-1": "lin@example.com"})

    def ask_on_their_sites(session):
        session.get_one(Site, "wages").audience = ["finance"]
        for person, share in made.items():
            session.get_one(Follower, share).site = person.split(":")[1]

    do(ask_on_their_sites)
    told()
    out = made["s:travel:e-1"]
    happens(number, lambda ticket, now: shares.withdraw(ticket, next(one for one in ticket.followers if one.id == out), now))
    happens(number, step, "密码柜 4 号", "王敏")
    happens(number, lambda ticket, now: shares.rejoin(next(one for one in ticket.followers if one.id == out), now))
    assert [one for one in told() if one["type"] == "ticket.answered"] == []
    assert [one.address for one in said.sent if "密码柜" in one.letter.text] == ["he@example.com"]
