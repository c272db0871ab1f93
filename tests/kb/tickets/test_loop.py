"""The loop closes by itself: what a build answers is resolved where an article says so, and suggested where it only seems so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from kb.search.intents import Trigger
from kb.tickets import history, lifecycle, loop
from kb.tickets.intake import Finished, record
from kb.tickets.loop import close_answered
from kb.tickets.models import Phrasing, Replay, Ticket

PRINTER = "打印机卡纸怎么处理"
OTHERS = {"office/canteen.md": ("食堂十一点半开门。\n", "食堂几点开门", {}), "office/bus.md": ("班车七点半发车。\n", "班车几点发车", {})}


@pytest.fixture
def build_with(publish, article, tmp_path):
    """Publish the two old articles and these: `build_with(("关机再开机。", "打印机卡纸", {"answers": […]}))`."""

    def build_(*more):
        for old in (tmp_path / "articles").rglob("new*.md"):
            old.unlink()
        files = OTHERS | {f"office/new{number}.md": one for number, one in enumerate(more)}
        return publish({path: article(f"{body}\n", title, **meta) for path, (body, title, meta) in files.items()})

    return build_


@pytest.fixture
def ask(db, now):
    def ask_(published, query, person="asker"):
        return record(db, published, Finished(f"{person} {query}", query, Trigger.ENTER, person), now, 20).number

    return ask_


@pytest.fixture
def close(db, now):
    def close_(published, minutes=10):
        return close_answered(db, published, now + timedelta(minutes=minutes))

    return close_


def standings(db):
    with db.read() as session:
        return {ticket.number: (ticket.state, ticket.suggested) for ticket in session.scalars(select(Ticket))}


def printer(**meta):
    return ("关机，拉出纸盒，取出卡住的纸，再开机。", "打印机卡纸", {"questions": [PRINTER]} | meta)


def test_an_article_that_names_a_ticket_and_answers_all_its_wordings_resolves_it_for_everybody(db, build_with, ask, close):
    before = build_with()
    number = ask(before, PRINTER)
    ask(before, "打印机卡纸，怎么处理？", "colleague")
    found = close(build_with(printer(answers=[f"T-{number}"])))
    assert found.resolved == (number,)
    with db.read() as session:
        ticket = history.find(session, number)
        assert (ticket.state, ticket.people) == ("resolved", 2)
        assert [(event.kind, event.actor, event.article) for event in ticket.events][-1] == ("resolved", "system", "office/new0")


def test_one_wording_that_the_article_does_not_answer_leaves_the_ticket_to_the_agents(db, build_with, ask, close):
    before = build_with()
    number = ask(before, PRINTER)
    with db.write() as session:
        ticket = history.find(session, number)
        moment = ticket.opened_at
        history.add_phrasing(ticket, Phrasing(text="复印机的墨盒在哪里领", key="领 墨盒", terms=[], asked=1, first_at=moment, last_at=moment))
    found = close(build_with(printer(answers=[f"T-{number}"])))
    assert (found.resolved, found.suggested) == ((), (number,))
    assert standings(db) == {number: ("new", "office/new0")}


def test_a_ticket_that_nobody_named_is_only_suggested(db, build_with, ask, close):
    number = ask(build_with(), PRINTER)
    found = close(build_with(printer()))
    assert (found.resolved, found.suggested) == ((), (number,))
    assert standings(db) == {number: ("new", "office/new0")}


def test_who_saw_the_answer_and_said_that_it_is_none_is_not_suggested_the_same(db, build_with, close, now):
    published = build_with(printer())
    record(db, published, Finished("one", PRINTER, Trigger.UNSOLVED, "asker"), now, 20)
    assert close(published).suggested == ()
    assert close(build_with(printer(), ("到前台补办。", "工牌丢了", {}))).suggested == ()


def test_what_made_the_wording_findable_later_never_closes_a_ticket_unless_the_article_itself_changed(db, build_with, ask, close):
    vague = ("取出卡住的纸，再开机。", "设备故障", {})
    number = ask(build_with(), PRINTER)
    named = (vague[0], vague[1], {"answers": [f"T-{number}"]})
    assert close(build_with(named)).resolved == ()
    helped = build_with(named, ("见设备故障。", "打印机卡纸", {"questions": [PRINTER]}))
    assert close(helped).resolved == ()
    changed = ("关机，取出卡住的纸，再开机。", vague[1], named[2])
    assert close(build_with(changed, ("见设备故障。", "打印机卡纸", {"questions": [PRINTER]}))).resolved == (), "another article answers"
    assert close(build_with(printer(answers=[f"T-{number}"]))).resolved == (number,)


def test_asking_the_same_build_again_changes_nothing(db, build_with, ask, close):
    named, plain = ask(build_with(), PRINTER), ask(build_with(), "工牌丢了去哪里补")
    published = build_with(printer(answers=[f"T-{named}"]), ("到前台补办。", "工牌丢了去哪里补", {}))
    assert close(published).resolved == (named,)
    before = standings(db)
    again = close(published, minutes=20)
    assert (again.resolved, again.suggested) == ((), ())
    assert standings(db) == before == {named: ("resolved", ""), plain: ("new", "office/new1")}


def test_a_ticket_that_was_reopened_is_not_closed_again_by_the_same_article(db, build_with, ask, close, now):
    number = ask(build_with(), PRINTER)
    published = build_with(printer(answers=[f"T-{number}"]))
    close(published)
    with db.write() as session:
        lifecycle.reopen(history.find(session, number), "还是卡", "小李", now + timedelta(minutes=30))
    assert close(published, minutes=40).resolved == ()
    assert standings(db)[number][0] == "in_progress"


def test_a_suggestion_that_no_longer_holds_goes_and_one_that_was_dismissed_does_not_come_back(db, build_with, ask, close, now):
    number = ask(build_with(), PRINTER)
    close(build_with(printer()))
    assert standings(db)[number] == ("new", "office/new0")
    close(build_with(), minutes=20)
    assert standings(db)[number] == ("new", "")
    published = build_with(printer())
    close(published, minutes=30)
    with db.write() as session:
        lifecycle.dismiss(history.find(session, number), "小李", now + timedelta(minutes=31))
    close(published, minutes=40)
    assert standings(db)[number] == ("new", "")


def test_an_article_for_some_people_only_answers_nobody_elses_ticket(db, build_with, ask, close):
    number = ask(build_with(), PRINTER)
    found = close(build_with(printer(answers=[f"T-{number}"], audience=["finance"])))
    assert (found.resolved, found.suggested) == ((), ())
    assert standings(db)[number] == ("new", "")


def test_an_article_that_names_a_merged_ticket_answers_the_one_that_goes_on(db, build_with, ask, close, now):
    from kb.tickets import regroup  # noqa: PLC0415 - only here

    first, second = ask(build_with(), "出纸口总是夹住"), ask(build_with(), PRINTER)
    with db.write() as session:
        source, target = history.find(session, first), history.find(session, second)
        regroup.merge(session, source, target, "小李", now)
    found = close(build_with((*printer()[:2], {"questions": [PRINTER, "出纸口总是夹住"], "answers": [f"T-{first}"]})))
    assert found.resolved == (second,)


def test_numbers_that_no_ticket_has_are_told(build_with, close):
    assert close(build_with(printer(answers=["T-4711"]))).unknown == (4711,)


def test_an_article_takes_the_place_of_the_public_reply(db, build_with, ask, close, now):
    number = ask(build_with(), PRINTER)
    with db.write() as session:
        lifecycle.publish(history.find(session, number), "known", "已报修，今天下午修好。", "小李", "agent", now, now + timedelta(days=3))
    close(build_with(printer(answers=[f"T-{number}"])))
    with db.read() as session:
        ticket = history.find(session, number)
        assert lifecycle.live_public_replies(ticket, now + timedelta(minutes=11)) == []
        assert "retired" in [event.kind for event in ticket.events]
        assert session.scalar(select(Replay.answered)) is True


def test_an_article_never_closes_what_its_reader_has_opened_again(db, build_with, ask, close, now):
    before = build_with(printer())
    number = record(db, before, Finished("one", PRINTER, Trigger.UNSOLVED, "asker"), now, 20).number
    with db.write() as session:
        lifecycle.resolve(history.find(session, number), "小李", now + timedelta(minutes=1), article="office/new0")
    named = printer(answers=[f"T-{number}"])
    close(build_with(named), minutes=5)
    with db.write() as session:
        lifecycle.reopen(history.find(session, number), "还是卡", "小李", now + timedelta(minutes=30))
    assert close(build_with(named, ("到前台补办。", "工牌丢了", {})), minutes=40).resolved == ()
    assert standings(db)[number][0] == "in_progress"


def test_more_wordings_than_are_tried_are_left_to_the_agents(db, build_with, ask, close, monkeypatch):
    monkeypatch.setattr(loop, "MOST_WORDINGS", 1)
    before = build_with()
    number = ask(before, PRINTER)
    ask(before, "打印机卡纸，怎么处理？", "colleague")
    assert close(build_with(printer(answers=[f"T-{number}"]))).resolved == ()
    assert standings(db)[number] == ("new", "office/new0")


def test_a_wording_that_joins_while_the_others_are_asked_is_asked_too(db, build_with, ask, close, monkeypatch):
    before = build_with()
    number = ask(before, PRINTER)
    published = build_with(printer(answers=[f"T-{number}"]))
    answered_by = loop.answered_by

    def joined_meanwhile(*arguments):
        ask(before, "打印机卡纸，怎么处理？", "colleague")
        return answered_by(*arguments)

    monkeypatch.setattr(loop, "answered_by", joined_meanwhile)
    assert close(published).resolved == ()
    monkeypatch.undo()
    assert close(published, minutes=20).resolved == (number,)
