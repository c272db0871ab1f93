"""Nobody has to watch the clocks: each look tells those concerned, once, what is about to be late or is, and lets others look at it besides.

What was told is an event, so that a look knows what an earlier one told; the notices stand in the same transaction. Only `due_at` is a cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import aliased

from kb.accounts.models import User
from kb.accounts.roles import Right, Role, may
from kb.clock import JUMP
from kb.notifications import outbox
from kb.notifications.outbox import Topic
from kb.tickets import history
from kb.tickets.models import Ticket, TicketEvent
from kb.tickets.queue import FAR
from kb.tickets.sla import clocks, round_of
from kb.tickets.standing import SYSTEM, Alarm, Kind, Level, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from kb.db import Database
    from kb.tickets.sla import Policies, Round

BATCH = 200
"""Tickets that are written in one transaction, so that others can write between two."""
_ALARMS, _LEVELS = list(Alarm), list(Level)
_COLUMNS = [
    *(Ticket.number, Ticket.version, Ticket.runs, Ticket.responded_at, Ticket.resolved_at, Ticket.ended_at, Ticket.state, Ticket.assignee),
    *(Ticket.priority, Ticket.category, Ticket.module, Ticket.alarm, Ticket.escalated, Ticket.due_at),
]
"""What the clocks are read from, without what people wrote."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a look came to: tickets whose time runs, those whose due time was another, those with another alarm, and those that others look at now."""

    running: int
    dated: int
    alarmed: int
    escalated: int


@dataclass(frozen=True, slots=True)
class _Change:
    """What is true of a ticket now and not yet told. `alarm` and `level` are None where nothing is to be told."""

    due_at: datetime | None
    alarm: Alarm | None
    level: Level | None


def sweep(db: Database, policies: Policies, owners: Mapping[str, Sequence[str]], now: datetime) -> Swept:
    """Look at every ticket whose time runs; write down what is due when, and tell what is nearly late, late, or for others to look at too.

    A second look at the same moment changes nothing. `owners` are the names of those who take a module's tickets. Each person is told of all tickets
    at once. Raises SQLAlchemyError; what was written until then is whole, and the next look tells the rest.
    """
    running = select(*_COLUMNS).where(Ticket.open, Ticket.awaited, Ticket.state != State.WAITING).order_by(Ticket.number)
    with db.read() as session:
        rows = session.execute(running).all()
    changes = [(row, _change(policies, round_of(row), row.alarm, now)) for row in rows]
    untold = [row.number for row, change in changes if change.alarm is not None or change.level is not None]
    dated = [
        {"named": row.number, "seen": row.version, "due": change.due_at}
        for row, change in changes
        if change.due_at != row.due_at and change.alarm is None and change.level is None
    ]
    for start in range(0, len(dated), BATCH):
        with db.write() as session:
            session.connection().execute(_DATE, dated[start : start + BATCH])
    alarmed = escalated = 0
    for start in range(0, len(untold), BATCH):
        with db.write() as session:
            more_alarmed, more_escalated = _tell(session, policies, untold[start : start + BATCH], owners, now)
        alarmed, escalated = alarmed + more_alarmed, escalated + more_escalated
    return Swept(len(rows), len(dated) + len(untold), alarmed, escalated)


def take_back(db: Database, now: datetime) -> int:
    """Undo what the program told by a clock that was ahead, so that it is told again when it is true; return how many alarms and escalations that was.

    To be called when it is not known by which clock the last looks went. Raises SQLAlchemyError.
    """
    undoing = aliased(TicketEvent)
    told = TicketEvent.kind.in_((Kind.ALARMED.value, Kind.ESCALATED.value)) & (TicketEvent.actor == SYSTEM) & (TicketEvent.at > now + JUMP)
    counts = ~select(undoing.id).where(undoing.undoes == TicketEvent.id).exists()
    ahead = select(TicketEvent).where(told, counts, TicketEvent.ticket_number.in_(select(Ticket.number).where(Ticket.open))).order_by(TicketEvent.id)
    taken_back = 0
    while True:
        with db.write() as session:
            events = session.scalars(ahead.limit(BATCH)).all()
            for event in events:
                history.record(history.find(session, event.ticket_number), Kind.UNDONE, now, SYSTEM, undoes=event.id, target=event.kind)
        taken_back += len(events)
        if len(events) < BATCH:
            return taken_back


_DATE = update(Ticket).where(Ticket.number == bindparam("named"), Ticket.version == bindparam("seen")).values(due_at=bindparam("due"))
"""A ticket to which something happened meanwhile waits for the next look."""


def _change(policies: Policies, around: Round, told: str, now: datetime) -> _Change:
    found = clocks(policies, around, now)
    due_at = found.next.due_at if found.next else None
    level = found.promise.level if found.escalate_at is not None and found.escalate_at <= now else None
    return _Change(min(due_at, FAR) if due_at else None, found.alarm if found.alarm != told else None, level)


def _tell(session: Session, policies: Policies, numbers: Sequence[int], owners: Mapping[str, Sequence[str]], now: datetime) -> tuple[int, int]:
    """Tell what is still to be told of these tickets; return how many alarms and escalations that was."""
    people, digests = _People(session.scalars(select(User).where(User.disabled_at.is_(None))).all(), owners), _Digests()
    alarmed = escalated = 0
    running = select(Ticket).where(Ticket.number.in_(numbers), Ticket.open, Ticket.awaited, Ticket.state != State.WAITING)
    for ticket in session.scalars(running.order_by(Ticket.number)):
        change = _change(policies, round_of(ticket), ticket.alarm, now)
        worse = change.alarm is not None and _ALARMS.index(change.alarm) > _ALARMS.index(Alarm(ticket.alarm))
        if change.alarm is not None:
            history.record(ticket, Kind.ALARMED, now, SYSTEM, target=change.alarm)
            alarmed += 1
        if change.level is not None:
            history.record(ticket, Kind.ESCALATED, now, SYSTEM, target=change.level)
            escalated += 1
        ticket.due_at = change.due_at
        if worse or change.level is not None:
            told = [*(people.concerned(ticket) if worse else ()), *(people.at(change.level) if change.level else ())]
            digests.add(ticket, change.level or Level.NONE, {user.id for user in told if not user.quiet})
    digests.note(session, now)
    return alarmed, escalated


@dataclass(frozen=True, slots=True)
class _People:
    """Who has an account that can be used, and whose modules are whose."""

    users: Sequence[User]
    owners: Mapping[str, Sequence[str]]

    def concerned(self, ticket: Ticket) -> list[User]:
        """Return who has a ticket. Of one that nobody has, the owners of its module; without such, all who work on tickets: somebody has to hear of it."""
        desk = [user for user in self.users if may(user.role, Right.DESK)]
        owners = self.owners.get(ticket.module, ())
        return [user for user in desk if user.name == ticket.assignee] or [user for user in desk if user.name in owners] or desk

    def at(self, level: Level) -> list[User]:
        """Return who looks at what comes to a level, and can and wants to be told; without such, the administrators, who can name somebody."""
        named = [user for user in self.users if user.level == level and user.mail and not user.quiet]
        return named or [user for user in self.users if user.role == Role.ADMINISTRATOR]


class _Digests:
    """What each person, and the team, is told of: as lists side by side."""

    def __init__(self) -> None:
        self._of: dict[int | None, dict[str, list[int | str]]] = {}

    def add(self, ticket: Ticket, level: Level, users: Iterable[int]) -> None:
        for user in (None, *sorted(users)):
            lists = self._of.setdefault(user, {"numbers": [], "alarms": [], "levels": []})
            for name, value in (("numbers", ticket.number), ("alarms", ticket.alarm), ("levels", level.value)):
                lists[name].append(value)

    def note(self, session: Session, now: datetime) -> None:
        for user, lists in self._of.items():
            outbox.note_digest(session, user, Topic.ALARMED, now, lists)
