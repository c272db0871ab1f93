"""What people who wait are promised, and how much of that time has run. Pure: promises, a round of a ticket and a moment give its clocks.

A ticket goes in rounds: the first begins when it opens, another whenever it opens again after it had ended. Time counts while somebody waits and it is not an
asker's turn (kb.tickets.standing), in business hours unless the promise says always. Nothing here is stored, so a change of the file of promises
(kb.tickets.sla_file) changes the past as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from kb.tickets.standing import Alarm, Kind, Level, State, after, counting, from_stored
from kb.working_days import known_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kb.business_hours import BusinessHours
    from kb.tickets.standing import Happened, Run, Standing

_ANNOUNCED = (11, 15)
"""Month and day by which next year's holidays have been announced and should be known."""
_RANK = {level: rank for rank, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised for a `priority` and a `category` ("" for any).

    `respond`, `resolve` and `escalate` (to `level`) are seconds of business time, of real time when `always`; None when nothing is promised.
    """

    name: str
    respond: float | None
    resolve: float | None
    escalate: float | None = None
    level: Level = Level.SECOND
    always: bool = False
    priority: str = ""
    category: str = ""

    def fits(self, priority: str, category: str) -> bool:
        """Tell whether it is for a ticket of this priority and category."""
        return self.priority in {"", priority} and self.category in {"", category}


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """月结: on the `last` working days of a month and the `first` of the next, tickets of `modules` are promised what the `raised` priority is promised."""

    last: int = 0
    first: int = 0
    modules: frozenset[str] = frozenset()
    raised: Mapping[str, str] = field(default_factory=dict)

    @property
    def days(self) -> str:
        """When it is, as people say it: 每月最初 2 个和最后 3 个工作日."""
        return "每月" + "和".join(f"{which} {number} 个" for which, number in (("最初", self.first), ("最后", self.last)) if number) + "工作日"


@dataclass(frozen=True)
class Policies:
    """What a file of promises says.

    `near` is the share of a time from which it is 即将超时; `years` are those whose holidays stand in the file, `off` and `work` the single days on which the
    company rests or works whatever the calendar says.
    """

    hours: BusinessHours
    near: float
    promises: tuple[Promise, ...]
    month_end: MonthEnd = MonthEnd()
    years: frozenset[int] = frozenset()
    off: frozenset[date] = frozenset()
    work: frozenset[date] = frozenset()
    _ends: dict[date, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def promise(self, priority: str, category: str, module: str, began: datetime | None) -> Promise:
        """Return what is promised to those who wait since `began`; None while nobody has waited yet."""
        if began is not None and module in self.month_end.modules and priority in self.month_end.raised and self.ends_month(self.hours.day_of(began)):
            priority = self.month_end.raised[priority]
        return next(promise for promise in self.promises if promise.fits(priority, category))

    def ends_month(self, day: date) -> bool:
        """Tell whether a day is at the end or the beginning of a month, as 月结 means it. Days off between its working days are."""
        known = self._ends.get(day)
        if known is None:
            known = self._ends[day] = self._working_days(day, 1) < self.month_end.last or self._working_days(day, -1) < self.month_end.first
        return known

    def unknown_from(self, now: datetime) -> date | None:
        """Return the first day of the first year whose holidays should be known by now, and neither the library nor the file knows them.

        Those of the next year should be from 15 November on.
        """
        today = self.hours.day_of(now)
        until = today.year + ((today.month, today.day) >= _ANNOUNCED)
        unknown = (year for year in range(today.year, until + 1) if year not in self.years and year > known_until().year)
        first = next(unknown, None)
        return date(first, 1, 1) if first else None

    def warning(self, now: datetime) -> str:
        """Return what whoever runs the program should know about its calendar, "" when all is well."""
        since = self.unknown_from(now)
        if since is None:
            return ""
        return (
            f"还不知道 {since.year} 年的节假日和调休：从 {since.year} 年 1 月 1 日起，时限只避开周末，以及元旦、五一、国庆中日期固定的假日。"
            f"请管理员更新程序的依赖 chinesecalendar，或在 KB_SLA 文件的 [days] 里写上这一年的日子。"
        )

    def _working_days(self, day: date, step: int) -> int:
        """Count the working days of a month after (1) or before (-1) a day."""
        other, found = day + timedelta(days=step), 0
        while other.month == day.month:
            found += self.hours.works_on(other)
            other += timedelta(days=step)
        return found


class TicketLike(Protocol):
    """A row with what kb.tickets.models.Ticket holds of the round that goes on, or went on last."""

    @property
    def runs(self) -> Sequence[Sequence[str | None]]:
        """Pairs of ISO moments."""

    responded_at: datetime | None
    resolved_at: datetime | None
    ended_at: datetime | None
    state: str
    assignee: str
    priority: str
    category: str
    module: str
    escalated: str


@dataclass(frozen=True, slots=True)
class Round:
    """One course of a ticket from its opening to its end: when somebody waited, and how it stands, or stood when it ended.

    `ended_at` is None while it is open; `resolved_at` is None, too, when it ended in another way than by an answer. Times of the file that follow from
    `priority`, `category` and `module` are those of its last state: a priority that is corrected changes the target, never the time used.
    """

    runs: tuple[Run, ...] = ()
    responded_at: datetime | None = None
    resolved_at: datetime | None = None
    ended_at: datetime | None = None
    state: State = State.NEW
    assignee: str = ""
    priority: str = ""
    category: str = ""
    module: str = ""
    escalated: Level = Level.NONE

    @property
    def began(self) -> datetime | None:
        """Since when somebody waited first; None when nobody has."""
        return self.runs[0][0] if self.runs else None


@dataclass(frozen=True, slots=True)
class Clock:
    """How much of one promised time has run. All durations are seconds of the kind that the promise counts.

    `target`: what is promised, None for nothing. `used`: what has counted so far, or until it was met. `due_at`: the moment when it is over, in the past when
    that has passed, and `near_at` the one from which it is 即将超时; both None while nothing counts, when it is met and without a target. `met_at`: when it was
    met. `late`: it was not met in time, whether it has been met since or not. `running`: time counts, now or when people work again.
    """

    target: float | None
    used: float
    due_at: datetime | None
    near_at: datetime | None
    met_at: datetime | None
    late: bool
    running: bool


@dataclass(frozen=True, slots=True)
class Clocks:
    """How a round stands to what was promised.

    `alarm`: what somebody should have been told of by now, paused or not; NONE in a round that has ended. `escalate_at`: when `promise.level` has to look at
    it, maybe in the past; None when that level or a higher one does already, when the round has ended, and while that time is not over and nothing counts.
    `next`: the clock that counts now, the response until it is met and then the resolution; None in a round that has ended and when nothing is promised.
    `paused`: it is open, and no time counts.
    """

    promise: Promise
    response: Clock
    resolution: Clock
    alarm: Alarm
    escalate_at: datetime | None
    next: Clock | None
    paused: bool


def round_of(ticket: TicketLike) -> Round:
    """Return the round in which a ticket is, or was last, from what stands in its row."""
    return Round(
        from_stored(ticket.runs),
        ticket.responded_at,
        ticket.resolved_at,
        ticket.ended_at,
        State(ticket.state),
        ticket.assignee,
        ticket.priority,
        ticket.category,
        ticket.module,
        Level(ticket.escalated),
    )


def rounds(events: Iterable[Happened], begin: Standing) -> list[Round]:
    """Return all rounds of a ticket that opened as `begin`, the first one first, from its events in the order of their ids. Undone ones do not count."""
    found: list[Round] = []
    now = begin
    for event in counting(events):
        if event.kind == Kind.REOPENED and not now.open:
            found.append(_round(now))
        now = after(now, event)
    return [*found, _round(now)]


def _round(now: Standing) -> Round:
    return Round(now.runs, now.responded_at, now.resolved_at, now.ended_at, now.state, now.assignee, now.priority, now.category, now.module, now.escalated)


def clocks(policies: Policies, around: Round, now: datetime) -> Clocks:
    """Return the clocks of a round as they stand at `now`; those of a round that has ended, as they stood then."""
    promise = policies.promise(around.priority, around.category, around.module, around.began)
    count: _Counting = _ROUND_THE_CLOCK if promise.always else policies.hours
    is_open = around.ended_at is None
    response = _clock(count, around, promise.respond, policies.near, around.responded_at, now)
    resolution = _clock(count, around, promise.resolve, policies.near, around.resolved_at, now)
    due = next((clock for clock in (response, resolution) if clock.target and not clock.met_at), None)
    return Clocks(
        promise,
        response,
        resolution,
        _alarm(response, resolution, policies.near) if is_open else Alarm.NONE,
        _escalate_at(count, around, promise) if is_open else None,
        due if is_open else None,
        is_open and not resolution.running,
    )


def _escalate_at(count: _Counting, around: Round, promise: Promise) -> datetime | None:
    if promise.escalate is None or _RANK[around.escalated] >= _RANK[promise.level]:
        return None
    return _reached(count, around.runs, promise.escalate)


def _alarm(response: Clock, resolution: Clock, near: float) -> Alarm:
    """Return the worst that is true of an open round."""
    for clock, late, close in ((resolution, Alarm.RESOLUTION_LATE, Alarm.RESOLUTION_NEAR), (response, Alarm.RESPONSE_LATE, Alarm.RESPONSE_NEAR)):
        if clock.target and not clock.met_at:
            if clock.late:
                return late
            if clock.used >= round(clock.target * near, 6):
                return close
    return Alarm.NONE


class _Counting(Protocol):
    def seconds(self, since: datetime, until: datetime) -> float: ...

    def after(self, at: datetime, seconds: float) -> datetime: ...


class _RoundTheClock:
    """Every hour of every day."""

    def seconds(self, since: datetime, until: datetime) -> float:
        return max(0.0, (until - since).total_seconds())

    def after(self, at: datetime, seconds: float) -> datetime:
        return at + timedelta(seconds=seconds)


_ROUND_THE_CLOCK = _RoundTheClock()


def _clock(count: _Counting, around: Round, target: float | None, near: float, met_at: datetime | None, now: datetime) -> Clock:
    """Return a clock that stops at `met_at`."""
    stop = now if met_at is None else met_at
    spans = [(since, stop if until is None else min(until, stop)) for since, until in around.runs]
    used = round(sum(count.seconds(since, until) for since, until in spans), 6)
    running = met_at is None and bool(around.runs) and around.runs[-1][1] is None
    if target is None:
        return Clock(None, used, None, None, met_at, late=False, running=running)
    due_at = _reached(count, around.runs, target)
    waited_on = due_at is not None and any(since < until and due_at < until for since, until in spans)  # the hours may have ended when the time was over
    late = used > target or (used == target and waited_on)
    if not running:
        return Clock(target, used, None, None, met_at, late, running)
    return Clock(target, used, due_at, _reached(count, around.runs, target * near), met_at, late, running)


def _reached(count: _Counting, runs: Sequence[Run], seconds: float) -> datetime | None:
    """Return the moment by which so much time has counted, be it to come; None when it will not by itself."""
    left = seconds
    for since, until in runs:
        spent = 0.0 if until is None else count.seconds(since, until)
        if until is None or spent >= left:
            return count.after(since, left)
        left = round(left - spent, 6)
    return None
