"""A ticket is a cluster of people with the same wish. Events are only ever added; what they add up to stands beside them, for the queue to look up."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, desc, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kb.db import Base, Moment

FIRST_NUMBER = 1001


class Ticket(Base):
    """One question that people wait to have answered.

    `module`, `category` and `priority` began as guesses ("" when nothing points to a module). From `state` on all columns are what
    the events and the shares add up to (kb.tickets.history writes them, nobody else): `people` have a share, `waiting` of them saw a receipt,
    `version` is the id of the last event, `runs` are pairs of ISO moments (see kb.tickets.standing.Run). Only `due_at`, what is due next and when, is
    as of the last look of kb.tickets.alarms.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        Index(
            "ix_tickets_queue",
            "open",
            desc("waiting"),
            desc("people"),
            "number",
            "changed_at",
            "state",
            "assignee",
            "suggested",
            "module",
            "category",
            "priority",
            "due_at",
            "alarm",
        ),
        Index("ix_tickets_assignee", "assignee", "open", "waiting", "state"),
        Index("ix_tickets_ended", "state", "ended_at"),
        Index(
            "ix_tickets_alarm",
            "open",
            "waiting",
            "due_at",
            "people",
            "number",
            "changed_at",
            "state",
            "assignee",
            "module",
            "category",
            "priority",
            "alarm",
            sqlite_where=text("alarm != ''"),
        ),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(Text)
    opened_as: Mapped[dict[str, str]] = mapped_column(JSON)
    opened_at: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(20))
    open: Mapped[bool]
    assignee: Mapped[str] = mapped_column(String(80))
    module: Mapped[str] = mapped_column(String(80))
    category: Mapped[str] = mapped_column(String(20))
    priority: Mapped[str] = mapped_column(String(20))
    closed_as: Mapped[str] = mapped_column(String(20))
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("tickets.number"))
    suggested: Mapped[str] = mapped_column(String(200))
    waiting: Mapped[int]
    people: Mapped[int]
    news_at: Mapped[datetime | None] = mapped_column(Moment)
    resolved_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    changed_at: Mapped[datetime] = mapped_column(Moment)
    version: Mapped[int]
    awaited: Mapped[bool]
    runs: Mapped[list[list[str | None]]] = mapped_column(JSON)
    responded_at: Mapped[datetime | None] = mapped_column(Moment)
    alarm: Mapped[str] = mapped_column(String(20))
    escalated: Mapped[str] = mapped_column(String(20))
    due_at: Mapped[datetime | None] = mapped_column(Moment)
    events: Mapped[list[TicketEvent]] = relationship(order_by="TicketEvent.id")
    followers: Mapped[list[Follower]] = relationship(order_by="Follower.id")
    phrasings: Mapped[list[Phrasing]] = relationship(order_by="Phrasing.id")

    @property
    def name(self) -> str:
        """How people call it: T-1024."""
        return f"T-{self.number}"


class TicketEvent(Base):
    """Something that happened to a ticket: who, when, what. Never changed, never deleted.

    `body` is for everybody who may see the event. What belongs to one person stands in `detail`, which is forgotten in time.
    `follower_id`: whom it concerns, None for all.
    """

    __tablename__ = "ticket_events"
    __table_args__ = (
        Index("ix_ticket_events_ticket", "ticket_number", "id"),
        Index("ix_ticket_events_target", "kind", "target"),
        Index("ix_ticket_events_follower", "follower_id", sqlite_where=text("follower_id IS NOT NULL")),
        Index("ix_ticket_events_undoes", "undoes", sqlite_where=text("undoes IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"))
    kind: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(String(80))
    body: Mapped[str] = mapped_column(Text, default="")
    article: Mapped[str] = mapped_column(String(200), default="")
    target: Mapped[str] = mapped_column(String(80), default="")
    follower_id: Mapped[int | None] = mapped_column(ForeignKey("followers.id"))
    undoes: Mapped[int | None] = mapped_column(ForeignKey("ticket_events.id"))
    data: Mapped[dict[str, list[Any]] | None] = mapped_column(JSON)
    detail: Mapped[Detail | None] = relationship(back_populates="event")
    follower: Mapped[Follower | None] = relationship()

    @property
    def text(self) -> str:
        """What was said, "" when nothing was or when it has been forgotten."""
        return (self.detail.body if self.detail is not None else "") or self.body


class Detail(Base):
    """What one person or agent wrote about one person's case, as written but for a person's numbers of cards (kb.masking).

    Emptied 90 days after the ticket ended; `forgotten_at` says when.
    """

    __tablename__ = "details"
    __table_args__ = (Index("ix_details_follower", "follower_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("ticket_events.id"), unique=True)
    follower_id: Mapped[int | None] = mapped_column(ForeignKey("followers.id"))
    body: Mapped[str] = mapped_column(Text)
    forgotten_at: Mapped[datetime | None] = mapped_column(Moment)
    event: Mapped[TicketEvent] = relationship(back_populates="detail")


class Follower(Base):
    """A person's share in a ticket, with the address of a page that only they know. `waiting` is false for those who never saw a receipt.

    `muted_at`: since when they want no messages about it. `reads_after`: what was said to all in this ticket up to that event is not theirs to
    read (kb.tickets.realms). `came_from`: where an agent moved it from, as a ticket's number, the last event that this person could read there, and
    their `reads_after` there. `goes_on`: the share in which the person's page goes on, when their ticket was put together with another that they
    were in already. `site`: the name of the site on which they asked, "" for our own pages; `context`: where they were there, in the host application's words.
    """

    __tablename__ = "followers"
    __table_args__ = (
        UniqueConstraint("ticket_number", "person"),
        Index("ix_followers_person", "person"),
        Index("ix_followers_site", "site", "ticket_number", sqlite_where=text("site != ''")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"))
    person: Mapped[str] = mapped_column(String(80))
    token: Mapped[str] = mapped_column(String(64), unique=True)
    wording: Mapped[str] = mapped_column(Text)
    waiting: Mapped[bool]
    joined_at: Mapped[datetime] = mapped_column(Moment)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)
    seen_at: Mapped[datetime | None] = mapped_column(Moment)
    confirmed_at: Mapped[datetime | None] = mapped_column(Moment)
    satisfaction: Mapped[int | None]
    contact: Mapped[str] = mapped_column(String(200), default="")
    muted_at: Mapped[datetime | None] = mapped_column(Moment)
    came_from: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    goes_on: Mapped[int | None] = mapped_column(ForeignKey("followers.id"))
    reads_after: Mapped[int] = mapped_column(default=0, server_default="0")
    site: Mapped[str] = mapped_column(String(40), default="", server_default="")
    context: Mapped[str] = mapped_column(String(200), default="", server_default="")
    ticket: Mapped[Ticket] = relationship(back_populates="followers")
    details: Mapped[list[Detail]] = relationship(order_by="Detail.id", viewonly=True)
    files: Mapped[list[Attachment]] = relationship(order_by="Attachment.id")


class Attachment(Base):
    """A file that a person added to their share; its content lies in kb.files under `digest`. Removed 90 days after the ticket ended."""

    __tablename__ = "attachments"
    __table_args__ = (
        Index("ix_attachments_follower", "follower_id"),
        Index("ix_attachments_digest", "digest"),
        {"sqlite_autoincrement": True},  # events name files by id: that of one that was removed must never be another's
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    follower_id: Mapped[int] = mapped_column(ForeignKey("followers.id"))
    name: Mapped[str] = mapped_column(String(120))
    media_type: Mapped[str] = mapped_column(String(80))
    size: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(Moment)


class Phrasing(Base):
    """One wording of a ticket's question and how often it was asked. `key` is equal for trivially different words; `terms` is what it is found by."""

    __tablename__ = "phrasings"
    __table_args__ = (
        Index("ix_phrasings_key", "key"),
        Index("ix_phrasings_ticket", "ticket_number"),
        {"sqlite_autoincrement": True},  # moves name wordings by id, so that they can be undone
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"))
    text: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    terms: Mapped[list[str]] = mapped_column(JSON)
    asked: Mapped[int]
    first_at: Mapped[datetime] = mapped_column(Moment)
    last_at: Mapped[datetime] = mapped_column(Moment)


class PhrasingTerm(Base):
    """A term of a wording of an open ticket, for finding wordings alike. Closed tickets have none: nobody joins them."""

    __tablename__ = "phrasing_terms"
    __table_args__ = (Index("ix_phrasing_terms_phrasing", "phrasing_id"),)

    term: Mapped[str] = mapped_column(String(64), primary_key=True)
    phrasing_id: Mapped[int] = mapped_column(ForeignKey("phrasings.id"), primary_key=True)


class PublicReply(Base):
    """A reply that everybody who asks the like sees above the hits, until it expires, is taken back, or an article replaces it."""

    __tablename__ = "public_replies"
    __table_args__ = (Index("ix_public_replies_live", "ended_at", "expires_at"), Index("ix_public_replies_ticket", "ticket_number"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"))
    kind: Mapped[str] = mapped_column(String(20))
    body: Mapped[str] = mapped_column(Text)
    author: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(20))
    at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    replaced_by: Mapped[str] = mapped_column(String(200), default="")
    ticket: Mapped[Ticket] = relationship()


class Replay(Base):
    """An article that named a ticket in `answers:` and how its wordings came out then: tried once for each version of the article, never for other changes."""

    __tablename__ = "replays"

    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"), primary_key=True)
    article: Mapped[str] = mapped_column(String(200), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    answered: Mapped[bool]
    at: Mapped[datetime] = mapped_column(Moment)


class Presence(Base):
    """An agent who has a ticket open on screen."""

    __tablename__ = "presences"

    ticket_number: Mapped[int] = mapped_column(ForeignKey("tickets.number"), primary_key=True)
    agent: Mapped[str] = mapped_column(String(80), primary_key=True)
    writing: Mapped[bool]
    seen_at: Mapped[datetime] = mapped_column(Moment)
