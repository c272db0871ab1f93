"""Public replies as people who ask see them: above the hits of every question alike, until they expire, are taken down, or an article replaces them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from indexer.published import EVERYONE
from kb.tickets.clusters import best_match, reader_of, wording_of
from kb.tickets.models import Follower, Phrasing, PublicReply, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from indexer.published import Audience, Published
    from kb.db import Database
    from kb.tickets.wish import Wish

_LOOK_EVERY = 1.0
"""Seconds for which what was read is taken to be still so: a reply is on everybody's screen that much later."""
_LOAD_EVERY = 30.0
"""Seconds after which the wordings of replies in force are read again."""
_MOST_WORDINGS = 20
"""Wordings of a ticket by which its reply is found, the most asked first."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A public reply. `module` and `open` are its ticket's: an open one still waits for an answer, so that others may join it. `role`: its author's here.

    `sites`: while nobody has filed the ticket under a module, those on which people asked it.
    """

    id: int
    number: int
    module: str
    open: bool
    kind: str
    body: str
    role: str
    at: datetime
    expires_at: datetime
    sites: frozenset[str] = frozenset()

    def shown_to(self, audience: Audience, site: str) -> bool:
        """Tell whether people of this audience see it, on the site of that name ("" for none).

        What is shown only of some modules shows a reply of theirs; one that nobody has filed is shown where it was asked, and nowhere else.
        """
        return not audience.modules or self.module in audience.modules or site in self.sites


class PublicReplies:
    """The public replies in force. Any number of threads may use it; each process looks at the database once a second at most."""

    def __init__(self, db: Database, now: Callable[[], datetime], clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet, so that it may be made before a fork."""
        self._db, self._now, self._clock = db, now, clock
        self._looked = self._loaded = float("-inf")
        self._live: dict[int, Reply] = {}
        self._wordings: dict[int, tuple[str, ...]] = {}
        self._wishes: tuple[Published | None, dict[int, tuple[Wish, ...]]] = (None, {})
        self._lock = threading.Lock()

    def matching(self, published: Published, text: str, audience: Audience = EVERYONE, site: str = "") -> Reply | None:
        """Return the reply to a question in the same or other words; None when there is none in force that these people are shown on this site."""
        live = {id_: reply for id_, reply in self._current().items() if reply.shown_to(audience, site)}
        if not live:
            return None
        read_by, wishes = self._wishes
        if read_by is not published or wishes.keys() != self._wordings.keys():
            reader = reader_of(published)
            wishes = {id_: tuple(map(reader.read, texts)) for id_, texts in self._wordings.items()}
            self._wishes = (published, wishes)
        found = best_match(published, wording_of(published, text), [(id_, wishes.get(id_, ())) for id_ in live])
        return live[found] if found is not None else None

    def _current(self) -> dict[int, Reply]:
        if self._clock() - self._looked >= _LOOK_EVERY:
            with self._lock:
                if self._clock() - self._looked >= _LOOK_EVERY:
                    self._look()
                    self._looked = self._clock()
        now = self._now()
        return {id_: reply for id_, reply in self._live.items() if reply.expires_at > now}

    def _look(self) -> None:
        """Read which replies are in force; their wordings only when these are others, or after a while, for people find new ones."""
        with self._db.read() as session:
            in_force = select(PublicReply, Ticket.module, Ticket.open).join(Ticket).where(PublicReply.ended_at.is_(None), PublicReply.expires_at > self._now())
            rows = [(one, module, open_) for one, module, open_ in session.execute(in_force.order_by(PublicReply.id))]
            asked_on = _sites(session, [one.ticket_number for one, module, _ in rows if not module])
            self._live = {
                one.id: Reply(
                    one.id, one.ticket_number, module, open_, one.kind, one.body, one.role, one.at, one.expires_at, asked_on.get(one.ticket_number, frozenset())
                )
                for one, module, open_ in rows
            }
            if self._live.keys() == self._wordings.keys() and self._clock() - self._loaded < _LOAD_EVERY:
                return
            self._wordings = {id_: tuple(session.scalars(_most_asked(reply.number))) for id_, reply in self._live.items()}
            self._wishes, self._loaded = (None, {}), self._clock()


def _sites(session: Session, numbers: Collection[int]) -> dict[int, frozenset[str]]:
    """Return on which sites those asked who have a share in these tickets."""
    if not numbers:
        return {}
    asked = (Follower.ticket_number.in_(numbers), Follower.site != "", Follower.withdrawn_at.is_(None))
    found: dict[int, set[str]] = {}
    for number, site in session.execute(select(Follower.ticket_number, Follower.site).where(*asked).distinct()):
        found.setdefault(number, set()).add(site)
    return {number: frozenset(names) for number, names in found.items()}


def _most_asked(number: int) -> Select[str]:
    return select(Phrasing.text).where(Phrasing.ticket_number == number).order_by(Phrasing.asked.desc(), Phrasing.id).limit(_MOST_WORDINGS)
