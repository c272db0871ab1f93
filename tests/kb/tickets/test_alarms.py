"""Whoever has a ticket is told once that its time runs out, and others are when it has; no clock that is set wrong loses that, or tells a thousand times."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import event, select, update

from kb.accounts import sign_in
from kb.notifications.models import Notice
from kb.notifications.outbox import GATHERED
from kb.tickets import alarms, history, lifecycle, shares, sla_file
from kb.tickets.alarms import Swept, sweep
from kb.tickets.models import Ticket
from kb.tickets.queue import FAR
from kb.tickets.shares import Wording
from kb.tickets.standing import Kind
from tests.kb.tickets.conftest import consistent, happened

MONDAY = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
"""A morning on which people work, until 12:00 and from 13:30 to 17:30."""
POLICIES = sla_file.read()


def at(hour, minute=0, day=23):
    return datetime(2026, 11, day, hour, minute, tzinfo=MONDAY.tzinfo)


@pytest.fixture
def people(db):
    """Add accounts: `people(王敏="agent", 李雷={"role": "agent", "level": "second"})`; return their ids by name."""

    def add(**named):
        with db.write() as session:
            ids = {}
            for name, given in named.items():
                more = {"role": given} if isinstance(given, str) else given
                user = sign_in.add_user(session, name, more["role"], MONDAY)
                user.level, user.quiet, user.disabled_at = more.get("level", ""), more.get("quiet", False), more.get("disabled_at")
                user.mail = more.get("mail", f"{user.id}@example.com")
                ids[name] = user.id
            return ids

    return add


@pytest.fixture
def add(db):
    """Open a ticket that somebody waits for since Monday at nine, and do more to it; return its number."""

    def add_(*, priority="normal", category="fault", module="", assignee="", since=MONDAY, then=lambda _: None):
        with db.write() as session:
            ticket = history.open_ticket(session, "打印机卡纸", since, priority=priority, category=category, module=module)
            shares.join(ticket, f"c:{ticket.number}", Wording("打印机卡纸", "key"), since, receipt=True)
            if assignee:
                lifecycle.assign(ticket, assignee, assignee, since)
            then(ticket)
            return ticket.number

    return add_


@pytest.fixture
def look(db):
    """Look at the clocks at a moment, check that what stands beside the events is what they add up to; what is ready before or after it is told."""

    def carry(now):
        with db.write() as session:
            consistent(session)
            session.execute(update(Notice).where(Notice.spread_at.is_(None), Notice.ready_at <= now).values(spread_at=now))

    def look_(now, owners=None):
        carry(now)
        found = sweep(db, POLICIES, owners or {}, now)
        carry(now)
        return found

    return look_


@pytest.fixture
def told(db):
    """Return who was told of which tickets, notice by notice; the team is None."""

    def told_():
        with db.read() as session:
            notices = session.scalars(select(Notice).where(Notice.kind == "alarmed").order_by(Notice.id))
            return [(one.user_id, list(zip(*one.data.values(), strict=True))) for one in notices]

    return told_


@pytest.fixture
def seen(db):
    """Return of a ticket what the desk shows."""

    def seen_(number=1001):
        with db.read() as session:
            ticket = history.find(session, number)
            return ticket.alarm, ticket.escalated, ticket.due_at

    return seen_


def test_a_ticket_that_people_wait_for_is_due_and_nobody_is_told_while_there_is_time(add, look, seen, told):
    add()
    assert look(at(9, 1)) == Swept(running=1, dated=1, alarmed=0, escalated=0)
    assert seen() == ("", "", at(9, 30))
    assert told() == []


def test_each_stage_is_told_once_to_who_has_the_ticket_and_to_the_team(people, add, look, seen, told):
    ids, number = people(王敏="agent", 陈晨="agent"), add(assignee="王敏")
    stages = [
        (at(9, 22), None),
        (at(9, 23), "response_near"),
        (at(9, 30), None),
        (at(9, 31), "response_late"),
        (at(16, 8), "resolution_near"),
        (at(17, 30), None),
        (at(9, 1, day=24), "resolution_late"),
    ]
    expected = []
    for now, alarm in stages:
        for _ in range(2):
            look(now)
        if alarm:
            level = "second" if alarm == "resolution_late" else ""
            expected += [(user, [(number, alarm, level)]) for user in (None, ids["王敏"])]
            assert seen(number)[0] == alarm
        assert told() == expected, now


def test_a_second_look_changes_nothing_and_writes_nothing(db, people, add, look, asked):
    people(王敏="agent")
    for priority in ("urgent", "high", "normal"):
        add(priority=priority)
    first = look(at(11))
    assert (first.dated, first.alarmed, first.escalated) == (3, 3, 1)
    again = asked(db, lambda: sweep(db, POLICIES, {}, at(11)))
    assert again.result == Swept(running=3, dated=0, alarmed=0, escalated=0)
    assert len(again.sql) == 1


def test_a_response_ends_its_alarm_and_the_time_for_the_solution_is_due_next(db, add, look, seen):
    number = add()
    look(at(9, 45))
    with db.write() as session:
        lifecycle.reply(history.find(session, number), "在看", "王敏", at(9, 50))
    look(at(9, 51))
    assert seen() == ("", "", at(9, day=24)), "a working day of 7.5 hours after nine on Monday ends at nine on Tuesday, when people work again"


@pytest.mark.parametrize("stop", ["ask", "resolve", "withdraw", "spam"])
def test_nobody_is_told_of_what_does_not_run(db, people, add, look, told, stop):
    people(王敏="agent")

    def then(ticket):
        match stop:
            case "ask":
                lifecycle.ask(ticket, "哪一台", "王敏", MONDAY)
            case "resolve":
                lifecycle.resolve(ticket, "王敏", MONDAY, body="换一台")
            case "withdraw":
                shares.withdraw(ticket, ticket.followers[0], MONDAY)
            case "spam":
                lifecycle.spam(ticket, "王敏", MONDAY)

    add(then=then)
    assert look(at(9, day=25)) == Swept(running=0, dated=0, alarmed=0, escalated=0)
    assert told() == []


def test_a_ticket_that_nobody_has_is_told_to_the_owners_of_its_module_or_else_to_all_agents(people, add, look, told):
    ids = people(王敏="agent", 陈晨="agent", 方圆="operator", 何云="asker", 李想={"role": "agent", "quiet": True}, 周编="editor", 孙悦="administrator")
    owned, orphan = add(module="travel"), add(module="office")
    look(at(9, 25), {"travel": ("陈晨", "方圆", "没有这个人")})
    heard = {user: [number for number, _, _ in rows] for user, rows in told()}
    assert heard == {None: [owned, orphan], ids["陈晨"]: [owned, orphan], ids["王敏"]: [orphan]}


def test_without_agents_who_can_be_told_all_others_who_work_on_tickets_are(people, add, look, told):
    ids = people(王敏={"role": "agent", "mail": ""}, 周编="editor", 孙悦="administrator", 方圆="operator")
    add(assignee="王敏")
    look(at(9, 25))
    assert {user for user, _ in told()} == {None, ids["周编"], ids["孙悦"]}


def test_nobody_is_reminded_more_often_than_every_quarter_of_an_hour_and_of_everything(db, people, add, look, told):
    """A ticket every four minutes that nobody takes, seen every other minute: two alarms of each."""
    ids = people(王敏="agent")
    numbers = [add(since=at(9, minute)) for minute in range(0, 40, 4)]
    for minute in range(21, 96, 2):
        look(at(9 + minute // 60, minute % 60))
    mine = [rows for user, rows in told() if user == ids["王敏"]]
    assert sorted(row for rows in mine for row in rows) == sorted((number, alarm, "") for number in numbers for alarm in ("response_near", "response_late"))
    with db.read() as session:
        for user in (None, ids["王敏"]):
            ready = list(session.scalars(select(Notice.ready_at).where(Notice.user_id == user).order_by(Notice.ready_at)))
            assert ready[0] == at(9, 23), "the first is told at once"
            assert len(ready) <= 6
            assert all(later - earlier >= GATHERED for earlier, later in pairwise(ready))


def test_what_is_urgent_waits_for_no_other_and_takes_along_what_waits(db, people, add, look, told):
    ids, usual = people(王敏="agent"), [add(assignee="王敏"), add(assignee="王敏", since=at(9, 5))]
    urgent = add(assignee="王敏", priority="urgent", since=at(9, 28))
    look(at(9, 23))
    look(at(9, 29))
    look(at(9, 32))
    with db.read() as session:
        notices = session.scalars(select(Notice).where(Notice.user_id == ids["王敏"]).order_by(Notice.id)).all()
        assert [(one.ready_at, one.data["numbers"]) for one in notices] == [(at(9, 23), [usual[0]]), (at(9, 32), [usual[1], usual[0], urgent])]


def test_who_has_a_ticket_and_cannot_come_in_any_more_is_no_reason_for_silence(db, people, add, look, told):
    ids = people(王敏="agent", 陈晨="agent")
    number = add(assignee="王敏")
    with db.write() as session:
        session.get(sign_in.User, ids["王敏"]).disabled_at = MONDAY
    look(at(9, 25))
    assert told() == [(user, [(number, "response_near", "")]) for user in (None, ids["陈晨"])]


@pytest.mark.parametrize("silent", [{"quiet": True}, {"mail": ""}])
def test_who_wants_no_reminders_or_has_no_address_gets_none_and_somebody_else_hears_of_it(people, add, look, told, silent):
    ids = people(王敏={"role": "agent", **silent}, 陈晨="agent", 李雷="agent")
    number = add(assignee="王敏", module="travel")
    look(at(9, 25), {"travel": ("李雷",)})
    assert told() == [(user, [(number, "response_near", "")]) for user in (None, ids["李雷"])]


def test_what_is_late_comes_to_the_second_line_and_a_complaint_to_the_manager_on_its_second_day_once(db, people, add, look, seen, told):
    ids = people(王敏="agent", 李雷={"role": "agent", "level": "second"}, 韩梅={"role": "operator", "level": "manager"})
    urgent = add(priority="urgent", assignee="王敏")
    complaint = add(category="complaint", assignee="王敏", then=lambda ticket: lifecycle.reply(ticket, "在查", "王敏", at(9, 5)))
    look(at(10, 1))
    assert (seen(urgent)[1], seen(complaint)[1]) == ("second", "")
    look(at(9, 1, day=25))
    assert seen(complaint)[:2] == ("", "manager"), "two working days after Monday at nine; three quarters of three are not over"
    for day in (26, 27):
        look(at(17, day=day))
    rows = {name: [row for user, rows in told() if user == id_ for row in rows] for name, id_ in ids.items()}
    assert rows["李雷"] == [(urgent, "resolution_late", "second")]
    assert rows["韩梅"] == [(complaint, "", "manager")]
    with db.read() as session:
        kinds = [one.kind for number in (urgent, complaint) for one in happened(history.find(session, number))]
    assert kinds.count("escalated") == 2


@pytest.mark.parametrize("out_of_reach", [{"quiet": True}, {"mail": ""}, {"disabled_at": MONDAY}])
def test_without_anybody_at_a_level_who_can_be_told_the_administrators_hear_of_it(people, add, look, told, out_of_reach):
    ids = people(王敏="agent", 孙悦="administrator", 李雷={"role": "agent", "level": "second", **out_of_reach})
    number = add(priority="urgent", assignee="王敏")
    look(at(11))
    assert (ids["孙悦"], [(number, "resolution_late", "second")]) in told()


def test_what_an_agent_escalated_the_clocks_do_not_escalate_again(db, people, add, look, told):
    people(王敏="agent", 李雷={"role": "agent", "level": "second"})
    number = add(priority="urgent", assignee="王敏")
    with db.write() as session:
        lifecycle.escalate(history.find(session, number), "second", "我不会", "王敏", at(9, 2))
    look(at(11))
    with db.read() as session:
        assert [one.kind for one in happened(history.find(session, number))].count("escalated") == 1


def test_a_new_round_is_told_anew(db, people, add, look, seen, told):
    people(王敏="agent")
    number = add(priority="urgent", assignee="王敏")
    look(at(11))
    with db.write() as session:
        ticket = history.find(session, number)
        lifecycle.resolve(ticket, "王敏", at(11, 10), body="换一台")
        lifecycle.reopen(ticket, "", "王敏", at(14))
    look(at(14, 1))
    assert seen(number) == ("", "", at(14, 5))
    look(at(16))
    assert seen(number)[:2] == ("resolution_late", "second")


def test_a_priority_that_is_corrected_is_judged_by_its_own_times_and_told_again_when_they_run_out(db, people, add, look, seen, told):
    people(王敏="agent")
    number = add(priority="urgent", assignee="王敏", then=lambda ticket: lifecycle.reply(ticket, "在看", "王敏", at(9, 1)))
    look(at(9, 50))
    assert seen(number) == ("resolution_near", "", at(10))
    with db.write() as session:
        lifecycle.prioritise(history.find(session, number), "normal", "王敏", at(9, 51))
    look(at(9, 52))
    assert seen(number) == ("", "", at(9, day=24))
    look(at(16, 8))
    assert seen(number)[0] == "resolution_near"
    assert [alarm for user, rows in told() if user is None for _, alarm, _ in rows] == ["resolution_near", "resolution_near"]


def test_what_happened_to_a_ticket_between_the_look_and_the_writing_is_looked_at_next_time(db, people, add, look, monkeypatch):
    """A reply that comes while the clocks are computed is never overwritten by what was true before it."""
    people(王敏="agent")
    number = add(assignee="王敏")
    compute = alarms._change  # noqa: SLF001 - the moment between reading and writing has no other door

    def reply_meanwhile(*given):
        monkeypatch.setattr(alarms, "_change", compute)
        with db.write() as session:
            lifecycle.reply(history.find(session, number), "在看", "王敏", at(9, 29))
        return compute(*given)

    monkeypatch.setattr(alarms, "_change", reply_meanwhile)
    assert look(at(9, 29)).alarmed == 0
    with db.read() as session:
        ticket = history.find(session, number)
        assert (ticket.alarm, ticket.due_at) == ("", at(9, day=24))


def test_a_look_that_is_broken_off_is_finished_by_the_next_and_everybody_is_told_of_everything(db, people, add, look, told, monkeypatch):
    """What is told and that it was told are one write: a kill between two batches loses neither."""
    ids = people(王敏="agent")
    monkeypatch.setattr(alarms, "BATCH", 2)
    numbers = [add(assignee="王敏") for _ in range(7)]
    writes = []

    def fail_at_the_third(_connection):
        writes.append(1)
        if len(writes) == 3:
            raise OSError("killed")

    event.listen(db.engine, "commit", fail_at_the_third)
    with pytest.raises(OSError, match="killed"):
        sweep(db, POLICIES, {}, at(9, 25))
    event.remove(db.engine, "commit", fail_at_the_third)
    look(at(9, 26))
    mine = [rows for user, rows in told() if user == ids["王敏"]]
    assert [number for rows in mine for number, _, _ in rows] == numbers
    assert len(mine) == 2, "one notice of each look that was told, however many batches it took"


JUMPS = {"an hour on": timedelta(hours=1), "an hour back": timedelta(hours=-1), "ten years on": timedelta(days=3652), "ten years back": timedelta(days=-3652)}


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_a_clock_that_jumps_and_comes_back_loses_no_notice_and_tells_nobody_a_thousand_times(db, people, add, look, told, jump):
    ids = people(王敏="agent", 李雷={"role": "agent", "level": "second"})
    numbers = [add(priority="urgent", assignee="王敏") for _ in range(60)]
    look(at(9, 1))
    for now in (at(9, 2) + jump, at(9, 2) + jump + timedelta(minutes=1), at(9, 3), at(11)):
        look(now)
    latest = {user: {} for user in (None, *ids.values())}
    for user, rows in told():
        latest[user] |= {number: alarm for number, alarm, _ in rows}
    assert latest[ids["王敏"]] == latest[None] == dict.fromkeys(numbers, "resolution_late")
    assert set(latest[ids["李雷"]]) == set(numbers)
    assert len(told()) <= 3 * 4, "at most one notice for each person and look"


def test_what_is_due_in_another_century_is_due_as_far_off_as_can_be_sorted(add, look, seen):
    number = add(since=FAR + timedelta(days=3))
    assert look(FAR + timedelta(days=3)).running == 1
    assert seen(number)[2] == FAR


def test_what_the_clocks_tell_is_no_change_of_what_rests(db, add, look):
    number = add(priority="urgent")
    look(at(11))
    with db.read() as session:
        ticket = history.find(session, number)
        assert (ticket.alarm, ticket.escalated, ticket.changed_at) == ("resolution_late", "second", MONDAY)


def test_ten_thousand_tickets_are_read_in_one_statement_without_what_people_wrote(db, add, look, asked):
    for _ in range(3):
        add()
    look(at(9, 1))
    read = asked(db, lambda: sweep(db, POLICIES, {}, at(9, 2)))
    assert len(read.sql) == 1
    assert "question" not in read.sql[0][0]


def test_alarms_stand_in_the_course_of_events_and_only_there(db, add, look):
    number = add()
    look(at(9, 25))
    with db.read() as session:
        ticket = session.get_one(Ticket, number)
        assert [(one.kind, one.actor, one.target) for one in happened(ticket)][1:] == [(Kind.ALARMED, "system", "response_near")]
        assert shares.seen_by(ticket.followers[0]) == []


def test_who_asked_by_a_clock_that_was_years_ahead_is_not_forgotten_for_years(db, add, people):
    people(王敏="agent")
    number = add(since=at(9).replace(year=2036))
    assert sweep(db, POLICIES, {}, at(9)).alarmed == 0
    alarms.take_back(db, at(9))
    alarms.take_back(db, at(9, 1))
    assert sweep(db, POLICIES, {}, at(10)).alarmed == 1
    with db.read() as session:
        ticket = session.get_one(Ticket, number)
        assert history.written(ticket).runs == ((at(9), None),)
        assert ticket.alarm == "response_late"
        consistent(session)
