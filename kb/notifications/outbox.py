"""What is to be told is written down in the transaction that makes it true; the worker finds out whom it is for, and sends it (kb.notifications.courier)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from kb.mail_address import address_in
from kb.notifications.models import Notice
from kb.tickets.models import Follower, TicketEvent
from kb.tickets.standing import SYSTEM, Kind
from kb.widget.models import Webhook

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

SECOND_THOUGHTS = timedelta(seconds=60)
"""How long a step that can be taken back is kept from those whom it would be told."""
GATHERED = timedelta(minutes=15)
"""How far apart two digests to the same person, or the team, are, unless what they tell cannot wait."""


ADDITIONS_GATHERED = timedelta(minutes=10)
"""How far apart an agent is told that somebody added to a ticket, however often they do."""


class Topic(StrEnum):
    """What a notice tells."""

    RECEIVED = "received"  # an asker: their question is noted
    ASKED = "asked"  # askers: an agent asks back
    REPLIED = "replied"  # askers: an agent said something
    RESOLVED = "resolved"  # askers: there is an answer
    CLOSED = "closed"  # servers of sites: it has ended
    REOPENED = "reopened"  # askers: it goes on; the agent who has it: too
    ASSIGNED = "assigned"  # an agent: it is yours
    ADDED = "added"  # the agent who has it: an asker answered
    ESCALATED = "escalated"  # the second level or the manager, and the team: somebody wants them to look at it
    ALARMED = "alarmed"  # one agent, or the team: what is nearly late, late, or theirs to look at; data: `numbers`, `alarms` and `levels`, side by side
    INVITED = "invited"  # somebody new: a link to set a password by
    RESET = "reset"  # somebody who forgot their password


_OF_EVENTS = {
    Kind.ASKED: Topic.ASKED,
    Kind.REPLIED: Topic.REPLIED,
    Kind.RESOLVED: Topic.RESOLVED,
    Kind.REOPENED: Topic.REOPENED,
    Kind.ASSIGNED: Topic.ASSIGNED,
    Kind.ADDED: Topic.ADDED,
    Kind.ESCALATED: Topic.ESCALATED,
    Kind.CONFIRMED: Topic.CLOSED,
    Kind.EXPIRED: Topic.CLOSED,
    Kind.WITHDRAWN: Topic.CLOSED,
    Kind.SPAM: Topic.CLOSED,
}
_CAN_BE_TAKEN_BACK = frozenset({Kind.RESOLVED, Kind.ASSIGNED, Kind.ESCALATED, Kind.WITHDRAWN, Kind.SPAM})


def note_event(session: Session, event: TicketEvent) -> None:
    """Write down that what happened to a ticket is to be told, if it is; to be called once for each event, in its transaction.

    `last` in its data is the share that was made last by then: who came later is known by it, whatever the clock does. What the program escalates by
    itself stands in a digest (kb.tickets.alarms), so that a thousand late tickets are not a thousand messages. That a ticket has ended only servers of
    sites are told, and only where one listens is it written down. What an asker adds while word of what they added before waits is told by that.
    """
    kind = Kind(event.kind)
    if _OF_EVENTS.get(kind) is Topic.CLOSED and session.scalar(select(Webhook.id).where(Webhook.ended_at.is_(None)).limit(1)) is None:
        return
    if kind in _OF_EVENTS and not (kind is Kind.ESCALATED and event.actor == SYSTEM):
        ready_at = event.at + SECOND_THOUGHTS if kind in _CAN_BE_TAKEN_BACK else event.at
        if kind is Kind.ADDED:
            told_at = _additions_told_at(session, event)
            if told_at is not None and told_at > event.at:
                return
            ready_at = event.at if told_at is None else told_at + ADDITIONS_GATHERED
        last = func.json_object("last", func.json_array(select(func.max(Follower.id)).scalar_subquery()))
        session.add(Notice(kind=_OF_EVENTS[kind].value, ticket_number=event.ticket_number, event_id=event.id, data=last, at=event.at, ready_at=ready_at))


def _additions_told_at(session: Session, event: TicketEvent) -> datetime | None:
    """Return when it was last, or is next, told that somebody added to the event's ticket; None when that is some time ago."""
    lately = (Notice.ready_at > event.at - ADDITIONS_GATHERED, Notice.ready_at <= event.at + ADDITIONS_GATHERED)
    told = select(func.max(Notice.ready_at)).join(TicketEvent, TicketEvent.id == Notice.event_id)
    return session.scalar(told.where(TicketEvent.ticket_number == event.ticket_number, Notice.kind == Topic.ADDED.value, *lately))


def note_received(session: Session, follower: Follower, now: datetime) -> None:
    """Write down that somebody is to be told that their question is noted, where there is any way to tell them."""
    if not follower.waiting or (follower.person[:2] not in {"u:", "s:"} and not address_in(follower.contact)):
        return
    session.flush()
    ready_at = now + SECOND_THOUGHTS  # better words may come, or the question be taken back
    session.add(Notice(kind=Topic.RECEIVED.value, ticket_number=follower.ticket_number, follower_id=follower.id, at=now, ready_at=ready_at))


def note_for(session: Session, user_id: int, topic: Topic, now: datetime, data: dict[str, list[Any]] | None = None) -> None:
    """Write down that somebody with an account is to be told something."""
    session.add(Notice(kind=topic.value, user_id=user_id, data=data, at=now, ready_at=now))


def digests_after(session: Session, topic: Topic, now: datetime) -> dict[int | None, datetime]:
    """Return from when on people, and the team (None), can have their next digest; whoever is not named had none lately and can have one at once.

    What a clock noted that has been set back since holds nobody up.
    """
    lately = (Notice.kind == topic.value, Notice.ready_at > now - GATHERED, Notice.ready_at <= now + GATHERED)
    last = session.execute(select(Notice.user_id, func.max(Notice.ready_at)).where(*lately).group_by(Notice.user_id))
    return {user: at if at > now else at + GATHERED for user, at in last}


def note_digest(session: Session, user_id: int | None, topic: Topic, now: datetime, ready_at: datetime, lists: dict[str, list[Any]]) -> None:
    """Write down lists of what somebody, or the team (None), is to be told from `ready_at` on.

    What waits to be told them already is added to, and waits no longer than this.
    """
    waits = (Notice.spread_at.is_(None), Notice.kind == topic.value, Notice.ready_at <= now + GATHERED)
    earlier = session.scalar(select(Notice).where(*waits, Notice.user_id == user_id).order_by(Notice.ready_at).limit(1))
    if earlier is None:
        session.add(Notice(kind=topic.value, user_id=user_id, data=lists, at=now, ready_at=ready_at))
    else:
        said = earlier.data or {}
        earlier.data = {name: [*said.get(name, ()), *values] for name, values in lists.items()}
        earlier.ready_at = min(earlier.ready_at, ready_at)
