"""What nobody could answer: tickets still open, by the number of different people who asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb.tickets.queue import open_tickets

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Gap:
    """An unanswered question: its ticket, its other wordings (most asked first), and demand in people."""

    number: int
    question: str
    wordings: tuple[str, ...]
    module: str
    people: int
    waiting: int
    first_seen: datetime
    last_seen: datetime
    state: str


def open_gaps(session: Session) -> list[Gap]:
    """Return the open questions, most people first, then most recent."""
    gaps = []
    for ticket in open_tickets(session):
        phrasings = sorted(ticket.phrasings, key=lambda phrasing: (-phrasing.asked, phrasing.id))
        last = max((phrasing.last_at for phrasing in phrasings), default=ticket.opened_at)
        wordings = tuple(phrasing.text for phrasing in phrasings if phrasing.asked and phrasing.text != ticket.question)
        gaps.append(Gap(ticket.number, ticket.question, wordings, ticket.module, ticket.people, ticket.waiting, ticket.opened_at, last, ticket.state))
    return sorted(gaps, key=lambda gap: (-gap.people, -gap.last_seen.timestamp()))
