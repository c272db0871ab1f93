"""服务监督: how promises were kept in a period, by module and by agent, what is late at this moment, and the course of each complaint.

The unit is a round (kb.tickets.sla): from somebody's beginning to wait until the ticket ends; a ticket that opens again goes another one. Read in three
statements, however many tickets there are. The one round of a ticket that never opened again stands in its row; events are read of those that did, and of
complaints.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from sqlalchemy import or_, select

from kb.analytics.metrics import Rate
from kb.errors import InvalidRequestError
from kb.tickets import sla
from kb.tickets.models import Ticket, TicketEvent
from kb.tickets.standing import Alarm, Kind, Level, counting, opening
from kb.tickets.triage import Category

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.orm import Session

    from kb.tickets.sla import Clock, Clocks, Policies, Round
    from kb.tickets.standing import Happened

_Row: TypeAlias = "Row[*tuple[Any, ...]]"
SATISFIED = 4
"""From how many of five points on somebody is content."""
PROMPT = timedelta(minutes=5)
"""How long after it was due a complaint may come to its level and still be in time: the program looks at the clocks every 20 seconds, later after a restart."""
_NO_SERVICE = frozenset({"merged", "spam"})
"""How a ticket ends that was nobody's wish of its own."""
_RECENT = timedelta(days=30)


class Span(StrEnum):
    """Which period is looked at."""

    THIS_MONTH = "this-month"
    LAST_MONTH = "last-month"
    RECENT = "30-days"


class Period(NamedTuple):
    """From a moment on, up to another and without it."""

    span: Span
    since: datetime
    until: datetime

    def holds(self, at: datetime | None) -> bool:
        """Tell whether a moment lies in it."""
        return at is not None and self.since <= at < self.until


def period(name: str, now: datetime, zone: ZoneInfo) -> Period:
    """Return the period of a name, this month for "". Months are those of `zone`. Raises InvalidRequestError for a name of none."""
    if name and name not in set(Span):
        raise InvalidRequestError("bad_field", "没有这个时段。请在“本月”“上月”“最近 30 天”里选。")
    span = Span(name or Span.THIS_MONTH)
    upcoming = now + timedelta(microseconds=1)
    if span is Span.RECENT:
        return Period(span, now - _RECENT, upcoming)
    this = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if span is Span.THIS_MONTH:
        return Period(span, this, upcoming)
    return Period(span, (this - timedelta(days=1)).replace(day=1), this)


@dataclass(frozen=True, slots=True)
class Served:
    """One round of a ticket and its clocks. `reopened`: another round followed. `is_open`: it goes on, and somebody waits."""

    number: int
    question: str
    people: int
    around: Round
    clocks: Clocks
    reopened: bool
    is_open: bool

    @property
    def late(self) -> tuple[Clock, ...]:
        """The clocks that are late and not met, the response before the resolution."""
        return tuple(clock for clock in (self.clocks.response, self.clocks.resolution) if clock.late and clock.met_at is None)

    @property
    def near(self) -> bool:
        """Whether a clock is nearly late, and none is late."""
        return not self.late and self.clocks.alarm != Alarm.NONE


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted for one module, one agent, or all. Minutes are business time as far as the promise counts in it; None where nothing was counted.

    `waiting`, `near` and `late`: open now; what is late is not counted as near, whichever of its times runs out next. All others: of the `begun` rounds,
    those whose wait began in the period; a late rate is over those that were met or are late, what is not due yet does not count. `ratings`: given in the
    period, the last one of each person.
    """

    waiting: int
    near: int
    late: int
    begun: int
    response_late: Rate
    response_median: float | None
    response_most: float | None
    resolution_late: Rate
    reopened: Rate
    ratings: int
    mean: float | None
    satisfied: Rate


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a complaint's course: by when it is due, how many seconds that was promised to take, and when it was done.

    `due_at` is None when nothing is promised and while time does not count. `needless`: it ended before this was due.
    """

    due_at: datetime | None
    within: float | None
    done_at: datetime | None
    late: bool
    needless: bool = False


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint and its course: answered, looked at by `level`, solved. `satisfaction`: the points that were given in the period."""

    served: Served
    answered: Step
    escalated: Step
    level: Level
    solved: Step
    satisfaction: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that the page shows. Groups stand with their keys ("" for no module, for nobody), most rounds first; `late` has the longest wait first."""

    total: Figures
    modules: list[tuple[str, Figures]]
    agents: list[tuple[str, Figures]]
    begun: list[Served]
    late: list[Served]
    complaints: list[Complaint]


def report(session: Session, policies: Policies, within: Period, now: datetime) -> Report:
    """Return how a period went, and how things stand at `now`."""
    rows = _tickets(session, within)
    events = _events(session, within)
    served = [one for row in rows for one in _rounds(row, events.get(row.number, []), policies, now)]
    begun = [one for one in served if within.holds(one.around.began)]
    waiting = [one for one in served if one.is_open]
    rated = _rated(served, _ratings(session, within))
    given = defaultdict(list)
    for points, one in rated:
        given[one.number, _began(one)].append(points)
    complaints = [one for one in served if one.around.category == Category.COMPLAINT and (one.is_open or within.holds(one.around.began))]
    return Report(
        figures(waiting, begun, [points for points, _ in rated]),
        _grouped(waiting, begun, rated, lambda around: around.module),
        _grouped(waiting, begun, rated, lambda around: around.assignee),
        sorted(begun, key=_began),
        sorted((one for one in waiting if one.late), key=_began),
        [_complaint(one, events.get(one.number, []), given[one.number, _began(one)], policies, now) for one in sorted(complaints, key=_began)],
    )


def figures(waiting: Sequence[Served], begun: Sequence[Served], ratings: Sequence[int]) -> Figures:
    """Return the figures of some rounds that are open now, some that began in the period, and the points that were given in it."""
    responses = [one.clocks.response for one in begun if one.clocks.response.target and (one.clocks.response.met_at or one.clocks.response.late)]
    resolutions = [one.clocks.resolution for one in begun if one.clocks.resolution.target and (one.clocks.resolution.met_at or one.clocks.resolution.late)]
    minutes = sorted(one.clocks.response.used / 60 for one in begun if one.clocks.response.met_at)
    resolved = [one for one in begun if one.around.resolved_at]
    return Figures(
        len(waiting),
        sum(one.near for one in waiting),
        sum(bool(one.late) for one in waiting),
        len(begun),
        Rate(sum(clock.late for clock in responses), len(responses)),
        median(minutes) if minutes else None,
        minutes[(9 * len(minutes) + 9) // 10 - 1] if minutes else None,
        Rate(sum(clock.late for clock in resolutions), len(resolutions)),
        Rate(sum(one.reopened for one in resolved), len(resolved)),
        len(ratings),
        fmean(ratings) if ratings else None,
        Rate(sum(points >= SATISFIED for points in ratings), len(ratings)),
    )


def _tickets(session: Session, within: Period) -> Sequence[_Row]:
    """Return the tickets that may count."""
    of = Ticket
    query = select(
        of.number,
        of.question,
        of.opened_as,
        of.open,
        of.awaited,
        of.people,
        of.closed_as,
        of.runs,
        of.responded_at,
        of.resolved_at,
        of.ended_at,
        of.state,
        of.assignee,
        of.priority,
        of.category,
        of.module,
        of.escalated,
    )
    return session.execute(query.where(_may_count(within))).all()


def _may_count(within: Period) -> ColumnElement[bool]:
    """Return what is true of a ticket that counts: where somebody began to wait since then, or rated it, there has been an event since then."""
    return or_(Ticket.open, Ticket.changed_at >= within.since)


def _events(session: Session, within: Period) -> Mapping[int, Sequence[_Row]]:
    """Return the events of complaints and of tickets that opened again, by ticket."""
    of = TicketEvent
    again = select(of.ticket_number).where(of.kind == Kind.REOPENED.value)
    chosen = select(Ticket.number).where(_may_count(within), or_(Ticket.number.in_(again), Ticket.category == Category.COMPLAINT.value))
    query = select(of.ticket_number, of.id, of.kind, of.at, of.actor, of.article, of.target, of.undoes, of.data)
    rows = session.execute(query.where(of.ticket_number.in_(chosen)).order_by(of.ticket_number, of.id))
    return {number: list(found) for number, found in groupby(rows, key=lambda row: row.ticket_number)}


def _ratings(session: Session, within: Period) -> list[_Row]:
    """Return the last rating of each person in the period."""
    of = TicketEvent
    given = (of.kind == Kind.RATED.value, of.at >= within.since, of.at < within.until)
    rows = session.execute(select(of.ticket_number, of.at, of.target, of.follower_id).where(*given).order_by(of.id))
    return list({(row.ticket_number, row.follower_id): row for row in rows}.values())


def _rounds(row: _Row, events: Sequence[_Row], policies: Policies, now: datetime) -> list[Served]:
    """Return the rounds of a ticket in which somebody waited, except for one that ended as nobody's wish of its own."""
    if any(event.kind == Kind.REOPENED for event in events):
        found = sla.rounds(cast("Sequence[Happened]", events), opening(row.opened_as))
    else:
        found = [sla.round_of(cast("sla.TicketLike", row))]
    last = len(found) - 1
    return [
        Served(row.number, row.question, row.people, around, sla.clocks(policies, around, now), at < last, at == last and row.open and row.awaited)
        for at, around in enumerate(found)
        if around.runs and not (at == last and row.closed_as in _NO_SERVICE)
    ]


def _rated(served: Iterable[Served], ratings: Iterable[_Row]) -> list[tuple[int, Served]]:
    """Return the points of each rating with the round that it is about: the last one that had begun."""
    by_number = defaultdict(list)
    for one in served:
        by_number[one.number].append(one)
    found = []
    for rating in ratings:
        before = [one for one in by_number[rating.ticket_number] if _began(one) <= rating.at]
        if before:
            found.append((int(rating.target), before[-1]))
    return found


def _grouped(waiting: Iterable[Served], begun: Iterable[Served], rated: Iterable[tuple[int, Served]], key: Callable[[Round], str]) -> list[tuple[str, Figures]]:
    groups: dict[str, tuple[list[Served], list[Served], list[int]]] = defaultdict(lambda: ([], [], []))
    for one in waiting:
        groups[key(one.around)][0].append(one)
    for one in begun:
        groups[key(one.around)][1].append(one)
    for points, one in rated:
        groups[key(one.around)][2].append(points)
    return sorted(((name, figures(*group)) for name, group in groups.items()), key=lambda each: (-each[1].begun, -each[1].waiting, each[0]))


def _began(one: Served) -> datetime:
    return one.around.runs[0][0]


def _complaint(one: Served, events: Sequence[_Row], points: Iterable[int], policies: Policies, now: datetime) -> Complaint:
    """Return the course of a complaint. What has been done was due when it would have been, had everything gone on just so until then."""
    around, clocks = one.around, one.clocks
    promise, ended, answered_at, seen_at = clocks.promise, around.ended_at, clocks.response.met_at, _escalated(one, events)

    def due(done_at: datetime | None) -> Clocks:
        stop = done_at or ended
        return sla.clocks(policies, _going_on(around, stop), now) if stop else clocks

    escalate_at = due(seen_at).escalate_at
    return Complaint(
        one,
        Step(due(answered_at).response.due_at, promise.respond, answered_at, clocks.response.late, needless=bool(ended) and not answered_at),
        Step(
            escalate_at,
            promise.escalate,
            seen_at,
            late=escalate_at is not None and (seen_at or ended or now) > escalate_at + PROMPT,
            needless=bool(ended) and not seen_at,
        ),
        promise.level,
        Step(due(None).resolution.due_at, promise.resolve, clocks.resolution.met_at, clocks.resolution.late, needless=bool(ended)),
        tuple(points),
    )


def _going_on(around: Round, until: datetime) -> Round:
    """Return a round as it went until a moment, with nothing met and somebody waiting on: its clocks say what was due when."""
    before = [run for run in around.runs if run[0] < until] or [around.runs[0]]
    runs = (*before[:-1], (before[-1][0], None))
    return replace(around, runs=runs, responded_at=None, resolved_at=None, ended_at=None, escalated=Level.NONE)


def _escalated(one: Served, events: Sequence[_Row]) -> datetime | None:
    """Return when the level that has to look at a round, or the manager, first did."""
    levels = {one.clocks.promise.level.value, Level.MANAGER.value}
    ended = one.around.ended_at
    told = (event for event in counting(cast("Sequence[Happened]", events)) if event.kind == Kind.ESCALATED and event.target in levels)
    return next((event.at for event in told if _began(one) <= event.at and (ended is None or event.at <= ended)), None)
