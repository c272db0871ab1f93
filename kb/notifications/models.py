"""What is to be told, and each message that tells it. Both are written in the transaction that makes them due, and sent by the worker."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from kb.db import Base, Moment


class Notice(Base):
    """Something that somebody is to be told, whoever that turns out to be: one row, however many people wait for a ticket.

    `event_id`: what happened to a ticket, and `last` in `data` the share that was made last by then; `follower_id` or `user_id`: the one person whom it is
    for, where no event says so; `void` in `data`: their question was taken back before its receipt was due. `ready_at` leaves a moment in which a step
    can be taken back. `spread_at`: when the messages were written that tell it.
    """

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_unspread", "ready_at", sqlite_where=text("spread_at IS NULL")),
        Index("ix_notices_alarmed", "ready_at", sqlite_where=text("kind = 'alarmed'")),
        Index("ix_notices_event", "event_id", sqlite_where=text("event_id IS NOT NULL")),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    ticket_number: Mapped[int | None] = mapped_column(ForeignKey("tickets.number"))
    event_id: Mapped[int | None] = mapped_column(ForeignKey("ticket_events.id"))
    follower_id: Mapped[int | None] = mapped_column(ForeignKey("followers.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    data: Mapped[dict[str, list[Any]] | None] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(Moment)
    ready_at: Mapped[datetime] = mapped_column(Moment)
    spread_at: Mapped[datetime | None] = mapped_column(Moment)


class Message(Base):
    """One message to one address. `message_id` is its own for good: whoever gets it twice can tell.

    `channel`: `mail`, a group bot's name, or `hook`. It ends as sent, as dead (refused for good, or given up; `error` says why), or as void: what it
    would have said is no longer true or no longer wanted.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("notice_id", "channel", "address"),
        Index("ix_messages_due", "next_at", sqlite_where=text("ended_at IS NULL")),
        Index("ix_messages_follower", "follower_id", sqlite_where=text("follower_id IS NOT NULL")),
        Index("ix_messages_address", "address", "created_at"),
        Index("ix_messages_ended", "ended_at"),
        Index("ix_messages_dead", "id", sqlite_where=text("ended_as = 'dead'")),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"))
    channel: Mapped[str] = mapped_column(String(40))
    address: Mapped[str] = mapped_column(String(200))
    follower_id: Mapped[int | None] = mapped_column(ForeignKey("followers.id"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    message_id: Mapped[str] = mapped_column(String(120), unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    next_at: Mapped[datetime] = mapped_column(Moment)
    tries: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_as: Mapped[str] = mapped_column(String(10), default="")
    error: Mapped[str] = mapped_column(String(400), default="")


class MutedAddress(Base):
    """A mail address that wants nothing from us, whoever writes it down as their contact; only its digest is kept. Mail to an account goes on."""

    __tablename__ = "muted_addresses"

    digest: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)


class Mute(Base):
    """An agent who wants no more messages about one ticket."""

    __tablename__ = "mutes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
