"""A database of the version before this one comes along with everything in it."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import select, text

from kb.db import MIGRATIONS, Database
from kb.tickets import history, lifecycle, shares
from kb.tickets.clusters import open_ticket_for, wording_of
from kb.tickets.models import Follower, Phrasing, PhrasingTerm, Ticket, TicketEvent
from kb.tickets.reindexing import note_missing_terms
from tests.kb.tickets.conftest import consistent

# What happened to an old ticket (kind, or kind and who did it) → where it stands: state, who has it, why it is closed.
STORIES = {
    1001: ("", ("new", "", "")),
    1002: ("reworded", ("new", "", "")),
    1003: ("assigned:lin", ("assigned", "lin", "")),
    1004: ("assigned:lin assigned:wang replied:wang", ("in_progress", "wang", "")),
    1005: ("replied:lin", ("in_progress", "", "")),
    1006: ("assigned:lin resolved:lin", ("resolved", "lin", "")),
    1007: ("resolved:lin confirmed", ("confirmed", "", "")),
    1008: ("resolved:lin reopened", ("in_progress", "", "")),
    1009: ("resolved:lin confirmed reopened assigned:wang resolved:wang", ("resolved", "wang", "")),
    1010: ("withdrawn", ("closed", "", "withdrawn")),
}
QUESTION = "食堂 {} 号窗口几点开门"


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory, now_once):
    """A database of migration 0001 with a ticket of every kind, brought to this version once for all tests here."""
    db = Database(f"sqlite:///{tmp_path_factory.mktemp('old') / 'kb.sqlite3'}")
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    with db.engine.execution_options(kb_write=True).connect() as connection, connection.begin():
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
        for number, (steps, _) in STORIES.items():
            _tell(connection, number, steps.split())
    assert db.upgrade(now_once) is not None, "a backup was made"
    yield db
    db.engine.dispose()


@pytest.fixture(scope="module")
def now_once():
    from tests.conftest import NOW  # noqa: PLC0415 - the fixture of this name lives for one test

    return NOW


def _tell(connection, number, steps):
    """Write an old ticket: two people (one told details and how to be reached), a third who took their share back, two wordings, events."""
    moment, question, withdrawn = "2026-11-{:02} 09:30:00.000000", QUESTION.format(number), steps == ["withdrawn"]
    run = lambda statement, **values: connection.execute(text(statement), values)  # noqa: E731 - a shorthand for eight statements
    run("INSERT INTO tickets VALUES (:number, :question, 'mobile', :at)", number=number, question=question, at=moment.format(1))
    for at, (person, waiting, gone, details, contact) in enumerate(
        [("she", True, withdrawn, "在三楼", "8001"), ("he", False, withdrawn, "", ""), ("gone", True, True, "不用了", "")], 1
    ):
        run(
            "INSERT INTO followers (ticket_number, person, token, wording, waiting, joined_at, withdrawn_at, seen_at, details, contact) "
            "VALUES (:number, :person, :token, :question, :waiting, :at, :gone, NULL, :details, :contact)",
            number=number, person=person, token=f"{person}-{number}", question=question, waiting=waiting, at=moment.format(at),
            gone=moment.format(20) if gone else None, details=details, contact=contact,
        )  # fmt: skip
    for wording, asked in ((question, 2), (f"请问{question}", 0)):
        run(
            "INSERT INTO phrasings (ticket_number, text, key, asked, first_at, last_at) VALUES (:number, :text, :key, :asked, :at, :at)",
            number=number, text=wording, key=f"key {number}", asked=asked, at=moment.format(1),
        )  # fmt: skip
    for at, step in enumerate(["opened", *steps], 1):
        kind, _, who = step.partition(":")
        run(
            "INSERT INTO ticket_events (ticket_number, kind, at, actor, body, article) VALUES (:number, :kind, :at, :actor, :body, :article)",
            number=number, kind=kind, at=moment.format(at), actor=who or "asker", body=f"{kind} {number}", article="m/a" if kind == "resolved" else "",
        )  # fmt: skip


def test_every_old_ticket_stands_where_its_events_put_it(upgraded):
    with upgraded.read() as session:
        found = {one.number: (one.state, one.assignee, one.closed_as) for one in session.scalars(select(Ticket))}
        assert found == {number: stands for number, (_, stands) in STORIES.items()}
        consistent(session)


def test_people_their_addresses_and_what_they_told_are_kept(upgraded):
    with upgraded.read() as session:
        for number in STORIES:
            ticket, hers = history.find(session, number), shares.share(session, f"she-{number}")
            closed = ticket.closed_as == "withdrawn"
            assert (ticket.people, ticket.waiting) == ((0, 0) if closed else (2, 1))
            assert ([detail.body for detail in hers.details], hers.contact, hers.ticket) == (["在三楼"], "8001", ticket)
            added = [event for event in ticket.events if event.kind == "added"]
            assert [(event.text, event.body, event.follower.person) for event in added] == [("在三楼", "", "she"), ("不用了", "", "gone")]


def test_of_whom_a_site_vouched_for_it_is_known_where_they_asked(tmp_path, now):
    db = Database(f"sqlite:///{tmp_path / 'kb.sqlite3'}")
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    with db.engine.execution_options(kb_write=True).connect() as connection, connection.begin():
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
        _tell(connection, 1001, [])
        connection.execute(text("UPDATE followers SET person = 's:travel:e-7:x' WHERE person = 'she'"))
    db.upgrade(now)
    with db.read() as session:
        found = {one.person: one.site for one in session.scalars(select(Follower))}
    assert found == {"s:travel:e-7:x": "travel", "he": "", "gone": ""}
    db.engine.dispose()


def test_in_tickets_that_were_asked_on_sites_people_read_from_when_their_site_came(tmp_path, now):
    db = Database(f"sqlite:///{tmp_path / 'kb.sqlite3'}")
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS))
    with db.engine.execution_options(kb_write=True).connect() as connection, connection.begin():
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
        for number in (1001, 1002):
            _tell(connection, number, [])
        late = "UPDATE followers SET person = 's:travel:7', joined_at = '2026-11-19 09:30:00.000000' WHERE person = 'he' AND ticket_number = 1001"
        connection.execute(text(late))
    db.upgrade(now)
    with db.write() as session:
        before = (TicketEvent.ticket_number == 1001, TicketEvent.at < datetime(2026, 11, 19, 9, 30, tzinfo=UTC))
        last = max(session.scalars(select(TicketEvent.id).where(*before)))
        found = {(one.ticket_number, one.site, one.reads_after) for one in session.scalars(select(Follower))}
        assert found == {(1001, "travel", last), (1001, "", 0), (1002, "", 0)}
        session.execute(text("UPDATE followers SET came_from = '[[7,9],[8,4]]' WHERE site = 'travel'"))
        session.execute(text(import_module("kb.migrations.versions.0007_who_heard_what").ALL_OF_WHERE_THEY_WERE_BEFORE))
    with db.read() as session:
        assert {str(one.came_from) for one in session.scalars(select(Follower))} == {"[[7, 9, 0], [8, 4, 0]]", "[]"}
    db.engine.dispose()


def test_nobody_reads_what_another_wrote_before_or_why_they_reopened(upgraded):
    with upgraded.read() as session:
        his = shares.share(session, "he-1008")
        assert [event.text for event in shares.seen_by(his)] == ["resolved 1008"]
        assert [event.text for event in shares.seen_by(shares.share(session, "she-1008"))] == ["resolved 1008", "在三楼"]


def test_why_somebody_reopened_an_old_ticket_is_forgotten_with_the_details(upgraded):
    with upgraded.read() as session:
        reopened = list(session.scalars(select(TicketEvent).where(TicketEvent.kind == "reopened")))
        assert [(event.body, event.text, event.detail.body) for event in reopened] == [
            ("", f"reopened {number}", f"reopened {number}") for number in (1008, 1009)
        ]


def test_old_tickets_are_worked_on_like_new_ones(upgraded, now):
    with upgraded.read() as session:
        for ticket in session.scalars(select(Ticket).where(Ticket.open)):
            lifecycle.reply(ticket, "在查", "lin", now)
            assert ticket.state == "in_progress"
        consistent(session)


def test_wordings_of_old_open_tickets_are_found_by_their_terms_again(upgraded, shipped):
    with upgraded.read() as session:
        assert list(session.scalars(select(PhrasingTerm))) == []
    open_ = [number for number, (_, (state, *_)) in STORIES.items() if state in {"new", "assigned", "in_progress"}]
    assert note_missing_terms(upgraded, shipped) == 2 * len(open_)
    assert note_missing_terms(upgraded, shipped) == 0
    with upgraded.read() as session:
        consistent(session)
        noted = {one.ticket_number for one in session.scalars(select(Phrasing)) if one.terms}
        assert noted == set(open_)
        assert open_ticket_for(session, shipped, wording_of(shipped, "请问几点开门，食堂 1003 号窗口")).number == 1003
        assert session.scalar(select(TicketEvent.kind).where(TicketEvent.undoes.is_not(None))) is None
        assert len(set(session.scalars(select(Follower.token)))) == 3 * len(STORIES)


def test_the_number_of_a_file_or_wording_that_is_gone_is_never_given_again(upgraded):
    with upgraded.read() as session:
        tables = session.execute(text("SELECT name, sql FROM sqlite_master WHERE name IN ('attachments', 'phrasings')")).all()
        assert {name for name, sql in tables if "AUTOINCREMENT" in sql} == {"attachments", "phrasings"}
        indexes = set(session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'phrasings'")))
        assert indexes == {"ix_phrasings_key", "ix_phrasings_ticket"}
