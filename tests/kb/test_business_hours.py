import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb.business_hours import BusinessHours

CHINA, LONDON = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/London")
OFFICE = BusinessHours(CHINA, [(510, 720), (810, 1050)])  # 08:30-12:00, 13:30-17:30


def moment(text, zone=CHINA):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("since", "until", "hours", "why"),
    [
        ("2026-11-23 09:00", "2026-11-23 11:00", 2, "a morning"),
        ("2026-11-23 09:00", "2026-11-23 14:00", 3.5, "over lunch"),
        ("2026-11-23 12:10", "2026-11-23 13:20", 0, "within lunch"),
        ("2026-11-23 00:00", "2026-11-24 00:00", 7.5, "a working day"),
        ("2026-11-23 17:30", "2026-11-24 08:30", 0, "a night"),
        ("2026-11-20 17:00", "2026-11-23 09:00", 1, "over a weekend"),
        ("2026-11-21 09:00", "2026-11-22 17:00", 0, "a weekend"),
        ("2026-09-30 17:00", "2026-10-08 09:00", 1, "over National Day"),
        ("2026-10-10 00:00", "2026-10-12 00:00", 7.5, "a make-up Saturday and a Sunday off"),
        ("2026-02-14 00:00", "2026-02-25 00:00", 15, "over the Spring Festival, from the make-up Saturday before it to the Tuesday after it"),
        ("2025-12-31 17:00", "2026-01-04 09:00", 1, "over a year's end, into a make-up Sunday"),
        ("2099-09-30 17:00", "2099-10-05 09:00", 1, "over a National Day that the library does not know yet, a Thursday and a Friday"),
        ("2026-11-23 11:00", "2026-11-23 09:00", 0, "backwards"),
        ("2026-11-23 09:00", "2026-11-23 09:00", 0, "no time at all"),
        ("2026-11-23 11:59:59.999999", "2026-11-23 13:30:00.000001", 2e-6 / 3600, "a microsecond before lunch and one after it"),
        ("2026-01-01 00:00", "2027-01-01 00:00", 1860, "2026: 365 days, 104 of weekends, 19 weekdays off, 6 make-up days: 248 of 7.5 hours"),
    ],
)
def test_hours_are_counted_while_people_work(since, until, hours, why):
    assert OFFICE.seconds(moment(since), moment(until)) == pytest.approx(hours * 3600, abs=1e-9), why


@pytest.mark.parametrize(
    ("at", "hours", "then", "why"),
    [
        ("2026-11-23 09:00", 2, "2026-11-23 11:00", "a morning"),
        ("2026-11-23 09:00", 3, "2026-11-23 12:00", "up to lunch: not when it ends"),
        ("2026-11-23 09:00", 3.5, "2026-11-23 14:00", "over lunch"),
        ("2026-11-23 12:30", 1, "2026-11-23 14:30", "from lunch"),
        ("2026-11-20 17:00", 0.5, "2026-11-20 17:30", "up to the evening"),
        ("2026-11-20 17:00", 1, "2026-11-23 09:00", "over a weekend"),
        ("2026-11-21 03:00", 7.5, "2026-11-23 17:30", "a working day from a Saturday night"),
        ("2026-09-30 17:00", 8, "2026-10-08 17:30", "over National Day"),
        ("2098-12-31 17:00", 1, "2099-01-02 09:00", "over New Year's Day into a year that is not known, from a Wednesday"),
        ("2026-11-21 03:00", 0, "2026-11-21 03:00", "at once, whether people work or not"),
    ],
)
def test_so_much_time_has_passed_at_the_earliest_moment_when_it_has(at, hours, then, why):
    assert OFFICE.after(moment(at), hours * 3600) == moment(then), why


@pytest.mark.parametrize(
    ("at", "then"),
    [
        ("2026-11-23 08:30", "2026-11-23 08:30"),
        ("2026-11-23 11:59:59", "2026-11-23 11:59:59"),
        ("2026-11-23 12:00", "2026-11-23 13:30"),
        ("2026-11-23 17:30", "2026-11-24 08:30"),
        ("2026-11-20 20:00", "2026-11-23 08:30"),
        ("2026-10-01 10:00", "2026-10-08 08:30"),
        ("2025-12-31 17:30", "2026-01-04 08:30"),
    ],
)
def test_closed_hours_end_when_people_work_again(at, then):
    assert OFFICE.opens_at(moment(at)) == moment(then)


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
def test_working_days_later_it_is_the_same_time_of_day(at, days, due):
    assert OFFICE.days_after(moment(at), days) == moment(due)


def test_those_days_are_the_companys_own_and_of_its_zone():
    friday_evening_in_utc = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # Saturday 01:00 in China
    assert OFFICE.days_after(friday_evening_in_utc, 1).isoformat() == "2026-11-23T01:00:00+08:00"
    london = BusinessHours(LONDON, [(540, 1020)], lambda day: day.day != 25)
    assert london.days_after(datetime(2026, 10, 24, 8, 0, tzinfo=UTC), 1).isoformat() == "2026-10-26T09:00:00+00:00"  # its clocks went back on the 25th


def test_people_work_again_in_a_year_that_nobody_asked_for_yet():
    assert BusinessHours(CHINA, [(510, 720)]).opens_at(moment("2098-12-31 12:00")) == moment("2099-01-02 08:30")


def test_a_clock_that_is_set_forward_or_back_makes_no_hour_too_many():
    round_the_clock = BusinessHours(LONDON, [(0, 1440)], lambda _: True)
    assert round_the_clock.seconds(moment("2026-03-29", LONDON), moment("2026-03-30", LONDON)) == 23 * 3600
    assert round_the_clock.seconds(moment("2026-10-25", LONDON), moment("2026-10-26", LONDON)) == 25 * 3600
    nights = BusinessHours(LONDON, [(60, 90), (120, 150)], lambda _: True)  # 01:00-01:30 is skipped on 29 March, and happens twice on 25 October
    assert nights.seconds(moment("2026-03-29", LONDON), moment("2026-03-30", LONDON)) == 1800
    assert nights.seconds(moment("2026-10-25", LONDON), moment("2026-10-26", LONDON)) == 3600


def test_the_hours_are_those_of_the_zone_in_summer_and_in_winter():
    london = BusinessHours(LONDON, [(540, 1020)], lambda day: day.weekday() < 5)
    assert london.after(datetime(2026, 3, 27, 16, 30, tzinfo=UTC), 3600) == datetime(2026, 3, 30, 8, 30, tzinfo=UTC)
    assert london.after(datetime(2026, 10, 23, 15, 30, tzinfo=UTC), 3600) == datetime(2026, 10, 26, 9, 30, tzinfo=UTC)


MOMENTS = st.datetimes(datetime(2025, 6, 1), datetime(2027, 6, 1), timezones=st.sampled_from([UTC, CHINA, LONDON]))  # noqa: DTZ001 - hypothesis adds the zone


@settings(max_examples=200, deadline=None)
@given(first=MOMENTS, second=MOMENTS, third=MOMENTS)
def test_parts_of_a_time_add_up_to_it(first, second, third):
    since, between, until = sorted((first, second, third))
    whole = OFFICE.seconds(since, until)
    assert whole == pytest.approx(OFFICE.seconds(since, between) + OFFICE.seconds(between, until), abs=1e-6)
    assert 0 <= whole <= (until - since).total_seconds()


@settings(max_examples=200, deadline=None)
@given(at=MOMENTS, seconds=st.integers(1, 10**7))
def test_what_was_counted_forward_is_counted_back_and_no_moment_sooner_would_do(at, seconds):
    then = OFFICE.after(at, seconds)
    assert OFFICE.seconds(at, then) == seconds
    assert OFFICE.seconds(at, then - timedelta(microseconds=1)) < seconds
    assert OFFICE.opens_at(then - timedelta(microseconds=1)) < then


@pytest.mark.parametrize("years", [(2026, 2036), (2026, 2016), (1970, 2026), (2026, 2099)])
def test_a_clock_that_jumps_by_years_is_counted_with_and_soon(years):
    hours = BusinessHours(CHINA, [(510, 720), (810, 1050)])
    start = time.process_time()
    for year in years:
        hours.opens_at(datetime(year, 11, 23, 1, tzinfo=UTC))
    since, until = (datetime(year, 11, 23, 1, tzinfo=UTC) for year in sorted(years))
    assert hours.seconds(since, until) / 27_000 == pytest.approx((until - since).days * 5 / 7, rel=0.06)
    assert time.process_time() - start < 0.03 * len(range(since.year, until.year + 1))


def test_looking_up_what_is_laid_out_takes_microseconds():
    at = moment("2026-11-20 17:00")
    OFFICE.after(at, 3600)
    start = time.process_time()
    for _ in range(1000):
        OFFICE.after(at, 3600)
    assert time.process_time() - start < 0.05  # 3 ms on an idle machine


@pytest.mark.parametrize("intervals", [[], [(600, 600)], [(600, 540)], [(510, 720), (720, 1050)], [(810, 1050), (510, 720)], [(510, 1441)], [(-1, 720)]])
def test_hours_that_no_day_has_are_refused(intervals):
    with pytest.raises(ValueError, match="rising order"):
        BusinessHours(CHINA, intervals)


@pytest.mark.parametrize(
    ("day", "end"),
    [("2026-11-23", "2026-11-23 17:30"), ("2026-02-14", "2026-02-14 17:30"), ("2026-11-21", None), ("2026-10-01", None)],
    ids=["Monday", "make-up Saturday", "Saturday", "National Day"],
)
def test_a_day_has_an_end_of_work_unless_it_is_off(day, end):
    assert OFFICE.ends_on(date.fromisoformat(day)) == (moment(end) if end else None)


def test_the_end_of_work_is_where_the_hours_of_the_day_end_whatever_the_clocks_do():
    madrid = BusinessHours(ZoneInfo("Europe/Madrid"), [(0, 1440)], lambda _: True)
    for day in ("2026-03-29", "2026-10-25"):
        end = madrid.ends_on(date.fromisoformat(day))
        assert end.astimezone(madrid.zone).isoformat()[:16] == (date.fromisoformat(day) + timedelta(days=1)).isoformat() + "T00:00"


def test_the_day_is_the_one_of_the_company():
    assert OFFICE.day_of(datetime(2026, 11, 22, 16, 30, tzinfo=UTC)) == date(2026, 11, 23)
    assert OFFICE.day == 27_000
