"""The same question in the same or trivially different words belongs to the same open ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from kb.tickets.lifecycle import is_open
from kb.tickets.models import Phrasing, Ticket

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def open_ticket_for(session: Session, key: str) -> Ticket | None:
    """Return the oldest open ticket with a phrasing of this key (see `indexer.question.Question.key`), or None."""
    numbers = select(Phrasing.ticket_number).where(Phrasing.key == key).distinct()
    tickets = session.scalars(select(Ticket).where(Ticket.number.in_(numbers)).order_by(Ticket.number))
    return next((ticket for ticket in tickets if is_open(ticket)), None)
