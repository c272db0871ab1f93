"""Who is told of what, and who is not."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from kb.mail_address import address_in, is_address, shortened
from kb.notifications import outbox
from kb.notifications.models import Message, Mute, Notice
from kb.notifications.outbox import Topic
from kb.notifications.spreading import A_DAY, Ways, spread
from kb.tickets import history, lifecycle, regroup, shares, undoing
from kb.tickets.models import Follower
from kb.tickets.shares import Wording
from tests.conftest import ROOT

STRINGS = ROOT.parent / "shared" / "hostile" / "strings"
MAIL_ONLY = Ways.of(["mail"], "http://localhost")
REFUSED_THOUGH_VALID = ('"', "[", "\\", "ñ", "{", "!", "=", "(", "129.129", "mailserver1")
"""What the standard allows and nobody in an office has; `129.129`: a machine's number."""


@pytest.fixture
def told(services):
    """Spread what is ready and return whom it is for: `{(topic, channel, address)}`."""

    def read(*bots, hook=False):
        services.now.forward(minutes=2)
        spread(services.db, Ways(bots, hook, "localhost"), services.now())
        with services.db.read() as session:
            rows = select(Message.id, Notice.kind, Message.channel, Message.address).join(Notice, Notice.id == Message.notice_id)
            new = list(session.execute(rows.where(Message.ended_as == "", Message.id.not_in(read.seen))))
            read.seen |= {row.id for row in new}
            assert len({row[1:] for row in new}) == len(new) or read.twice
            return {row[1:] for row in new}

    read.twice = False
    read.seen = set()
    return read


def mail(topic, *addresses):
    return {(topic, "mail", address) for address in addresses}


def test_who_asked_is_told_that_it_is_noted_and_only_they(question, told, account):
    sun = account("员工小孙", "asker")
    question({"c:1": "分机 8021，lin@example.com", f"u:{sun}": "", "c:2": "分机 8022"})
    assert told() == mail("received", "lin@example.com", "sun@example.com")


def test_a_new_address_is_told_what_is_noted_and_the_same_one_again_is_not(question, told, happens):
    number, mine = question({"c:1": "lin@example.com"})
    assert told() == mail("received", "lin@example.com")
    change = lambda contact: happens(number, lambda ticket, now: shares.add_details(ticket.followers[0], "", contact, now))  # noqa: E731
    change("分机 8021 lin@example.com")
    assert told() == set()
    change("bo@example.com")
    assert told() == mail("received", "bo@example.com")
    assert mine


def test_a_reply_to_all_is_told_to_everybody_who_waits_but_not_to_who_left_or_wants_no_more_or_came_later(question, told, happens, do):
    number, mine = question({"c:1": "a@example.com", "c:2": "b@example.com", "c:3": "c@example.com", "c:4": "d@example.com"})
    told()

    def change(ticket, now):
        shares.withdraw(ticket, ticket.followers[1], now)
        ticket.followers[2].muted_at = now
        ticket.followers[3].contact = ""

    happens(number, change)
    happens(number, lifecycle.reply, "正在处理", "王敏")
    happens(number, lambda ticket, now: shares.add_details(shares.join(ticket, "c:5", Wording("卡纸", "k"), now, receipt=True), "", "late@example.com", now))
    assert told() == mail("replied", "a@example.com") | mail("received", "late@example.com")
    assert mine


def test_whose_address_it_is_gets_their_own_message_where_somebody_else_wrote_it_down(question, told, happens, account, services):
    sun = account("员工小孙", "asker")
    number, mine = question({"c:1": "sun@example.com", f"u:{sun}": ""})
    told.twice = True  # two questions were noted
    told()
    happens(number, lifecycle.reply, "正在处理", "王敏")
    assert told() == mail("replied", "sun@example.com")
    with services.db.read() as session:
        assert session.scalar(select(Message.follower_id).order_by(Message.id.desc()).limit(1)) == mine[f"u:{sun}"]


def test_a_reply_to_one_person_is_told_to_that_one(question, told, happens):
    number, mine = question({"c:1": "a@example.com", "c:2": "b@example.com"})
    told()
    happens(number, lambda ticket, now: lifecycle.reply(ticket, "只给你", "王敏", now, to=ticket.followers[1]))
    assert told() == mail("replied", "b@example.com")
    assert mine


def test_a_resolution_is_told_after_a_minute_and_not_at_all_when_it_was_taken_back(question, told, do, services):
    number, _ = question({"c:1": "a@example.com"})
    told()
    do(lambda session: lifecycle.resolve(history.find(session, number), "王敏", services.now(), body="重开机"))
    spread(services.db, MAIL_ONLY, services.now())
    with services.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Notice).where(Notice.spread_at.is_(None))) > 0
    do(lambda session: undoing.undo(session, history.find(session, number), history.find(session, number).version, "王敏", services.now()))
    assert told() == set()


def test_who_reopened_a_ticket_is_not_told_so_but_the_others_and_the_agent_who_has_it_are(question, told, happens, account):
    account("王敏")
    number, _ = question({"c:1": "a@example.com", "c:2": "b@example.com"})
    happens(number, lifecycle.assign, "王敏", "王敏")
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    told()
    happens(number, lambda ticket, now: shares.reopen(ticket.followers[0], "还是卡", now))
    assert told() == mail("reopened", "b@example.com", "wang@example.com")


def test_people_whose_ticket_was_put_together_with_another_are_still_told(question, told, happens, do, services):
    number, _ = question({"c:1": "a@example.com", "c:2": "b@example.com"})
    other, _ = question({"c:2": "", "c:9": ""}, "打印机总是卡纸")
    told()
    do(lambda session: lifecycle.reply(history.find(session, number), "正在处理", "王敏", services.now()))
    do(lambda session: regroup.merge(session, history.find(session, number), history.find(session, other), "王敏", services.now()))
    assert told() == mail("replied", "a@example.com", "b@example.com")


def test_an_agent_is_told_what_became_theirs_unless_they_took_it_themselves_or_asked_to_be_left_alone(question, told, happens, account, do, services):
    account("王敏")
    li = account("李雷")
    number, _ = question({"c:1": ""})
    happens(number, lifecycle.assign, "王敏", "王敏")
    assert told() == set()
    happens(number, lifecycle.assign, "李雷", "王敏")
    assert told() == mail("assigned", "li@example.com")
    happens(number, lambda ticket, now: shares.add_details(ticket.followers[0], "还有提示 E12", None, now))
    assert told() == mail("added", "li@example.com")
    do(lambda session: session.add(Mute(user_id=li, ticket_number=number, at=services.now())))
    happens(number, lambda ticket, now: shares.add_details(ticket.followers[0], "还有提示 E13", None, now))
    assert told() == set()


def test_an_escalation_is_told_to_the_level_and_the_team_and_without_a_level_to_administrators(question, told, happens, account):
    account("管理员", "administrator")
    number, _ = question({"c:1": ""})
    happens(number, lifecycle.escalate, "second", "", "王敏")
    assert told("wecom") == mail("escalated", "admin@example.com") | {("escalated", "wecom", "team")}
    account("李雷", level="manager")
    happens(number, lifecycle.escalate, "manager", "", "王敏")
    assert told("wecom", "feishu") == mail("escalated", "li@example.com") | {("escalated", "wecom", "team"), ("escalated", "feishu", "team")}


def test_reminders_reach_who_wants_them_and_the_team(told, account, do, services):
    wang, li, gone = account("王敏"), account("李雷", quiet=True), account("管理员", "administrator", disabled_at=services.now())
    for user in (wang, li, gone, None):
        do(lambda session, user=user: outbox.note_for(session, user, Topic.ALARMED, services.now(), {"numbers": [1001], "alarms": ["response_near"]}))
    assert told("wecom") == mail("alarmed", "wang@example.com") | {("alarmed", "wecom", "team")}


def test_a_person_of_a_host_app_is_told_by_it_and_by_mail_when_they_left_an_address(question, told):
    question({"s:erp:u-77": "", "s:erp:u-78": "lin@example.com"})
    assert told(hook=True) == {("received", "hook", "s:erp:u-77"), ("received", "hook", "s:erp:u-78"), ("received", "mail", "lin@example.com")}


def test_whoever_adds_three_hundred_times_sends_the_agent_two_mails_and_none_of_it_stays_untold(question, told, happens, account, do, services):
    account("王敏")
    number, _ = question({"c:1": ""})
    happens(number, lifecycle.assign, "王敏", "李雷")
    told()

    def add(words):
        do(lambda session: shares.add_details(history.find(session, number).followers[0], words, None, services.now()))

    for one in range(300):
        add(f"补充 {one}")
    assert told() == mail("added", "wang@example.com")
    add("还有一句")
    assert told() == set()
    services.now.forward(minutes=10)
    assert told() == mail("added", "wang@example.com")
    assert told() == set()
    services.now.forward(minutes=30)
    add("过了半小时又一句")
    assert told() == mail("added", "wang@example.com")


def test_one_address_is_told_a_reply_once_however_many_shares_have_it(question, told, happens):
    told.twice = True  # that it is noted is told of each share
    number, _ = question({"c:1": "lin@example.com", "c:2": "LIN@example.com"})
    told()
    told.twice = False
    happens(number, lifecycle.reply, "正在处理", "王敏")
    assert told() == mail("replied", "lin@example.com")


def test_whoever_is_drowned_in_receipts_by_others_is_told_their_answer_and_their_later_receipts(question, told, happens, services):
    number, _ = question({"c:mine": "lin@example.com"})
    for other in range(A_DAY + 5):
        question({f"c:{other}": "lin@example.com"}, f"问题 {other}")
    told.twice = True  # each share has its receipt
    told()
    told.twice = False
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    assert told() == mail("resolved", "lin@example.com")
    services.now.forward(days=1)
    question({"c:mine": "lin@example.com"}, "食堂几点开门")
    assert told() == mail("received", "lin@example.com")


def test_an_answer_is_told_at_the_last_of_many_addresses(question, told, happens):
    number, _ = question({"c:1": ""})
    for address in [f"typo{n}@example.com" for n in range(5)]:
        happens(number, lambda ticket, now, address=address: shares.add_details(ticket.followers[0], "", address, now))
        told()
    happens(number, lifecycle.resolve, "王敏", body="重开机")
    assert told() == mail("resolved", "typo4@example.com")


def test_nobody_is_sent_more_than_a_days_receipts_through_an_address_that_others_wrote_down(question, told, services, ended):
    for number in range(A_DAY + 5):
        question({f"c:{number}": "Victim@example.com"}, f"问题 {number}")
    services.now.forward(minutes=2)
    spread(services.db, MAIL_ONLY, services.now())
    with services.db.read() as session:
        counts = dict(session.execute(select(Message.ended_as, func.count()).group_by(Message.ended_as)).all())
    assert counts == {"": A_DAY, "void": 5}


def test_nobody_writes_to_many_others_by_changing_their_contact(question, told, happens):
    number, _ = question({"c:1": ""})
    addresses = [f"stranger{n}@example.com" for n in range(6)]
    for address in addresses:
        happens(number, lambda ticket, now, address=address: shares.add_details(ticket.followers[0], "", address, now))
        spread_now = told()
        assert spread_now <= mail("received", *addresses)
    assert len(told.seen) == 3


def test_a_thousand_people_are_one_insert_and_each_message_has_an_id_of_its_own(services, do, question, asked):
    number, _ = question({"c:0": ""})

    def crowd(session):
        session.add_all(
            Follower(ticket_number=number, person=f"c:x{n}", token=f"t{n}", wording="卡纸", waiting=True, joined_at=services.now(), contact=f"p{n}@example.com")
            for n in range(1000)
        )
        session.flush()
        history.count_people(history.find(session, number), services.now())

    do(crowd)
    do(lambda session: lifecycle.reply(history.find(session, number), "正在处理", "王敏", services.now()))
    services.now.forward(minutes=2)
    done = asked(services.db, lambda: spread(services.db, Ways.of(["mail"], "https://help.example.com"), services.now()))
    assert len([sql for sql, _ in done.sql if sql.startswith("INSERT")]) == 1
    assert len(done.sql) < 40
    with services.db.read() as session:
        ids = list(session.scalars(select(Message.message_id)))
    assert len(set(ids)) == 1000
    assert all(id_.endswith("@help.example.com>") for id_ in ids)


def test_what_a_clock_set_ahead_has_noted_is_told_when_it_is_set_back(question, told, services, do):
    number, _ = question({"c:1": "lin@example.com"})
    told()
    services.now.forward(days=3650)
    do(lambda session: lifecycle.reply(history.find(session, number), "正在处理", "王敏", services.now()))
    services.now.forward(days=-3650)
    assert told() == mail("replied", "lin@example.com")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("分机 8021，lin@Example.com。", "lin@example.com"),
        ("邮箱lin@example.com公司", "lin@example.com"),
        ("<lin@example.com>", "lin@example.com"),
        ("lin@example.com, wang@example.com", "lin@example.com"),
        ("企业微信 wang", ""),
        ("jañez@example.com", ""),
        ("lin@example.comñ", ""),
        ("a@b@example.com", ""),
        ("lin@localhost", ""),
    ],
)
def test_an_address_is_found_in_a_contact_whole_or_not_at_all(text, address):
    assert address_in(text) == address


@pytest.mark.skipif(not STRINGS.exists(), reason="the hostile strings are not there")
def test_the_lists_of_valid_and_invalid_addresses_are_told_apart_but_for_what_nobody_has():
    lines = {kind: (STRINGS / f"fuzzdb_{kind}-email.txt").read_text(encoding="utf-8").split("\n") for kind in ("valid", "invalid")}
    refused = [line for line in lines["valid"] if line and not is_address(line)]
    assert all(any(sign in line for sign in REFUSED_THOUGH_VALID) for line in refused)
    assert len([line for line in lines["valid"] if is_address(line)]) >= 11
    assert [line for line in lines["invalid"] if is_address(line)] == []


def test_an_address_is_shown_so_that_only_its_owner_knows_it():
    assert shortened("lin@example.com") == "l***@example.com"
    assert shortened("team") == "team"


def test_a_notice_that_cannot_be_spread_keeps_no_other_from_being_told(question, told, do, services, log):
    first, _ = question({"c:1": "a@example.com"})
    second, _ = question({"c:2": "b@example.com"}, "另一个问题")
    told()
    for number in (first, second):
        do(lambda session, number=number: lifecycle.reply(history.find(session, number), "正在处理", "王敏", services.now()))
    do(lambda session: setattr(session.scalars(select(Notice).where(Notice.ticket_number == first, Notice.kind == "replied")).one(), "data", {}))
    assert told() == mail("replied", "b@example.com")
    assert "notice_failed" in log()
    do(lambda session: setattr(session.scalars(select(Notice).where(Notice.spread_at.is_(None))).one(), "data", {"last": [99]}))
    services.now.forward(minutes=10)
    assert told() == mail("replied", "a@example.com")


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "a." * 25_000, "a-" * 25_000 + "!", "中a" * 25_000, "a@" * 25_000, f"{'a' * 49_000}@{'a.' * 500}", "我a.a-a," * 7_000]
)
def test_no_words_take_long_to_be_looked_through_for_an_address(text):
    assert address_in(text) == ""
