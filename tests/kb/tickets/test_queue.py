"""What stands in which order on the desk: views, filters, words, and pages that neither repeat nor hide a ticket while others come and go."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from kb.errors import InvalidRequestError
from kb.tickets import history, lifecycle, queue, shares
from kb.tickets.queue import Choice, Sort, View
from kb.tickets.shares import Wording

MINE = Choice("王敏")
ALL = Choice("王敏", View.ALL)


@pytest.fixture
def add(db, now):
    """Open a ticket with people who wait and people whom nobody told, and do more to it; return its number."""

    def add_(question="打印机卡纸", *, waiting=1, silent=0, at=0, then=lambda _: None, **filed):
        with db.write() as session:
            ticket = history.open_ticket(session, question, now + timedelta(minutes=at), **filed)
            for person in range(waiting + silent):
                shares.join(ticket, f"{ticket.number}-{person}", Wording(question, question), now + timedelta(minutes=at), receipt=person < waiting)
            then(ticket)
            return ticket.number

    return add_


@pytest.fixture
def desk(db):
    """Return the numbers on a page."""

    def desk_(choice=MINE, **place):
        with db.read() as session:
            return [ticket.number for ticket in queue.page(session, choice, **place).tickets]

    return desk_


def _due(at, alarm=""):
    """Let a ticket be due, as a look at the clocks does."""

    def then(ticket):
        ticket.due_at, ticket.alarm = at, alarm

    return then


@pytest.fixture
def one_of_each(add, now):
    """A ticket in every state, and some more."""
    return {
        "new": add(),
        "mine": add(then=lambda ticket: lifecycle.assign(ticket, "王敏", "王敏", now)),
        "theirs": add(then=lambda ticket: lifecycle.assign(ticket, "陈晨", "王敏", now)),
        "asked": add(then=lambda ticket: lifecycle.ask(ticket, "哪一台", "陈晨", now)),
        "near": add(then=_due(now, "response_near")),
        "suggested": add(then=lambda ticket: lifecycle.suggest(ticket, "mobile/no-notifications", now)),
        "silent": add(waiting=0, silent=2),
        "resolved": add(then=lambda ticket: lifecycle.resolve(ticket, "王敏", now, body="换一台")),
        "spam": add(then=lambda ticket: lifecycle.spam(ticket, "王敏", now)),
    }


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View.OPEN, {"new", "mine", "theirs", "near", "suggested"}),
        (View.NEAR, {"near"}),
        (View.MINE, {"mine"}),
        (View.UNASSIGNED, {"new", "near", "suggested"}),
        (View.ASKED, {"asked"}),
        (View.SUGGESTED, {"suggested"}),
        (View.SILENT, {"silent"}),
        (View.DONE, {"resolved", "spam"}),
        (View.ALL, {"new", "mine", "theirs", "asked", "near", "suggested", "silent", "resolved", "spam"}),
    ],
)
def test_a_view_shows_exactly_the_tickets_that_it_counts(db, one_of_each, desk, view, expected):
    assert set(desk(Choice("王敏", view))) == {one_of_each[name] for name in expected}
    with db.read() as session:
        assert queue.counts(session, MINE, 0).views[view] == len(expected)


def test_every_open_ticket_stands_in_one_of_the_three_views_that_share_them_out(one_of_each, desk):
    shared = [number for view in (View.OPEN, View.ASKED, View.SILENT) for number in desk(Choice("王敏", view))]
    assert sorted(shared) == sorted(number for name, number in one_of_each.items() if name not in {"resolved", "spam"})


def test_demand_counts_those_who_wait_first_then_everybody_then_who_came_first(add, desk):
    loud = add(waiting=1, silent=9)
    many, first, second = add(waiting=3), add(waiting=2), add(waiting=2)
    assert desk() == [many, first, second, loud]


def test_what_is_urgent_for_somebody_who_waits_stands_first_and_then_what_most_wait_for(add, desk):
    usual, many = add(), add(waiting=3)
    silent = add(waiting=0, silent=1, priority="urgent")
    high, urgent = add(waiting=2, priority="high"), add(priority="urgent")
    assert desk() == [urgent, high, many, usual]
    assert desk(ALL) == [urgent, high, many, usual, silent]
    assert desk(Choice("王敏", sort=Sort.DEMAND)) == [many, high, usual, urgent]


def test_what_is_due_first_stands_first_and_what_is_never_due_last(add, desk, now):
    never, later, late = add(waiting=2), add(then=_due(now + timedelta(hours=2))), add(then=_due(now - timedelta(days=1), "response_late"))
    stopped = add(then=lambda ticket: (_due(now)(ticket), lifecycle.ask(ticket, "哪一台", "陈晨", now)))
    assert desk(Choice("王敏", sort=Sort.DUE)) == [late, later, never]
    assert desk(Choice("王敏", View.ALL, Sort.DUE)) == [late, later, never, stopped], "while it waits for who asked it is not due"
    assert desk(Choice("王敏", View.NEAR, Sort.DUE)) == [late]


def test_what_is_told_to_be_late_leaves_the_view_while_it_waits_for_who_asked(db, add, desk, now):
    late = add(then=_due(now, "resolution_late"))
    with db.write() as session:
        lifecycle.ask(history.find(session, late), "哪一台", "陈晨", now)
    assert desk(Choice("王敏", View.NEAR)) == []


@pytest.mark.parametrize("view", [View.NEAR, View.OPEN, View.MINE, View.ASKED, View.ALL])
def test_neighbours_by_what_is_due_are_those_on_the_page(db, add, now, view):
    """Also of one that left the view while it was on screen: it keeps its place among those that are still there."""
    taken = [
        add(then=lambda ticket, at=at: (lifecycle.assign(ticket, "王敏", "王敏", now), _due(now + timedelta(hours=at), "resolution_near")(ticket)))
        for at in range(4)
    ]
    if view is View.ASKED:
        with db.write() as session:
            for number in taken:
                lifecycle.ask(history.find(session, number), "哪一台", "王敏", now)
    choice = Choice("王敏", view, Sort.DUE)
    with db.read() as session:
        shown = queue.page(session, choice).tickets
        for at, ticket in enumerate(shown):
            before, after = (shown[place].number if 0 <= place < len(shown) else None for place in (at - 1, at + 1))
            assert queue.neighbours(session, choice, ticket) == (before, after)
    if view in {View.NEAR, View.OPEN, View.MINE}:
        with db.write() as session:
            lifecycle.resolve(history.find(session, taken[1]), "王敏", now, body="好了")
        with db.read() as session:
            assert queue.neighbours(session, choice, history.find(session, taken[1])) == (taken[0], taken[2])


def test_other_orders_put_the_newest_first_or_what_has_rested_longest(add, desk):
    moved, rested, last = add(at=30), add(at=10), add(at=20)
    assert desk(Choice("王敏", sort=Sort.NEWEST)) == [last, rested, moved]
    assert desk(Choice("王敏", sort=Sort.RESTING)) == [rested, last, moved]


@pytest.mark.parametrize("sort", Sort)
def test_pages_show_every_ticket_once_forwards_and_backwards(db, add, monkeypatch, now, sort):
    monkeypatch.setattr(queue, "ROWS", 3)
    due = iter([now, None, now + timedelta(hours=1), now, None, None, now, now - timedelta(days=1)])
    numbers = {add(waiting=1 + at % 2, silent=at % 3, at=at % 4, priority=("urgent", "high", "")[at % 3], then=_due(next(due))) for at in range(8)}
    choice = Choice("王敏", sort=sort)
    with db.read() as session:
        pages = [queue.page(session, choice)]
        while pages[-1].after:
            pages.append(queue.page(session, choice, after=pages[-1].after))
        assert [len(page.tickets) for page in pages] == [3, 3, 2]
        assert {ticket.number for page in pages for ticket in page.tickets} == numbers
        assert pages[0].before == ""
        assert queue.page(session, choice, before=pages[2].before) == pages[1]
        assert queue.page(session, choice, before=pages[1].before) == pages[0]


def test_the_next_page_begins_where_this_one_ended_whatever_happened_meanwhile(db, add, desk, monkeypatch, now):
    monkeypatch.setattr(queue, "ROWS", 2)
    first, second, third, fourth = (add(waiting=count) for count in (5, 4, 3, 2))
    with db.read() as session:
        after = queue.page(session, MINE).after
    with db.write() as session:
        lifecycle.resolve(history.find(session, first), "王敏", now, body="好了")
        lifecycle.resolve(history.find(session, second), "王敏", now, body="好了")
    loudest = add(waiting=9)
    assert desk(after=after) == [third, fourth]
    assert desk() == [loudest, third]


def test_going_back_to_the_beginning_shows_a_whole_page(db, add, desk, monkeypatch):
    monkeypatch.setattr(queue, "ROWS", 2)
    numbers = [add(waiting=count) for count in (4, 3, 2)]
    with db.read() as session:
        last = queue.page(session, MINE, after=queue.page(session, MINE).after)
    newest = add(waiting=9)
    assert desk(before=last.before) == numbers[:2]
    assert desk(before="1-0-9-9-9999") == [newest, numbers[0]]


@pytest.mark.parametrize("place", ["x", "1", "1-1-1-1", "1-1-1-1-1-1", "-1-1-1-1", "1-1-1-1-", "１-1-1-1-1", f"1-1-1-1-{10**20}", "1-1-1-1-1 or 1"])
def test_a_place_that_no_page_named_is_refused(desk, place):
    with pytest.raises(InvalidRequestError, match="第一页"):
        desk(after=place)


def test_words_are_found_in_the_question_and_in_every_other_wording(db, add, desk, now):
    found, other = add("打印机卡纸怎么处理"), add("食堂几点开门")
    with db.write() as session:
        shares.join(history.find(session, found), "third", Wording("OFD 檔案打不開", "ofd档案打开"), now, receipt=True)
    for words, numbers in (
        ("卡纸", [found]),
        ("处理 打印", [found]),
        ("ofd", [found]),
        ("档案", [found]),
        ("档案 卡纸", []),
        ("几点", [other]),
        ("%", []),
        ("_", []),
    ):
        assert desk(Choice("王敏", View.ALL, words=words)) == numbers, words


def test_a_merged_ticket_is_still_found_by_its_question(db, add, desk, now):
    from kb.tickets import regroup  # noqa: PLC0415 - this test alone regroups

    gone, kept = add("报销单被退回"), add("打印机卡纸")
    with db.write() as session:
        regroup.merge(session, history.find(session, gone), history.find(session, kept), "王敏", now)
    assert set(desk(Choice("王敏", View.ALL, words="退回"))) == {gone, kept}


def test_more_words_than_anybody_needs_are_refused(desk):
    with pytest.raises(InvalidRequestError, match="8 个词"):
        desk(Choice("王敏", words="一 二 三 四 五 六 七 八 九"))


def test_filters_narrow_together(add, desk, now):
    wanted = add(module="travel", category="fault", priority="urgent", then=lambda ticket: lifecycle.assign(ticket, "陈晨", "王敏", now))
    add(module="travel", category="fault")
    add(module="travel", priority="urgent")
    add(category="fault", priority="urgent")
    assert desk(Choice("王敏", module="travel", category="fault", priority="urgent", assignee="陈晨", state="assigned")) == [wanted]
    assert desk(Choice("王敏", module="travel", state="waiting")) == []


def test_counts_are_one_statement_and_tell_what_came_since(db, add, asked):
    first = add(module="travel")
    add(module="travel"), add(module="invoices"), add(waiting=0, silent=1, module="travel")
    with db.read() as session:
        told = asked(db, lambda: queue.counts(session, Choice("王敏", module="travel"), first))
    assert len(told.sql) == 1
    assert (told.result.new, told.result.newest, told.result.views[View.OPEN]) == (1, first + 3, 3)
    with db.read() as session:
        assert queue.counts(session, Choice("王敏", words="打印机"), first).new == 2


def test_every_page_is_read_from_indexes_and_the_primary_key(db, add, asked):
    """No step of a plan reads all tickets with their questions, but for the view of all; what is sorted comes from an index that holds what is asked for."""
    add()
    for view, sort in product(set(View) - {View.ALL}, Sort):
        choice = Choice("王敏", view, sort, module="travel", category="fault")
        with db.read() as session:
            told = [asked(db, lambda: queue.page(session, choice)), asked(db, lambda: queue.counts(session, choice, 1))]  # noqa: B023 - called at once
            plans = [session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters) for one in told for sql, parameters in one.sql]
            reads = [row[3] for plan in plans for row in plan if "tickets" in row[3]]
        assert len(plans) == 2
        assert reads
        assert [step for step in reads if "COVERING INDEX" not in step and "PRIMARY KEY" not in step] == ["SEARCH tickets"], "the highest number alone"
