"""What time does to tickets: answers that nobody objects to count as confirmed, and what belongs to one person is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import aliased

from kb import working_days
from kb.tickets import lifecycle
from kb.tickets.models import Attachment, Detail, Follower, Presence, Ticket, TicketEvent
from kb.tickets.standing import State

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from kb.db import Database
    from kb.files import FileStore

KEPT = timedelta(days=90)
"""How long what people wrote and sent about their own case is kept after their ticket ended."""
_BATCH = 200
"""Tickets that are closed, and shares that are emptied, in one transaction: others want to write too."""
_PRESENT = timedelta(minutes=5)
_ORPHANED = timedelta(hours=1)


def close_unconfirmed(db: Database, now: datetime) -> int:
    """Close resolved tickets that nobody confirmed or reopened for three working days; return how many."""
    days = lifecycle.EXPIRES_AFTER_WORKING_DAYS
    closed = after = 0
    while True:
        with db.write() as session:
            due = select(Ticket).where(Ticket.state == State.RESOLVED.value, Ticket.resolved_at <= now - timedelta(days=days), Ticket.number > after)
            tickets = list(session.scalars(due.order_by(Ticket.number).limit(_BATCH)))
            for ticket in tickets:
                after = ticket.number
                if ticket.resolved_at is not None and working_days.after(ticket.resolved_at, days) <= now:
                    lifecycle.expire(ticket, now)
                    closed += 1
        if len(tickets) < _BATCH:
            return closed


def forget(db: Database, files: FileStore, now: datetime) -> int:
    """Empty details, contacts and files of shares whose ticket ended 90 days ago or longer; return how many texts and files were forgotten."""
    forgotten = 0
    while True:
        with db.write() as session:
            ended = select(Ticket.number).where(Ticket.open.is_(False), Ticket.ended_at <= now - KEPT)
            mine = aliased(Follower)
            its = select(mine.id).where(mine.ticket_number.in_(ended))
            about = select(TicketEvent.id).where(TicketEvent.ticket_number.in_(ended), TicketEvent.follower_id.is_(None))
            due = select(Detail.id).where(Detail.forgotten_at.is_(None), or_(Detail.follower_id.in_(its), Detail.event_id.in_(about))).limit(_BATCH)
            texts = list(session.scalars(due))
            session.execute(update(Detail).where(Detail.id.in_(texts)).values(body="", forgotten_at=now))
            session.execute(update(Follower).where(Follower.ticket_number.in_(ended), Follower.contact != "").values(contact=""))
            attached = list(session.scalars(select(Attachment).where(Attachment.follower_id.in_(its)).limit(_BATCH)))
            remove_files(session, files, attached)
        forgotten += len(texts) + len(attached)
        if len(texts) < _BATCH and len(attached) < _BATCH:
            return forgotten


def remove_files(session: Session, files: FileStore, attached: list[Attachment]) -> None:
    """Remove attachments, and the content of those that nobody else added too."""
    for one in attached:
        session.delete(one)
    session.flush()
    for digest in {one.digest for one in attached}:
        if session.scalar(select(Attachment.id).where(Attachment.digest == digest).limit(1)) is None:
            files.remove(digest)


def tidy(db: Database, files: FileStore, now: datetime) -> None:
    """Drop who had which ticket on screen, and file contents that no ticket refers to since an hour: halves of requests that were cut."""
    with db.write() as session:
        session.execute(delete(Presence).where(Presence.seen_at < now - _PRESENT))
    with db.read() as session:
        referred = set(session.scalars(select(Attachment.digest)))
    files.sweep(referred, now - _ORPHANED)
