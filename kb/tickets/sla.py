"""What people who wait are promised, and how much of that time has run. Pure: a file of promises, a round of a ticket and a moment give its clocks.

A ticket goes in rounds: the first begins when it opens, another whenever it opens again after it had ended. Time counts while somebody waits and it is not an
asker's turn (kb.tickets.standing), in business hours unless the promise says always. Nothing here is stored, so a change of the file changes the past as well.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kb.business_hours import MIDNIGHT, BusinessHours
from kb.errors import ConfigError
from kb.tickets.standing import Alarm, Kind, Level, State, after, counting, from_stored
from kb.tickets.triage import Category, Priority
from kb.working_days import SATURDAY, is_working_day, known_until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from kb.tickets.standing import Happened, Run, Standing

SHIPPED = Path(__file__).with_name("sla.toml")
"""The promises in force when KB_SLA names no others."""
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

    @classmethod
    def read(cls, path: Path | None = None) -> Policies:
        """Read a file of promises, the shipped one for None. Raises ConfigError, which names the file, the key and the remedy."""
        return _read(path or SHIPPED)

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


_T = TypeVar("_T")
_REQUIRED: Any = object()
_CLOCK = r"([01]\d|2[0-4]):([0-5]\d)"
_INTERVAL = re.compile(f"{_CLOCK}-{_CLOCK}")
_DURATION = re.compile(r"([1-9]\d{0,2})(min|h|d)")
_SECONDS = {"min": 60.0, "h": 3600.0}
_NEVER = "never"
_MOST_DAYS = 15
"""Working days of a month that can be 月结; with more than that at both ends every day would be."""


class _Table:
    """A table of a file of promises. What is wrong with it is told with file, place and remedy, as ConfigError."""

    def __init__(self, path: Path, place: str, values: Mapping[str, Any]) -> None:
        self.path, self.place, self.values = path, place, dict(values)
        self._known: list[str] = []

    def take(self, key: str, kind: type[_T], default: _T = _REQUIRED, *, like: str) -> _T:
        """Return the value of a key, which must be of a kind, as `like` shows."""
        self._known.append(key)
        if key not in self.values and default is not _REQUIRED:
            return default
        value = self.values.get(key)
        if type(value) is not kind:
            self.fail(key, f"is {'missing' if key not in self.values else repr(value)}", f"write it as in {key} = {like}")
        return value

    def table(self, key: str) -> _Table | None:
        """Return a table in this one, None when there is none."""
        values = self.take(key, dict, {}, like="… under a line [" + key + "]")
        return _Table(self.path, f"[{key}] ", values) if key in self.values else None

    def end(self) -> None:
        """Refuse keys that nobody has taken."""
        for key in self.values.keys() - self._known:
            near = difflib.get_close_matches(key, self._known, 1)
            self.fail(key, "is unknown", f"did you mean {near[0]}?" if near else f"use {', '.join(self._known)}")

    def fail(self, key: str, what: str, remedy: str) -> NoReturn:
        raise ConfigError(f"{self.path}: {self.place}{key} {what}; {remedy}")


def _read(path: Path) -> Policies:
    file = _Table(path, "", _loaded(path))
    zone, hours, near = _zone(file), _hours(file), _near(file)
    works, years, off, work = _days(file.table("days"))
    business = BusinessHours(zone, hours, works)
    promises = _promises(file, business.day)
    month_end = _month_end(file.table("month_end"))
    file.end()
    return Policies(business, near, promises, month_end, years, off, work)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"KB_SLA={path} cannot be read ({error.strerror}); name a readable file, or leave KB_SLA empty") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: this is no TOML in UTF-8 ({error}); mend it, or begin with a copy of {SHIPPED.name}") from error


def _zone(file: _Table) -> ZoneInfo:
    name = file.take("zone", str, like='"Asia/Shanghai"')
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        file.fail("zone", f"= {name!r} is no time zone that this machine knows", 'use a name like "Asia/Shanghai"')


def _hours(file: _Table) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for text in _texts(file, "hours", like='["08:30-12:00", "13:30-17:30"]'):
        match = _INTERVAL.fullmatch(text)
        if not match:
            file.fail("hours", f"holds {text!r}", 'write from when to when, as in "08:30-12:00"')
        begin, begin_minute, end, end_minute = (int(part) for part in match.groups())
        interval = (begin * 60 + begin_minute, end * 60 + end_minute)
        if interval[0] >= interval[1] or interval[1] > MIDNIGHT:
            file.fail("hours", f"holds {text!r}, which does not end after it begins on the same day", 'split a night: "00:00-06:00", "22:00-24:00"')
        if found and found[-1][1] >= interval[0]:
            file.fail("hours", f"holds {text!r}, which begins before the one before it has ended, or just then", "put them in order, and join those that touch")
        found.append(interval)
    if not found:
        file.fail("hours", "is empty", 'write from when to when people work, as in ["08:30-12:00", "13:30-17:30"]')
    return found


def _near(file: _Table) -> float:
    near = file.take("near", float, 0.75, like="0.75")
    if not 0 < near < 1:
        file.fail("near", f"= {near} is no share of a time", "use a number between 0 and 1, as 0.75")
    return near


def _days(table: _Table | None) -> tuple[Callable[[date], bool], frozenset[int], frozenset[date], frozenset[date]]:
    """Return what tells a working day, the years that stand in the file, and its days off and of work."""
    if table is None:
        return is_working_day, frozenset(), frozenset(), frozenset()
    years = table.take("years", list, [], like="[2027]")
    if any(type(year) is not int or not date.min.year <= year <= date.max.year for year in years):
        table.fail("years", f"= {years!r} holds what is no year", "write it as in years = [2027]")
    off, work = _dates(table, "off"), _dates(table, "work")
    if both := off & work:
        table.fail("off", f"and work both hold {min(both)}", "leave it in one of them")
    for year in years:
        if not any(day.year == year for day in off):
            table.fail("years", f"holds {year}, and off no day of it", f"write the holidays of {year} into off, or take it out of years")
    table.end()

    def works(day: date) -> bool:
        if day in work or day in off:
            return day in work
        return day.weekday() < SATURDAY if day.year in years else is_working_day(day)

    return works, frozenset(years), off, work


def _dates(table: _Table, key: str) -> frozenset[date]:
    found = set()
    for value in table.take(key, list, [], like='["2027-01-01"]'):
        try:
            found.add(value if type(value) is date else date.fromisoformat(value))
        except (TypeError, ValueError):
            table.fail(key, f"holds {value!r}, which is no date", 'write it as in "2027-01-01"')
    return frozenset(found)


def _month_end(table: _Table | None) -> MonthEnd:
    if table is None:
        return MonthEnd()
    days = {key: table.take(key, int, like="3") for key in ("last", "first")}
    for key, number in days.items():
        if not 0 <= number <= _MOST_DAYS:
            table.fail(key, f"= {number}", f"use a number of working days from 0 to {_MOST_DAYS}")
    modules = _texts(table, "modules", like='["reimbursement"]')
    raised = table.take("raise", dict, like='{ normal = "high" }')
    ranks = list(Priority)
    for priority, higher in raised.items():
        if priority not in ranks or higher not in ranks or ranks.index(Priority(higher)) >= ranks.index(Priority(priority)):
            table.fail("raise", f"holds {priority} = {higher!r}", f"name a priority and a higher one; from the highest they are {', '.join(ranks)}")
    table.end()
    return MonthEnd(days["last"], days["first"], frozenset(modules), raised)


def _promises(file: _Table, day: float) -> tuple[Promise, ...]:
    found: list[Promise] = []
    for number, values in enumerate(file.take("promise", list, like="… in tables under lines [[promise]]"), 1):
        table = _Table(file.path, f"promise {number}: ", values if isinstance(values, dict) else {})
        promise = _promise(table, day)
        hidden = next((earlier for earlier in found if earlier.fits(promise.priority, promise.category) or earlier.name == promise.name), None)
        if hidden and hidden.name == promise.name:
            table.fail("name", f"= {promise.name!r} is another's, too", "give it a name of its own")
        if hidden:
            table.fail("priority and category", f"fit nothing that {hidden.name!r} above does not fit", "put the narrower one first, or take one out")
        found.append(promise)
    if not found or found[-1].priority or found[-1].category:
        file.fail("promise", "has no last one without priority and category", "add one, for all that the others do not fit")
    return tuple(found)


def _promise(table: _Table, day: float) -> Promise:
    name = table.take("name", str, like='"紧急"').strip()
    if not name:
        table.fail("name", "is empty", "give it the name that the desk shows")
    always = table.take("always", bool, default=False, like="true")
    respond, resolve = (_duration(table, key, day, always=always) for key in ("respond", "resolve"))
    if respond is not None and resolve is not None and respond > resolve:
        table.fail("respond", "is longer than resolve", "promise the first response no later than the solution")
    escalate = _duration(table, "escalate", day, always=always) if "escalate" in table.values else resolve
    level = table.take("level", str, Level.SECOND.value, like='"manager"')
    if level not in {Level.SECOND, Level.MANAGER}:
        table.fail("level", f"= {level!r} is unknown", f"use {Level.SECOND} or {Level.MANAGER}")
    conditions = {key: _one_of(table, key, names) for key, names in (("priority", list(Priority)), ("category", list(Category)))}
    table.end()
    return Promise(name, respond, resolve, escalate, Level(level), always, **conditions)


def _duration(table: _Table, key: str, day: float, *, always: bool) -> float | None:
    text = table.take(key, str, "", like='"4h"')
    if key not in table.values or (key, text) == ("escalate", _NEVER):
        return None
    match = _DURATION.fullmatch(text)
    if not match:
        table.fail(key, f"= {text!r} is no time", 'write minutes, hours or working days, as in "30min", "4h" or "3d"')
    number, unit = match.groups()
    if unit == "d" and always:
        table.fail(key, f"= {text!r} are working days, and always = true counts every hour", 'write hours, as in "24h"')
    return int(number) * (_SECONDS.get(unit) or day)


def _one_of(table: _Table, key: str, names: Collection[str]) -> str:
    value = table.take(key, str, "", like=f'"{next(iter(names))}"')
    if key in table.values and value not in names:
        table.fail(key, f"= {value!r} is unknown", f"use {', '.join(names)}, or leave {key} out")
    return value


def _texts(table: _Table, key: str, *, like: str) -> list[str]:
    values = table.take(key, list, like=like)
    for value in values:
        if type(value) is not str:
            table.fail(key, f"holds {value!r}", f"write it as in {key} = {like}")
    return values
