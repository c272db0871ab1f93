"""That a ticket's time runs out is said to have been told only to whom a reminder reached; the desk says whom none did, and why."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from kb.accounts.models import User
from kb.notifications import messages
from kb.notifications.channels import DeliveryError
from kb.notifications.courier import Courier
from kb.tickets import countdown, history, lifecycle
from kb.tickets.alarms import Reach, sweep
from kb.tickets.models import Follower

GONE = DeliveryError("550 没有这个邮箱", permanent=True)
MONDAY_LATE = {"hours": 63, "minutes": 35}
"""From the Friday evening on which all tests begin to 09:05 on Monday, when the first response is late."""


@pytest.fixture
def late(question, services):
    """Open a ticket whose first response becomes late, and look at the clocks; return its number."""

    def make(reach=Reach(mail=True, group=False), person="c:1"):  # noqa: B008 - a value that nobody changes
        number, _ = question({person: ""})
        services.now.forward(**MONDAY_LATE)
        sweep(services.db, services.policies, {}, services.now(), reach)
        return number

    return make


@pytest.fixture
def words(services):
    """Return what the first person who asked reads of their ticket's time."""

    def read():
        with services.db.read() as session:
            return countdown.expected(session.get_one(Follower, 1), services.policies, services.now(), asked=False).words

    return read


@pytest.fixture
def desk(signed_in):
    """Return a ticket's page as an agent sees it who signs in now."""

    def page(number):
        found = signed_in("客服小周", "agent").page(f"/desk/{number}")
        assert "承诺" in found.text
        return found

    return page


NOBODY, AGENTS = "比预计的晚了；有进展会马上告诉你", "比预计的晚了，已提醒客服；有进展会马上告诉你"


def test_a_reminder_counts_while_it_is_on_its_way_and_not_when_it_was_refused_for_good(account, late, courier, said, words, desk, services):
    account("王敏")
    number = late()
    assert words() == AGENTS, "it is on its way"
    said.fails[""] = GONE
    courier.work()
    assert words() == NOBODY
    page = desk(number)
    assert "没有送到 王敏（550 没有这个邮箱）。到 通知发送 里重试" in page.text
    assert "/desk/outbox" in page.links


def test_what_was_refused_once_and_reached_its_reader_later_counts_again(account, late, courier, said, words, desk, do, services):
    account("王敏")
    number = late()
    said.fails[""] = GONE
    courier.work()
    said.fails.clear()
    do(lambda session: messages.retry_all(session, services.now()))
    assert words() == AGENTS
    courier.work()
    assert words() == AGENTS
    assert "没有送到" not in desk(number).text


def test_one_whom_it_reached_is_enough_and_the_others_are_named(account, late, courier, said, words, desk):
    account("王敏")
    account("李雷")
    number = late()
    said.fails["wang@example.com"] = GONE
    courier.work()
    assert words() == AGENTS
    text_ = desk(number).text
    assert "没有送到 王敏（550" in text_
    assert "李雷（" not in text_


def test_whoever_wants_no_reminders_any_more_was_not_reminded(account, late, courier, said, words, do, desk):
    wang = account("王敏")
    number = late()
    do(lambda session: setattr(session.get_one(User, wang), "quiet", True))
    courier.work()
    assert said.sent == []
    assert words() == NOBODY
    assert "没有送到" not in desk(number).text, "nothing was refused"


def test_a_level_that_no_reminder_reached_is_not_said_to_know(account, late, courier, said, words, services, desk):
    account("王敏")
    account("李雷", level="second")
    said.fails["li@example.com"] = GONE
    number = late()
    courier.work()
    services.now.forward(hours=24)
    sweep(services.db, services.policies, {}, services.now(), Reach(mail=True, group=False))
    assert words() == "比预计的晚了，已提醒负责的同事；有进展会马上告诉你", "it is on its way"
    courier.work()
    assert words() == AGENTS
    assert "已升级·二线" in desk(number).text


def test_whom_an_agent_asked_to_help_in_vain_is_named_on_the_desk(account, question, happens, courier, said, desk):
    account("李雷", level="second")
    number, _ = question({"c:1": ""})
    happens(number, lifecycle.escalate, "second", "", "王敏")
    said.fails[""] = GONE
    courier.work()
    assert "没有送到 李雷（550" in desk(number).text


def test_a_group_whose_bot_is_gone_is_named_on_the_desk(services, late, words, desk, said):
    number = late(Reach(mail=False, group=True))
    assert words() == AGENTS
    said.fails[""] = DeliveryError("企业微信群机器人没有接收：机器人已被移除", permanent=True)
    Courier(services, {"wecom-1": said}).work()
    assert words() == NOBODY
    assert "没有送到 团队的群（企业微信群机器人没有接收" in desk(number).text


def test_reminders_of_other_tickets_and_of_earlier_rounds_say_nothing_of_this_one(account, late, courier, said, question, do, services, desk):
    account("王敏")
    number = late()
    said.fails[""] = GONE
    courier.work()
    other, _ = question({"c:2": ""}, "另一个问题")
    do(lambda session: setattr(history.find(session, other), "alarm", "response_late"))
    assert "没有送到" not in desk(other).text
    do(lambda session: lifecycle.resolve(history.find(session, number), "王敏", services.now(), body="换一台"))
    do(lambda session: lifecycle.reopen(history.find(session, number), "还是卡", "王敏", services.now()))
    assert "没有送到" not in desk(number).text


def test_reminders_are_found_without_reading_every_notice(services):
    with services.db.read() as session:
        compiled = []
        original = session.execute

        def execute(statement, *arguments, **more):
            compiled.append(str(statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})))
            return original(statement, *arguments, **more)

        session.execute = execute
        messages.reminders(session, 1001, services.now())
        session.execute = original
        plan = " ".join(str(row) for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled[0]}")))
    assert "ix_notices_alarmed" in plan
    assert "SCAN notices" not in plan
