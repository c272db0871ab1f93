"""Agents put wordings together that are one wish, and apart what are two. Each move notes what it moved, so that it can be moved back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from kb.errors import ConflictError, InvalidRequestError
from kb.search.models import Intent
from kb.tickets import history
from kb.tickets.models import Follower, Phrasing, PublicReply, Ticket, TicketEvent
from kb.tickets.standing import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session


def merge(session: Session, source: Ticket, target: Ticket, agent: str, now: datetime) -> None:
    """Let `target` go on for everybody: all wordings and people of `source` come to it, and `source` closes.

    Raises InvalidRequestError for a ticket and itself, ConflictError when either has ended or was merged.
    """
    _require_two(source, target)
    if not target.open or source.closed_as in {"merged", "spam"}:
        raise ConflictError("只能并入还没解决的工单。请换一张，或先重新打开它。")
    moved = _moved(session, source, target, [phrasing.id for phrasing in source.phrasings], everyone=True)
    history.record(source, Kind.MERGED, now, agent, target=str(target.number), data=moved)
    _shift(session, source, target, moved, now)


def move(session: Session, source: Ticket, phrasings: Collection[int], target: Ticket | None, agent: str, now: datetime) -> Ticket:
    """Move some wordings, with the people who used them, to another open ticket, or to a new one of their own (`target` None); return that ticket.

    Raises InvalidRequestError when nothing is chosen, or when nothing would stay behind.
    """
    chosen = [phrasing for phrasing in source.phrasings if phrasing.id in set(phrasings)]
    if not chosen:
        raise InvalidRequestError("nothing_chosen", "先勾选要移动的问法。")
    if len(chosen) == len(source.phrasings):
        if target is None:
            raise InvalidRequestError("all_chosen", "拆分要留下至少一种问法。")
        merge(session, source, target, agent, now)
        return target
    if target is not None:
        _require_two(source, target)
        if not target.open:
            raise ConflictError("只能移到还没解决的工单。请换一张，或拆成新工单。")
    asked = max(chosen, key=lambda phrasing: (phrasing.asked, -phrasing.id)).text
    into = target or history.open_ticket(session, asked, now, module=source.module, category=source.category, priority=source.priority)
    moved = _moved(session, source, into, [phrasing.id for phrasing in chosen], everyone=False)
    history.record(source, Kind.MOVED_OUT, now, agent, target=str(into.number), data=moved)
    history.record(into, Kind.MOVED_IN, now, agent, target=str(source.number))
    _shift(session, source, into, moved, now)
    return into


def move_back(session: Session, source: Ticket, event: TicketEvent, agent: str, now: datetime) -> None:
    """Undo a move: what `event` moved out of `source` and still lies where it was moved to comes back. Raises ConflictError when it was moved on since."""
    target, moved = history.find(session, int(event.target)), event.data or {}
    there = set(session.scalars(select(Phrasing.id).where(Phrasing.id.in_(moved["phrasings"]), Phrasing.ticket_number == target.number)))
    if there != set(moved["phrasings"]):
        raise ConflictError(f"这些问法后来又从 {target.name} 移走了。请先撤销那一步。")
    _shift(session, target, source, moved, now, back=event.id)
    if not target.phrasings and target.open:
        history.record(target, Kind.MERGED, now, agent, target=str(source.number))
    else:
        history.record(target, Kind.MOVED_OUT, now, agent, target=str(source.number))


def _moved(session: Session, source: Ticket, target: Ticket, phrasings: Sequence[int], *, everyone: bool) -> dict[str, list[Any]]:
    """Return what a move takes along: ids of wordings, of the shares of those who used them, of shares doubled by one the person has there, of live replies."""
    texts = {phrasing.text for phrasing in source.phrasings if phrasing.id in set(phrasings)}
    people = [one for one in session.scalars(select(Follower).where(Follower.ticket_number == source.number)) if everyone or one.wording in texts]
    known = set(session.scalars(select(Follower.person).where(Follower.ticket_number == target.number)))
    replies = (
        list(session.scalars(select(PublicReply.id).where(PublicReply.ticket_number == source.number, PublicReply.ended_at.is_(None)))) if everyone else []
    )
    return {
        "phrasings": list(phrasings),
        "followers": [one.id for one in people if one.person not in known],
        "doubled": [one.id for one in people if one.person in known and one.withdrawn_at is None],
        "replies": replies,
        "question": [source.question],
    }


def _shift(session: Session, source: Ticket, target: Ticket, moved: dict[str, list[Any]], now: datetime, *, back: int | None = None) -> None:
    """Move rows from one ticket to the other and bring both up to date. `back`: the event that is undone by it."""
    movers = list(session.scalars(select(Follower).where(Follower.id.in_(moved["followers"]))))
    last = max((event.id for event in source.events), default=0)
    for mover in movers:
        mover.came_from = [pair for pair in mover.came_from if pair[0] != target.number] if back else [*mover.came_from, [source.number, last]]
        mover.ticket_number = target.number
    persons = [mover.person for mover in movers]
    session.execute(update(Intent).where(Intent.ticket_number == source.number, Intent.person.in_(persons)).values(ticket_number=target.number))
    session.execute(update(Phrasing).where(Phrasing.id.in_(moved["phrasings"])).values(ticket_number=target.number))
    session.execute(update(PublicReply).where(PublicReply.id.in_(moved["replies"])).values(ticket_number=target.number))
    for one in session.scalars(select(Follower).where(Follower.id.in_(moved["doubled"]))):
        there = session.scalar(select(Follower).where(Follower.ticket_number == target.number, Follower.person == one.person))
        if back or there is None:
            one.withdrawn_at = one.goes_on = None
        else:
            one.withdrawn_at, one.goes_on = now, there.id
            there.waiting, there.withdrawn_at = there.waiting or one.waiting, None
    session.flush()
    for ticket in (source, target):
        session.expire(ticket, ["phrasings", "followers"])
        history.count_people(ticket)
        history.reindex(ticket)
    if back:
        target.question = moved["question"][0]
    elif source.phrasings and source.question not in {phrasing.text for phrasing in source.phrasings}:
        source.question = max(source.phrasings, key=lambda phrasing: (phrasing.asked, -phrasing.id)).text


def _require_two(source: Ticket, target: Ticket) -> None:
    if source.number == target.number:
        raise InvalidRequestError("same_ticket", "不能并入它自己。请写另一张工单的编号。")
