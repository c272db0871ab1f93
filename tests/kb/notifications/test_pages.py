"""A link in a mail ends it with one press, for that and nothing else; the desk sees what does not arrive and deals with it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from kb.accounts.models import AuditEntry, User
from kb.config import Bot, SmtpServer
from kb.mail_address import digest
from kb.notifications import messages, muting, outages
from kb.notifications.channels import DeliveryError
from kb.notifications.models import Message, Mute
from kb.notifications.muting import Subject
from kb.notifications.outages import Outage
from kb.notifications.pages import troubles
from kb.tickets import history, lifecycle, shares
from kb.tickets.models import Follower
from kb.tickets.standing import SYSTEM, Kind

GONE = DeliveryError("550 no such user", permanent=True)


@pytest.fixture
def path(services):
    """Return the address that a mail names for ending messages about something, by `mail` to somebody where it is about a share."""

    def make(mail="lin@example.com", **about):
        return f"/unsubscribe/{muting.token(services.config.secret_key, Subject(**about, address='' if 'user' in about else digest(mail)))}"

    return make


@pytest.fixture
def stands(services):
    """Read one row: `stands(Follower, 1)`."""

    def read(kind, key):
        with services.db.read() as session:
            return session.get(kind, key)

    return read


@pytest.fixture
def dead(question, happens, courier, said, services):
    """Two messages that nobody took."""
    number, _ = question({"c:1": "lin@example.com", "c:2": "bo@example.com"})
    services.now.forward(minutes=2)
    courier.work()
    said.sent.clear()
    said.fails[""] = GONE
    happens(number, lifecycle.reply, "正在处理", "王敏")
    courier.work()
    said.fails.clear()
    return number


def test_looking_changes_nothing_and_one_press_ends_it_until_another_begins_it_again(question, app, path, stands):
    _, mine = question({"c:1": "lin@example.com"})
    share, client = mine["c:1"], app.test_client()
    address = path(share=share)
    assert "不再接收提问 T-1001 的邮件？" in client.page(address).text
    assert stands(Follower, share).muted_at is None
    assert client.submit(address, address).status_code == 200
    assert stands(Follower, share).muted_at is not None
    assert "已经退订" in client.page(address).text
    assert client.submit(address, address, again="1").status_code == 200
    assert stands(Follower, share).muted_at is None


def test_whoever_got_mail_by_a_mistake_ends_what_goes_to_them_and_nothing_else(question, app, path, stands, happens, courier, said):
    number, mine = question({"c:1": "wrong@example.com"})
    share, client = mine["c:1"], app.test_client()
    client.submit(path("wrong@example.com", share=share), path("wrong@example.com", share=share))
    happens(number, lambda ticket, now: shares.add_details(ticket.followers[0], "", "right@example.com", now))
    assert stands(Follower, share).muted_at is None, "whoever gives another address wants mail there"
    assert "已经退订" in client.page(path("wrong@example.com", share=share)).text
    assert client.post(path("wrong@example.com", share=share)).status_code == 200
    assert stands(Follower, share).muted_at is None
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    courier.work()
    assert ("resolved", "right@example.com") in said.told
    client.submit(path("right@example.com", share=share), path("right@example.com", share=share))
    assert stands(Follower, share).muted_at is not None


def test_a_mail_provider_ends_it_without_cookie_token_or_page(question, app, path, stands):
    _, mine = question({"c:1": "lin@example.com"})
    answer = app.test_client().post(path(share=mine["c:1"]), data={"List-Unsubscribe": "One-Click"}, headers={"Origin": "https://mail.example.net"})
    assert answer.status_code == 200
    assert stands(Follower, mine["c:1"]).muted_at is not None
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_ending_it_for_one_ticket_leaves_others_and_other_people(question, app, path, stands):
    _, first = question({"c:1": "lin@example.com", "c:2": "bo@example.com"})
    _, second = question({"c:1": "lin@example.com"}, "另一个问题")
    app.test_client().post(path(share=first["c:1"]))
    assert [stands(Follower, share).muted_at is None for share in (first["c:1"], first["c:2"], second["c:1"])] == [False, True, True]


def test_one_press_ends_all_mail_to_an_address_that_others_wrote_down_and_another_begins_it_again(question, happens, app, courier, said, services):
    number, _ = question({"c:1": "Victim@example.com", "c:2": "mate@example.com"})
    services.now.forward(minutes=2)
    courier.work()
    receipt = next(one.letter for one in said.sent if one.address == "victim@example.com")
    address = re.search(r"不再给这个邮箱发信：\nhttp://localhost(\S+)", receipt.text)[1]
    assert f'href="http://localhost{address}"' in receipt.html
    client = app.test_client()
    assert "不再给这个邮箱发信？" in client.page(address).text
    happens(number, lifecycle.reply, "正在处理", "王敏")
    page = client.submit(address, address)
    assert page.status_code == 200
    courier.work()
    assert ("replied", "victim@example.com") not in said.told, "it was on its way already"
    question({"c:3": "VICTIM@example.com"}, "另一个问题")
    happens(number, lifecycle.ask, "哪一台？", "王敏")
    courier.work()
    assert [topic for topic, to in said.told if to == "victim@example.com"] == ["received"]
    assert ("asked", "mate@example.com") in said.told
    assert "之前已经停止" in client.page(address).text
    assert "会继续发送到这个邮箱的邮件" in client.submit(address, address, again="1").text
    happens(number, lifecycle.reply, "换了一台", "王敏")
    courier.work()
    assert [topic for topic, to in said.told if to == "victim@example.com"] == ["received", "replied"]


def test_the_page_for_one_question_ends_all_mail_to_the_address_too_but_never_that_of_an_account(account, question, app, path, happens, courier, said):
    sun = account("员工小孙", "asker", "lin@example.com")
    number, mine = question({"c:1": "lin@example.com", f"u:{sun}": ""})
    client = app.test_client()
    own, written = path(share=mine[f"u:{sun}"]), path(share=mine["c:1"])
    assert "不再给这个邮箱发信" not in client.page(own).text
    page = client.page(written)
    assert "不再接收提问 T-1001 的邮件？" in page.text
    (everything,) = {form["action"] for form in page.forms if form["action"].startswith("/unsubscribe/")} - {written}
    assert client.submit(written, everything).status_code == 200
    assert "不再给这个邮箱发信" in client.page(written).text
    happens(number, lifecycle.reply, "正在处理", "王敏")
    courier.work()
    assert [(one.topic, one.letter.subject) for one in said.sent if one.topic == "replied"] == [("replied", "T-1001 客服有回复：打印机卡纸怎么处理")]


def test_whoever_ends_messages_reads_what_stays_for_them(account, question, app, path):
    _, mine = question({"c:1": "lin@example.com"})
    client, agent = app.test_client(), account("王敏")
    assert "提问和答复都还在" in client.post(path(share=mine["c:1"])).text
    assert "有新的答复会再发邮件给你" in client.post(path(share=mine["c:1"]), data={"again": "1"}).text
    assert "提问" not in client.post(path(user=agent)).text.partition("<main")[2].partition("</main")[0]
    assert "有新的情况会再发邮件给你" in client.post(path(user=agent), data={"again": "1"}).text


def test_agents_end_messages_about_one_ticket_or_reminders(account, question, app, path, stands):
    wang = account("王敏")
    number, _ = question({"c:1": ""})
    client = app.test_client()
    for _ in range(2):
        assert client.post(path(user=wang, number=number)).status_code == 200
    assert stands(Mute, (wang, number)) is not None
    client.post(path(user=wang, number=number), data={"again": "1"})
    assert stands(Mute, (wang, number)) is None
    client.post(path(user=wang))
    assert stands(User, wang).quiet
    client.post(path(user=wang), data={"again": "1"})
    assert not stands(User, wang).quiet


@pytest.mark.parametrize("token", ["x", "WzEsMCwwXQ", "WzEsMCwwXQ.forged", "%00", "a" * 4000])
def test_a_token_that_we_did_not_make_ends_nothing(app, question, token, rows):
    question({"c:1": "lin@example.com"})
    before = rows()
    client = app.test_client()
    assert {client.get(f"/unsubscribe/{token}").status_code, client.post(f"/unsubscribe/{token}").status_code} == {404}
    assert rows() == before


def test_a_token_of_another_purpose_or_about_what_is_gone_ends_nothing(app, path, services):
    from itsdangerous import URLSafeSerializer  # noqa: PLC0415 - only to make what we would not

    other = URLSafeSerializer(services.config.secret_key, salt="cookie-session").dumps([1, 0, 0])
    client = app.test_client()
    for address in (f"/unsubscribe/{other}", path(share=99), path(user=99), path(user=99, number=1001)):
        assert client.post(address).status_code == 404


def test_the_desk_says_what_did_not_arrive_and_why_without_whole_addresses(dead, agent):
    assert "2 条消息没有发出去" in agent.page("/desk").text
    page = agent.page("/desk/outbox")
    assert "550 no such user" in page.text
    assert "l***@example.com" in page.text
    assert "lin@example.com" not in page.text
    assert f"/desk/{dead}" in page.links


def test_what_was_given_up_is_tried_anew_or_dropped_and_the_log_says_by_whom(dead, agent, courier, said, services):
    with services.db.read() as session:
        first, second = session.scalars(select(Message.id).where(Message.ended_as == "dead").order_by(Message.id))
    assert agent.submit("/desk/outbox", f"/desk/outbox/{first}/retry").status_code == 303
    assert agent.submit("/desk/outbox", f"/desk/outbox/{second}/drop").status_code == 303
    courier.work()
    assert len(said.sent) == 1
    assert "没有要处理的消息" in agent.page("/desk/outbox").text
    assert "没有发出去" not in agent.page("/desk").text
    with services.db.read() as session:
        deeds = [(one.actor, one.deed) for one in session.scalars(select(AuditEntry).where(AuditEntry.deed.like("outbox%")).order_by(AuditEntry.id))]
    assert deeds == [("客服小林", "outbox_retried"), ("客服小林", "outbox_dropped")]


def test_all_that_was_given_up_is_tried_anew_at_once_listed_or_not(dead, agent, courier, said, happens, monkeypatch, services):
    monkeypatch.setattr(messages, "_SHOWN", 2)
    said.fails[""] = GONE
    happens(dead, lifecycle.reply, "还在处理", "王敏")
    courier.work()
    said.fails.clear()
    assert agent.submit("/desk/outbox", "/desk/outbox/retry").status_code == 303
    courier.work()
    assert len(said.sent) == 4
    with services.db.read() as session:
        assert [entry.object for entry in session.scalars(select(AuditEntry)) if entry.deed == "outbox_retried"] == ["全部 4 条"]


def test_a_message_that_was_sent_cannot_be_sent_again_from_the_page(question, agent, courier, services):
    question({"c:1": "lin@example.com"})
    services.now.forward(minutes=2)
    courier.work()
    token = agent.token("/desk")
    for step in ("retry", "drop", "send"):
        assert agent.post(f"/desk/outbox/1/{step}", data={"csrf_token": token}).status_code == 404
    assert agent.post(f"/desk/outbox/{2**64}/retry", data={"csrf_token": token}).status_code == 404


def test_a_channel_that_cannot_be_reached_is_told_with_since_when_and_what_waits(question, agent, services):
    question({"c:1": "lin@example.com"})
    services.now.forward(minutes=2)
    outages.write(services.config.data / "outages.json", {"mail": Outage(services.now() - timedelta(hours=1), "连不上邮件服务器")})
    assert "邮件从 11月20日 16:32 起连不上" in agent.page("/desk").text
    assert "连不上邮件服务器" in agent.page("/desk/outbox").text


def test_that_nobody_can_be_reminded_of_what_runs_late_is_said_to_agents_and_administrators(question, happens, account, agent, administrator, services):
    said, smtp = "时限提醒却没有人收得到", replace(services, config=replace(services.config, smtp=SmtpServer("127.0.0.1", 25, "no", "", "")))
    bot = replace(services, config=replace(services.config, bots=(Bot("wecom", "https://bot.example.com/1", ""),)))
    number, _ = question({"c:1": ""})
    assert said not in agent.page("/desk").text, "nothing runs late"
    happens(number, lambda ticket, now: history.record(ticket, Kind.ALARMED, now, SYSTEM, target="response_near"))
    assert said in agent.page("/desk").text
    assert said in administrator.page("/admin").text
    assert said in troubles(smtp), "nobody has an address"
    account("李雷", quiet=True)
    assert said in troubles(smtp)
    assert said not in troubles(bot)
    account("王敏")
    assert said not in troubles(smtp)
    assert said in troubles(services), "mails are written to files"


def test_nothing_is_said_on_the_desk_while_everything_arrives(question, agent, courier, services):
    question({"c:1": "lin@example.com"})
    services.now.forward(minutes=2)
    courier.work()
    assert "通知发送" not in agent.page("/desk").text
    assert "没有设置邮件服务器" in agent.page("/desk/outbox").text
