"""What stands in which order on the desk: read-only looks at the tickets' index.

A page begins after the last row of the one before it, not after a number of rows, so that tickets which come or go meanwhile neither repeat nor hide others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, false, func, literal_column, or_, select, true
from sqlalchemy.orm import selectinload

from indexer.text import folded
from kb.db import Moment
from kb.errors import InvalidRequestError
from kb.tickets.models import Follower, Phrasing, Ticket
from kb.tickets.standing import State
from kb.tickets.triage import Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import Session

ROWS = 50
"""Tickets on a page."""
MAX_WORDS = 8
"""Words that are looked for at once: each is compared with every wording."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = 17
"""Digits from which on a number is no moment that a clock shows."""
FAR = datetime(2200, 1, 1, tzinfo=UTC)
"""Where what is never due stands in an order of moments; kb.tickets.alarms writes none beyond it."""


class View(StrEnum):
    """A standing choice of tickets. `OPEN`, `ASKED` and `SILENT` share all open tickets out; the others cut across them.

    `NEAR` holds those of `OPEN` whose time runs out or has run out, as of the last look of kb.tickets.alarms.
    """

    OPEN = "open"
    NEAR = "near"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    ASKED = "asked"
    SUGGESTED = "suggested"
    SILENT = "silent"
    DONE = "done"
    ALL = "all"


class Sort(StrEnum):
    """What stands first: what is urgent for somebody who waits, what is due, what most people wait for, what was asked last, or what has rested longest.

    What is equally urgent or due stands by the people who wait for it.
    """

    URGENT = "urgent"
    DUE = "due"
    DEMAND = "demand"
    NEWEST = "newest"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tickets an agent wants to see. "" in a filter lets everything pass; `words` must all stand in one wording.

    `site`: somebody asked it there who has not taken it back.
    """

    agent: str
    view: View = View.OPEN
    sort: Sort = Sort.URGENT
    words: str = ""
    module: str = ""
    category: str = ""
    priority: str = ""
    assignee: str = ""
    state: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Tickets in their order. `before` and `after` are where the neighbouring pages end and begin, "" where there is none."""

    tickets: list[Ticket]
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tickets each view holds; `newest` is the highest number of all, `new` how many of a choice came after another one."""

    views: dict[View, int]
    newest: int
    new: int


def page(session: Session, choice: Choice, *, after: str = "", before: str = "") -> Page:
    """Return the page that begins after, or ends before, a place that an earlier page named; the first one without either.

    Raises InvalidRequestError for a place that no page named, or more than `MAX_WORDS` words.
    """
    keys = _KEYS[choice.sort]
    back = bool(before)
    place = _place(before or after, keys) if before or after else None
    found = _chosen(select(Ticket.number), choice)
    if place is not None:
        found = found.where(_beyond(keys, place, back=back))
    found = found.order_by(*_order(keys, back=back)).limit(ROWS + 1)
    tickets = list(session.scalars(select(Ticket).where(Ticket.number.in_(found)).order_by(*_order(keys, back=back))))
    more, tickets = len(tickets) > ROWS, tickets[:ROWS]
    if not back:
        return Page(tickets, _mark(keys, tickets[:1], choice.view) if place else "", _mark(keys, tickets[-1:], choice.view) if more else "")
    if not more:
        return page(session, choice)  # what is left before that place is the beginning: show it as a whole page
    tickets.reverse()
    return Page(tickets, _mark(keys, tickets[:1], choice.view), _mark(keys, tickets[-1:], choice.view))


def neighbours(session: Session, choice: Choice, ticket: Ticket) -> tuple[int | None, int | None]:
    """Return the numbers of the tickets before and after one in a choice. One that has just left the open tickets keeps its place among them."""
    keys = _KEYS[choice.sort]
    place = [key.of(ticket, choice.view) for key in keys]

    def nearest(*, back: bool) -> int | None:
        found = _chosen(select(Ticket.number), choice).where(_beyond(keys, place, back=back))
        number: int | None = session.scalar(found.order_by(*_order(keys, back=back)).limit(1))
        return number

    return nearest(back=True), nearest(back=False)


def counts(session: Session, choice: Choice, since: int) -> Counts:
    """Count the tickets of every view for an agent, and those of `choice` with a number above `since`, in one statement."""
    views = [select(func.count()).select_from(Ticket).where(_in_view(view, choice.agent)).scalar_subquery() for view in View]
    new = _chosen(select(func.count()).select_from(Ticket), choice, since).scalar_subquery()
    newest = select(func.coalesce(func.max(Ticket.number), 0)).scalar_subquery()
    *found, latest, fresh = session.execute(select(*views, newest, new)).one()
    return Counts(dict(zip(View, map(int, found), strict=True)), int(latest), int(fresh))


def open_tickets(session: Session) -> list[Ticket]:
    """Return every open ticket with its wordings, by people waiting, then by all people, then oldest first: one loud person does not lead the queue."""
    demand = select(Ticket).where(Ticket.open).order_by(Ticket.waiting.desc(), Ticket.people.desc(), Ticket.number)
    return list(session.scalars(demand.options(selectinload(Ticket.phrasings))))


def all_tickets(session: Session) -> list[Ticket]:
    """Return every ticket, in the order of `open_tickets`."""
    return list(session.scalars(select(Ticket).order_by(Ticket.waiting.desc(), Ticket.people.desc(), Ticket.number)))


def counts_by_state(session: Session) -> dict[str, int]:
    """Return how many tickets there are in each state."""
    return {str(state): int(count) for state, count in session.execute(select(Ticket.state, func.count()).group_by(Ticket.state))}


_WAITED_FOR = and_(Ticket.open, Ticket.waiting > 0, Ticket.state != State.WAITING)
_VIEWS: dict[View, ColumnElement[bool]] = {
    View.OPEN: _WAITED_FOR,
    View.NEAR: and_(_WAITED_FOR, Ticket.alarm != literal_column("''")),  # in the words of ix_tickets_alarm, so that it is looked up there
    View.UNASSIGNED: and_(_WAITED_FOR, Ticket.assignee == ""),
    View.ASKED: and_(Ticket.open, Ticket.state == State.WAITING),
    View.SUGGESTED: and_(Ticket.open, Ticket.suggested != ""),
    View.SILENT: and_(Ticket.open, Ticket.waiting == 0, Ticket.state != State.WAITING),
    View.DONE: ~Ticket.open,
    View.ALL: true(),
}


@dataclass(frozen=True, slots=True)
class _Key:
    """What an order goes by: as the database reads it, and what a ticket has of it in a view; whether the largest stands first."""

    column: ColumnElement[Any]
    of: Callable[[Ticket, View], Any]
    down: bool = False
    moment: bool = False


def _kept_open(ticket: Ticket, view: View) -> bool:
    """Tell whether a ticket is, or before it left a view of open ones was, open."""
    return ticket.open or view not in {View.DONE, View.ALL}


def _urgency(ticket: Ticket, view: View) -> int:
    return _RANKS.get(ticket.priority, 0) if ticket.waiting and _kept_open(ticket, view) else 0


def _due(ticket: Ticket, view: View) -> datetime:
    """Return when a ticket is due while its time runs, or ran until it left the view."""
    running = ticket.open and ticket.waiting > 0 and ticket.state != State.WAITING
    left = view in {View.OPEN, View.NEAR, View.UNASSIGNED} or (_kept_open(ticket, view) and not ticket.open)
    return (ticket.due_at or FAR) if running or left else FAR


_RANKS: dict[str, int] = {Priority.URGENT: 2, Priority.HIGH: 1}
_OPEN = _Key(Ticket.open.expression, lambda ticket, view: int(_kept_open(ticket, view)), down=True)
_URGENCY = _Key(case((and_(Ticket.open, Ticket.waiting > 0), case(_RANKS, value=Ticket.priority, else_=0)), else_=0), _urgency, down=True)
_DUE = _Key(func.coalesce(case((_WAITED_FOR, Ticket.due_at)), FAR, type_=Moment), _due, moment=True)
_WAITING = _Key(Ticket.waiting.expression, lambda ticket, _: ticket.waiting, down=True)
_PEOPLE = _Key(Ticket.people.expression, lambda ticket, _: ticket.people, down=True)
_CHANGED = _Key(Ticket.changed_at.expression, lambda ticket, _: ticket.changed_at, moment=True)
_OLDEST = _Key(Ticket.number.expression, lambda ticket, _: ticket.number)
_NEWEST = _Key(Ticket.number.expression, lambda ticket, _: ticket.number, down=True)
_KEYS: dict[Sort, tuple[_Key, ...]] = {
    Sort.URGENT: (_OPEN, _URGENCY, _WAITING, _PEOPLE, _OLDEST),
    Sort.DUE: (_DUE, _OPEN, _WAITING, _OLDEST),
    Sort.DEMAND: (_OPEN, _WAITING, _PEOPLE, _OLDEST),
    Sort.NEWEST: (_NEWEST,),
    Sort.RESTING: (_CHANGED, _OLDEST),
}
"""What each order goes by. Their values together are different for every ticket."""


def _chosen(query: Select[int], choice: Choice, since: int = 0) -> Select[int]:
    """Return a query of tickets narrowed to a choice, and to numbers above `since`."""
    filters = ("module", "category", "priority", "assignee", "state")
    query = query.where(_in_view(choice.view, choice.agent), *(getattr(Ticket, name) == value for name in filters if (value := getattr(choice, name))))
    if choice.site:
        asked_there = select(Follower.ticket_number).where(Follower.site == choice.site, Follower.withdrawn_at.is_(None))
        query = query.where(Ticket.number.in_(asked_there))
    query = query.where(Ticket.number > since) if since else query
    return query.where(_worded(choice.words, since)) if choice.words else query


def _in_view(view: View, agent: str) -> ColumnElement[bool]:
    """Return what the tickets of a view have in common; each is a look at one index."""
    return and_(Ticket.open, Ticket.assignee == agent) if view is View.MINE else _VIEWS[view]


def _worded(words: str, since: int) -> ColumnElement[bool]:
    """Return that a ticket's question, or one of its wordings, holds every word: as it was written, or as its key was normalised."""
    found = words.split()
    if len(found) > MAX_WORDS:
        raise InvalidRequestError("too_long", f"一次最多搜 {MAX_WORDS} 个词。请留下最要紧的几个。")
    asked = and_(*(Ticket.question.contains(word, autoescape=True) for word in found))
    said = and_(*(or_(Phrasing.text.contains(word, autoescape=True), Phrasing.key.contains(folded(word), autoescape=True)) for word in found))
    asking, saying = select(Ticket.number).where(Ticket.number > since, asked), select(Phrasing.ticket_number).where(Phrasing.ticket_number > since, said)
    return Ticket.number.in_(asking.union(saying))


def _order(keys: Sequence[_Key], *, back: bool) -> list[ColumnElement[Any]]:
    return [key.column.desc() if key.down != back else key.column.asc() for key in keys]


def _beyond(keys: Sequence[_Key], place: Sequence[Any], *, back: bool) -> ColumnElement[bool]:
    """Return that a ticket stands after a place, or before it when looking `back`."""
    condition: ColumnElement[bool] = false()
    for key, value in reversed(list(zip(keys, place, strict=True))):
        further = key.column < value if key.down != back else key.column > value
        condition = or_(further, and_(key.column == value, condition))
    return condition


def _mark(keys: Sequence[_Key], row: Sequence[Ticket], view: View) -> str:
    """Return a ticket's place in an order as it stands in an address, "" for no ticket."""
    return "-".join(str(_as_number(key.of(ticket, view))) for ticket in row for key in keys)


def _place(mark: str, keys: Sequence[_Key]) -> list[Any]:
    parts = mark.split("-")
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < _DIGITS]
    if len(numbers) != len(parts) or len(parts) != len(keys):
        raise InvalidRequestError("bad_field", "这个链接里的页不对。请回到第一页，再往后翻。")
    return [_EPOCH + timedelta(microseconds=number) if key.moment else number for key, number in zip(keys, numbers, strict=True)]


def _as_number(value: datetime | int) -> int:
    return (value - _EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else int(value)
