"""Working days in China: weekends, public holidays and make-up days (调休); one door to chinesecalendar.

The State Council announces a year's days in the autumn before it, and the library learns them by an update. In years that it does not know, weekends are days
off and the public holidays that the law ties to a date; those of the lunar calendar are not, so that a promise comes due early rather than never.
"""

from __future__ import annotations

from datetime import date

import chinese_calendar

SATURDAY = 5
"""The weekday with which a weekend begins."""
_KNOWN = frozenset(day.year for day in chinese_calendar.holidays)
_EVERY_YEAR = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
"""Month and day of the public holidays whose date is the same every year, as the law has them since 2025."""


def is_working_day(day: date) -> bool:
    """Tell whether people in China work on `day`; where the library does not know the year, by the weekday and the holidays of fixed date."""
    if day.year not in _KNOWN:
        return day.weekday() < SATURDAY and (day.month, day.day) not in _EVERY_YEAR
    return day in chinese_calendar.workdays or (day.weekday() < SATURDAY and day not in chinese_calendar.holidays)


def known_until() -> date:
    """Return the last day of the last year whose holidays the library knows; from the next day on, weekends and holidays of fixed date alone are days off."""
    return date(max(_KNOWN), 12, 31)
