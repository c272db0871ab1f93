"""What is promised and how the clocks stand: tables computed by hand. Times are of China in 2026 unless they say otherwise; Monday is 23 November."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kb.errors import ConfigError
from kb.tickets import history, sla_file
from kb.tickets.sla import Round, clocks, round_of, rounds
from kb.tickets.standing import ASKER, Alarm, Kind, Level, State, fold, opening
from kb.tickets.triage import Category, Priority

CHINA, LONDON = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/London")
PRESET = sla_file.read()


def moment(text, zone=CHINA):
    """Return a moment in UTC from `11-23 09:00`, maybe with a year before it or seconds behind it."""
    return datetime.fromisoformat(text if text[4:5] == "-" else f"2026-{text}").replace(tzinfo=zone).astimezone(UTC)


def shown(at, zone=CHINA):
    if at is None:
        return ""
    local = at.astimezone(zone)
    return local.strftime(f"{'%Y-' if local.year != 2026 else ''}%m-%d %H:%M{':%S' if local.second else ''}")


# Priority, category and module of what begins to wait at a moment → when the first response and the solution are due, and the next level looks at it.
DUE = [
    ("within a morning", "urgent inquiry loans", "11-23 09:00", "11-23 09:05", "11-23 10:00", "11-23 10:00"),
    ("over lunch", "urgent inquiry loans", "11-20 11:58", "11-20 13:33", "11-20 14:28", "11-20 14:28"),
    ("during lunch", "urgent inquiry loans", "11-20 12:30", "11-20 13:35", "11-20 14:30", "11-20 14:30"),
    ("due when lunch begins", "urgent inquiry loans", "11-23 11:00", "11-23 11:05", "11-23 12:00", "11-23 12:00"),
    ("response due when lunch begins", "urgent inquiry loans", "11-23 11:55", "11-23 12:00", "11-23 14:25", "11-23 14:25"),
    ("half a minute before lunch", "urgent inquiry loans", "11-23 11:59:30", "11-23 13:34:30", "11-23 14:29:30", "11-23 14:29:30"),
    ("due in the evening's last second", "urgent inquiry loans", "11-23 16:30", "11-23 16:35", "11-23 17:30", "11-23 17:30"),
    ("two minutes before the weekend", "urgent inquiry loans", "11-20 17:28", "11-23 08:33", "11-23 09:28", "11-23 09:28"),
    ("on a Friday evening", "urgent inquiry loans", "11-20 18:00", "11-23 08:35", "11-23 09:30", "11-23 09:30"),
    ("before midnight", "urgent inquiry loans", "11-20 23:59:59", "11-23 08:35", "11-23 09:30", "11-23 09:30"),
    ("at midnight", "urgent inquiry loans", "11-21 00:00", "11-23 08:35", "11-23 09:30", "11-23 09:30"),
    ("on a Saturday", "urgent inquiry loans", "11-21 10:00", "11-23 08:35", "11-23 09:30", "11-23 09:30"),
    ("a second before work begins", "urgent inquiry loans", "11-23 08:29:59", "11-23 08:35", "11-23 09:30", "11-23 09:30"),
    ("as work begins", "urgent inquiry loans", "11-23 08:30", "11-23 08:35", "11-23 09:30", "11-23 09:30"),
    ("as work ends", "urgent inquiry loans", "11-23 17:30", "11-24 08:35", "11-24 09:30", "11-24 09:30"),
    (
        "on the eve of a New Year's Day that nobody has announced",
        "normal inquiry loans",
        "12-31 17:25",
        "2027-01-04 08:55",
        "2027-01-04 17:25",
        "2027-01-04 17:25",
    ),
    ("four hours over lunch", "high guidance travel", "11-23 09:00", "11-23 09:15", "11-23 14:30", "11-23 14:30"),
    ("four hours up to the evening", "high guidance travel", "11-23 13:30", "11-23 13:45", "11-23 17:30", "11-23 17:30"),
    ("four hours over a night", "high guidance travel", "11-23 14:00", "11-23 14:15", "11-24 09:00", "11-24 09:00"),
    ("four hours over a weekend", "high fault travel", "11-20 16:00", "11-20 16:15", "11-23 11:00", "11-23 11:00"),
    ("a whole working day", "normal fault travel", "11-23 08:30", "11-23 09:00", "11-23 17:30", "11-23 17:30"),
    ("a working day", "normal fault travel", "11-23 09:00", "11-23 09:30", "11-24 09:00", "11-24 09:00"),
    ("a working day, the response over lunch", "normal inquiry travel", "11-23 11:45", "11-23 13:45", "11-24 11:45", "11-24 11:45"),
    ("a working day over a weekend", "normal suggestion travel", "11-20 17:15", "11-23 08:45", "11-23 17:15", "11-23 17:15"),
    ("a complaint: three days, the manager after two", "normal complaint travel", "11-23 10:00", "11-23 10:15", "11-26 10:00", "11-25 10:00"),
    ("a complaint over a weekend", "normal complaint travel", "11-20 15:00", "11-20 15:15", "11-25 15:00", "11-24 15:00"),
    ("a complaint of high priority is a complaint", "high complaint travel", "11-23 10:00", "11-23 10:15", "11-26 10:00", "11-25 10:00"),
    ("an urgent complaint is urgent first", "urgent complaint travel", "11-23 10:00", "11-23 10:05", "11-23 11:00", "11-23 11:00"),
    ("half an hour before National Day", "urgent fault travel", "09-30 17:00", "09-30 17:05", "10-08 09:00", "10-08 09:00"),
    ("on National Day", "urgent fault travel", "10-01 09:00", "10-08 08:35", "10-08 09:30", "10-08 09:30"),
    ("four hours over National Day", "high fault travel", "09-30 16:30", "09-30 16:45", "10-08 11:30", "10-08 11:30"),
    ("a working day over National Day", "normal fault travel", "09-30 16:30", "09-30 17:00", "10-08 16:30", "10-08 16:30"),
    ("a complaint over National Day, to its make-up Saturday", "normal complaint travel", "09-30 10:00", "09-30 10:15", "10-10 10:00", "10-09 10:00"),
    ("a complaint over the make-up Saturday", "normal complaint travel", "10-09 16:00", "10-09 16:15", "10-13 16:00", "10-12 16:00"),
    ("on the make-up Saturday", "urgent fault travel", "10-10 09:00", "10-10 09:05", "10-10 10:00", "10-10 10:00"),
    ("on the Sunday after it", "urgent fault travel", "10-11 09:00", "10-12 08:35", "10-12 09:30", "10-12 09:30"),
    ("on the make-up Saturday before the Spring Festival", "urgent fault travel", "02-14 17:00", "02-14 17:05", "02-24 09:00", "02-24 09:00"),
    ("a working day, to that Saturday", "normal fault travel", "02-13 17:00", "02-13 17:30", "02-14 17:00", "02-14 17:00"),
    ("four hours over the Spring Festival", "high fault travel", "02-14 15:00", "02-14 15:15", "02-24 10:00", "02-24 10:00"),
    ("on New Year's Eve of the Spring Festival", "urgent fault travel", "02-16 20:00", "02-24 08:35", "02-24 09:30", "02-24 09:30"),
    ("a complaint over the Spring Festival", "normal complaint travel", "02-13 09:00", "02-13 09:15", "02-25 09:00", "02-24 09:00"),
    ("to the make-up Saturday after it", "normal fault travel", "02-27 17:00", "02-27 17:30", "02-28 17:00", "02-28 17:00"),
    ("on a make-up Sunday", "urgent fault travel", "09-20 10:00", "09-20 10:05", "09-20 11:00", "09-20 11:00"),
    ("over the Mid-Autumn Festival", "normal fault travel", "09-24 16:00", "09-24 16:30", "09-28 16:00", "09-28 16:00"),
    ("on the day after New Year's Day, into a make-up Sunday", "urgent fault travel", "01-02 10:00", "01-04 08:35", "01-04 09:30", "01-04 09:30"),
    ("over a year's end", "urgent fault travel", "2025-12-31 17:10", "2025-12-31 17:15", "01-04 09:10", "01-04 09:10"),
    ("to the make-up Saturday of Labour Day", "normal fault travel", "05-08 16:00", "05-08 16:30", "05-09 16:00", "05-09 16:00"),
    ("over the Dragon Boat Festival, due when lunch begins", "high fault travel", "06-18 17:00", "06-18 17:15", "06-22 12:00", "06-22 12:00"),
    ("over Tomb-Sweeping Day", "normal fault travel", "04-03 15:00", "04-03 15:30", "04-07 15:00", "04-07 15:00"),
    ("over a National Day that nobody knows yet", "normal fault travel", "2099-09-30 16:00", "2099-09-30 16:30", "2099-10-05 16:00", "2099-10-05 16:00"),
    ("on a Saturday of a year that nobody knows yet", "urgent fault travel", "2099-10-03 10:00", "2099-10-05 08:35", "2099-10-05 09:30", "2099-10-05 09:30"),
    ("月结: a day too early", "normal fault reimbursement", "11-25 17:00", "11-25 17:30", "11-26 17:00", "11-26 17:00"),
    ("月结: the third last working day", "normal fault reimbursement", "11-26 09:00", "11-26 09:15", "11-26 14:30", "11-26 14:30"),
    ("月结: its night, which is the day before in UTC", "normal fault reimbursement", "11-26 00:30", "11-26 08:45", "11-26 14:00", "11-26 14:00"),
    ("月结: a Saturday between its days", "normal fault reimbursement", "11-28 10:00", "11-30 08:45", "11-30 14:00", "11-30 14:00"),
    ("月结: the first of the next month", "normal fault invoices", "12-01 09:00", "12-01 09:15", "12-01 14:30", "12-01 14:30"),
    ("月结: the evening of the second working day", "normal fault approvals", "12-02 17:29", "12-03 08:44", "12-03 13:59", "12-03 13:59"),
    ("月结: a day too late", "normal fault integration", "12-03 09:00", "12-03 09:30", "12-04 09:00", "12-04 09:00"),
    ("月结: high is urgent", "high fault integration", "11-30 09:00", "11-30 09:05", "11-30 10:00", "11-30 10:00"),
    ("月结: urgent stays urgent", "urgent fault integration", "11-30 09:00", "11-30 09:05", "11-30 10:00", "11-30 10:00"),
    ("月结: other modules", "normal fault loans", "11-30 09:00", "11-30 09:30", "12-01 09:00", "12-01 09:00"),
    ("月结: a complaint stays one", "normal complaint invoices", "11-30 10:00", "11-30 10:15", "12-03 10:00", "12-02 10:00"),
    ("月结: a complaint of high priority is urgent", "high complaint invoices", "11-30 10:00", "11-30 10:05", "11-30 11:00", "11-30 11:00"),
    ("月结: a holiday before the first working day", "normal fault invoices", "10-03 12:00", "10-08 08:45", "10-08 14:00", "10-08 14:00"),
    ("月结: the make-up Saturday is the third working day", "normal fault invoices", "10-10 09:00", "10-10 09:30", "10-12 09:00", "10-12 09:00"),
    ("月结: a Sunday before the third last working day", "normal fault invoices", "09-27 10:00", "09-28 09:00", "09-28 17:30", "09-28 17:30"),
    ("月结: a make-up Saturday is the last day of February", "normal fault invoices", "02-26 09:00", "02-26 09:15", "02-26 14:30", "02-26 14:30"),
    ("月结: so that the Wednesday is too early", "normal fault invoices", "02-25 09:00", "02-25 09:30", "02-26 09:00", "02-26 09:00"),
]


@pytest.mark.parametrize(("why", "about", "began", "respond", "resolve", "escalate"), DUE)
def test_a_promise_is_due_after_its_time_of_business_hours(why, about, began, respond, resolve, escalate):
    priority, category, module = about.split()
    found = clocks(PRESET, Round(((moment(began), None),), priority=priority, category=category, module=module), moment(began))
    assert (shown(found.response.due_at), shown(found.resolution.due_at), shown(found.escalate_at)) == (respond, resolve, escalate)
    assert found.promise.level is (Level.MANAGER if category == "complaint" else Level.SECOND)
    assert (found.alarm, found.paused, found.next) == (Alarm.NONE, False, found.response)


@dataclass
class Event:
    id: int
    at: datetime
    kind: str
    target: str
    undoes: int | None
    data: dict | None
    actor: str
    article: str = ""


def events(line):
    """Make events from `11-23 09:00 awaited, 09:30 asked, …`: on the day of the one before; behind a kind its target, the undone event or since when."""
    made, day = [], ""
    for number, part in enumerate(line.split(", "), 1):
        words = part.split()
        day = words.pop(0) if "-" in words[0] else day
        hour, kind, *more = words
        what = more[0] if more else ""
        since = {"runs": [[moment(f"{day} {what}").isoformat(), None]]} if kind == "moved_in" else None
        actor = ASKER if kind in {"added", "confirmed", "reopened"} else "lin"
        made.append(Event(number, moment(f"{day} {hour}"), kind, what, int(what) if kind == "undone" else None, since, actor))
    return made


BEGIN = opening({"module": "loans", "category": "inquiry", "priority": "normal"})


def clock_text(clock):
    parts = [str(timedelta(seconds=clock.used)), "late" if clock.late else "", f"due {shown(clock.due_at)}" if clock.due_at else ""]
    return " ".join([part for part in parts if part] + ([f"met {shown(clock.met_at)}"] if clock.met_at else []))


# What happened, and now → response, resolution, alarm, escalation, paused. Of normal priority, so 30 minutes and 7:30 hours; near after 22:30 and 5:37:30.
COURSES = [
    ("nothing is near", "11-23 09:00 awaited", "11-23 09:10", "0:10:00 due 11-23 09:30", "0:10:00 due 11-24 09:00", "", "11-24 09:00", False),
    ("a second before near", "11-23 09:00 awaited", "11-23 09:22:29", "0:22:29 due 11-23 09:30", "0:22:29 due 11-24 09:00", "", "11-24 09:00", False),
    (
        "near at three quarters",
        "11-23 09:00 awaited",
        "11-23 09:22:30",
        "0:22:30 due 11-23 09:30",
        "0:22:30 due 11-24 09:00",
        "response_near",
        "11-24 09:00",
        False,
    ),
    (
        "not late at the due time itself",
        "11-23 09:00 awaited",
        "11-23 09:30",
        "0:30:00 due 11-23 09:30",
        "0:30:00 due 11-24 09:00",
        "response_near",
        "11-24 09:00",
        False,
    ),
    (
        "late a second after it",
        "11-23 09:00 awaited",
        "11-23 09:30:01",
        "0:30:01 late due 11-23 09:30",
        "0:30:01 due 11-24 09:00",
        "response_late",
        "11-24 09:00",
        False,
    ),
    (
        "late in the evening, though no more time counts",
        "11-23 17:00 awaited",
        "11-23 20:00",
        "0:30:00 late due 11-23 17:30",
        "0:30:00 due 11-24 17:00",
        "response_late",
        "11-24 17:00",
        False,
    ),
    (
        "the worse alarm counts",
        "11-23 08:30 awaited",
        "11-23 15:37:30",
        "5:37:30 late due 11-23 09:00",
        "5:37:30 due 11-23 17:30",
        "resolution_near",
        "11-23 17:30",
        False,
    ),
    (
        "late for good",
        "11-20 09:00 awaited",
        "11-23 09:30",
        "8:00:00 late due 11-20 09:30",
        "8:00:00 late due 11-23 09:00",
        "resolution_late",
        "11-23 09:00",
        False,
    ),
    (
        "responded in time",
        "11-23 09:00 awaited, 09:20 replied",
        "11-23 10:00",
        "0:20:00 met 11-23 09:20",
        "1:00:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "responded at the due time",
        "11-23 09:00 awaited, 09:30 replied",
        "11-23 10:00",
        "0:30:00 met 11-23 09:30",
        "1:00:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "responded late",
        "11-23 09:00 awaited, 09:45 replied",
        "11-23 10:00",
        "0:45:00 late met 11-23 09:45",
        "1:00:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "responded in the evening after the due time",
        "11-23 17:00 awaited, 20:00 replied",
        "11-23 21:00",
        "0:30:00 late met 11-23 20:00",
        "0:30:00 due 11-24 17:00",
        "",
        "11-24 17:00",
        False,
    ),
    (
        "responded at night, before any time counted",
        "11-23 20:00 awaited, 21:00 replied",
        "11-24 08:30",
        "0:00:00 met 11-23 21:00",
        "0:00:00 due 11-24 17:30",
        "",
        "11-24 17:30",
        False,
    ),
    (
        "a second response changes nothing",
        "11-23 09:00 awaited, 09:20 replied, 09:50 replied",
        "11-23 10:00",
        "0:20:00 met 11-23 09:20",
        "1:00:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "a public reply is a response",
        "11-23 09:00 awaited, 09:20 published known",
        "11-23 10:00",
        "0:20:00 met 11-23 09:20",
        "1:00:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "who is dealt a ticket or notes something has not responded",
        "11-23 09:00 awaited, 09:05 assigned lin, 09:10 noted",
        "11-23 09:20",
        "0:20:00 due 11-23 09:30",
        "0:20:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "waiting for the asker nothing counts",
        "11-23 09:00 awaited, 10:00 asked",
        "11-25 16:00",
        "1:00:00 late met 11-23 10:00",
        "1:00:00",
        "",
        "",
        True,
    ),
    (
        "the clock goes on with the answer",
        "11-23 09:00 awaited, 09:20 asked, 14:00 added",
        "11-23 15:00",
        "0:20:00 met 11-23 09:20",
        "1:20:00 due 11-24 13:40",  # 7:10 from 14:00: 3:30 on Monday, 3:30 before Tuesday's lunch, 10 minutes after it
        "",
        "11-24 13:40",
        False,
    ),
    (
        "paused over lunch, evening and night",
        "11-23 11:00 awaited, 11:30 asked, 12:30 added, 13:45 asked, 17:00 added, 18:00 asked, 11-24 08:00 added",
        "11-24 09:00",
        "0:30:00 met 11-23 11:30",
        "1:45:00 due 11-24 16:15",  # 0:30, 0:15, 0:30 on Monday; 6:15 are left at 08:30
        "",
        "11-24 16:15",
        False,
    ),
    (
        "paused when late: it stays late, and the second line is due as it was",
        "11-23 09:00 awaited, 09:10 replied, 11-24 10:00 asked",
        "11-25 09:00",
        "0:10:00 met 11-23 09:10",
        "8:30:00 late",
        "resolution_late",
        "11-24 09:00",
        True,
    ),
    (
        "paused in the last second: not late",
        "11-23 08:30 awaited, 08:40 replied, 17:30 asked",
        "11-24 10:00",
        "0:10:00 met 11-23 08:40",
        "7:30:00",
        "resolution_near",
        "11-23 17:30",
        True,
    ),
    (
        "and late as soon as it goes on",
        "11-23 08:30 awaited, 08:40 replied, 17:30 asked, 11-24 10:00 added",
        "11-24 10:01",
        "0:10:00 met 11-23 08:40",
        "7:31:00 late due 11-23 17:30",
        "resolution_late",
        "11-23 17:30",
        False,
    ),
    ("nobody waits", "11-20 09:00 opened", "11-23 09:00", "0:00:00", "0:00:00", "", "", True),
    (
        "somebody waits in the end",
        "11-20 09:00 opened, 11-23 09:00 awaited",
        "11-23 09:10",
        "0:10:00 due 11-23 09:30",
        "0:10:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "responded before anybody waited",
        "11-20 09:00 opened, 10:00 replied, 11-23 09:00 awaited",
        "11-23 10:00",
        "0:00:00 met 11-20 10:00",
        "1:00:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "responded when the time was over and nobody waited",
        "11-23 17:00 awaited, 17:30 unawaited, 20:00 replied, 11-24 09:00 awaited",
        "11-24 09:30",
        "0:30:00 met 11-23 20:00",
        "1:00:00 due 11-24 17:30",
        "",
        "11-24 17:30",
        False,
    ),
    ("nobody waits any more", "11-23 09:00 awaited, 09:15 unawaited", "11-23 14:00", "0:15:00", "0:15:00", "", "", True),
    (
        "somebody waits again",
        "11-23 09:00 awaited, 09:15 unawaited, 14:00 awaited",
        "11-23 14:05",
        "0:20:00 due 11-23 14:15",
        "0:20:00 due 11-24 13:45",  # 7:15 from 14:00: 3:30, 3:30, 15 minutes
        "",
        "11-24 13:45",
        False,
    ),
    (
        "made urgent: another target, the same time used",
        "11-23 09:00 awaited, 09:05 replied, 09:30 prioritised urgent",
        "11-23 09:45",
        "0:05:00 met 11-23 09:05",
        "0:45:00 due 11-23 10:00",
        "resolution_near",
        "11-23 10:00",
        False,
    ),
    (
        "made urgent too late",
        "11-23 09:00 awaited, 11:00 prioritised urgent",
        "11-23 11:00",
        "2:00:00 late due 11-23 09:05",
        "2:00:00 late due 11-23 10:00",
        "resolution_late",
        "11-23 10:00",
        False,
    ),
    (
        "made urgent, and taken back",
        "11-23 09:00 awaited, 09:10 prioritised urgent, 09:15 undone 2",
        "11-23 09:20",
        "0:20:00 due 11-23 09:30",
        "0:20:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "a response in time for the priority of then is late for that of now",
        "11-23 09:00 awaited, 09:20 replied, 09:30 prioritised high",
        "11-23 10:00",
        "0:20:00 late met 11-23 09:20",
        "1:00:00 due 11-23 14:30",
        "",
        "11-23 14:30",
        False,
    ),
    (
        "found to be a complaint: day two",
        "11-23 10:00 awaited, 10:05 replied, 10:10 categorised complaint",
        "11-25 10:00",
        "0:05:00 met 11-23 10:05",
        "15:00:00 due 11-26 10:00",
        "",
        "11-25 10:00",
        False,
    ),
    (
        "a complaint is near at two and a quarter days",
        "11-23 10:00 awaited, 10:05 replied, 10:10 categorised complaint",
        "11-25 11:52:30",
        "0:05:00 met 11-23 10:05",
        "16:52:30 due 11-26 10:00",
        "resolution_near",
        "11-25 10:00",
        False,
    ),
    (
        "a complaint before the second line still has to come before the manager",
        "11-23 10:00 awaited, 10:05 replied, 10:10 categorised complaint, 10:20 escalated second",
        "11-23 11:00",
        "0:05:00 met 11-23 10:05",
        "1:00:00 due 11-26 10:00",
        "",
        "11-25 10:00",
        False,
    ),
    (
        "a complaint before the manager",
        "11-23 10:00 awaited, 10:05 replied, 10:10 categorised complaint, 10:20 escalated manager",
        "11-23 11:00",
        "0:05:00 met 11-23 10:05",
        "1:00:00 due 11-26 10:00",
        "",
        "",
        False,
    ),
    (
        "what is before the manager need not come before the second line",
        "11-23 09:00 awaited, 09:10 replied, 09:20 escalated manager",
        "11-23 10:00",
        "0:10:00 met 11-23 09:10",
        "1:00:00 due 11-24 09:00",
        "",
        "",
        False,
    ),
    (
        "an escalation that was taken back is due again",
        "11-23 09:00 awaited, 09:10 replied, 09:20 escalated second, 09:30 undone 3",
        "11-23 10:00",
        "0:10:00 met 11-23 09:10",
        "1:00:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    ("resolved in time", "11-23 09:00 awaited, 11:00 resolved", "11-30 09:00", "2:00:00 late met 11-23 11:00", "2:00:00 met 11-23 11:00", "", "", False),
    (
        "resolved late",
        "11-23 09:00 awaited, 09:10 replied, 11-24 09:30 resolved",
        "11-30 09:00",
        "0:10:00 met 11-23 09:10",
        "8:00:00 late met 11-24 09:30",
        "",
        "",
        False,
    ),
    (
        "resolved while it waited for the asker",
        "11-23 09:00 awaited, 09:10 asked, 11-27 09:00 resolved",
        "11-30 09:00",
        "0:10:00 met 11-23 09:10",
        "0:10:00 met 11-27 09:00",
        "",
        "",
        False,
    ),
    (
        "what is said after the end changes nothing",
        "11-23 09:00 awaited, 09:20 resolved, 11-25 09:00 replied, 11-26 09:00 expired",
        "11-30 09:00",
        "0:20:00 met 11-23 09:20",
        "0:20:00 met 11-23 09:20",
        "",
        "",
        False,
    ),
    (
        "reopened: all time anew",
        "11-23 09:00 awaited, 09:10 replied, 11:00 resolved, 11-25 10:00 reopened",
        "11-25 10:10",
        "0:10:00 due 11-25 10:30",
        "0:10:00 due 11-26 10:00",
        "",
        "11-26 10:00",
        False,
    ),
    (
        "reopened in the evening of a holiday's eve",
        "09-28 09:00 awaited, 09:10 resolved, 09-30 18:00 reopened",
        "10-08 08:40",
        "0:10:00 due 10-08 09:00",
        "0:10:00 due 10-08 17:30",
        "",
        "10-08 17:30",
        False,
    ),
    (
        "still not solved, said of an open ticket, begins nothing anew",
        "11-23 09:00 awaited, 09:10 replied, 10:00 reopened",
        "11-23 11:00",
        "0:10:00 met 11-23 09:10",
        "2:00:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    (
        "a solution that was taken back never stopped the clock",
        "11-23 09:00 awaited, 09:10 replied, 10:00 resolved, 14:00 undone 3",
        "11-23 15:00",
        "0:10:00 met 11-23 09:10",
        "4:30:00 due 11-24 09:00",
        "",
        "11-24 09:00",
        False,
    ),
    ("withdrawn: no solution", "11-23 09:00 awaited, 09:40 withdrawn", "11-30 09:00", "0:40:00 late", "0:40:00", "", "", False),
    ("spam: no solution", "11-23 09:00 awaited, 09:10 spam", "11-30 09:00", "0:10:00", "0:10:00", "", "", False),
    (
        "all who asked are content",
        "11-23 09:00 awaited, 09:30 confirmed all",
        "11-30 09:00",
        "0:30:00",
        "0:30:00 met 11-23 09:30",
        "",
        "",
        False,
    ),
    (
        "a clock that was set back makes no time negative",
        "11-23 10:00 awaited, 09:30 asked, 09:40 added",
        "11-23 09:50",
        "0:00:00 met 11-23 09:30",
        "0:10:00 due 11-24 09:40",
        "",
        "11-24 09:40",
        False,
    ),
    ("now is before it began", "11-23 10:00 awaited", "11-23 09:00", "0:00:00 due 11-23 10:30", "0:00:00 due 11-24 10:00", "", "11-24 10:00", False),
    (
        "merged with one in which somebody waited before",
        "11-23 09:20 awaited, 09:22 moved_in 09:00",
        "11-23 09:25",
        "0:25:00 due 11-23 09:30",
        "0:25:00 due 11-24 09:00",
        "response_near",
        "11-24 09:00",
        False,
    ),
    (
        "filed under another module at the month's end: another promise from the beginning",
        "11-30 09:00 awaited, 09:10 filed invoices",
        "11-30 09:20",
        "0:20:00 late due 11-30 09:15",
        "0:20:00 due 11-30 14:30",
        "response_late",
        "11-30 14:30",
        False,
    ),
]


@pytest.mark.parametrize(("why", "happened", "now", "response", "resolution", "alarm", "escalate", "paused"), COURSES)
def test_the_clocks_follow_what_happened(why, happened, now, response, resolution, alarm, escalate, paused):
    around = rounds(events(happened), BEGIN)[-1]
    found = clocks(PRESET, around, moment(now))
    assert (clock_text(found.response), clock_text(found.resolution), found.alarm.value, shown(found.escalate_at), found.paused) == (
        response,
        resolution,
        alarm,
        escalate,
        paused,
    )
    if around.ended_at is not None:
        assert found.next is None
    else:
        assert found.next is (found.response if "met" not in response else found.resolution)


def test_what_is_promised_and_what_is_shipped_are_counted_by_hand():
    assert len(DUE) + len(COURSES) >= 60


def test_rounds_that_have_ended_are_judged_by_how_they_stood_then():
    line = (
        "11-23 09:00 awaited, 09:00 assigned lin, 09:10 replied, 11-24 09:30 resolved, 11-25 09:00 confirmed, 11-25 10:00 prioritised urgent, "
        "11-26 09:00 reopened, 09:02 assigned fang, 09:04 replied, 09:30 filed invoices, 09:50 resolved"
    )
    first, second = rounds(events(line), BEGIN)
    assert (first.state, first.assignee, first.module, first.began) == (State.CONFIRMED, "lin", "loans", moment("11-23 09:00"))
    assert (second.state, second.assignee, second.module, second.began) == (State.RESOLVED, "fang", "invoices", moment("11-26 09:00"))
    then, last = (clocks(PRESET, around, moment("12-01 09:00")) for around in (first, second))
    assert (then.promise.name, clock_text(then.resolution)) == ("紧急", "8:00:00 late met 11-24 09:30")  # corrected while the round was the last one
    assert (last.promise.name, clock_text(last.response), clock_text(last.resolution)) == ("紧急", "0:04:00 met 11-26 09:04", "0:50:00 met 11-26 09:50")
    assert then == clocks(PRESET, first, moment("2036-12-01 09:00"))


def test_a_ticket_without_events_has_one_round_in_which_nobody_waits():
    assert rounds([], BEGIN) == [Round(priority="normal", category="inquiry", module="loans")]


STEPS = st.sampled_from(
    [
        *[(kind, "") for kind in Kind if kind not in {Kind.UNDONE, Kind.MOVED_IN, Kind.MERGED, Kind.ASSIGNED, Kind.ALARMED, Kind.ESCALATED, Kind.PUBLISHED}],
        *[(Kind.ASSIGNED, "lin"), (Kind.ASSIGNED, ""), (Kind.PRIORITISED, "urgent"), (Kind.CATEGORISED, "complaint"), (Kind.FILED, "invoices")],
        *[(Kind.CONFIRMED, "all"), (Kind.ALARMED, "response_near"), (Kind.ALARMED, "resolution_late"), (Kind.ESCALATED, "manager"), (Kind.PUBLISHED, "known")],
        *[(Kind.AWAITED, ""), (Kind.AWAITED, ""), (Kind.RESOLVED, ""), (Kind.REOPENED, ""), (Kind.REOPENED, "")],
    ]
)
ACTORS = st.sampled_from([ASKER, "lin", "system"])
MINUTES = st.integers(-90, 60 * 24 * 3)
COURSE = st.lists(st.tuples(STEPS, ACTORS, MINUTES, st.none() | st.integers(0, 20)), max_size=20)


def course(drawn):
    """Make events of drawn steps; with a number, the step takes back the event so many places before, unless something took it back already."""
    at, made, undone = moment("11-20 08:00"), [], set()
    for number, ((kind, target), actor, minutes, back) in enumerate(drawn, 1):
        at += timedelta(minutes=minutes)
        earlier = made[-1 - back] if back is not None and back < len(made) else None
        if earlier and earlier.kind != Kind.UNDONE and earlier.id not in undone:
            undone.add(earlier.id)
            made.append(Event(number, at, Kind.UNDONE.value, "", earlier.id, None, actor))
        else:
            made.append(Event(number, at, kind.value, target, None, None, actor))
    return made


@settings(max_examples=200, deadline=None)
@given(drawn=COURSE, minutes=MINUTES)
def test_whatever_happens_the_clocks_are_possible(drawn, minutes):
    happened = course(drawn)
    now = (happened[-1].at if happened else moment("11-20 08:00")) + timedelta(minutes=minutes)
    standing = fold(happened, BEGIN)
    found = rounds(happened, BEGIN)
    assert all(around.ended_at is not None for around in found[:-1])
    assert (found[-1].runs, found[-1].responded_at, found[-1].escalated) == (standing.runs, standing.responded_at, standing.escalated)
    for around in found:
        seen = clocks(PRESET, around, now)
        for clock in (seen.response, seen.resolution):
            assert clock.used >= 0
            assert (clock.due_at is not None) == clock.running
            assert clock.due_at is None or clock.near_at <= clock.due_at
            assert not (clock.used > clock.target and not clock.late)
            assert not (clock.late and clock.used < clock.target)
        assert seen.resolution.running == (around is found[-1] and standing.running)
        assert seen.paused == (around is found[-1] and standing.open and not standing.running)
        assert (seen.next is None) == (around.ended_at is not None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=COURSE)
def test_the_columns_of_a_ticket_tell_the_last_round_that_its_events_tell(db, now, drawn):
    with db.write() as session:
        ticket = history.open_ticket(session, "打印机卡纸怎么处理", now)
        numbers = {0: ticket.version}
        for event in course(drawn):
            undoes = numbers.get(event.undoes)
            numbers[event.id] = history.record(ticket, Kind(event.kind), event.at, event.actor, target=event.target, undoes=undoes).id
        session.flush()
        session.expire_all()
        assert round_of(ticket) == rounds(ticket.events, opening(ticket.opened_as))[-1]
        session.rollback()


def test_columns_read_alone_tell_the_round_as_well():
    stored = [["2026-11-23T01:00:00+00:00", "2026-11-23T02:00:00+00:00"], ["2026-11-23T03:00:00+00:00", None]]
    row = {"responded_at": None, "resolved_at": None, "ended_at": None, "state": "in_progress", "assignee": "lin"}
    row |= {"priority": "high", "category": "fault", "module": "travel", "escalated": "second"}
    around = round_of(SimpleNamespace(runs=stored, **row))
    assert around.runs == ((moment("11-23 09:00"), moment("11-23 10:00")), (moment("11-23 11:00"), None))
    assert (around.state, around.escalated) == (State.IN_PROGRESS, Level.SECOND)


# Files of a company.

SMALL = """
zone = "Asia/Shanghai"
hours = ["08:30-12:00", "13:30-17:30"]
near = 0.5

[days]
years = [2027]
off = ["2027-01-01", 2026-11-24]
work = ["2026-11-28"]

[month_end]
last = 1
first = 0
modules = ["invoices"]
raise = { normal = "high" }

[[promise]]
name = "一刻不停"
priority = "urgent"
respond = "10min"
resolve = "4h"
always = true

[[promise]]
name = "只应答"
priority = "high"
respond = "1h"

[[promise]]
name = "只解决"
category = "suggestion"
resolve = "2d"
escalate = "never"

[[promise]]
name = "其余"
respond = "1h"
resolve = "1d"
escalate = "4h"
level = "manager"
"""


@pytest.fixture
def policies_of(tmp_path):
    """Read a file of promises with other words than SMALL in some places."""
    numbers = count()

    def read(*changes, text=SMALL):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / f"sla-{next(numbers)}.toml"
        path.write_text(text, encoding="utf-8")
        return sla_file.read(path)

    return read


@pytest.mark.parametrize(
    ("why", "about", "began", "respond", "resolve", "escalate"),
    [
        ("every hour counts, on a Saturday night too", "urgent fault loans", "11-21 23:00", "11-21 23:10", "11-22 03:00", "11-22 03:00"),
        ("a solution is not promised", "high fault loans", "11-23 09:00", "11-23 10:00", "", ""),
        ("a response is not promised", "normal suggestion loans", "11-20 09:00", "", "11-25 09:00", ""),  # the Tuesday is off
        ("escalated before it is due", "normal fault loans", "11-20 09:00", "11-20 10:00", "11-23 09:00", "11-20 14:30"),
        ("over a day off of the company's own", "normal fault loans", "11-23 17:00", "11-25 09:00", "11-25 17:00", "11-25 12:00"),
        ("on a Saturday on which the company works", "normal fault loans", "11-28 09:00", "11-28 10:00", "11-30 09:00", "11-28 14:30"),
        ("over a New Year's Day that the file knows", "normal fault loans", "12-31 17:00", "2027-01-04 09:00", "2027-01-04 17:00", "2027-01-04 12:00"),
        ("月结: the last working day alone", "normal fault invoices", "11-30 09:00", "11-30 10:00", "", ""),
        ("月结: not the one before", "normal fault invoices", "11-28 09:00", "11-28 10:00", "11-30 09:00", "11-28 14:30"),
    ],
)
def test_a_companys_own_promises_hold(policies_of, why, about, began, respond, resolve, escalate):
    priority, category, module = about.split()
    found = clocks(policies_of(), Round(((moment(began), None),), priority=priority, category=category, module=module), moment(began))
    assert (shown(found.response.due_at), shown(found.resolution.due_at), shown(found.escalate_at)) == (respond, resolve, escalate)
    assert found.next is (found.response if respond else found.resolution)


def test_every_hour_that_counts_is_paused_like_the_others(policies_of):
    line = "11-21 22:00 awaited, 23:00 asked, 11-22 06:00 added"
    around = replace(rounds(events(line), BEGIN)[-1], priority="urgent")
    found = clocks(policies_of(), around, moment("11-22 06:30"))
    assert (clock_text(found.response), clock_text(found.resolution)) == ("1:00:00 late met 11-21 23:00", "1:30:00 due 11-22 09:00")
    assert found.alarm is Alarm.NONE
    assert clocks(policies_of(), around, moment("11-22 07:00")).alarm is Alarm.RESOLUTION_NEAR


def test_a_ticket_without_a_promise_has_no_clock_to_watch_and_its_time_is_counted(policies_of):
    only = policies_of(text='zone = "Asia/Shanghai"\nhours = ["09:00-17:00"]\n[[promise]]\nname = "尽力"\n')
    found = clocks(only, rounds(events("11-23 09:00 awaited, 09:30 replied"), BEGIN)[-1], moment("11-23 10:00"))
    assert (found.response.used, found.resolution.used) == (1800, 3600)
    assert (found.next, found.alarm, found.escalate_at, found.paused) == (None, Alarm.NONE, None, False)
    assert not found.response.late
    assert found.resolution.due_at is None


@pytest.mark.parametrize(
    ("began", "due"),
    [
        ("03-27 16:30", "03-30 09:30"),  # clocks go forward on Sunday the 29th
        ("10-23 16:30", "10-26 09:30"),  # and back on Sunday the 25th
        ("11-20 16:30", "11-23 09:30"),
    ],
)
def test_hours_are_those_of_the_zone_though_its_clocks_are_changed(policies_of, began, due):
    london = policies_of(('"Asia/Shanghai"', '"Europe/London"'), ('hours = ["08:30-12:00", "13:30-17:30"]', 'hours = ["09:00-17:00"]'))
    start = moment(began, LONDON)
    found = clocks(london, Round(((start, None),), priority="normal", category="fault", module="loans"), start)
    assert shown(found.response.due_at, LONDON) == due


def test_a_month_ends_by_the_companys_clock(policies_of):
    london = policies_of(('"Asia/Shanghai"', '"Europe/London"'))
    assert london.promise("normal", "fault", "invoices", datetime(2026, 6, 29, 22, 59, tzinfo=UTC)).name == "其余"
    assert london.promise("normal", "fault", "invoices", datetime(2026, 6, 29, 23, 0, tzinfo=UTC)).name == "只应答"
    assert london.promise("normal", "fault", "invoices", None).name == "其余"


@pytest.mark.parametrize(
    ("now", "since"),
    [
        ("2026-11-14 23:59", None),
        ("2026-11-15 00:00", date(2027, 1, 1)),
        ("2026-11-22 09:00", date(2027, 1, 1)),
        ("2027-03-01 09:00", date(2027, 1, 1)),
        ("2016-11-22 09:00", None),
        ("2036-11-22 09:00", date(2036, 1, 1)),
    ],
)
def test_holidays_that_should_be_known_by_now_and_are_not_are_told(monkeypatch, now, since):
    monkeypatch.setattr("kb.tickets.sla.known_until", lambda: date(2026, 12, 31))  # as it was when this was written
    assert PRESET.unknown_from(moment(now)) == since
    warning = PRESET.warning(moment(now))
    assert (f"{since.year} 年" in warning and "KB_SLA" in warning) if since else warning == ""


def test_a_year_that_the_file_knows_is_known(policies_of, monkeypatch):
    monkeypatch.setattr("kb.tickets.sla.known_until", lambda: date(2026, 12, 31))
    own = policies_of()
    assert own.unknown_from(moment("2026-12-01 09:00")) is None
    assert own.unknown_from(moment("2027-11-15 09:00")) == date(2028, 1, 1)
    assert [own.hours.works_on(date(2027, 1, day)) for day in (1, 2, 3, 4)] == [False, False, False, True]


def test_what_is_shipped_is_what_was_promised():
    assert [(promise.name, promise.respond, promise.resolve, promise.escalate, promise.level.value, promise.always) for promise in PRESET.promises] == [
        ("紧急投诉", 300, 3600, 3600, "manager", False),
        ("紧急", 300, 3600, 3600, "second", False),
        ("投诉", 900, 81_000, 54_000, "manager", False),
        ("重要", 900, 14_400, 14_400, "second", False),
        ("普通", 1800, 27_000, 27_000, "second", False),
    ]
    assert (PRESET.near, str(PRESET.hours.zone), PRESET.month_end.last, PRESET.month_end.first) == (0.75, "Asia/Shanghai", 3, 2)


@pytest.mark.parametrize(
    ("about", "module", "name", "level"),
    [
        ("urgent complaint", "loans", "紧急投诉", Level.MANAGER),
        ("high complaint", "loans", "投诉", Level.MANAGER),
        ("high complaint", "invoices", "紧急投诉", Level.MANAGER),  # 月结 raises it
        ("urgent fault", "loans", "紧急", Level.SECOND),
        ("high fault", "invoices", "紧急", Level.SECOND),
    ],
)
def test_every_complaint_goes_up_to_the_manager_and_no_later_for_being_urgent(about, module, name, level):
    priority, category = about.split()
    promise = PRESET.promise(priority, category, module, moment("11-30 09:00"))
    assert (promise.name, promise.level) == (name, level)
    assert promise.escalate <= PRESET.promise("normal", "complaint", "loans", None).escalate


def test_the_modules_of_the_month_end_are_modules_of_the_articles():
    modules = sla_file.SHIPPED.parents[2] / "articles" / "_modules.toml"
    assert all(f"[{module}]" in modules.read_text(encoding="utf-8") for module in PRESET.month_end.modules)


def test_every_ticket_is_promised_something():
    for priority in ["", *Priority]:
        for category in ["", *Category]:
            assert PRESET.promise(priority, category, "", None).fits(priority, category)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("zone =", "zoen =", r"zone is missing; write it as in zone = \"Asia/Shanghai\""),
        ('"Asia/Shanghai"', '"Asia/Peking"', "zone = 'Asia/Peking' is no time zone"),
        ('"Asia/Shanghai"', '"../etc/passwd"', "is no time zone"),
        ('"Asia/Shanghai"', '""', "is no time zone"),
        ('"Asia/Shanghai"', "8", "zone is 8; write it as in"),
        ('["08:30-12:00", "13:30-17:30"]', "[]", "hours is empty"),
        ('["08:30-12:00", "13:30-17:30"]', '"08:30-12:00"', "hours is '08:30-12:00'; write it as in"),
        ("08:30-12:00", "8:30-12:00", "hours holds '8:30-12:00'; write from when to when"),
        ("08:30-12:00", "08:30-12:60", "hours holds '08:30-12:60'"),
        ("08:30-12:00", "25:00-26:00", "hours holds '25:00-26:00'"),
        ('"08:30-12:00"', "830", "hours holds 830"),
        ("08:30-12:00", "12:00-08:30", "does not end after it begins"),
        ("13:30-17:30", "17:30-24:01", "does not end after it begins on the same day"),
        ("08:30-12:00", "08:30-08:30", "does not end after it begins"),
        ("08:30-12:00", "08:30-13:30", "'13:30-17:30', which begins before the one before it has ended"),
        ("08:30-12:00", "18:00-20:00", "put them in order"),
        ("near = 0.5", "near = 1", "near is 1; write it as in near = 0.75"),
        ("near = 0.5", "near = 1.0", "near = 1.0 is no share"),
        ("near = 0.5", "near = 0.0", "near = 0.0 is no share"),
        ("near = 0.5", "near = nan", "near = nan is no share"),
        ("near = 0.5", "naer = 0.5", "naer is unknown; did you mean near?"),
        ("near = 0.5", "colour = 1", "colour is unknown; use zone, hours"),
        ("years = [2027]", 'years = ["2027"]', r"\[days\] years = \['2027'\] holds what is no year"),
        ("years = [2027]", "years = [2028]", r"\[days\] years holds 2028, and off no day of it"),
        ("years = [2027]", "holidays = [2027]", r"\[days\] holidays is unknown"),
        ('"2027-01-01"', '"1 January"', r"\[days\] off holds '1 January', which is no date"),
        ('"2027-01-01"', '"2027-02-29"', "which is no date"),
        ('"2027-01-01"', "20270101", "off holds 20270101, which is no date"),
        ('work = ["2026-11-28"]', 'work = ["2026-11-24"]', "off and work both hold 2026-11-24; leave it in one of them"),
        ("last = 1", "last = 16", r"\[month_end\] last = 16; use a number of working days from 0 to 15"),
        ("last = 1", "last = -1", "last = -1"),
        ("last = 1", "last = true", "last is True"),
        ("first = 0", "", r"\[month_end\] first is missing"),
        ('["invoices"]', "[1]", "modules holds 1"),
        ('{ normal = "high" }', '{ normal = "soon" }', "raise holds normal = 'soon'; name a priority and a higher one"),
        ('{ normal = "high" }', '{ fault = "high" }', "raise holds fault = 'high'"),
        ('{ normal = "high" }', '{ high = "normal" }', "from the highest they are urgent, high, normal"),
        ('{ normal = "high" }', '{ normal = "normal" }', "raise holds normal = 'normal'"),
        ('{ normal = "high" }', "{ normal = 1 }", "raise holds normal = 1"),
        ('name = "只解决"', 'name = "只应答"', "promise 3: name = '只应答' is another's, too"),
        ('name = "只解决"', 'name = " "', "promise 3: name is empty"),
        ('name = "只解决"', "", "promise 3: name is missing"),
        ('priority = "urgent"', 'priority = "asap"', "promise 1: priority = 'asap' is unknown; use urgent, high, normal, or leave priority out"),
        ('priority = "urgent"', 'priority = ""', "promise 1: priority = '' is unknown"),
        ('category = "suggestion"', 'category = "投诉"', "promise 3: category = '投诉' is unknown; use fault, inquiry"),
        ('category = "suggestion"', 'priority = "high"', "promise 3: priority and category fit nothing that '只应答' above does not fit"),
        ('priority = "high"\n', "", "promise 3: priority and category fit nothing that '只应答' above does not fit"),
        ('respond = "10min"', 'respond = "5h"', "promise 1: respond is longer than resolve"),
        ('respond = "10min"', 'respond = "10 minutes"', "promise 1: respond = '10 minutes' is no time"),
        ('respond = "10min"', 'respond = "0min"', "respond = '0min' is no time"),
        ('respond = "10min"', 'respond = "1000min"', "respond = '1000min' is no time"),
        ('respond = "10min"', 'respond = ""', "respond = '' is no time"),
        ('respond = "10min"', "respond = 10", "respond is 10; write it as in"),
        ('resolve = "4h"', 'resolve = "never"', "resolve = 'never' is no time"),
        ('resolve = "4h"', 'resolve = "1d"', "resolve = '1d' are working days, and always = true counts every hour"),
        ('resolve = "1d"', 'reslove = "1d"', "promise 4: reslove is unknown; did you mean resolve?"),
        ("always = true", "always = 1", "promise 1: always is 1; write it as in always = true"),
        ('level = "manager"', 'level = "boss"', "promise 4: level = 'boss' is unknown; use second or manager"),
        ('level = "manager"', 'level = ""', "level = '' is unknown"),
        ('name = "其余"', 'name = "其余"\npriority = "normal"', "promise has no last one without priority and category"),
        ("[[promise]]", "[promise]", "this is no TOML"),
        ("near = 0.5", "near = ", "this is no TOML in UTF-8"),
        ("[days]", "days = 3\n[other]", r"days is 3; write it as in days = … under a line \[days\]"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_place_and_remedy(policies_of, old, new, message):
    with pytest.raises(ConfigError, match=message) as raised:
        policies_of((old, new))
    assert "sla-0.toml: " in str(raised.value)
    assert "; " in str(raised.value)


def test_a_file_without_promises_is_refused(policies_of):
    head = 'zone = "Asia/Shanghai"\nhours = ["09:00-17:00"]\n'
    for text in (head, f"{head}promise = []\n", f"{head}promise = [1]\n", f'{head}promise = "all"\n'):
        with pytest.raises(ConfigError, match="promise"):
            policies_of(text=text)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"KB_SLA=.*none\.toml cannot be read \(No such file.*; name a readable file"):
        sla_file.read(tmp_path / "none.toml")
    (tmp_path / "gbk.toml").write_bytes('name = "紧急"'.encode("gbk"))
    with pytest.raises(ConfigError, match=r"gbk\.toml: this is no TOML in UTF-8"):
        sla_file.read(tmp_path / "gbk.toml")


def test_a_page_of_tickets_takes_milliseconds():
    days = [f"11-{day:02}" for day in range(6, 31)]
    page = [
        Round(((moment(f"{day} 09:00"), moment(f"{day} 15:00")), (moment(f"{day} 17:00"), None)), priority=priority, category="fault", module="invoices")
        for day in days
        for priority in ("normal", "urgent")
    ]
    start = time.process_time()
    for around in page:
        clocks(PRESET, around, moment("12-01 09:00"))
    assert len(page) == 50
    assert time.process_time() - start < 0.02
