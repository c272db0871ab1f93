"""What stands in which order on the desk: read-only looks at the tickets' index.

A page begins after the last row of the one before it, not after a number of rows, so that tickets which come or go meanwhile neither repeat nor hide others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import and_, false, func, or_, select, true
from sqlalchemy.orm import selectinload

from indexer.text import folded
from kb.errors import InvalidRequestError
from kb.tickets.models import Phrasing, Ticket
from kb.tickets.standing import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.orm import InstrumentedAttribute, Session

_Keys: TypeAlias = "tuple[tuple[InstrumentedAttribute[Any], bool], ...]"
ROWS = 50
"""Tickets on a page."""
MAX_WORDS = 8
"""Words that are looked for at once: each is compared with every wording."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = 17
"""Digits from which on a number is no moment that a clock shows."""


class View(StrEnum):
    """A standing choice of tickets. `OPEN`, `ASKED` and `SILENT` share all open tickets out; `MINE`, `UNASSIGNED` and `SUGGESTED` cut across them."""

    OPEN = "open"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    ASKED = "asked"
    SUGGESTED = "suggested"
    SILENT = "silent"
    DONE = "done"
    ALL = "all"


class Sort(StrEnum):
    """What stands first: what most people wait for, what was asked last, or what has rested longest."""

    DEMAND = "demand"
    NEWEST = "newest"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tickets an agent wants to see. "" in a filter lets everything pass; `words` must all stand in one wording."""

    agent: str
    view: View = View.OPEN
    sort: Sort = Sort.DEMAND
    words: str = ""
    module: str = ""
    category: str = ""
    priority: str = ""
    assignee: str = ""
    state: str = ""


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
        return Page(tickets, _mark(keys, tickets[:1]) if place else "", _mark(keys, tickets[-1:]) if more else "")
    if not more:
        return page(session, choice)  # what is left before that place is the beginning: show it as a whole page
    tickets.reverse()
    return Page(tickets, _mark(keys, tickets[:1]), _mark(keys, tickets[-1:]))


def neighbours(session: Session, choice: Choice, ticket: Ticket) -> tuple[int | None, int | None]:
    """Return the numbers of the tickets before and after one in a choice. One that has just left the open tickets keeps its place among them."""
    keys = _KEYS[choice.sort]
    kept = choice.view not in {View.DONE, View.ALL}
    place = [int(kept or ticket.open) if column.key == Ticket.open.key else getattr(ticket, column.key) for column, _ in keys]

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


_KEYS: dict[Sort, _Keys] = {
    Sort.DEMAND: ((Ticket.open, True), (Ticket.waiting, True), (Ticket.people, True), (Ticket.number, False)),
    Sort.NEWEST: ((Ticket.number, True),),
    Sort.RESTING: ((Ticket.changed_at, False), (Ticket.number, False)),
}
"""What each order goes by, and whether the largest stands first. Their values together are different for every ticket."""


def _chosen(query: Select[int], choice: Choice, since: int = 0) -> Select[int]:
    """Return a query of tickets narrowed to a choice, and to numbers above `since`."""
    filters = ("module", "category", "priority", "assignee", "state")
    query = query.where(_in_view(choice.view, choice.agent), *(getattr(Ticket, name) == value for name in filters if (value := getattr(choice, name))))
    query = query.where(Ticket.number > since) if since else query
    return query.where(_worded(choice.words, since)) if choice.words else query


_WAITED_FOR = and_(Ticket.open, Ticket.waiting > 0, Ticket.state != State.WAITING)
_VIEWS: dict[View, ColumnElement[bool]] = {
    View.OPEN: _WAITED_FOR,
    View.UNASSIGNED: and_(_WAITED_FOR, Ticket.assignee == ""),
    View.ASKED: and_(Ticket.open, Ticket.state == State.WAITING),
    View.SUGGESTED: and_(Ticket.open, Ticket.suggested != ""),
    View.SILENT: and_(Ticket.open, Ticket.waiting == 0, Ticket.state != State.WAITING),
    View.DONE: ~Ticket.open,
    View.ALL: true(),
}


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


def _order(keys: _Keys, *, back: bool) -> list[ColumnElement[Any]]:
    return [column.desc() if down != back else column.asc() for column, down in keys]


def _beyond(keys: _Keys, place: Sequence[Any], *, back: bool) -> ColumnElement[bool]:
    """Return that a ticket stands after a place, or before it when looking `back`."""
    condition: ColumnElement[bool] = false()
    for (column, down), value in reversed(list(zip(keys, place, strict=True))):
        further = column < value if down != back else column > value
        condition = or_(further, and_(column == value, condition))
    return condition


def _mark(keys: _Keys, row: Sequence[Ticket]) -> str:
    """Return a ticket's place in an order as it stands in an address, "" for no ticket."""
    return "-".join(str(_as_number(getattr(ticket, column.key))) for ticket in row for column, _ in keys)


def _place(mark: str, keys: _Keys) -> list[Any]:
    parts = mark.split("-")
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < _DIGITS]
    if len(numbers) != len(parts) or len(parts) != len(keys):
        raise InvalidRequestError("bad_field", "这个链接里的页不对。请回到第一页，再往后翻。")
    return [_from_number(column, number) for (column, _), number in zip(keys, numbers, strict=True)]


def _as_number(value: datetime | int) -> int:
    return (value - _EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else int(value)


def _from_number(column: InstrumentedAttribute[Any], number: int) -> datetime | int:
    return _EPOCH + timedelta(microseconds=number) if column.key == "changed_at" else number
