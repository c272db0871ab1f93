"""The log of what people with rights did, read together with the events of tickets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from kb.accounts import audit
from kb.accounts.audit import DEED_NAMES, Choice, Deed
from kb.errors import InvalidRequestError
from kb.tickets import history
from kb.tickets.standing import ASKER, SYSTEM, Kind


@pytest.fixture
def ticket(session, now):
    return history.open_ticket(session, "打印机卡纸怎么处理", now)


def said(page):
    return [(entry.actor, (entry.deed or entry.kind).value, entry.object or entry.number, entry.detail) for entry in page.entries]


def all_of(session, choice=Choice(), rows=3):  # noqa: B008 - a value
    """Read page after page."""
    entries, place = [], ""
    while True:
        page = audit.page(session, choice, place, rows)
        entries += said(page)
        if not page.onward:
            return entries
        assert len(page.entries) == rows
        place = page.onward


def test_what_was_done_to_tickets_and_to_people_stands_in_one_order(session, ticket, now):
    audit.note(session, "老周", Deed.INVITED, "小林", "客服", now + timedelta(minutes=1))
    history.record(ticket, Kind.ASSIGNED, now + timedelta(minutes=2), "小林", target="小林")
    audit.note(session, "小林", Deed.SIGNED_OUT, "", "", now + timedelta(minutes=3))
    assert said(audit.page(session, Choice())) == [
        ("小林", "signed_out", None, ""),
        ("小林", "assigned", ticket.number, "小林"),
        ("老周", "invited", "小林", "客服"),
    ]


def test_what_askers_and_the_program_did_is_nobodys_deed(session, ticket, now):
    history.record(ticket, Kind.ADDED, now, ASKER, private="我的补充")
    history.record(ticket, Kind.ALARMED, now, SYSTEM, target="response_near")
    assert said(audit.page(session, Choice())) == []
    for actor in (ASKER, SYSTEM):
        assert said(audit.page(session, Choice(person=actor))) == []


def test_what_agents_wrote_is_not_in_the_log(session, ticket, now):
    history.record(ticket, Kind.REPLIED, now, "小林", body="公开的话", private="只给一个人的话")
    history.record(ticket, Kind.NOTED, now, "小林", private="内部的话")
    assert said(audit.page(session, Choice())) == [("小林", "noted", ticket.number, ""), ("小林", "replied", ticket.number, "")]


def test_pages_hold_every_entry_once_even_when_the_clock_was_turned(session, ticket, now):
    expected = 0
    for number in range(40):
        at = now + timedelta(minutes=(number * 7919) % 60 - 30)
        if number % 3:
            audit.note(session, "老周", Deed.MAIL, f"同事{number}", "", at)
        else:
            history.record(ticket, Kind.ASSIGNED, at, "小林", target=f"同事{number}")
        expected += 1
    found = all_of(session)
    assert len(found) == len(set(found)) == expected
    assert sorted(found, key=str) == sorted(said(audit.page(session, Choice(), rows=100)), key=str)


def test_what_comes_meanwhile_neither_repeats_nor_hides_what_is_older(session, ticket, now):
    for number in range(4):
        audit.note(session, "老周", Deed.MAIL, f"同事{number}", "", now)
    first = audit.page(session, Choice(), rows=2)
    audit.note(session, "老周", Deed.MAIL, "后来的", "", now)
    history.record(ticket, Kind.ASSIGNED, now, "小林", target="小林")
    second = audit.page(session, Choice(), first.onward, rows=2)
    assert [entry.object for entry in first.entries + second.entries] == ["同事3", "同事2", "同事1", "同事0"]


def test_one_person_or_one_deed_can_be_chosen(session, ticket, now):
    audit.note(session, "老周", Deed.INVITED, "小林", "客服", now)
    audit.note(session, "小林", Deed.SIGNED_IN, "", "链接", now)
    history.record(ticket, Kind.ASSIGNED, now, "小林", target="小林")
    assert len(all_of(session, Choice(person="小林"))) == 2
    assert said(audit.page(session, Choice(deed=Deed.INVITED))) == [("老周", "invited", "小林", "客服")]
    assert said(audit.page(session, Choice(deed=audit.TICKETS))) == [("小林", "assigned", ticket.number, "小林")]
    assert said(audit.page(session, Choice(person="小林", deed=audit.TICKETS))) == [("小林", "assigned", ticket.number, "小林")]
    assert said(audit.page(session, Choice(person="没有这个人"))) == []


@pytest.mark.parametrize("deed", ["assigned", "x", "' OR 1=1 --"])
def test_an_unknown_deed_is_refused(session, deed):
    with pytest.raises(InvalidRequestError):
        audit.page(session, Choice(deed=deed))


@pytest.mark.parametrize("place", ["x", "1", "-", "1-", "1-2-3", "-1-2", "１-２", "1-2\n"])
def test_a_place_that_no_page_named_is_refused(session, place):
    with pytest.raises(InvalidRequestError):
        audit.page(session, Choice(), place)


def test_a_place_beyond_all_numbers_is_the_beginning(session, now):
    audit.note(session, "老周", Deed.MAIL, "小林", "", now)
    assert len(audit.page(session, Choice(), f"{'9' * 18}-{'9' * 18}").entries) == 1


def test_a_page_is_one_statement(db, now, asked):
    with db.write() as session:
        for number in range(60):
            audit.note(session, "老周", Deed.MAIL, f"同事{number}", "", now)

    def look():
        with db.read() as session:
            return audit.page(session, Choice())

    looked = asked(db, look)
    assert len(looked.result.entries) == audit.ROWS
    assert len(looked.sql) == 1


def test_what_is_too_long_is_cut_not_refused(session, now):
    audit.note(session, "名" * 100, Deed.MAIL, "对" * 300, "详" * 500, now)
    session.flush()
    assert session.execute(text("SELECT length(actor), length(object), length(detail) FROM audit_entries")).one() == (80, 200, 400)


def test_every_deed_has_a_name_of_its_own():
    assert set(DEED_NAMES) == set(Deed)
    assert len(set(DEED_NAMES.values())) == len(Deed)
