"""Nobody has to watch the clocks: each look tells those concerned, once, what is about to be late or is, and lets others look at it besides.

What was told is an event, so that a look knows what an earlier one told; the notices stand in the same transaction. Only `due_at` is a cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, func, literal_column, select, update
from sqlalchemy.orm import aliased

from kb.accounts.models import User
from kb.accounts.roles import Right, Role, may
from kb.clock import JUMP
from kb.notifications import messages, outbox
from kb.notifications.outbox import Topic
from kb.tickets import history
from kb.tickets.models import Ticket, TicketEvent
from kb.tickets.queue import FAR
from kb.tickets.sla import clocks, round_of
from kb.tickets.standing import SYSTEM, Alarm, Kind, Level, State
from kb.tickets.triage import Priority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.orm import Session

    from kb.config import Config
    from kb.db import Database
    from kb.notifications.messages import Reminder
    from kb.tickets.sla import Policies, Round

BATCH = 200
"""Tickets that are written in one transaction, so that others can write between two."""
_ALARMS, _DESK = list(Alarm), [role for role in Role if may(role, Right.DESK)]
_COLUMNS = [
    *(Ticket.number, Ticket.version, Ticket.runs, Ticket.responded_at, Ticket.resolved_at, Ticket.ended_at, Ticket.state, Ticket.assignee),
    *(Ticket.priority, Ticket.category, Ticket.module, Ticket.alarm, Ticket.escalated, Ticket.due_at),
]
"""What the clocks are read from, without what people wrote."""
_REACHED = frozenset({"sent", ""})
"""What became of a message that somebody has, or has yet to get."""
_TOLD, _INSTEAD = "told", "instead"
"""What stands in the data of an alarm and an escalation: from when on those whom it is for are told, or others in their place; neither when nobody can be."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom anything can be told at all: people by mail that leaves this machine, and the team in a group chat."""

    mail: bool
    group: bool

    @classmethod
    def of(cls, config: Config) -> Reach:
        """Return what the settings reach."""
        return cls(config.smtp is not None, bool(config.bots))


@dataclass(frozen=True, slots=True)
class Reminded:
    """Who knows by now that the time of a ticket runs out. `level`: the people of the level that it was escalated to were told, or an agent asked them."""

    anybody: bool
    level: bool
    by_hand: bool


@dataclass(frozen=True, slots=True)
class Swept:
    """What a look came to: tickets whose time runs, those whose due time was another, those with another alarm, and those that others look at now."""

    running: int
    dated: int
    alarmed: int
    escalated: int


@dataclass(frozen=True, slots=True)
class _Change:
    """What is true of a ticket now and not yet told. `alarm` and `level` are None where nothing is to be told; `urgent`: it cannot wait for others."""

    due_at: datetime | None
    alarm: Alarm | None
    level: Level | None
    urgent: bool


_USUAL = Reach(mail=True, group=False)


def sweep(db: Database, policies: Policies, owners: Mapping[str, Sequence[str]], now: datetime, reach: Reach = _USUAL) -> Swept:
    """Look at every ticket whose time runs; write down what is due when, and tell what is nearly late, late, or for others to look at too.

    A second look at the same moment changes nothing. `owners` are the names of those who take a module's tickets. Each person is told of all tickets
    at once, and of what is not urgent at most every 15 minutes. Raises SQLAlchemyError; what was written until then is whole, and the next look tells the rest.
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
            more_alarmed, more_escalated = _tell(session, policies, untold[start : start + BATCH], owners, now, reach)
        alarmed, escalated = alarmed + more_alarmed, escalated + more_escalated
    return Swept(len(rows), len(dated) + len(untold), alarmed, escalated)


def take_back(db: Database, now: datetime) -> int:
    """Undo what the program told by a clock that was ahead, so that it is told again when it is true; return how many alarms and escalations that was.

    Whoever began to wait by that clock waits from `now` on.

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
            _begin_ahead(db, now)
            return taken_back


def _begin_ahead(db: Database, now: datetime) -> None:
    """Let whoever began to wait by a clock that was ahead wait from now on: their time would begin in years."""
    began = func.json_extract(Ticket.runs, "$[#-1][0]")
    ahead = select(Ticket).where(Ticket.open, Ticket.awaited, Ticket.state != State.WAITING, began > (now + JUMP).isoformat()).order_by(Ticket.number)
    while True:
        with db.write() as session:
            tickets = session.scalars(ahead.limit(BATCH)).all()
            for ticket in tickets:
                history.record(ticket, Kind.AWAITED, now, SYSTEM)
        if len(tickets) < BATCH:
            return


_DATE = update(Ticket).where(Ticket.number == bindparam("named"), Ticket.version == bindparam("seen")).values(due_at=bindparam("due"))
"""A ticket to which something happened meanwhile waits for the next look."""


def _change(policies: Policies, around: Round, told: str, now: datetime) -> _Change:
    found = clocks(policies, around, now)
    due_at = found.next.due_at if found.next else None
    level = found.promise.level if found.escalate_at is not None and found.escalate_at <= now else None
    alarm = found.alarm if found.alarm != told else None
    return _Change(min(due_at, FAR) if due_at else None, alarm, level, found.promise.priority == Priority.URGENT)


def _tell(session: Session, policies: Policies, numbers: Sequence[int], owners: Mapping[str, Sequence[str]], now: datetime, reach: Reach) -> tuple[int, int]:
    """Tell what is still to be told of these tickets; return how many alarms and escalations that was."""
    people, digests = _People(_enabled(session), owners), _Digests(outbox.digests_after(session, Topic.ALARMED, now), reach, now)
    alarmed = escalated = 0
    running = select(Ticket).where(Ticket.number.in_(numbers), Ticket.open, Ticket.awaited, Ticket.state != State.WAITING)
    for ticket in session.scalars(running.order_by(Ticket.number)):
        change = _change(policies, round_of(ticket), ticket.alarm, now)
        worse = change.alarm is not None and _ALARMS.index(change.alarm) > _ALARMS.index(Alarm(ticket.alarm))
        concerned = people.concerned(ticket) if worse else []
        named, instead = people.at(change.level) if change.level else ([], [])
        if change.alarm is not None:
            told = {_TOLD: digests.told_at([None, *concerned], urgent=change.urgent)} if worse else {}
            history.record(ticket, Kind.ALARMED, now, SYSTEM, target=change.alarm, data=_known(told))
            alarmed += 1
        if change.level is not None:
            told = {_TOLD: digests.told_at(named, urgent=change.urgent), _INSTEAD: digests.told_at([None, *instead], urgent=change.urgent)}
            history.record(ticket, Kind.ESCALATED, now, SYSTEM, target=change.level, data=_known(told))
            escalated += 1
        ticket.due_at = change.due_at
        if worse or change.level is not None:
            digests.add(ticket, change.level or Level.NONE, {None, *concerned, *named, *instead}, urgent=change.urgent)
    digests.note(session)
    return alarmed, escalated


def _known(told: Mapping[str, datetime | None]) -> dict[str, list[str]] | None:
    return {name: [at.isoformat()] for name, at in told.items() if at is not None} or None


def reminded(ticket: Ticket, now: datetime) -> Reminded:
    """Return who knows that the time of a ticket runs out, in the round that goes on.

    Whom messages wait for whose time has come counts as told; whom none reached, because each was refused for good or not wanted, does not.
    """
    of, level = TicketEvent, ticket.escalated
    since = _since(ticket)
    rows = history.session_of(ticket).execute(
        select(of.kind, of.actor, of.target, of.data)
        .where(of.ticket_number == ticket.number, of.kind.in_((Kind.ALARMED.value, Kind.ESCALATED.value)), of.at >= since)
        .order_by(of.id)
    )
    anybody = named = by_hand = False
    for kind, actor, target, data in rows:
        told = {name for name, (at,) in (data or {}).items() if datetime.fromisoformat(at) <= now}
        anybody = anybody or bool(told)
        if kind == Kind.ESCALATED and target == level:
            named, by_hand = _TOLD in told or actor != SYSTEM, actor != SYSTEM
    sent = messages.reminders(history.session_of(ticket), ticket.number, since) if anybody else []
    reached = [one for one in sent if one.ended_as in _REACHED]
    anybody = anybody and (bool(reached) or not sent)
    named = named and (by_hand or not sent or any(one.level == level for one in reached))
    return Reminded(anybody, bool(level) and named, bool(level) and by_hand)


def unreached(ticket: Ticket) -> list[Reminder]:
    """Return for each account, and the team, whom no reminder of the round that goes on has reached the last one that was refused for good."""
    if not (ticket.alarm or ticket.escalated):
        return []
    sent = messages.reminders(history.session_of(ticket), ticket.number, _since(ticket))
    reached = {one.user_id for one in sent if one.ended_as in _REACHED}
    return list({one.user_id: one for one in sent if one.ended_as == "dead" and one.user_id not in reached}.values())


def _since(ticket: Ticket) -> datetime:
    """Return when the round that goes on began."""
    return round_of(ticket).began or ticket.opened_at


def unheard(session: Session, reach: Reach) -> bool:
    """Tell whether tickets run late, or nearly, and nobody can be told so."""
    if reach.group:
        return False
    late = select(Ticket.number).where(Ticket.open, Ticket.awaited, Ticket.alarm != literal_column("''"))  # in the words of ix_tickets_alarm
    hears = select(User.id).where(User.disabled_at.is_(None), User.role.in_(_DESK), User.mail != "", User.quiet.is_(False)).exists()
    return session.scalar((late.where(~hears) if reach.mail else late).limit(1)) is not None


def _enabled(session: Session) -> Sequence[User]:
    return session.scalars(select(User).where(User.disabled_at.is_(None)).order_by(User.id)).all()


def _tellable(user: User) -> bool:
    """Tell whether somebody has an address and wants to be reminded."""
    return bool(user.mail) and not user.quiet


@dataclass(frozen=True, slots=True)
class _People:
    """Who has an account that can be used, and whose modules are whose."""

    users: Sequence[User]
    owners: Mapping[str, Sequence[str]]

    def concerned(self, ticket: Ticket) -> list[int]:
        """Return who is told of a ticket: the first of these of whom somebody can be told, for somebody has to hear of it.

        Who has it; the owners of its module; the agents; all others who work on tickets.
        """
        desk = [user for user in self.users if may(user.role, Right.DESK) and _tellable(user)]
        owners = self.owners.get(ticket.module, ())
        circles = (
            [user.id for user in desk if user.name == ticket.assignee],
            [user.id for user in desk if user.name in owners],
            [user.id for user in desk if user.role == Role.AGENT],
            [user.id for user in desk],
        )
        return next((circle for circle in circles if circle), [])

    def at(self, level: Level) -> tuple[list[int], list[int]]:
        """Return who looks at what comes to a level and can be told; without such, as the second, the administrators, who can name somebody."""
        named = [user.id for user in self.users if user.level == level and _tellable(user)]
        instead = [user.id for user in self.users if user.role == Role.ADMINISTRATOR and _tellable(user)]
        return (named, []) if named else ([], instead)


class _Digests:
    """What each person, and the team (None), is told of: as lists side by side. `after`: who had a digest lately, and from when on they can have another."""

    def __init__(self, after: Mapping[int | None, datetime], reach: Reach, now: datetime) -> None:
        self._after, self._reach, self._now = after, reach, now
        self._of: dict[int | None, dict[str, list[int | str]]] = {}
        self._ready: dict[int | None, datetime] = {}

    def told_at(self, users: Sequence[int | None], *, urgent: bool) -> datetime | None:
        """Return from when on the first of these is told, None when none of them can be."""
        reached = [user for user in users if (self._reach.group if user is None else self._reach.mail)]
        return min((self._ready_at(user, urgent=urgent) for user in reached), default=None)

    def add(self, ticket: Ticket, level: Level, users: set[int | None], *, urgent: bool) -> None:
        for user in sorted(users, key=lambda id_: id_ or 0):
            lists = self._of.setdefault(user, {"numbers": [], "alarms": [], "levels": []})
            for name, value in (("numbers", ticket.number), ("alarms", ticket.alarm), ("levels", level.value)):
                lists[name].append(value)
            ready_at = self._ready_at(user, urgent=urgent)
            self._ready[user] = min(ready_at, self._ready.get(user, ready_at))

    def note(self, session: Session) -> None:
        for user, lists in self._of.items():
            outbox.note_digest(session, user, Topic.ALARMED, self._now, self._ready[user], lists)

    def _ready_at(self, user: int | None, *, urgent: bool) -> datetime:
        return self._now if urgent else self._after.get(user, self._now)
