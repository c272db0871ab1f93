"""The same wish, in the same or other words, belongs to the same open ticket: which wordings to compare, found by what they share, and which one is joined.

Joining takes bounded work, however many tickets are open. Of a wording's terms the rarest are looked up first, 2,000 places in all, and the wordings that share
most are read and compared by `likeness`. What an agent took out of a ticket does not come back to it in the same words.
"""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy import text as sql

from kb.tickets.likeness import MODEL, contradiction, likeness
from kb.tickets.models import Phrasing, PhrasingTerm, Ticket, TicketEvent
from kb.tickets.shares import Wording
from kb.tickets.standing import Kind
from kb.tickets.wish import Reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy.orm import Session

    from indexer.published import Published
    from kb.tickets.wish import Wish

_FREQUENT = 400
"""Wordings from which a term is too common to be looked up by itself."""
_MOST_PLACES = 2_000
"""Places of terms that are looked at for one wording."""
_MOST_READ = 32
"""Wordings that are read and compared for one wording."""
_ASKED_MOST = 5
"""Wordings of a ticket by which tickets alike are looked for."""
_COUNTED = sql("SELECT given.value, (SELECT count(*) FROM (SELECT 1 FROM phrasing_terms WHERE term = given.value LIMIT :most)) FROM json_each(:terms) AS given")
"""In how many wordings each of some terms stands, counted no further than it matters."""

_readers: dict[int, tuple[Published, Reader]] = {}
"""By the identity of the build that was opened: one of the same content, opened anew, must not be read through one that was closed."""
_reading = threading.Lock()


def reader_of(published: Published) -> Reader:
    """Return who reads wishes by this build's vocabulary; one is kept, of the build that was asked for last."""
    kept = _readers.get(id(published))
    if kept is None:
        with _reading:
            kept = published, Reader(published.vocabulary, published.tells, lambda text: published.read(text).corrected or text)
            _readers.clear()
            _readers[id(published)] = kept
    return kept[1]


def wording_of(published: Published, text: str) -> Wording:
    """Return a masked question as it is compared and found."""
    return Wording(text, published.read(text).key, reader_of(published).read(text).terms)


def open_ticket_for(session: Session, published: Published, wording: Wording) -> Ticket | None:
    """Return the open ticket that holds the same wish, or None: one with the same content words first, then the likest, of two alike the older."""
    if not wording.key:
        return None
    if (same := ticket_of_key(session, published, wording)) is not None:
        return same
    found = _likest(session, published, wording, MODEL.joined)
    return next((ticket for ticket, _ in found if not _taken_out(session, ticket, wording)), None)


def ticket_of_key(session: Session, published: Published, wording: Wording) -> Ticket | None:
    """Return the open ticket with a wording of the same letters, or of the same content words that may have the same answer, or None; it takes one look-up."""
    if not wording.key:
        return None
    known = select(Phrasing.text, Ticket).join(Ticket, Ticket.number == Phrasing.ticket_number)
    rows = session.execute(known.where(Phrasing.key == wording.key, Phrasing.asked > 0, Ticket.open).order_by(Ticket.number, Phrasing.id).limit(_MOST_READ))
    reader = reader_of(published)
    mine = reader.read(wording.text)
    alike = [(likeness(mine, theirs), ticket) for text, ticket in rows if not contradiction(mine, theirs := reader.read(text))]
    return max(alike, key=lambda found: (found[0], -found[1].number))[1] if alike else None


def still_right(session: Session, published: Published, wording: Wording, number: int | None) -> Ticket | None:
    """Return the ticket to join now, when ticket `number` was found for a wording some time ago: it may have closed since, or one of the same key have come."""
    same = ticket_of_key(session, published, wording)
    found = session.get(Ticket, number) if same is None and number is not None else None
    return same or (found if found is not None and found.open else None)


def alike(session: Session, published: Published, ticket: Ticket, limit: int) -> list[tuple[Ticket, float]]:
    """Return open tickets that may be the same wish as this one, likest first, with their likeness (0-1); an agent decides."""
    best: dict[int, tuple[Ticket, float]] = {}
    asked_most = select(Phrasing).where(Phrasing.ticket_number == ticket.number).order_by(Phrasing.asked.desc(), Phrasing.id).limit(_ASKED_MOST)
    for phrasing in session.scalars(asked_most).all():
        wording = wording_of(published, phrasing.text)
        for other, likely in _likest(session, published, wording, MODEL.shown):
            if other.number != ticket.number and likely > best.get(other.number, (other, 0.0))[1]:
                best[other.number] = (other, likely)
    return sorted(best.values(), key=lambda found: (-found[1], found[0].number))[:limit]


def best_match(published: Published, wording: Wording, wishes: Sequence[tuple[int, Sequence[Wish]]]) -> int | None:
    """Return the id of the wish, given as an id with its wordings as `reader_of(published)` reads them, that this wording is too; None when it is none."""
    if not wording.key:
        return None
    reader = reader_of(published)
    mine = reader.read(wording.text)
    shared = [(len(mine.sounds & theirs.sounds) + len(mine.names & theirs.names), id_, theirs) for id_, read in wishes for theirs in read]
    nearest = sorted((one for one in shared if one[0]), key=lambda one: -one[0])[:_MOST_READ]
    found = max(((likeness(mine, theirs), -at, id_) for at, (_, id_, theirs) in enumerate(nearest)), default=(0.0, 0, None))
    return found[2] if found[0] >= MODEL.joined else None


def _likest(session: Session, published: Published, wording: Wording, least: float) -> list[tuple[Ticket, float]]:
    """Return open tickets with a wording at least so like this one, likest first, of two alike the older first."""
    ids = _sharing(session, wording.terms)
    if not ids:
        return []
    reader = reader_of(published)
    mine = reader.read(wording.text)
    best: dict[int, float] = {}
    for number, text in session.execute(select(Phrasing.ticket_number, Phrasing.text).where(Phrasing.id.in_(ids))):
        likely = likeness(mine, reader.read(text))
        if likely >= least:
            best[number] = max(likely, best.get(number, 0.0))
    tickets = session.scalars(select(Ticket).where(Ticket.number.in_(best), Ticket.open)) if best else ()
    return sorted(((ticket, best[ticket.number]) for ticket in tickets), key=lambda found: (-found[1], found[0].number))


def _sharing(session: Session, terms: Sequence[str]) -> list[int]:
    """Return the ids of the wordings of open tickets that share most with these terms, rare ones counting more; 32 at most."""
    if not terms:
        return []
    counts = {str(term): int(count) for term, count in session.execute(_COUNTED, {"terms": json.dumps(terms), "most": _FREQUENT + 1})}
    rare = sorted((term for term, count in counts.items() if 0 < count <= _FREQUENT), key=lambda term: counts[term])
    gained: dict[int, float] = {}
    for term, found in _places(session, rare, counts):
        gained[found] = gained.get(found, 0.0) + math.log(1 + _FREQUENT / counts[term])
    common = [term for term in terms if counts[term] > _FREQUENT]
    if len(gained) < _MOST_READ and common:
        for found in _with_both(session, common[0], common[-1]):
            gained.setdefault(found, 0.0)
    return sorted(gained, key=lambda found: (-gained[found], found))[:_MOST_READ]


def _places(session: Session, rare: Sequence[str], counts: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Yield the rarest terms with the wordings that they stand in, as many as may be looked at."""
    wanted, places = [], 0
    for term in rare:
        places += counts[term]
        if places > _MOST_PLACES:
            break
        wanted.append(term)
    if wanted:
        for term, found in session.execute(select(PhrasingTerm.term, PhrasingTerm.phrasing_id).where(PhrasingTerm.term.in_(wanted))):
            yield str(term), int(found)


def _with_both(session: Session, one: str, other: str) -> Collection[int]:
    """Return the oldest wordings that hold two common terms, among the first 2,000 of one."""
    first = select(PhrasingTerm.phrasing_id).where(PhrasingTerm.term == one).order_by(PhrasingTerm.phrasing_id).limit(_MOST_PLACES).subquery()
    both = select(PhrasingTerm.phrasing_id).where(PhrasingTerm.term == other, PhrasingTerm.phrasing_id.in_(select(first.c.phrasing_id)))
    return session.scalars(both.order_by(PhrasingTerm.phrasing_id).limit(_MOST_READ)).all()


def _taken_out(session: Session, ticket: Ticket, wording: Wording) -> bool:
    """Tell whether an agent moved a wording of this key out of a ticket, and it is not back."""
    moves = session.scalars(select(TicketEvent.data).where(TicketEvent.ticket_number == ticket.number, TicketEvent.kind == Kind.MOVED_OUT.value))
    moved = {id_ for data in moves if data for id_ in data["phrasings"]}
    if not moved:
        return False
    elsewhere = select(Phrasing.id).where(Phrasing.id.in_(moved), Phrasing.key == wording.key, Phrasing.ticket_number != ticket.number)
    return session.scalar(elsewhere.limit(1)) is not None
