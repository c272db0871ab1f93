"""Finished questions as they are stored: masked, with the verdict they got."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kb.db import Base, Moment


class Intent(Base):
    """One wish of one person. `superseded_by` names the intent that revised it; only those without one count.

    `public_reply` is the id of the one that was shown with the results instead of a ticket.
    """

    __tablename__ = "intents"
    __table_args__ = (Index("ix_intents_person_at", "person", "at"), Index("ix_intents_at", "at"), Index("ix_intents_ticket", "ticket_number"))

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(String(80))
    query: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(String(12))
    score: Mapped[float]
    matched: Mapped[list[str]] = mapped_column(JSON)
    missing: Mapped[list[str]] = mapped_column(JSON)
    build: Mapped[str] = mapped_column(String(64))
    verdict_version: Mapped[int]
    hits: Mapped[int]
    trigger: Mapped[str] = mapped_column(String(12))
    opened: Mapped[str | None] = mapped_column(String(200))
    rank: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(Moment)
    revised_at: Mapped[datetime | None] = mapped_column(Moment)
    superseded_by: Mapped[str | None] = mapped_column(String(64))
    ticket_number: Mapped[int | None] = mapped_column(ForeignKey("tickets.number"))
    public_reply: Mapped[int | None]
    staff: Mapped[bool]
    limited: Mapped[bool]
