"""Public replies as people who ask see them: above the hits of every question alike, until they expire, are taken down, or an article replaces them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from kb.tickets.clusters import best_match, wording_of
from kb.tickets.models import Phrasing, PublicReply, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from indexer.published import Published
    from kb.db import Database

_LOOK_EVERY = 1.0
"""Seconds for which what was read is taken to be still so: a reply is on everybody's screen that much later."""
_MOST_WORDINGS = 50
"""Wordings of a ticket by which its reply is found, the most asked first."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A public reply. `open`: its ticket still waits for an answer, so that others may join it. `role` is what its author is here."""

    id: int
    number: int
    open: bool
    kind: str
    body: str
    role: str
    at: datetime
    expires_at: datetime


class PublicReplies:
    """The public replies in force. Any number of threads may use it; each process looks at the database once a second at most."""

    def __init__(self, db: Database, now: Callable[[], datetime], clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet, so that it may be made before a fork."""
        self._db, self._now, self._clock = db, now, clock
        self._looked = float("-inf")
        self._live: dict[int, tuple[Reply, tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def matching(self, published: Published, text: str) -> Reply | None:
        """Return the reply to a question in the same or other words; None when there is none in force."""
        live = self._current()
        if not live:
            return None
        found = best_match(published, wording_of(published, text), [(id_, wordings) for id_, (_, wordings) in live.items()])
        return live[found][0] if found is not None else None

    def _current(self) -> dict[int, tuple[Reply, tuple[str, ...]]]:
        if self._clock() - self._looked >= _LOOK_EVERY:
            with self._lock:
                if self._clock() - self._looked >= _LOOK_EVERY:
                    self._live = self._read()
                    self._looked = self._clock()
        now = self._now()
        return {id_: found for id_, found in self._live.items() if found[0].expires_at > now}

    def _read(self) -> dict[int, tuple[Reply, tuple[str, ...]]]:
        with self._db.read() as session:
            in_force = select(PublicReply, Ticket.open).join(Ticket).where(PublicReply.ended_at.is_(None), PublicReply.expires_at > self._now())
            found = {}
            for one, open_ in session.execute(in_force.order_by(PublicReply.id)):
                wordings = select(Phrasing.text).where(Phrasing.ticket_number == one.ticket_number).order_by(Phrasing.asked.desc(), Phrasing.id)
                reply = Reply(one.id, one.ticket_number, open_, one.kind, one.body, one.role, one.at, one.expires_at)
                found[one.id] = (reply, tuple(session.scalars(wordings.limit(_MOST_WORDINGS))))
            return found
