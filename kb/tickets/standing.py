"""What the events of a ticket add up to. Pure: the same events give the same standing, whoever asks and whenever."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ASKER = "asker"
"""The actor of what a person who asked did; which one stands in the event's `follower_id`."""
SYSTEM = "system"
"""The actor of what the program did by itself."""


class State(StrEnum):
    """Where a ticket stands."""

    NEW = "new"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CONFIRMED = "confirmed"
    CLOSED = "closed"


class Alarm(StrEnum):
    """How far the time of an open ticket has run, as it was last told. The later, the worse."""

    NONE = ""
    RESPONSE_NEAR = "response_near"
    RESPONSE_LATE = "response_late"
    RESOLUTION_NEAR = "resolution_near"
    RESOLUTION_LATE = "resolution_late"


class Others(StrEnum):
    """Who waits besides the one person to whom an agent said something: nobody, people who were told something, or people who were not."""

    NONE = ""
    TOLD = "told"
    UNTOLD = "untold"


class Level(StrEnum):
    """Who looks at a ticket besides the agent who has it."""

    NONE = ""
    SECOND = "second"
    MANAGER = "manager"


LEVEL_NAMES = {Level.NONE: "", Level.SECOND: "二线", Level.MANAGER: "服务主管"}
"""What people call them."""


OPEN = frozenset({State.NEW, State.ASSIGNED, State.IN_PROGRESS, State.WAITING})
"""States in which people still wait for an answer, so that others may join."""


class Kind(StrEnum):
    """What happened. `target` and `data` of an event mean what stands beside its kind."""

    OPENED = "opened"
    REWORDED = "reworded"
    ASSIGNED = "assigned"  # target: who has it now, "" for nobody
    CATEGORISED = "categorised"  # target: the category
    PRIORITISED = "prioritised"  # target: the priority
    FILED = "filed"  # target: the module
    NOTED = "noted"
    REPLIED = "replied"  # target: who else waits, when it was said to one person (see Others)
    ASKED = "asked"  # target: the same
    ADDED = "added"
    RESOLVED = "resolved"
    CONFIRMED = "confirmed"  # target: "all" when it ended a ticket that was open, because nobody waited any more
    RATED = "rated"  # target: 1 to 5
    REOPENED = "reopened"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    MOVED_OUT = "moved_out"  # target: the other ticket's number; data: what was moved
    MOVED_IN = "moved_in"  # target: the other ticket's number; data: `merged` when all of it came; `runs` and `responded` as they were there
    MERGED = "merged"  # target: the number of the ticket that goes on; data: what was moved
    SPAM = "spam"
    PUBLISHED = "published"  # target: the kind of public reply
    RETIRED = "retired"
    SUGGESTED = "suggested"  # article: what may answer it by now
    DISMISSED = "dismissed"
    AWAITED = "awaited"  # somebody who saw a receipt waits from here on, the first of all or the first who was not asked what the others were
    UNAWAITED = "unawaited"  # nobody waits any more
    ALARMED = "alarmed"  # target: the alarm; data: `told`, from when somebody is told of it
    ESCALATED = "escalated"  # target: the level; data: the same, `instead` when administrators are told for want of such people
    UNDONE = "undone"  # undoes: the event that no longer counts


NEWS = frozenset({Kind.REPLIED, Kind.ASKED, Kind.RESOLVED})
"""What those who asked are told of."""
RESPONSES = NEWS | {Kind.PUBLISHED}
"""What ends the wait for a first response."""
_ABOUT_RESPONSE = frozenset({Alarm.RESPONSE_NEAR, Alarm.RESPONSE_LATE})
UNDOABLE = frozenset(
    {
        Kind.ASSIGNED,
        Kind.CATEGORISED,
        Kind.PRIORITISED,
        Kind.FILED,
        Kind.RESOLVED,
        Kind.MOVED_OUT,
        Kind.MERGED,
        Kind.SPAM,
        Kind.DISMISSED,
        Kind.PUBLISHED,
        Kind.ESCALATED,
    }
)
"""What an agent may take back. Nobody can take back what others have read."""


class Happened(Protocol):
    """An event, as far as the fold looks at it."""

    id: int
    kind: str
    at: datetime
    actor: str
    article: str
    target: str
    undoes: int | None
    data: dict[str, list[Any]] | None


Run: TypeAlias = "tuple[datetime, datetime | None]"
"""From when to when (None: still) somebody waited for an agent."""


def as_stored(runs: Iterable[Run]) -> list[list[str | None]]:
    """Return runs as rows of tickets and events hold them: pairs of ISO moments, None for still."""
    return [[since.isoformat(), until.isoformat() if until else None] for since, until in runs]


def from_stored(stored: Iterable[Sequence[str | None]]) -> tuple[Run, ...]:
    """Return runs as they are counted with, from what `as_stored` made of them."""
    return tuple((datetime.fromisoformat(since or ""), datetime.fromisoformat(until) if until else None) for since, until in stored)


@dataclass(frozen=True, slots=True)
class Standing:
    """What all events of a ticket add up to. `closed_as` says why a closed one is closed: `withdrawn`, `expired`, `merged` or `spam`.

    From `runs` on it is about one round, which begins when the ticket opens or opens again: when somebody waited for an agent, the first response, what alarm
    was given last, and who looks at it besides.
    """

    state: State = State.NEW
    assignee: str = ""
    category: str = ""
    priority: str = ""
    module: str = ""
    closed_as: str = ""
    merged_into: int | None = None
    suggested: str = ""
    news_at: datetime | None = None
    resolved_at: datetime | None = None
    ended_at: datetime | None = None
    awaited: bool = False
    runs: tuple[Run, ...] = ()
    responded_at: datetime | None = None
    alarm: Alarm = Alarm.NONE
    escalated: Level = Level.NONE

    @property
    def running(self) -> bool:
        """True while somebody waits and it is not an asker's turn: time counts."""
        return self.open and self.awaited and self.state is not State.WAITING

    @property
    def open(self) -> bool:
        """True while people wait for an answer."""
        return self.state in OPEN


def opening(guessed: Mapping[str, str]) -> Standing:
    """Return how a ticket stood when it was opened, from what was guessed then: `module`, `category` and `priority`."""
    return Standing(module=guessed["module"], category=guessed["category"], priority=guessed["priority"])


def fold(events: Iterable[Happened], begin: Standing) -> Standing:
    """Return what `events`, in the order of their ids, make of a ticket that opened as `begin`. Undone ones do not count."""
    now = begin
    for event in counting(events):
        now = after(now, event)
    return now


def counting(events: Iterable[Happened]) -> list[Happened]:
    """Return the events that have not been undone."""
    listed = list(events)
    undone = {event.undoes for event in listed if event.kind == Kind.UNDONE}
    return [event for event in listed if event.id not in undone]


def after(now: Standing, event: Happened) -> Standing:
    """Return what one more event makes of a standing. An `undone` one changes what came before it: that takes `fold`."""
    kind = Kind(event.kind)
    if kind in NEWS:
        now = replace(now, news_at=event.at)
    effect = _EFFECTS.get(kind)
    then = effect(now, event) if effect else now
    if kind in RESPONSES and event.actor != ASKER and (kind is Kind.PUBLISHED or event.target != Others.UNTOLD):
        still = Alarm.NONE if then.alarm in _ABOUT_RESPONSE else then.alarm
        then = replace(then, responded_at=then.responded_at or event.at, alarm=still)
    return _timed(now.running, then, event.at)


def _timed(ran: bool, now: Standing, at: datetime) -> Standing:  # noqa: FBT001 - called by place
    """Begin or end a run where an event made time count, or made it stop."""
    if now.running and not ran:
        return replace(now, runs=(*now.runs, (at, None)))
    if ran and not now.running and now.runs:
        *before, (since, _) = now.runs
        return replace(now, runs=(*before, (since, max(since, at))))  # a clock that was set back makes no run end before it began
    return now


def _assigned(now: Standing, event: Happened) -> Standing:
    states = {State.NEW: State.ASSIGNED} if event.target else {State.ASSIGNED: State.NEW}
    return replace(now, assignee=event.target, state=states.get(now.state, now.state))


def _worked_on(now: Standing, _: Happened) -> Standing:
    return replace(now, state=State.IN_PROGRESS) if now.open else now


def _asked(now: Standing, event: Happened) -> Standing:
    """Let a ticket wait when everybody in it was asked: others' time goes on."""
    if not now.open:
        return now
    return replace(now, state=State.WAITING if event.target == Others.NONE else State.IN_PROGRESS)


def _added(now: Standing, _: Happened) -> Standing:
    return replace(now, state=State.IN_PROGRESS) if now.state is State.WAITING else now


def _resolved(now: Standing, event: Happened) -> Standing:
    return replace(now, state=State.RESOLVED, suggested="", resolved_at=event.at, ended_at=event.at)


def _confirmed(now: Standing, event: Happened) -> Standing:
    if event.target and now.open:
        now = replace(now, state=State.RESOLVED, suggested="", resolved_at=event.at, ended_at=event.at)
    return replace(now, state=State.CONFIRMED) if now.state is State.RESOLVED else now


def _reopened(now: Standing, _: Happened) -> Standing:
    if now.open:
        return replace(now, state=State.IN_PROGRESS)
    anew = replace(now, runs=(), responded_at=None, alarm=Alarm.NONE, escalated=Level.NONE)
    return replace(anew, state=State.IN_PROGRESS, closed_as="", resolved_at=None, ended_at=None)


def _awaited(now: Standing, event: Happened) -> Standing:
    """Let somebody else wait, who was not asked what the others were; a run that was begun by a clock that was ahead begins here at the latest."""
    state = State.IN_PROGRESS if now.state is State.WAITING else now.state
    open_run = now.runs[-1:] if now.running else ()
    runs = (*now.runs[:-1], *((min(since, event.at), None) for since, _ in open_run)) if open_run else now.runs
    return replace(now, awaited=True, state=state, runs=runs)


def _moved_in(now: Standing, event: Happened) -> Standing:
    """Let the time count that somebody who came has waited elsewhere, and no other; a ticket that began with them was answered where they come from."""
    data = event.data or {}
    there = [(since, until or event.at) for since, until in from_stored(data.get("runs", ()))]
    responded = [datetime.fromisoformat(at) for at in data.get("responded", ())]
    joined: list[tuple[datetime, datetime]] = []
    for since, until in sorted([*there, *((since, until or max(since, event.at)) for since, until in now.runs)]):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        else:
            joined.append((since, until))
    runs: tuple[Run, ...] = tuple(joined)
    if now.running and runs:
        runs = (*runs[:-1], (runs[-1][0], None))
    return replace(now, runs=runs, responded_at=now.responded_at or min(responded, default=None))


def _closed(reason: str) -> Callable[[Standing, Happened], Standing]:
    def effect(now: Standing, event: Happened) -> Standing:
        into = int(event.target) if event.kind == Kind.MERGED else None
        return replace(now, state=State.CLOSED, closed_as=reason, merged_into=into, suggested="", ended_at=now.ended_at or event.at)

    return effect


_EFFECTS: dict[Kind, Callable[[Standing, Happened], Standing]] = {
    Kind.ASSIGNED: _assigned,
    Kind.CATEGORISED: lambda now, event: replace(now, category=event.target),
    Kind.PRIORITISED: lambda now, event: replace(now, priority=event.target),
    Kind.FILED: lambda now, event: replace(now, module=event.target),
    Kind.REPLIED: _worked_on,
    Kind.ASKED: _asked,
    Kind.ADDED: _added,
    Kind.RESOLVED: _resolved,
    Kind.CONFIRMED: _confirmed,
    Kind.REOPENED: _reopened,
    Kind.EXPIRED: _closed("expired"),
    Kind.WITHDRAWN: _closed("withdrawn"),
    Kind.MERGED: _closed("merged"),
    Kind.SPAM: _closed("spam"),
    Kind.SUGGESTED: lambda now, event: replace(now, suggested=event.article),
    Kind.DISMISSED: lambda now, _: replace(now, suggested=""),
    Kind.AWAITED: _awaited,
    Kind.UNAWAITED: lambda now, _: replace(now, awaited=False),
    Kind.MOVED_IN: _moved_in,
    Kind.ALARMED: lambda now, event: replace(now, alarm=Alarm(event.target)),
    Kind.ESCALATED: lambda now, event: replace(now, escalated=Level(event.target)),
}
