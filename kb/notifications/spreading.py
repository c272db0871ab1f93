"""From a notice to the messages that tell it: who is told, where, and who is not. One transaction for each notice, however many people wait for a ticket."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import structlog
from sqlalchemy import and_, func, insert, or_, select
from sqlalchemy.exc import SQLAlchemyError

from kb.accounts.identity import subject_of
from kb.accounts.models import User
from kb.accounts.roles import Role
from kb.mail_address import address_in, digest
from kb.mailer import MAIL
from kb.notifications.bots import HOOK
from kb.notifications.models import Message, Mute, MutedAddress, Notice
from kb.notifications.outbox import Topic
from kb.tickets.models import Follower, Ticket, TicketEvent
from kb.tickets.standing import ASKER, Kind
from kb.widget.models import Site, Webhook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import InstrumentedAttribute, Session

    from kb.db import Database

log = structlog.get_logger()

TEAM = "team"
"""The address of a message to a group: its bot knows where that is."""
A_DAY = 20
"""Receipts in a day to an address that somebody wrote into a contact: nobody has shown that it is theirs. An answer is never kept back for others' sake."""
ADDRESSES = 3
"""Addresses that one share may have its receipt sent to in a day: whoever changes theirs more often is writing to others."""
TOO_FAR = timedelta(hours=2)
"""What is due later than this from now is due: nothing waits so long, so the clock was set back."""
_AGAIN_AFTER = timedelta(minutes=10)
_BATCH = 100
WEBHOOK = "webhook"
"""What the names of the channels to servers of sites begin with."""
WEBHOOK_TOPICS = {Topic.RECEIVED: "ticket.opened", Topic.REPLIED: "ticket.answered", Topic.RESOLVED: "ticket.answered", Topic.CLOSED: "ticket.closed"}
"""What servers of sites are told, in their words."""
_TO_ASKERS = frozenset({Topic.ASKED, Topic.REPLIED, Topic.RESOLVED, Topic.REOPENED})
_IN_VAIN = "void"
"""What stands in the data of a receipt's notice when the question was taken back before anybody could be told that it is noted."""
_ALSO_TO_THOSE_ANSWERED = frozenset({Topic.REPLIED, Topic.RESOLVED})


@dataclass(frozen=True, slots=True)
class Ways:
    """What there is to send by: the names of the team's bots, whether a host app is told, and the host that Message-IDs name."""

    bots: tuple[str, ...]
    hook: bool
    host: str

    @classmethod
    def of(cls, channels: Iterable[str], base_url: str) -> Ways:
        """Return the ways that these channels are."""
        host = urlsplit(base_url).hostname or ""
        names = set(channels)
        return cls(tuple(sorted(names - {MAIL, HOOK})), HOOK in names, host if re.fullmatch(r"[a-z0-9.-]{1,60}", host) else "localhost")


class Recipient(NamedTuple):
    """Where one message goes. `proven` is false for an address that somebody only wrote down."""

    channel: str
    address: str
    follower_id: int | None = None
    user_id: int | None = None
    proven: bool = True


class Way(NamedTuple):
    """By which channel and under which address somebody can be told, and whether it is known to be theirs."""

    channel: str
    address: str
    proven: bool


def due(column: InstrumentedAttribute[datetime], now: datetime) -> ColumnElement[bool]:
    """What is due by `now`, or so far ahead that the clock must have been set back."""
    return or_(column <= now, column > now + TOO_FAR)


def spread(db: Database, ways: Ways, now: datetime) -> int:
    """Write the messages of every notice that is ready; return how many notices were spread."""
    done = 0
    while True:
        with db.read() as session:
            waiting = select(Notice.id).where(Notice.spread_at.is_(None), due(Notice.ready_at, now)).order_by(Notice.id).limit(_BATCH)
            ready = list(session.scalars(waiting))
        for id_ in ready:
            try:
                with db.write() as session:
                    notice = session.get_one(Notice, id_)
                    if notice.spread_at is None:
                        _write(session, notice, ways, now)
                        done += 1
            except SQLAlchemyError:
                raise
            except Exception:  # a notice that cannot be spread, for a reason nobody foresaw, must not keep all after it from being told
                log.exception("notice_failed", notice=id_)
                with db.write() as session:
                    session.get_one(Notice, id_).ready_at = now + _AGAIN_AFTER
        if len(ready) < _BATCH:
            return done


def _write(session: Session, notice: Notice, ways: Ways, now: datetime) -> None:
    notice.spread_at = now
    if notice.kind == Topic.RECEIVED and not _stands(onward(session, session.get_one(Follower, notice.follower_id))):
        notice.data = {_IN_VAIN: []}
    found: dict[tuple[str, str], Recipient] = {}
    for one in sorted(recipients(session, notice, ways), key=lambda recipient: not recipient.proven):  # who wrote down another's address goes without
        found.setdefault((one.channel, one.address.lower()), one)
    receipt = notice.kind == Topic.RECEIVED
    full = _told_enough(session, [one for one in found.values() if receipt and not one.proven], now)
    rows = [_row(notice, one, ways, now, full=not one.proven and not full.isdisjoint({one.address, one.follower_id})) for one in found.values()]
    if rows:
        session.execute(insert(Message), rows)


def _row(notice: Notice, one: Recipient, ways: Ways, now: datetime, *, full: bool) -> dict[str, Any]:
    return {
        "notice_id": notice.id,
        "channel": one.channel,
        "address": one.address,
        "follower_id": one.follower_id,
        "user_id": one.user_id,
        "message_id": f"<{now:%Y%m%dT%H%M%SZ}.{secrets.token_hex(10)}@{ways.host}>",
        "created_at": now,
        "next_at": now,
        "tries": 0,
        "ended_at": now if full else None,
        "ended_as": "void" if full else "",
        "error": "今天发给这个未核实的邮箱（或由这个提问发出）的回执已经够多" if full else "",
    }


def recipients(session: Session, notice: Notice, ways: Ways) -> Iterator[Recipient]:
    """Yield whom a notice is for, as things are now; nobody when what it tells was taken back."""
    event = session.get(TicketEvent, notice.event_id) if notice.event_id is not None else None
    if event is not None and taken_back(session, event):
        return
    topic = Topic(notice.kind)
    if topic is Topic.RECEIVED:
        share = session.get_one(Follower, notice.follower_id)
        if not _stands(onward(session, share)):
            return
        earlier = select(Message.channel, Message.address).join(Notice, Notice.id == Message.notice_id)
        told = earlier.where(Message.follower_id == share.id, Notice.kind == topic.value, Message.ended_as != "void")
        known = {(channel, address) for channel, address in session.execute(told)}
        anew = (*_to_shares(session, [share], ways), *_to_sites(session, notice, event, topic))
        yield from (one for one in anew if (one.channel, one.address) not in known)
        return
    if event is not None and topic in _TO_ASKERS:
        yield from _to_shares(session, _askers(session, notice, event, topic), ways)
    yield from _to_sites(session, notice, event, topic)
    yield from _to_agents(session, notice, topic, event, ways)


def taken_back(session: Session, event: TicketEvent) -> bool:
    """Tell whether an event no longer counts."""
    return session.scalar(select(TicketEvent.id).where(TicketEvent.undoes == event.id).limit(1)) is not None


def onward(session: Session, share: Follower) -> Follower:
    """Return the share in which a person's page goes on: their own, unless their ticket was put together with another that they were in."""
    while share.goes_on is not None:
        share = session.get_one(Follower, share.goes_on)
    return share


def account_of(person: str) -> int | None:
    """Return the id of the account that a person is, None for who has none."""
    kind, _, id_ = person.partition(":")
    return int(id_) if kind == "u" and id_.isascii() and id_.isdigit() else None


def ways_to(person: str, contact: str, accounts: Mapping[int, User], *, hook: bool) -> list[Way]:
    """Return by which ways a person can be told.

    The mail of their account, else an address in what they wrote as their contact; a host app's person by that app too.
    """
    ways = [Way(HOOK, person, proven=True)] if hook and subject_of(person) is not None else []
    account = account_of(person)
    if account is not None:
        user = accounts.get(account)
        if user is None or user.disabled_at is not None:
            return []
        if user.mail:
            return [Way(MAIL, user.mail, proven=True)]
    written = address_in(contact).lower()  # capitals make no other mailbox, but would make another count
    return [*ways, Way(MAIL, written, proven=False)] if written else ways


def wanting_none(session: Session, addresses: Collection[str]) -> set[str]:
    """Return those of these addresses, which somebody only wrote down, that want nothing from us."""
    by_digest = {digest(address): address for address in addresses}
    ended = session.scalars(select(MutedAddress.digest).where(MutedAddress.digest.in_(by_digest))) if by_digest else ()
    return {by_digest[one] for one in ended}


def _askers(session: Session, notice: Notice, event: TicketEvent, topic: Topic) -> Iterator[Follower]:
    """Yield the shares of those who were in the ticket when it happened and are to be told, wherever they are by now; not who did it."""
    if event.follower_id is not None and event.actor != ASKER:
        yield onward(session, session.get_one(Follower, event.follower_id))
        return
    moves = select(TicketEvent.data).where(
        TicketEvent.ticket_number == event.ticket_number, TicketEvent.id > event.id, TicketEvent.kind.in_([Kind.MERGED.value, Kind.MOVED_OUT.value])
    )
    gone = [int(share) for data in session.scalars(moves) for share in (data or {}).get("followers", ())]
    here = or_(Follower.ticket_number == event.ticket_number, Follower.id.in_(gone))
    (last,) = (notice.data or {})["last"]
    listed = select(Follower).where(here, Follower.id <= last, or_(Follower.withdrawn_at.is_(None), Follower.goes_on.is_not(None)))
    for share in session.scalars(listed.order_by(Follower.id)):
        told = onward(session, share)
        if share.id != event.follower_id and (told.waiting or (topic in _ALSO_TO_THOSE_ANSWERED and told.confirmed_at is not None)):
            yield told


def concerned(session: Session, notice: Notice, event: TicketEvent | None, topic: Topic) -> Iterator[Follower]:
    """Yield the shares of those whose site's server may be told of it, as things are now.

    Whom it was once to be told of as opened, it is told of so, whatever became of it since, and as closed too; who was never opened is never closed.
    """
    if topic is Topic.RECEIVED:
        yield onward(session, session.get_one(Follower, notice.follower_id))
    elif event is not None and topic is Topic.CLOSED:
        if not session.get_one(Ticket, event.ticket_number).open:
            left = or_(Follower.withdrawn_at.is_(None), Follower.id == event.follower_id)
            listed = session.scalars(select(Follower).where(Follower.ticket_number == event.ticket_number, left).order_by(Follower.id))
            yield from (share for share in listed if _noted(share) and (share.withdrawn_at is None or _was_opened(session, share)))
    elif event is not None and topic in WEBHOOK_TOPICS:
        yield from (share for share in _askers(session, notice, event, topic) if share.withdrawn_at is None)


def _stands(share: Follower) -> bool:
    """Tell whether a question was noted for somebody and not taken back."""
    return share.withdrawn_at is None and _noted(share)


def _noted(share: Follower) -> bool:
    """Tell whether somebody was told on the screen that their question is noted; who only searched was not."""
    return share.waiting or share.confirmed_at is not None


def _was_opened(session: Session, share: Follower) -> bool:
    """Tell whether somebody may have been told that a question was noted which has been taken back since. What is kept no more was told."""
    receipts = session.execute(select(Notice.spread_at, Notice.data).where(Notice.kind == Topic.RECEIVED.value, Notice.follower_id == share.id)).all()
    return not receipts or any(spread_at is not None and _IN_VAIN not in (data or {}) for spread_at, data in receipts)


def webhooks_in_force(session: Session) -> list[Webhook]:
    """Return where servers of sites listen."""
    in_force = (Webhook.ended_at.is_(None), Site.disabled_at.is_(None))
    return list(session.scalars(select(Webhook).join(Site, Site.name == Webhook.site_name).where(*in_force).order_by(Webhook.id)))


def webhook_name(webhook: Webhook) -> str:
    """Return the name of the channel to a server of a site."""
    return f"{WEBHOOK}-{webhook.id}"


def _to_sites(session: Session, notice: Notice, event: TicketEvent | None, topic: Topic) -> Iterator[Recipient]:
    """Yield the webhooks of the sites whose people it concerns: one message each, however many people."""
    said = WEBHOOK_TOPICS.get(topic)
    hooks = [one for one in webhooks_in_force(session) if said in one.topics] if said else []
    if hooks:
        sites = {subject.site for share in concerned(session, notice, event, topic) if (subject := subject_of(share.person)) is not None}
        yield from (Recipient(webhook_name(one), one.site_name, notice.follower_id) for one in hooks if one.site_name in sites)


def _to_shares(session: Session, shares: Iterable[Follower], ways: Ways) -> Iterator[Recipient]:
    wanted = [share for share in shares if share.withdrawn_at is None and share.muted_at is None]
    ids = {account for share in wanted if (account := account_of(share.person)) is not None}
    accounts = {user.id: user for user in session.scalars(select(User).where(User.id.in_(ids)))} if ids else {}
    found = [(share, way) for share in wanted for way in ways_to(share.person, share.contact, accounts, hook=ways.hook)]
    ended = wanting_none(session, [way.address for _, way in found if not way.proven])
    for share, (channel, address, proven) in found:
        if proven or address not in ended:
            yield Recipient(channel, address, follower_id=share.id, proven=proven)


def _to_agents(session: Session, notice: Notice, topic: Topic, event: TicketEvent | None, ways: Ways) -> Iterator[Recipient]:
    users: Iterable[User] = ()
    if event is not None and topic in {Topic.ASSIGNED, Topic.ADDED, Topic.REOPENED}:
        assignee = event.target if topic is Topic.ASSIGNED else session.get_one(Ticket, event.ticket_number).assignee
        users = session.scalars(select(User).where(User.name == assignee, User.name != event.actor))
    elif event is not None and topic is Topic.ESCALATED:
        users = [user for user in _level(session, event.target) if user.name != event.actor]
    elif notice.user_id is not None:
        users = session.scalars(select(User).where(User.id == notice.user_id))
    muted: Collection[int] = set(session.scalars(select(Mute.user_id).where(Mute.ticket_number == notice.ticket_number))) if notice.ticket_number else ()
    for user in users:
        if user.mail and user.disabled_at is None and user.id not in muted and not (topic is Topic.ALARMED and user.quiet):
            yield Recipient(MAIL, user.mail, user_id=user.id)
    if topic is Topic.ESCALATED or (topic is Topic.ALARMED and notice.user_id is None):
        yield from (Recipient(bot, TEAM) for bot in ways.bots)


def _level(session: Session, level: str) -> list[User]:
    """Return who looks at tickets of a level and can be told; where nobody does, the administrators."""
    tellable = (User.disabled_at.is_(None), User.mail != "")
    of_level = list(session.scalars(select(User).where(User.level == level, *tellable)))
    return of_level or list(session.scalars(select(User).where(User.role == Role.ADMINISTRATOR.value, *tellable)))


def _told_enough(session: Session, unproven: Collection[Recipient], now: datetime) -> set[object]:
    """Return the addresses, and the ids of the shares, that have had their receipts of this day."""
    if not unproven:
        return set()
    today = and_(Message.created_at > now - timedelta(days=1), Message.created_at < now + TOO_FAR, Message.channel == MAIL, Message.ended_as != "void")
    receipts = select(Notice.id).where(Notice.id == Message.notice_id, Notice.kind == Topic.RECEIVED.value).exists()
    sent = select(Message.address).where(Message.address.in_({one.address for one in unproven}), today, receipts).group_by(Message.address)
    full: set[object] = set(session.scalars(sent.having(func.count() >= A_DAY)))
    of_share = select(Message.follower_id, Message.address).where(Message.follower_id.in_({one.follower_id for one in unproven}), today, receipts).distinct()
    told: dict[int | None, set[str]] = {}
    for follower, address in session.execute(of_share):
        told.setdefault(follower, set()).add(address)
    crowded = {one.follower_id for one in unproven if len(told.get(one.follower_id, set()) | {one.address}) > ADDRESSES}
    return full | crowded
