"""Which agents have a ticket on screen, so that two do not write the same answer side by side."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from kb.tickets.models import Presence

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

COUNTS_FOR = timedelta(seconds=60)
"""How long somebody is taken to be there still: three times what lies between two looks of a page."""
FRESH_FOR = timedelta(seconds=15)
"""How long a stored presence says nothing new, so that looking seldom writes."""


def is_noted(session: Session, number: int, agent: str, now: datetime, *, writing: bool) -> bool:
    """Tell whether what would be noted stands there already, younger than `FRESH_FOR`."""
    stored = session.get(Presence, (number, agent))
    return stored is not None and stored.writing == writing and now - stored.seen_at < FRESH_FOR


def note(session: Session, number: int, agent: str, now: datetime, *, writing: bool) -> None:
    """Note that an agent has an existing ticket on screen, and whether they have typed something; presences that no longer count are forgotten."""
    session.execute(delete(Presence).where(Presence.seen_at <= now - COUNTS_FOR))
    session.merge(Presence(ticket_number=number, agent=agent, writing=writing, seen_at=now))


def others(session: Session, number: int, agent: str, now: datetime) -> list[Presence]:
    """Return the presences of other agents that still count, those who write first."""
    there = (Presence.ticket_number == number, Presence.agent != agent, Presence.seen_at > now - COUNTS_FOR)
    return list(session.scalars(select(Presence).where(*there).order_by(Presence.writing.desc(), Presence.agent)))


def in_words(others: list[Presence]) -> str:
    """Return who else is there as one sentence (李雷正在写回复，王敏也开着这一页。), "" when nobody is."""
    writing = "、".join(one.agent for one in others if one.writing)
    looking = "、".join(one.agent for one in others if not one.writing)
    said = [f"{writing}正在写回复" if writing else "", f"{looking}也开着这一页" if looking else ""]
    return "，".join(filter(None, said)) + ("。" if others else "")
