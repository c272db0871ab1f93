"""A ticket is a cluster of people with the same wish. Its state is computed from events, which are only ever added."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kb.db import Base, Moment

FIRST_NUMBER = 1001


class Ticket(Base):
    """One question that people wait to have answered. `module` is a guess, "" when nothing points to one."""

    __tablename__ = "tickets"

    number: Mapped[int] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(Text)
    module: Mapped[str] = mapped_column(String(80))
    opened_at: Mapped[datetime] = mapped_column(Moment)
    events: Mapped[list[TicketEvent]] = relationship(order_by="TicketEvent.id", lazy="selectin")
    followers: Mapped[list[Follower]] = relationship(order_by="Follower.id")
    phrasings: Mapped[list[Phrasing]] = relationship(order_by="Phrasing.id", lazy="selectin")

    @property
    def name(self) -> str:
        """How people call it: T-1024."""
        return f"T-{self.number}"


class TicketEvent(Base):
    """Something that happened to a ticket: who, when, what. Never changed, never deleted."""

    __tablename__ = "ticket_events"
    __table_args__ = (Index("ix_ticket_events_ticket", "ticket_number", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"))
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(String(80))
    body: Mapped[str] = mapped_column(Text, default="")
    article: Mapped[str] = mapped_column(String(200), default="")


class Follower(Base):
    """A person's share in a ticket, with the address of a page that only they know. `waiting` is false for those who never saw a receipt."""

    __tablename__ = "followers"
    __table_args__ = (UniqueConstraint("ticket_number", "person"), Index("ix_followers_person", "person"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"))
    person: Mapped[str] = mapped_column(String(80))
    token: Mapped[str] = mapped_column(String(64), unique=True)
    wording: Mapped[str] = mapped_column(Text)
    waiting: Mapped[bool]
    joined_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)
    seen_at: Mapped[datetime | None] = mapped_column(Moment)
    details: Mapped[str] = mapped_column(Text, default="")
    contact: Mapped[str] = mapped_column(String(200), default="")
    ticket: Mapped[Ticket] = relationship(back_populates="followers")


class Phrasing(Base):
    """One wording of a ticket's question and how often it was asked. `key` is equal for trivially different words."""

    __tablename__ = "phrasings"
    __table_args__ = (Index("ix_phrasings_key", "key"), Index("ix_phrasings_ticket", "ticket_number"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"))
    text: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    asked: Mapped[int]
    first_at: Mapped[datetime] = mapped_column(Moment)
    last_at: Mapped[datetime] = mapped_column(Moment)
