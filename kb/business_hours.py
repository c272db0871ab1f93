"""Business hours: how much time counts between two moments, and when so much of it has passed. Exact to the microsecond, whatever the time zone does.

The hours of a year are laid out once, when somebody first asks for it (about a millisecond), and looked up by bisection from then on.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from kb.working_days import is_working_day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MINUTE, _DAY = 60_000_000, 86_400_000_000
MIDNIGHT = 24 * 60
"""The minute at which a day ends."""


class BusinessHours:
    """The hours in which a company works: intervals of a day in its time zone, on its working days.

    Moments come in with a time zone and go out in UTC; all durations are seconds. Safe to share between threads.
    """

    def __init__(self, zone: ZoneInfo, intervals: Sequence[tuple[int, int]], works: Callable[[date], bool] = is_working_day) -> None:
        """Take the minutes of a day from and to which people work, in order and without overlap, up to 1440; and what tells a working day."""
        minutes = [minute for interval in intervals for minute in interval]
        if not minutes or minutes != sorted({*minutes}) or minutes[0] < 0 or minutes[-1] > MIDNIGHT:
            raise ValueError(f"business hours {intervals}: give the minutes of a day in rising order")
        self.zone = zone
        self.works_on = works
        self.day = 60.0 * sum(end - start for start, end in intervals)
        """Seconds of a working day."""
        self.intervals = tuple(intervals)
        """The minutes of a day from and to which people work."""
        self._laid = _Laid(0, 0, 0, 0, (), (), (0,))

    def seconds(self, since: datetime, until: datetime) -> float:
        """Return the business seconds between two moments; 0 when `until` is not after `since`."""
        if until <= since:
            return 0.0
        start, end = _microseconds(since), _microseconds(until)
        laid = self._laid_for(since, start)
        laid = self._laid_for(until, end, laid)
        return (laid.passed(end) - laid.passed(start)) / 1e6

    def after(self, at: datetime, seconds: float) -> datetime:
        """Return the earliest moment by which so many business seconds have passed since `at`; that is `at` itself for 0."""
        start, wanted = _microseconds(at), round(seconds * 1e6)
        if wanted <= 0:
            return _moment(start)
        laid = self._laid_for(at, start)
        goal = laid.passed(start) + wanted
        while goal > laid.before[-1]:
            laid = self._lay(laid.last + 1, laid)
        found = bisect_left(laid.before, goal) - 1
        return _moment(laid.opens[found] + goal - laid.before[found])

    def days_after(self, at: datetime, days: int) -> datetime:
        """Return the same time of day `days` working days after `at`, in the company's zone; the day of `at` itself does not count."""
        due = at.astimezone(self.zone)
        while days > 0:
            due += timedelta(days=1)
            days -= self.works_on(due.date())
        return due

    def opens_at(self, at: datetime) -> datetime:
        """Return `at` itself while people work, else when they begin again."""
        start = _microseconds(at)
        laid = self._laid_for(at, start)
        found = bisect_right(laid.closes, start)
        while found == len(laid.opens):
            laid = self._lay(laid.last + 1, laid)
            found = bisect_right(laid.closes, start)
        return _moment(max(start, laid.opens[found]))

    def ends_on(self, day: date) -> datetime | None:
        """Return the moment at which work ends on a day, None on a day off."""
        if not self.works_on(day):
            return None
        end = self.intervals[-1][1]
        return _moment((day.toordinal() - _EPOCH_DAY) * _DAY + end * _MINUTE - self._offset(day, end))

    def day_of(self, at: datetime) -> date:
        """Return the day that it is for the company at a moment."""
        return at.astimezone(self.zone).date()

    def _laid_for(self, at: datetime, moment: int, laid: _Laid | None = None) -> _Laid:
        """Return hours that are laid out at a moment, and wherever `laid` has them."""
        laid = laid or self._laid
        return laid if laid.start <= moment < laid.end else self._lay(self.day_of(at).year, laid)

    def _lay(self, year: int, laid: _Laid) -> _Laid:
        """Lay out a year, and those between it and what is laid out already. Two threads may both do so: what either works with is whole."""
        first, last = (min(laid.first, year), max(laid.last, year)) if laid.opens else (year, year)
        earlier = list(self._hours_of(first, laid.first - 1 if laid.opens else last))
        later = list(self._hours_of(laid.last + 1, last)) if laid.opens else []
        opens = (*(start for start, _ in earlier), *laid.opens, *(start for start, _ in later))
        closes = (*(end for _, end in earlier), *laid.closes, *(end for _, end in later))
        before = tuple(accumulate((end - start for start, end in zip(opens, closes, strict=True)), initial=0))
        self._laid = _Laid(first, last, self._new_year(first), self._new_year(last + 1), opens, closes, before)
        return self._laid

    def _hours_of(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield from when to when people work in these years, in order; a clock that is set back or forward in between makes them longer or shorter."""
        ended = -_DAY * _EPOCH_DAY
        offset = self._offset(date(first, 1, 1))
        for ordinal in range(date(first, 1, 1).toordinal(), date(last, 12, 31).toordinal() + 1):
            day, at_midnight = date.fromordinal(ordinal), offset
            offset = self._offset(date.fromordinal(ordinal + 1))
            if not self.works_on(day):
                continue
            midnight = (ordinal - _EPOCH_DAY) * _DAY
            for start, end in self.intervals:
                same = offset == at_midnight
                begins = max(ended, midnight + start * _MINUTE - (at_midnight if same else self._offset(day, start)))
                ends = midnight + end * _MINUTE - (at_midnight if same else self._offset(day, end))
                if begins < ends:
                    yield begins, ends
                    ended = ends

    def _new_year(self, year: int) -> int:
        """Return the moment at which a year begins."""
        day = date(year, 1, 1)
        return (day.toordinal() - _EPOCH_DAY) * _DAY - self._offset(day)

    def _offset(self, day: date, minute: int = 0) -> int:
        """Return how far the clocks of the zone are ahead at a minute of a day."""
        wall = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return _length((wall + timedelta(minutes=minute) if minute else wall).utcoffset() or timedelta())


@dataclass(frozen=True, slots=True)
class _Laid:
    """The hours of the years from `first` to `last`: when they begin and end, and how much of them lies before each, in microseconds since 1970."""

    first: int
    last: int
    start: int
    end: int
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    before: tuple[int, ...]

    def passed(self, moment: int) -> int:
        """Return how much of the hours lies before a moment."""
        found = bisect_right(self.opens, moment) - 1
        return self.before[found] + min(moment, self.closes[found]) - self.opens[found] if found >= 0 else 0


def _microseconds(at: datetime) -> int:
    return _length(at - _EPOCH)


def _length(duration: timedelta) -> int:
    return (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
