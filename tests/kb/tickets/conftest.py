"""Tickets for which people wait, and what must be true of all tickets at any time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from kb.tickets import history, shares
from kb.tickets.models import Detail, Follower, PhrasingTerm, Ticket
from kb.tickets.shares import Wording


@pytest.fixture
def two(db, now):
    """Do something in one transaction to a ticket for which two people wait, and return what comes of it: `two(lambda ticket, hers, his: …)`."""

    def two_(do):
        with db.write() as session:
            ticket = history.open_ticket(session, "打印机卡纸怎么处理", now)
            both = [
                shares.join(ticket, person, Wording("打印机卡纸怎么处理", "key", ("打印机", "卡纸")), now, receipt=True) for person in ("asker", "colleague")
            ]
            result = do(ticket, *both)
            consistent(session)
            return result

    return two_


@pytest.fixture
def later(now):
    """Return a later moment at each call."""
    minutes = iter(range(1, 10_000))
    return lambda: now + timedelta(minutes=next(minutes))


def happened(ticket):
    """Return a ticket's events without those that only tell from when time counts."""
    return [event for event in ticket.events if event.kind not in {"awaited", "unawaited"}]


def consistent(session):
    """Assert what is true of every ticket after every step: what stands beside the events is what they add up to."""
    session.flush()
    session.expire_all()
    terms = set()
    for ticket in session.scalars(select(Ticket)):
        assert history.written(ticket) == history.standing(ticket), ticket.name
        assert ticket.version == ticket.events[-1].id
        assert ticket.open == history.standing(ticket).open
        assert ticket.people == len(shares.followers(ticket))
        assert ticket.waiting == len([one for one in shares.followers(ticket) if one.waiting])
        assert not ticket.phrasings or ticket.closed_as == "merged" or ticket.question in {one.text for one in ticket.phrasings}
        if ticket.closed_as == "merged":
            assert not ticket.phrasings
            assert not shares.followers(ticket)
        if ticket.open:
            terms |= {(term, one.id) for one in ticket.phrasings if one.asked for term in one.terms}
    assert {(one.term, one.phrasing_id) for one in session.scalars(select(PhrasingTerm))} == terms
    for share in session.scalars(select(Follower)):
        onward = shares.share(session, share.token)
        assert onward.person == share.person
        assert share.goes_on is None or share.withdrawn_at is not None, "who goes on elsewhere is counted there"
    for detail in session.scalars(select(Detail).where(Detail.follower_id.is_not(None))):
        assert session.get_one(Follower, detail.follower_id).person == detail.event.follower.person
