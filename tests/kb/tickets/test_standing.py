"""What events add up to, event by event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from kb.tickets.standing import OPEN, Alarm, Kind, Standing, State, after, fold, opening

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BEGIN = opening({"module": "invoices", "category": "inquiry", "priority": "normal"})


@dataclass
class Event:
    id: int
    kind: str
    target: str = ""
    article: str = ""
    undoes: int | None = None
    actor: str = "agent"
    data: dict | None = None

    @property
    def at(self):
        return START + timedelta(minutes=self.id)


def events(*kinds):
    """Make events 1, 2, … of kinds, each a name or (name, its target, article or the number of what it undoes)."""
    made = []
    for number, kind in enumerate(kinds, 1):
        name, what = kind if isinstance(kind, tuple) else (kind, "")
        field = {Kind.SUGGESTED: "article", Kind.UNDONE: "undoes"}.get(Kind(name), "target")
        made.append(Event(number, name, **{field: what}))
    return made


def at(number):
    return START + timedelta(minutes=number)


def standing(*kinds):
    return fold(events(*kinds), BEGIN)


# Events → what differs from a ticket that was just opened.
TABLE = [
    ([], {}),
    (["opened"], {}),
    (["reworded"], {}),
    (["noted"], {}),
    (["rated"], {}),
    (["moved_out"], {}),
    (["moved_in"], {}),
    (["published"], {}),
    (["retired"], {}),
    ([("assigned", "lin")], {"state": State.ASSIGNED, "assignee": "lin"}),
    ([("assigned", "lin"), ("assigned", "")], {}),
    ([("assigned", "lin"), "replied", ("assigned", "")], {"state": State.IN_PROGRESS, "news_at": at(2)}),
    ([("categorised", "fault")], {"category": "fault"}),
    ([("prioritised", "urgent")], {"priority": "urgent"}),
    ([("filed", "travel")], {"module": "travel"}),
    ([("filed", "")], {"module": ""}),
    (["replied"], {"state": State.IN_PROGRESS, "news_at": at(1)}),
    (["asked"], {"state": State.WAITING, "news_at": at(1)}),
    (["asked", "added"], {"state": State.IN_PROGRESS, "news_at": at(1)}),
    (["added"], {}),
    (["resolved"], {"state": State.RESOLVED, "news_at": at(1), "resolved_at": at(1), "ended_at": at(1)}),
    (["resolved", "replied"], {"state": State.RESOLVED, "news_at": at(2), "resolved_at": at(1), "ended_at": at(1)}),
    (["resolved", "asked"], {"state": State.RESOLVED, "news_at": at(2), "resolved_at": at(1), "ended_at": at(1)}),
    (["confirmed"], {}),
    (["resolved", "confirmed"], {"state": State.CONFIRMED, "news_at": at(1), "resolved_at": at(1), "ended_at": at(1)}),
    (["resolved", "confirmed", "reopened"], {"state": State.IN_PROGRESS, "news_at": at(1)}),
    (["resolved", "expired"], {"state": State.CLOSED, "closed_as": "expired", "news_at": at(1), "resolved_at": at(1), "ended_at": at(1)}),
    (["resolved", "expired", "reopened"], {"state": State.IN_PROGRESS, "news_at": at(1)}),
    (["withdrawn"], {"state": State.CLOSED, "closed_as": "withdrawn", "ended_at": at(1)}),
    (["spam"], {"state": State.CLOSED, "closed_as": "spam", "ended_at": at(1)}),
    ([("merged", "1002")], {"state": State.CLOSED, "closed_as": "merged", "merged_into": 1002, "ended_at": at(1)}),
    ([("suggested", "m/a")], {"suggested": "m/a"}),
    ([("suggested", "m/a"), "dismissed"], {}),
    ([("suggested", "m/a"), "spam"], {"state": State.CLOSED, "closed_as": "spam", "ended_at": at(2)}),
    ([("assigned", "lin"), ("assigned", "wang"), ("undone", 2)], {"state": State.ASSIGNED, "assignee": "lin"}),
    ([("assigned", "lin"), ("assigned", "wang"), ("undone", 1)], {"state": State.ASSIGNED, "assignee": "wang"}),
    ([("categorised", "fault"), ("undone", 1)], {}),
    (["asked", "resolved", ("undone", 2)], {"state": State.WAITING, "news_at": at(1)}),
    (["replied", ("merged", "1002"), ("undone", 2)], {"state": State.IN_PROGRESS, "news_at": at(1)}),
    (["resolved", "spam", ("undone", 2)], {"state": State.RESOLVED, "news_at": at(1), "resolved_at": at(1), "ended_at": at(1)}),
    ([("suggested", "m/a"), "dismissed", ("undone", 2)], {"suggested": "m/a"}),
    (["withdrawn", ("undone", 1)], {}),
    (["awaited"], {"awaited": True}),
    (["awaited", "unawaited"], {}),
    ([("alarmed", "response_near")], {"alarm": "response_near"}),
    ([("alarmed", "resolution_late"), ("prioritised", "high")], {"priority": "high", "alarm": "resolution_late"}),
    ([("asked", "told")], {"state": State.IN_PROGRESS, "news_at": at(1)}),
    (["asked", "awaited"], {"state": State.IN_PROGRESS, "news_at": at(1), "awaited": True}),
    ([("escalated", "second")], {"escalated": "second"}),
    ([("escalated", "second"), ("undone", 1)], {}),
    ([("escalated", "manager"), "resolved", "reopened"], {"state": State.IN_PROGRESS, "news_at": at(2)}),
]
TIMING = ("runs", "responded_at")
"""What has a table of its own below."""
# Events → when time counted in the last round, as pairs of minutes, and the minute of its first response.
TIMES = [
    ([], [], None),
    (["awaited"], [(1, None)], None),
    (["awaited", "unawaited"], [(1, 2)], None),
    (["awaited", "unawaited", "awaited"], [(1, 2), (3, None)], None),
    (["awaited", "asked"], [(1, 2)], 2),
    (["awaited", "asked", "added"], [(1, 2), (3, None)], 2),
    (["awaited", "asked", "unawaited", "added", "awaited"], [(1, 2), (5, None)], 2),
    (["awaited", "asked", "replied"], [(1, 2), (3, None)], 2),
    (["replied", "awaited"], [(2, None)], 1),
    (["awaited", "noted", ("assigned", "lin")], [(1, None)], None),
    (["awaited", ("published", "known")], [(1, None)], 2),
    (["awaited", ("asked", "told")], [(1, None)], 2),
    (["awaited", ("asked", "untold")], [(1, None)], None),
    (["awaited", ("replied", "untold"), ("replied", "told")], [(1, None)], 3),
    (["awaited", "asked", "awaited"], [(1, 2), (3, None)], 2),
    (["awaited", "resolved"], [(1, 2)], 2),
    (["awaited", "resolved", ("undone", 2)], [(1, None)], None),
    (["awaited", "resolved", "reopened"], [(3, None)], None),
    (["awaited", "replied", "resolved", "confirmed", "reopened", "replied"], [(5, None)], 6),
    (["awaited", "resolved", "unawaited", "reopened"], [], None),
    (["awaited", "spam", ("undone", 2)], [(1, None)], None),
    (["awaited", ("merged", "1002")], [(1, 2)], None),
    (["awaited", ("alarmed", "response_late"), "replied", ("alarmed", "resolution_near")], [(1, None)], 3),
]


@pytest.mark.parametrize(("kinds", "differs"), TABLE)
def test_a_standing_is_what_the_events_add_up_to(kinds, differs):
    found = standing(*kinds)
    fields = set(Standing.__dataclass_fields__) - set(TIMING)
    assert {name: getattr(found, name) for name in fields} == {name: getattr(BEGIN, name) for name in fields} | differs
    assert found.open == (found.state in OPEN)


@pytest.mark.parametrize("kinds", [kinds for kinds, *_ in (*TABLE, *TIMES) if not any(kind[0] == "undone" for kind in kinds)])
def test_one_event_after_the_other_comes_to_the_same_as_all_of_them(kinds):
    now = BEGIN
    for event in events(*kinds):
        now = after(now, event)
    assert now == standing(*kinds)


def test_every_kind_of_event_stands_in_the_table():
    assert {kind[0] if isinstance(kind, tuple) else kind for kinds, _ in TABLE for kind in kinds} == set(Kind)


@pytest.mark.parametrize(("kinds", "runs", "responded"), TIMES)
def test_time_counts_while_somebody_waits_for_an_agent(kinds, runs, responded):
    found = standing(*kinds)
    assert [(since, until) for since, until in found.runs] == [(at(since), at(until) if until else None) for since, until in runs]
    assert found.responded_at == (at(responded) if responded else None)
    assert found.running == (bool(runs) and runs[-1][1] is None)


def test_a_response_ends_the_alarm_about_it_and_no_other():
    assert standing("awaited", ("alarmed", "response_late"), "replied").alarm == Alarm.NONE
    assert standing("awaited", ("alarmed", "resolution_near"), "replied").alarm == Alarm.RESOLUTION_NEAR


def test_who_waited_in_a_ticket_that_was_merged_has_waited_since_then():
    story = events("awaited", "moved_in")
    story[1].data = {"merged": [1001], "runs": [[at(-120).isoformat(), at(-90).isoformat()], [at(-60).isoformat(), None]]}
    assert fold(story, BEGIN).runs == ((at(-120), at(-90)), (at(-60), None)), "what they waited counts, and no time in which they were to answer"
    story[1].data = {"merged": [1001], "runs": [[at(1).isoformat(), None]]}
    assert fold(story, BEGIN).runs == ((at(1), None),)
    story[1].data = {"merged": [1001], "runs": []}
    assert fold(story, BEGIN).runs == ((at(1), None),)


def test_a_ticket_that_was_split_off_was_answered_where_it_comes_from():
    story = events("awaited", "moved_in")
    story[1].data = {"runs": [[at(-60).isoformat(), None]], "responded": [at(-30).isoformat()]}
    found = fold(story, BEGIN)
    assert (found.runs, found.responded_at) == (((at(-60), None),), at(-30))


def test_a_wait_that_began_by_a_clock_that_was_ahead_begins_when_it_is_noted_anew():
    story = events("awaited", "awaited")
    ahead = replace(story[0], id=500)
    assert fold([ahead, story[1]], BEGIN).runs == ((at(2), None),)


def test_a_clock_that_was_set_back_makes_no_run_end_before_it_began():
    story = events("awaited", "asked")
    early = replace(story[1], id=0)
    assert fold([story[0], early], BEGIN).runs == ((at(1), at(1)),)
