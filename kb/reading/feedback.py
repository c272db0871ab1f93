"""Keep whether an article helped: one voice per person and section, the last one counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from kb.masking import masked
from kb.reading.models import Feedback

if TYPE_CHECKING:
    from datetime import datetime

    from kb.db import Database

MAX_REASON = 1000


def give(db: Database, person: str, article: str, anchor: str, *, helpful: bool, reason: str, now: datetime) -> None:
    """Store a person's word on a section; a second one replaces the first."""
    with db.write() as session:
        query = select(Feedback).where(Feedback.person == person, Feedback.article == article, Feedback.anchor == anchor)
        kept = session.scalar(query) or Feedback(person=person, article=article, anchor=anchor)
        kept.helpful, kept.reason, kept.at = helpful, masked(reason.strip()[:MAX_REASON]), now
        session.add(kept)
