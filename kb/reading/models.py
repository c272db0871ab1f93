"""Whether an article helped."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kb.db import Base, Moment


class Feedback(Base):
    """One person's last word on one section of an article; `reason` is masked."""

    __tablename__ = "feedback"
    __table_args__ = (UniqueConstraint("person", "article", "anchor"), Index("ix_feedback_article", "article"))

    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(String(80))
    article: Mapped[str] = mapped_column(String(200))
    anchor: Mapped[str] = mapped_column(String(200))
    helpful: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(Moment)
