"""What time does to tickets: answers that nobody objects to count as confirmed, and what belongs to one person is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, or_, select, update

from kb.tickets import lifecycle
from kb.tickets.models import Attachment, Detail, Follower, Presence, Ticket, TicketEvent
from kb.tickets.standing import State

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from kb.business_hours import BusinessHours
    from kb.db import Database
    from kb.files import FileStore

KEPT = timedelta(days=90)
"""How long what people wrote and sent about their own case is kept after their ticket ended."""
_BATCH = 200
"""Tickets that are closed, and shares that are emptied, in one transaction: others want to write too."""
_PRESENT = timedelta(minutes=5)
_ORPHANED = timedelta(hours=1)


def close_unconfirmed(db: Database, hours: BusinessHours, now: datetime) -> int:
    """Close resolved tickets that nobody confirmed or reopened for three working days of the company; return how many."""
    days = lifecycle.EXPIRES_AFTER_WORKING_DAYS
    closed = after = 0
    while True:
        with db.write() as session:
            due = select(Ticket).where(Ticket.state == State.RESOLVED.value, Ticket.resolved_at <= now - timedelta(days=days), Ticket.number > after)
            tickets = list(session.scalars(due.order_by(Ticket.number).limit(_BATCH)))
            for ticket in tickets:
                after = ticket.number
                if ticket.resolved_at is not None and hours.days_after(ticket.resolved_at, days) <= now:
                    lifecycle.expire(ticket, now)
                    closed += 1
        if len(tickets) < _BATCH:
            return closed


def forget(db: Database, files: FileStore, now: datetime) -> int:
    """Empty details, contacts, contexts and files of shares whose ticket ended 90 days ago or longer; return how many texts and files were forgotten.

    What stands in a ticket that was merged goes with the one that goes on.
    """
    forgotten = 0
    while True:
        with db.write() as session:
            over = and_(Ticket.open.is_(False), Ticket.ended_at <= now - KEPT)
            ended = select(Ticket.number).where(over, Ticket.merged_into.is_(None))
            its = select(Follower.id).where(Follower.ticket_number.in_(select(Ticket.number).where(over)))
            gone_on = select(Ticket.number, Ticket.merged_into).where(Ticket.merged_into.is_not(None)).cte(recursive=True)
            further = gone_on.union(select(gone_on.c.number, Ticket.merged_into).join(Ticket, Ticket.number == gone_on.c.merged_into))
            merged = select(further.c.number).where(further.c.merged_into.in_(ended))
            about = select(TicketEvent.id).where(
                or_(TicketEvent.ticket_number.in_(ended), TicketEvent.ticket_number.in_(merged)), TicketEvent.follower_id.is_(None)
            )
            due = select(Detail.id).where(Detail.forgotten_at.is_(None), or_(Detail.follower_id.in_(its), Detail.event_id.in_(about))).limit(_BATCH)
            texts = list(session.scalars(due))
            session.execute(update(Detail).where(Detail.id.in_(texts)).values(body="", forgotten_at=now))
            kept = or_(Follower.contact != "", Follower.context != "")
            session.execute(update(Follower).where(Follower.id.in_(its), kept).values(contact="", context=""))
            attached = list(session.scalars(select(Attachment).where(Attachment.follower_id.in_(its)).limit(_BATCH)))
            digests = drop_files(session, attached)
        remove_contents(db, files, digests)
        forgotten += len(texts) + len(attached)
        if len(texts) < _BATCH and len(attached) < _BATCH:
            return forgotten


def drop_files(session: Session, attached: list[Attachment]) -> set[str]:
    """Drop attachments; return the digests of their contents, for `remove_contents` once this is on disk."""
    for one in attached:
        session.delete(one)
    return {one.digest for one in attached}


def remove_contents(db: Database, files: FileStore, digests: set[str]) -> None:
    """Remove contents that no attachment refers to any more. After the commit: a file that is gone cannot be rolled back."""
    if not digests:
        return
    with db.write() as session:  # who adds an equal file meanwhile waits here, and then finds whether it is still there
        referred = set(session.scalars(select(Attachment.digest).where(Attachment.digest.in_(digests))))
        for digest in digests - referred:
            files.remove(digest)


def tidy(db: Database, files: FileStore, now: datetime) -> None:
    """Drop who had which ticket on screen, and file contents that no ticket refers to since an hour: halves of requests that were cut."""
    with db.write() as session:
        session.execute(delete(Presence).where(Presence.seen_at < now - _PRESENT))
    with db.read() as session:
        referred = set(session.scalars(select(Attachment.digest)))
    files.sweep(referred, now - _ORPHANED)
