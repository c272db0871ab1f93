"""Answers that a client may ask for again by their Idempotency-Key."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Index, String, Text, delete
from sqlalchemy.orm import Mapped, mapped_column

from kb.db import Base, Moment

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

KEPT_FOR = timedelta(days=7)
"""How long a key is remembered."""


class StoredAnswer(Base):
    """What a POST was answered, stored with what it wrote. `digest` stands for who sent which key, `body_digest` for the request; neither tells it."""

    __tablename__ = "stored_answers"
    __table_args__ = (Index("ix_stored_answers_at", "at"),)

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_digest: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment)


def forget(session: Session, now: datetime) -> None:
    """Drop the answers that are older than `KEPT_FOR`; their keys are new ones from then on. Here, because the worker does without Flask."""
    session.execute(delete(StoredAnswer).where(StoredAnswer.at < now - KEPT_FOR))
