"""The company's file of promises and business hours (as sla.toml), read whole or refused: whatever is wrong with it is told with file, place and remedy."""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kb.business_hours import MIDNIGHT, BusinessHours
from kb.errors import ConfigError
from kb.tickets.sla import MonthEnd, Policies, Promise
from kb.tickets.standing import Level
from kb.tickets.triage import Category, Priority
from kb.working_days import SATURDAY, is_working_day

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

SHIPPED = Path(__file__).with_name("sla.toml")
"""The promises in force when KB_SLA names no others."""
_T = TypeVar("_T")
_REQUIRED: Any = object()
_CLOCK = r"([01]\d|2[0-4]):([0-5]\d)"
_INTERVAL = re.compile(f"{_CLOCK}-{_CLOCK}")
_DURATION = re.compile(r"([1-9]\d{0,2})(min|h|d)")
_SECONDS = {"min": 60.0, "h": 3600.0}
_NEVER = "never"
_MOST_DAYS = 15
"""Working days of a month that can be 月结; with more than that at both ends every day would be."""


def read(path: Path | None = None) -> Policies:
    """Read a file of promises, the shipped one for None. Raises ConfigError, which names the file, the key and the remedy."""
    path = path or SHIPPED
    file = _Table(path, "", _loaded(path))
    zone, hours, near = _zone(file), _hours(file), _near(file)
    works, years, off, work = _days(file.table("days"))
    business = BusinessHours(zone, hours, works)
    promises = _promises(file, business.day)
    month_end = _month_end(file.table("month_end"))
    file.end()
    return Policies(business, near, promises, month_end, years, off, work)


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
