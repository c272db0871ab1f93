"""Whoever asks on one device goes on on another: their questions, what is new in them, and their mails are those of one person."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from kb.notifications.courier import Courier
from kb.tickets import history, lifecycle
from kb.tickets.models import Follower
from tests.kb.notifications.conftest import Said

QUESTION = "打印机卡纸怎么处理"


@pytest.fixture
def devices(app, services, register, vouch):
    """A person of a site on a computer and on a phone, each with a token of its own."""
    register(services)
    sign = vouch(services)

    def device(jti):
        client = app.test_client()

        def call(path, **sent):
            method = "POST" if sent else "GET"
            return client.open(f"/api/v1{path}", method=method, json=sent or None, headers=sign("e-7", jti=jti)).json

        return call

    return device("computer"), device("phone")


@pytest.fixture
def told(services):
    """Carry what is due; return each message since as (channel, topic)."""
    mail, hook = Said(), Said()
    courier = Courier(services, {"mail": mail, "hook": hook}, lambda: 0.5)

    def read():
        before = len(mail.sent), len(hook.sent)
        services.now.forward(minutes=2)
        courier.work()
        return [("mail", one.topic) for one in mail.sent[before[0] :]] + [("hook", one.topic) for one in hook.sent[before[1] :]]

    return read


@pytest.fixture
def reply(services):
    """Let an agent reply to all, a minute later."""

    def say(words="先关机"):
        services.now.forward(minutes=1)
        with services.db.write() as session:
            lifecycle.reply(history.find(session, 1001), words, "王敏", services.now())
        services.now.forward(minutes=1)

    return say


def test_a_signed_persons_questions_on_two_devices_are_one(devices, services):
    computer, phone = devices
    asked = computer("/tickets", question=QUESTION)["ticket"]
    (line,) = phone("/tickets")["tickets"]
    assert (line["token"], line["question"]) == (asked["token"], QUESTION)
    again = phone("/tickets", question=QUESTION)["ticket"]
    assert (again["token"], again["followers"]) == (asked["token"], 1)
    assert computer("/tickets") == phone("/tickets")
    with services.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Follower)) == 1


def test_what_was_read_on_one_device_is_news_on_none(devices, reply):
    computer, phone = devices
    token = computer("/tickets", question=QUESTION)["ticket"]["token"]
    reply()
    assert (computer("/tickets")["news"], phone("/tickets")["news"]) == (1, 1)
    phone(f"/tickets/{token}/seen", last=999)
    assert (computer("/tickets")["news"], phone("/tickets")["news"]) == (0, 0)
    reply("换一台")
    assert (computer(f"/tickets/{token}")["news"], phone("/tickets")["news"]) == (True, 1)


def test_what_is_told_comes_once_however_many_devices_asked(devices, reply, told):
    computer, phone = devices
    token = computer("/tickets", question=QUESTION, contact="lin@example.com")["ticket"]["token"]
    phone("/tickets", question=QUESTION, contact="Lin@example.com")
    assert told() == [("mail", "received"), ("hook", "received")]
    reply()
    assert told() == [("mail", "replied"), ("hook", "replied")]
    assert phone(f"/tickets/{token}")["contact"] == "Lin@example.com", "the last that was written holds for both"


def test_the_page_behind_the_mails_link_reads_what_both_devices_read_and_takes_its_news_away(devices, reply, browser):
    computer, phone = devices
    token = computer("/tickets", question=QUESTION)["ticket"]["token"]
    reply()
    elsewhere = browser()
    assert "先关机" in elsewhere.page(f"/t/{token}").text
    assert phone(f"/tickets/{token}")["replies"][0]["text"] == "先关机"
    assert QUESTION not in elsewhere.page("/mine").text, "a link makes nobody the person whom it was sent to"
    elsewhere.post(f"/api/v1/tickets/{token}/seen", json={})
    assert (computer("/tickets")["news"], phone("/tickets")["news"]) == (0, 0)


def test_the_badge_the_list_and_the_page_of_an_account_on_two_devices_say_the_same(signed_in, services, reply):
    computer, phone = signed_in("员工小孙", "asker"), signed_in("员工小孙", "asker")
    token = computer.post("/api/v1/tickets", json={"question": QUESTION}).json["ticket"]["token"]
    reply()
    for device in (computer, phone):
        assert device.get("/api/v1/tickets").json["news"] == 1
        page = device.page("/mine")
        assert f"/t/{token}" in page.links
        assert "我的提问 1 条回复" in page.text
        assert "T-1001 · 新回复" in page.text
    phone.post(f"/api/v1/tickets/{token}/seen", json={})
    for device in (computer, phone):
        assert device.get("/api/v1/tickets").json["news"] == 0
        page = device.page("/mine")
        assert "条回复" not in page.text
        assert "新回复" not in page.text


def test_two_people_of_one_site_and_one_id_on_two_sites_stay_apart(app, services, register, vouch):
    register(services)
    register(services, "wages")
    mine, theirs = vouch(services), vouch(services, "wages")
    client = app.test_client()
    client.post("/api/v1/tickets", json={"question": QUESTION}, headers=mine("e-7"))
    for headers in (mine("e-8"), theirs("e-7"), mine("E-7")):
        assert client.get("/api/v1/tickets", headers=headers).json["tickets"] == []
    assert len(client.get("/api/v1/tickets", headers=mine("e-7")).json["tickets"]) == 1
