from datetime import date

import pytest

from kb.working_days import is_working_day, known_until


@pytest.mark.parametrize(
    ("day", "works", "why"),
    [
        ("2026-01-01", False, "New Year's Day"),
        ("2026-01-02", False, "the Friday after it"),
        ("2026-01-04", True, "a make-up Sunday"),
        ("2026-02-14", True, "a make-up Saturday before the Spring Festival"),
        ("2026-02-16", False, "New Year's Eve of the Spring Festival, a Monday"),
        ("2026-02-23", False, "its last day, a Monday"),
        ("2026-02-24", True, "the first day after it"),
        ("2026-02-28", True, "a make-up Saturday after it"),
        ("2026-09-20", True, "a make-up Sunday"),
        ("2026-09-30", True, "the eve of National Day"),
        ("2026-10-07", False, "the last day of National Day, a Wednesday"),
        ("2026-10-10", True, "a make-up Saturday"),
        ("2026-10-11", False, "a plain Sunday"),
        ("2026-11-21", False, "a plain Saturday"),
        ("2026-11-23", True, "a plain Monday"),
        ("2003-10-01", False, "a National Day before the library's first year, a Wednesday"),
        ("2099-01-01", False, "a New Year's Day that nobody has announced, a Thursday"),
        ("2099-01-02", True, "the Friday after it: whether it is off, nobody knows yet"),
        ("2099-05-01", False, "Labour Day of such a year, a Friday"),
        ("2097-05-02", False, "the day after Labour Day of another, a Thursday"),
        ("2099-10-01", False, "National Day, a Thursday"),
        ("2099-10-02", False, "the day after it"),
        ("2097-10-03", False, "the third day of National Day of another, a Thursday"),
        ("2097-10-04", True, "the fourth, which the law does not name"),
        ("2099-10-03", False, "a Saturday of such a year"),
    ],
)
def test_people_work_on_weekdays_and_make_up_days_and_rest_on_holidays(day, works, why):
    assert is_working_day(date.fromisoformat(day)) is works, why


def test_what_the_library_knows_ends_with_a_year():
    last = known_until()
    assert (last.month, last.day) == (12, 31)
    assert last >= date(2026, 12, 31)
