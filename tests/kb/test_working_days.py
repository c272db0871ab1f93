from datetime import UTC, date, datetime

import pytest

from kb.working_days import CHINA, after, is_working_day, known_until


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


@pytest.mark.parametrize(
    ("at", "days", "due"),
    [
        ("2026-11-23 09:30", 0, "2026-11-23 09:30"),
        ("2026-11-23 09:30", 1, "2026-11-24 09:30"),
        ("2026-11-20 17:45", 1, "2026-11-23 17:45"),  # over a weekend
        ("2026-11-21 23:59", 0, "2026-11-21 23:59"),
        ("2026-11-21 10:00", 1, "2026-11-23 10:00"),  # a Saturday's own day does not count
        ("2026-11-22 10:00", 3, "2026-11-25 10:00"),
        ("2026-09-30 16:00", 1, "2026-10-08 16:00"),  # over National Day
        ("2026-09-30 16:00", 3, "2026-10-10 16:00"),  # to its make-up Saturday
        ("2026-10-09 16:00", 2, "2026-10-12 16:00"),  # the make-up Saturday counts, its Sunday does not
        ("2026-10-03 08:00", 1, "2026-10-08 08:00"),  # asked amid the holidays
        ("2026-02-13 12:00", 1, "2026-02-14 12:00"),  # the make-up Saturday before the Spring Festival
        ("2026-02-13 12:00", 3, "2026-02-25 12:00"),
        ("2026-02-27 12:00", 1, "2026-02-28 12:00"),
        ("2025-12-31 18:00", 1, "2026-01-04 18:00"),  # over a year's end that is known: its first working day is a Sunday
        ("2099-09-30 09:00", 2, "2099-10-06 09:00"),  # in a year that is not known, over the days of National Day that the law names and a weekend
        ("2099-10-05 09:00", 1, "2099-10-06 09:00"),
    ],
)
def test_a_promise_in_working_days_comes_due_at_the_same_time_of_day(at, days, due):
    assert after(datetime.fromisoformat(at).replace(tzinfo=CHINA), days) == datetime.fromisoformat(due).replace(tzinfo=CHINA)


def test_the_day_is_that_of_china_whatever_zone_the_time_was_told_in():
    friday_evening_in_utc = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # Saturday 01:00 in China
    assert after(friday_evening_in_utc, 1).isoformat() == "2026-11-23T01:00:00+08:00"


def test_a_year_whose_days_are_not_known_rests_on_weekends_and_on_new_years_day():
    last = known_until()
    assert (last.month, last.day) == (12, 31)
    assert last >= date(2026, 12, 31)
    due = after(datetime(last.year, 12, 31, 9, 0, tzinfo=CHINA), 10)
    weekdays = [day for day in range(2, 22) if date(last.year + 1, 1, day).weekday() < 5]
    assert due == datetime(last.year + 1, 1, weekdays[9], 9, 0, tzinfo=CHINA)


@pytest.mark.parametrize(("at", "days"), [(datetime(2026, 11, 23, 9, 0), 1), (datetime(2026, 11, 23, 9, 0, tzinfo=CHINA), -1)])  # noqa: DTZ001
def test_a_time_without_a_zone_and_a_day_in_the_past_are_refused(at, days):
    with pytest.raises(ValueError, match="working days after"):
        after(at, days)
