"""Wordings of open tickets that came from a version of this program that did not note their terms, so that others can join them by more than the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from kb.tickets import history
from kb.tickets.clusters import wording_of
from kb.tickets.models import Phrasing, Ticket

if TYPE_CHECKING:
    from indexer.published import Published
    from kb.db import Database

_BATCH = 200
"""Wordings that are read for one transaction: others want to write too."""


def note_missing_terms(db: Database, published: Published) -> int:
    """Note the terms of wordings that have none, where they have any; return of how many. Doing it again changes nothing."""
    noted = after = 0
    missing = select(Phrasing).join(Ticket, Ticket.number == Phrasing.ticket_number).where(Ticket.open, func.json_array_length(Phrasing.terms) == 0)
    while True:
        with db.read() as session:
            batch = {one.id: one.text for one in session.scalars(missing.where(Phrasing.id > after).order_by(Phrasing.id).limit(_BATCH))}
        if not batch:
            return noted
        after = max(batch)
        found = {id_: terms for id_, text in batch.items() if (terms := wording_of(published, text).terms)}
        if found:
            with db.write() as session:
                for phrasing in session.scalars(missing.where(Phrasing.id.in_(found))):
                    history.note_terms(session, phrasing, found[phrasing.id])
                    noted += 1
