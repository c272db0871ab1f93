"""The only writer of what happened to tickets: an event is added, and what all of them add up to is written beside it in the same transaction.

What a person does costs the same however long the history is: no event, share or wording is loaded for it. Only undoing adds everything up anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import case, delete, func, insert, select
from sqlalchemy.orm import object_session

from kb.db import MAX_ID
from kb.errors import NotFoundError
from kb.notifications import outbox
from kb.tickets.models import FIRST_NUMBER, Detail, Follower, Phrasing, PhrasingTerm, Ticket, TicketEvent
from kb.tickets.standing import ASKER, SYSTEM, Alarm, Kind, Level, Standing, State, after, as_stored, fold, from_stored, opening

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from kb.tickets.standing import Happened


def find(session: Session, number: int) -> Ticket:
    """Return a ticket. Raises NotFoundError."""
    ticket = session.get(Ticket, number) if 0 <= number <= MAX_ID else None
    if ticket is None:
        raise NotFoundError(f"没有工单 T-{number}。请从工单列表里选择。")
    return ticket


def open_ticket(session: Session, question: str, now: datetime, *, module: str = "", category: str = "", priority: str = "") -> Ticket:
    """Open a ticket for a masked question; module, category and priority are guesses."""
    last = session.scalar(select(func.max(Ticket.number)))
    opened_as = {"module": module, "category": category, "priority": priority}
    ticket = Ticket(
        number=max(FIRST_NUMBER, (last or 0) + 1), question=question, opened_as=opened_as, opened_at=now, changed_at=now, people=0, waiting=0, version=0
    )
    _write(ticket, opening(opened_as))
    session.add(ticket)
    record(ticket, Kind.OPENED, now, ASKER, body=question)
    return ticket


def record(
    ticket: Ticket,
    kind: Kind,
    now: datetime,
    actor: str,
    *,
    body: str = "",
    private: str = "",
    article: str = "",
    target: str = "",
    follower: Follower | None = None,
    undoes: int | None = None,
    data: dict[str, list[Any]] | None = None,
) -> TicketEvent:
    """Add an event and bring the ticket's standing up to date. `private` is kept apart from `body`, to be forgotten in time."""
    session = session_of(ticket)
    event = TicketEvent(ticket_number=ticket.number, kind=kind.value, at=now, actor=actor, body=body, article=article, target=target, undoes=undoes, data=data)
    event.follower_id = follower.id if follower is not None else None
    if private:
        event.detail = Detail(body=private, follower_id=event.follower_id)
    session.add(event)
    session.flush()
    session.expire(ticket, ["events"])
    outbox.note_event(session, event)
    ticket.version = event.id
    if kind is not Kind.ALARMED and (kind, actor) != (Kind.ESCALATED, SYSTEM):  # that time runs out is no change of what rests
        ticket.changed_at = now
    was_open = ticket.open
    _write(ticket, standing(ticket) if kind is Kind.UNDONE else after(written(ticket), event))
    if ticket.open != was_open or kind is Kind.OPENED:
        reindex(ticket)
    return event


def guess_anew(ticket: Ticket, *, module: str, category: str, priority: str) -> None:
    """Let other guesses take the place of those that a ticket was opened with; what agents decided since still counts."""
    ticket.opened_as = {"module": module, "category": category, "priority": priority}
    _write(ticket, standing(ticket))


def standing(ticket: Ticket) -> Standing:
    """Return what the ticket's events add up to."""
    of = TicketEvent
    happened = select(of.id, of.kind, of.at, of.actor, of.article, of.target, of.undoes, of.data).where(of.ticket_number == ticket.number).order_by(of.id)
    rows = cast("Iterable[Happened]", session_of(ticket).execute(happened))  # rows, not objects: thousands of events are added up in milliseconds
    return fold(rows, opening(ticket.opened_as))


def written(ticket: Ticket) -> Standing:
    """Return what stands beside the events: always what they add up to."""
    return Standing(
        state=State(ticket.state),
        assignee=ticket.assignee,
        category=ticket.category,
        priority=ticket.priority,
        module=ticket.module,
        closed_as=ticket.closed_as,
        merged_into=ticket.merged_into,
        suggested=ticket.suggested,
        news_at=ticket.news_at,
        resolved_at=ticket.resolved_at,
        ended_at=ticket.ended_at,
        awaited=ticket.awaited,
        runs=from_stored(ticket.runs),
        responded_at=ticket.responded_at,
        alarm=Alarm(ticket.alarm),
        escalated=Level(ticket.escalated),
    )


def count_people(ticket: Ticket, now: datetime) -> TicketEvent | None:
    """Count again who has a share in a ticket, and who of them waits; to be called after any share has changed.

    That somebody begins to wait, or that nobody does any more, is an event, which is returned; so is that somebody comes while the others are to answer.
    """
    session = session_of(ticket)
    session.flush()
    counted = select(func.count(), func.count(case((Follower.waiting.is_(True), 1)))).where(
        Follower.ticket_number == ticket.number, Follower.withdrawn_at.is_(None)
    )
    before = ticket.waiting
    ticket.people, ticket.waiting = (int(count) for count in session.execute(counted).one())
    unasked = ticket.state == State.WAITING and ticket.waiting > before
    if ticket.awaited == (ticket.waiting > 0) and not unasked:
        return None
    return record(ticket, Kind.AWAITED if ticket.waiting else Kind.UNAWAITED, now, SYSTEM)


def add_phrasing(ticket: Ticket, phrasing: Phrasing) -> None:
    """Give a ticket another wording, by which others find it while it is open."""
    session = session_of(ticket)
    phrasing.ticket_number = ticket.number
    session.add(phrasing)
    session.flush()
    session.expire(ticket, ["phrasings"])
    if ticket.open:
        _insert_terms(session, [phrasing])


def count_asked(ticket: Ticket, phrasing: Phrasing, by: int) -> None:
    """Count how often a wording was asked up or down. One that nobody asks any more is not found."""
    session = session_of(ticket)
    before, phrasing.asked = phrasing.asked, max(0, phrasing.asked + by)
    if ticket.open and bool(before) != bool(phrasing.asked):
        session.execute(delete(PhrasingTerm).where(PhrasingTerm.phrasing_id == phrasing.id))
        _insert_terms(session, [phrasing])


def note_terms(session: Session, phrasing: Phrasing, terms: Sequence[str]) -> None:
    """Let a wording of an open ticket be found by other terms."""
    phrasing.terms = list(terms)
    session.execute(delete(PhrasingTerm).where(PhrasingTerm.phrasing_id == phrasing.id))
    _insert_terms(session, [phrasing])


def drop_phrasing(ticket: Ticket, phrasing: Phrasing) -> None:
    """Forget a wording that nobody asks any more."""
    session = session_of(ticket)
    session.execute(delete(PhrasingTerm).where(PhrasingTerm.phrasing_id == phrasing.id))
    session.delete(phrasing)
    session.flush()
    session.expire(ticket, ["phrasings"])


def reindex(ticket: Ticket) -> None:
    """Let the wordings of an open ticket be found, and those of a closed one not."""
    session = session_of(ticket)
    mine = select(Phrasing.id).where(Phrasing.ticket_number == ticket.number)
    session.execute(delete(PhrasingTerm).where(PhrasingTerm.phrasing_id.in_(mine)))
    if ticket.open:
        _insert_terms(session, ticket.phrasings)


def session_of(ticket: Ticket) -> Session:
    """Return the session that a stored ticket belongs to."""
    session = object_session(ticket)
    if session is None:
        raise ValueError("a ticket outside a session can only be read")
    return session


def _write(ticket: Ticket, now: Standing) -> None:
    """Write the standing beside the events."""
    ticket.state, ticket.open, ticket.assignee = now.state.value, now.open, now.assignee
    ticket.module, ticket.category, ticket.priority = now.module, now.category, now.priority
    ticket.closed_as, ticket.merged_into, ticket.suggested = now.closed_as, now.merged_into, now.suggested
    ticket.news_at, ticket.resolved_at, ticket.ended_at = now.news_at, now.resolved_at, now.ended_at
    ticket.awaited, ticket.responded_at, ticket.alarm, ticket.escalated = now.awaited, now.responded_at, now.alarm.value, now.escalated.value
    ticket.runs = as_stored(now.runs)


def _insert_terms(session: Session, phrasings: list[Phrasing]) -> None:
    rows = [{"term": term, "phrasing_id": phrasing.id} for phrasing in phrasings if phrasing.asked for term in phrasing.terms]
    if rows:
        session.execute(insert(PhrasingTerm), rows)
