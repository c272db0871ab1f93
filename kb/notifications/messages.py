"""What became of messages: how many wait, which were given up, and what is done about those; what is kept of them about one person, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, delete, func, literal_column, or_, select, update
from sqlalchemy.orm import aliased

from kb import mailer
from kb.accounts.models import User
from kb.db import MAX_ID
from kb.errors import NotFoundError
from kb.notifications.models import Message, Notice
from kb.tickets.models import TicketEvent
from kb.tickets.standing import Kind

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

    from kb.db import Database

KEPT = timedelta(days=30)
"""How long a message is kept after it ended: addresses are personal, and nobody asks later whether something was sent."""
_SHOWN = 200
"""Messages given up that are listed, the latest first."""
_BATCH = 1000
_ALARMED: ColumnElement[str] = literal_column("'alarmed'")
"""In the words of ix_notices_alarmed."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many messages of a channel wait, and since when the first of them."""

    channel: str
    number: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """A message that was given up, with what it would have told."""

    message: Message
    topic: str
    ticket: int | None


class Reminder(NamedTuple):
    """Word of a ticket's time to one account, or to the team (no name): the `level` whose people look at what comes there, and what became of it.

    `ended_as` as in messages: "" while it waits, and void too where there was nobody to send it to.
    """

    user_id: int | None
    name: str
    level: str
    ended_as: str
    error: str


def reminders(session: Session, number: int, since: datetime) -> list[Reminder]:
    """Return the reminders of a ticket's time and the calls for help with it since a moment, oldest first; none older than messages are kept."""
    listed = func.json_each(Notice.data, "$.numbers").table_valued("value")
    in_digest = (Notice.kind == _ALARMED, Notice.ready_at >= since, select(listed.c.value).where(listed.c.value == number).exists())
    escalations = select(TicketEvent.id).where(TicketEvent.ticket_number == number, TicketEvent.kind == Kind.ESCALATED, TicketEvent.at >= since)
    found = (
        select(Notice.user_id, Message.user_id, User.name, User.level, Notice.spread_at, Message.ended_as, Message.error)
        .outerjoin(Message, Message.notice_id == Notice.id)
        .outerjoin(User, User.id == func.coalesce(Message.user_id, Notice.user_id))
        .where(or_(and_(*in_digest), Notice.event_id.in_(escalations)))
        .order_by(Notice.id, Message.id)
    )
    return [
        Reminder(told or meant, name or "", level or "", ("void" if spread_at else "") if ended_as is None else ended_as, error or "")
        for meant, told, name, level, spread_at, ended_as, error in session.execute(found)
    ]


def waiting(session: Session) -> list[Waiting]:
    """Return the channels with messages that wait, by name."""
    rows = select(Message.channel, func.count(), func.min(Message.created_at)).where(Message.ended_at.is_(None)).group_by(Message.channel)
    return [Waiting(*row) for row in session.execute(rows.order_by(Message.channel))]


def dead(session: Session) -> list[Dead]:
    """Return the messages that were given up and that nobody has dealt with, the latest first."""
    rows = select(Message, Notice.kind, Notice.ticket_number).join(Notice, Notice.id == Message.notice_id).where(Message.ended_as == "dead")
    return [Dead(*row) for row in session.execute(rows.order_by(Message.id.desc()).limit(_SHOWN))]


def count_dead(session: Session) -> int:
    """Return how many messages were given up and nobody has dealt with."""
    return session.scalar(select(func.count()).select_from(Message).where(Message.ended_as == "dead")) or 0


def retry(session: Session, id_: int, now: datetime) -> Message:
    """Let a message that was given up be tried anew, as often as at first. Raises NotFoundError when it was not given up."""
    message = _given_up(session, id_)
    message.ended_as, message.ended_at, message.tries, message.next_at = "", None, 0, now
    return message


def retry_all(session: Session, now: datetime) -> int:
    """Let every message that was given up be tried anew, listed or not; return how many."""
    anew = update(Message).where(Message.ended_as == "dead").values(ended_as="", ended_at=None, tries=0, next_at=now)
    return int(session.execute(anew).rowcount)  # type: ignore[attr-defined]


def drop(session: Session, id_: int, now: datetime) -> Message:
    """Let a message that was given up rest for good. Raises NotFoundError when it was not given up."""
    message = _given_up(session, id_)
    message.ended_as, message.ended_at = "void", now
    return message


def _given_up(session: Session, id_: int) -> Message:
    message = session.get(Message, id_) if id_ <= MAX_ID else None
    if message is None or message.ended_as != "dead":
        raise NotFoundError("这条消息已经处理过，或者已被清理。刷新页面看看最新状态。")
    return message


def forget_old(session: Session, now: datetime) -> int:
    """Delete messages that ended 30 days ago or longer, and notices that have none left; return how many messages."""
    gone = session.execute(delete(Message).where(Message.ended_at <= now - KEPT)).rowcount  # type: ignore[attr-defined]
    left = aliased(Message)
    told = select(Notice.id).where(Notice.spread_at <= now - KEPT, ~select(left.id).where(left.notice_id == Notice.id).exists()).limit(_BATCH)
    session.execute(delete(Notice).where(Notice.id.in_(told)))
    return int(gone)


def tidy_files(db: Database, data: Path) -> int:
    """Remove from a data folder the files of mails whose messages are kept no more; return how many. Raises OSError."""

    def kept() -> list[str]:
        with db.read() as session:
            return list(session.scalars(select(Message.message_id).where(Message.channel == mailer.MAIL)))

    return mailer.tidy(data, kept)


def was_sent(session: Session, event_id: int) -> bool:
    """Tell whether somebody who asked has been sent word of an event, or may have been: it is on its way, or was cut there."""
    told = select(Message.id).join(Notice, Notice.id == Message.notice_id).where(Notice.event_id == event_id, Message.follower_id.is_not(None))
    return session.scalar(told.where((Message.ended_as == "sent") | ((Message.ended_as != "void") & (Message.tries > 0))).limit(1)) is not None


def export(session: Session, followers: Collection[int], user: int | None) -> list[dict[str, Any]]:
    """Return the messages to somebody's shares and account, as plain values."""
    rows = select(Message, Notice.kind).join(Notice, Notice.id == Message.notice_id).where(_theirs(followers, user)).order_by(Message.id)
    return [
        {"at": one.created_at.isoformat(), "channel": one.channel, "address": one.address, "topic": kind, "ended": one.ended_as or "waiting"}
        for one, kind in session.execute(rows)
    ]


def forget(session: Session, followers: Collection[int], user: int | None) -> int:
    """Delete the messages to somebody's shares and account, sent or not, and end the notices that are only for them; return how many messages."""
    gone = session.execute(delete(Message).where(_theirs(followers, user))).rowcount  # type: ignore[attr-defined]
    unspread = (Notice.spread_at.is_(None), Notice.follower_id.in_(followers))
    session.execute(update(Notice).where(*unspread).values(spread_at=Notice.at))
    return int(gone)


def _theirs(followers: Collection[int], user: int | None) -> Any:
    mine = Message.follower_id.in_(followers)
    return mine | (Message.user_id == user) if user is not None else mine
