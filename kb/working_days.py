"""Working days in China: weekends, public holidays and make-up days (调休); one door to chinesecalendar.

The State Council announces a year's days in the autumn before it, and the library learns them by an update. For years that it does not know,
weekends alone are days off, so that a promise comes due early rather than never.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import chinese_calendar

CHINA = timezone(timedelta(hours=8))
"""Beijing time. There was summer time from 1986 to 1991, and none since."""
SATURDAY = 5
"""The weekday with which a weekend begins."""


def is_working_day(day: date) -> bool:
    """Tell whether people in China work on `day`; by the weekday alone where the library does not know the year."""
    return day in chinese_calendar.workdays or (day.weekday() < SATURDAY and day not in chinese_calendar.holidays)


def after(at: datetime, days: int) -> datetime:
    """Return the same time in China `days` working days after `at`, in China's time zone; the day of `at` itself does not count.

    Raises ValueError for a time without a zone and for negative `days`; 0 is the time itself, on whatever day.
    """
    if at.tzinfo is None or days < 0:
        raise ValueError(f"{days} working days after {at.isoformat()}: give a time with a zone and no negative number of days")
    due = at.astimezone(CHINA)
    while days:
        due += timedelta(days=1)
        days -= is_working_day(due.date())
    return due


def known_until() -> date:
    """Return the last day of the last year whose holidays the library knows; from the next day on, weekends alone are days off."""
    return date(max(day.year for day in chinese_calendar.holidays), 12, 31)
