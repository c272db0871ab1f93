"""One step for many tickets: each is done or refused by itself, and the whole step is taken back by its place in the history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from kb.accounts import sign_in
from kb.accounts.roles import Right
from kb.errors import ConflictError, InvalidRequestError
from kb.tickets import history, lifecycle, regroup, undoing, unseen
from kb.tickets.models import Ticket, TicketEvent
from kb.tickets.standing import UNDOABLE
from kb.tickets.triage import CATEGORY_NAMES, PRIORITY_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

MOST = 100
"""Tickets of one step: they are changed in one transaction, for which others who write have to wait."""
_WIDEST = 20 * MOST
"""Ids that the events of one step may span."""


@dataclass(frozen=True, slots=True)
class Span:
    """The events of one step: the ids from `first` to `last`, which no other writer's lie between. `last` is less when nothing had to be changed."""

    first: int
    last: int

    @property
    def empty(self) -> bool:
        """True when the step changed nothing."""
        return self.last < self.first


@dataclass(frozen=True, slots=True)
class Done:
    """What a step came to: its events, and the numbers of the tickets that stayed as they were, because they had ended or others were faster."""

    span: Span
    refused: list[int]


def perform(session: Session, chosen: Sequence[tuple[int, int | None]], deed: str, agent: str, now: datetime) -> Done:
    """Do one thing to many tickets, given as pairs of a number and the last event that the agent has seen of it.

    `deed`: `assign:NAME` (nobody without a name), `category:C`, `priority:P`, `merge` (into the first), `spam`. Raises InvalidRequestError for
    none or more than `MOST` tickets and for another deed, ConflictError when the ticket that others are to be merged into has ended.
    """
    if not chosen:
        raise InvalidRequestError("nothing_chosen", "还没有选工单。先勾选，再选要做什么。")
    if len(chosen) > MOST:
        raise InvalidRequestError("too_many", f"一次最多 {MOST} 张工单。请分几次做。")
    verb, _, value = deed.partition(":")
    found = {one.number: one for one in _tickets(session, [number for number, _ in chosen])}
    act = _act(session, verb, value, found.get(chosen[0][0]), agent, now)
    todo = chosen[1:] if verb == "merge" else chosen

    def step(number: int, seen: int | None) -> None:
        ticket = found.get(number) or history.find(session, number)
        unseen.require_unchanged(ticket, agent, seen)
        act(ticket)

    return _done(session, [(number, partial(step, number, seen)) for number, seen in todo])


def undo(session: Session, span: Span, agent: str, now: datetime) -> Done:
    """Take back every event of an agent's step that can be taken back, the latest first."""

    def step(event: TicketEvent) -> None:
        undoing.undo(session, history.find(session, event.ticket_number), event.id, agent, now)

    mine = [event for event in reversed(events(session, span, agent)) if event.kind in UNDOABLE]
    return _done(session, [(event.ticket_number, partial(step, event)) for event in mine])


def events(session: Session, span: Span, agent: str) -> list[TicketEvent]:
    """Return what an agent's step did, in order. Raises InvalidRequestError for a span that is wider than a step."""
    if span.last - span.first >= _WIDEST:
        raise InvalidRequestError("bad_field", "这一步不能撤销。可以在工单的“经过”里一张一张撤销。")
    return list(session.scalars(select(TicketEvent).where(TicketEvent.id.between(span.first, span.last), TicketEvent.actor == agent).order_by(TicketEvent.id)))


def may_be_undone(session: Session, done: Iterable[TicketEvent]) -> bool:
    """Tell whether some of these events can be taken back and have not been."""
    ids = {event.id for event in done if event.kind in UNDOABLE}
    return bool(ids - set(session.scalars(select(TicketEvent.undoes).where(TicketEvent.undoes.in_(ids)))))


def refusals(session: Session, numbers: Sequence[int], agent: str) -> list[tuple[int, str]]:
    """Return tickets that an agent's step was refused for, each with the reason as it stands now: who did what meanwhile."""
    found = {one.number: one for one in session.scalars(select(Ticket).where(Ticket.number.in_(numbers)))} if numbers else {}
    others = select(func.max(TicketEvent.id)).where(TicketEvent.ticket_number.in_(numbers), TicketEvent.actor != agent).group_by(TicketEvent.ticket_number)
    last = {event.ticket_number: event for event in session.scalars(select(TicketEvent).where(TicketEvent.id.in_(others)))} if numbers else {}
    return [(number, _why_not(found.get(number), last.get(number))) for number in numbers]


def _why_not(ticket: Ticket | None, last: TicketEvent | None) -> str:
    if ticket is None:
        return "没有这张工单"
    if not ticket.open:
        return "已经解决或关闭"
    return f"你打开列表以后，{unseen.told(last)}；要改就再点一次" if last is not None else "这一步对它不适用"


def _act(session: Session, verb: str, value: str, first: Ticket | None, agent: str, now: datetime) -> Callable[[Ticket], None]:
    """Return what is done to each ticket. Whether the value exists is asked once, before any ticket is touched."""
    if verb == "assign" and (not value or value in sign_in.names_of_those_who_may(session, Right.DESK)):
        return lambda ticket: lifecycle.assign(ticket, value, agent, now)
    if verb == "category" and value in CATEGORY_NAMES:
        return lambda ticket: lifecycle.categorise(ticket, value, agent, now)
    if verb == "priority" and value in PRIORITY_NAMES:
        return lambda ticket: lifecycle.prioritise(ticket, value, agent, now)
    if verb == "spam":
        return lambda ticket: lifecycle.spam(ticket, agent, now)
    if verb == "merge" and first is not None:
        if not first.open:
            raise ConflictError(f"{first.name} 已经解决或关闭，不能并入。请换一张还没解决的作第一张。")
        return lambda ticket: regroup.merge(session, ticket, first, agent, now)
    raise InvalidRequestError("bad_field", "还没有选要做什么，或者没有叫这个名字的客服。请从列表里选。")


def _tickets(session: Session, numbers: Sequence[int]) -> Sequence[Ticket]:
    """Return the tickets that exist, with their events, in two statements."""
    return session.scalars(select(Ticket).where(Ticket.number.in_(numbers)).options(selectinload(Ticket.events))).all()


def _done(session: Session, steps: Sequence[tuple[int, Callable[[], None]]]) -> Done:
    """Take each step or leave its ticket wholly as it was."""
    before, refused = _last_event(session), []
    for number, step in steps:
        try:
            with session.begin_nested():
                step()
        except InvalidRequestError:
            refused.append(number)
    return Done(Span(before + 1, _last_event(session)), refused)


def _last_event(session: Session) -> int:
    return session.scalar(select(func.coalesce(func.max(TicketEvent.id), 0))) or 0
