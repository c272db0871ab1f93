"""The asker's side of a ticket: a person's share in it, from joining to saying whether the answer helped."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select
from sqlalchemy.orm import joinedload

from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.masking import masked
from kb.tickets import history
from kb.tickets.models import Follower, Phrasing, Ticket, TicketEvent
from kb.tickets.standing import ASKER, NEWS, SYSTEM, Kind, State

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

MAX_TEXT = 20_000
"""Characters of a reply or of details."""
MAX_CONTACT = 200
MAX_WORD = 1000
"""Characters of what a person adds to their satisfaction."""
SATISFACTION = range(1, 6)


@dataclass(frozen=True, slots=True)
class Wording:
    """A masked question as it is compared: its key is equal for trivially different words, its terms are what it is found by (see kb.tickets.clusters)."""

    text: str
    key: str
    terms: tuple[str, ...] = ()


def share(session: Session, token: str) -> Follower:
    """Return the share that a secret address belongs to; when the person was in two tickets that were put together, that in the one that goes on.

    Raises NotFoundError; withdrawn shares are still found.
    """
    follower = session.scalar(select(Follower).where(Follower.token == token))
    if follower is None:
        raise NotFoundError("这个链接不对，或者提问已被清理。请在“我的提问”里查看。")
    while follower.goes_on is not None and (further := session.get(Follower, follower.goes_on)) is not None:
        follower = further
    return follower


def of(session: Session, ticket: Ticket, person: str) -> Follower | None:
    """Return a person's share in a ticket, withdrawn or not, without loading everybody else's."""
    return session.scalar(select(Follower).where(Follower.ticket_number == ticket.number, Follower.person == person))


def followers(ticket: Ticket) -> list[Follower]:
    """Return the people who have a share in it, in the order of their coming."""
    return [follower for follower in ticket.followers if follower.withdrawn_at is None]


def join(ticket: Ticket, person: str, wording: Wording, now: datetime, *, receipt: bool) -> Follower:
    """Give a person a share in a ticket and count their wording; who is in already keeps the same page. A receipt makes them wait."""
    session = history.session_of(ticket)
    session.flush()
    follower = of(session, ticket, person)
    if follower is None:
        token = secrets.token_urlsafe(24)
        follower = Follower(ticket_number=ticket.number, person=person, token=token, wording=wording.text, waiting=receipt, joined_at=now, contact="")
        session.add(follower)
    elif follower.withdrawn_at is not None:
        follower.withdrawn_at, follower.joined_at, follower.waiting, follower.wording = None, now, receipt, wording.text
    else:
        follower.waiting = follower.waiting or receipt
    phrasing = session.scalar(select(Phrasing).where(Phrasing.ticket_number == ticket.number, Phrasing.text == wording.text))
    if phrasing is None:
        history.add_phrasing(ticket, _phrasing(wording, now))
    else:
        phrasing.asked, phrasing.last_at = phrasing.asked + 1, now
    history.count_people(ticket)
    return follower


def wait(follower: Follower) -> None:
    """Make a person wait who has now seen a receipt."""
    if not follower.waiting:
        follower.waiting = True
        history.count_people(follower.ticket)


def reword(ticket: Ticket, follower: Follower, wording: Wording, now: datetime) -> None:
    """Put better words in the place of the only wording of a ticket that one person alone opened and nobody touched."""
    for phrasing in list(ticket.phrasings):
        history.drop_phrasing(ticket, phrasing)
    ticket.question = follower.wording = wording.text
    history.add_phrasing(ticket, _phrasing(wording, now))
    history.record(ticket, Kind.REWORDED, now, ASKER, body=wording.text, follower=follower)


def withdraw(ticket: Ticket, follower: Follower, now: datetime) -> None:
    """Take a person's share back; the last share closes the ticket. Raises ConflictError once an agent has told this person something."""
    if follower.withdrawn_at is not None:
        return
    if told(follower):
        raise ConflictError("客服已经回复，不能再撤销。如果问题已经解决，请在提问页上点“已解决”。")
    follower.withdrawn_at = now
    session = history.session_of(ticket)
    phrasing = session.scalar(select(Phrasing).where(Phrasing.ticket_number == ticket.number, Phrasing.text == follower.wording))
    if phrasing is not None:
        phrasing.asked = max(0, phrasing.asked - 1)
    history.count_people(ticket)
    if ticket.people == 0 and ticket.open:
        history.record(ticket, Kind.WITHDRAWN, now, ASKER, follower=follower)


def rejoin(follower: Follower, now: datetime) -> None:
    """Give back the share that a person took back, and undo the closing of a ticket that had no other; if it was put together with another, they join that one.

    Does nothing for who has a share. Raises ConflictError when the ticket was closed as spam.
    """
    ticket, session = follower.ticket, history.session_of(follower.ticket)
    if follower.withdrawn_at is None:
        return None
    onward = ticket
    while onward.merged_into is not None:
        onward = history.find(session, onward.merged_into)
    if onward is not ticket and (there := of(session, onward, follower.person)) is not None:
        follower.goes_on = there.id
        return rejoin(there, now)
    if ticket.closed_as in {"merged", "spam"}:
        raise ConflictError("这个提问已经关闭，不能重新记下。请换个说法再搜索一次。")
    follower.withdrawn_at, follower.waiting = None, True
    phrasing = session.scalar(select(Phrasing).where(Phrasing.ticket_number == ticket.number, Phrasing.text == follower.wording))
    if phrasing is not None:
        phrasing.asked, phrasing.last_at = phrasing.asked + 1, now
    history.count_people(ticket)
    if ticket.closed_as == "withdrawn":
        closed = max(event.id for event in ticket.events if event.kind == Kind.WITHDRAWN)
        history.record(ticket, Kind.UNDONE, now, ASKER, follower=follower, undoes=closed, target=Kind.WITHDRAWN.value)
    return None


def alone(ticket: Ticket) -> bool:
    """Tell whether one person has the ticket to themselves."""
    return ticket.people == 1


def touched(ticket: Ticket) -> bool:
    """Tell whether an agent has done something with it."""
    return any(event.actor not in {ASKER, SYSTEM} for event in ticket.events)


def told(follower: Follower) -> bool:
    """Tell whether an agent has said something that this person can read."""
    session = history.session_of(follower.ticket)
    return session.scalar(select(TicketEvent.id).where(*_news_of(follower)).limit(1)) is not None


def has_told(follower: Follower) -> bool:
    """Tell whether a person added something of their own, which belongs to these words and no others."""
    return bool(follower.details or follower.contact or follower.files)


def add_details(follower: Follower, details: str, contact: str | None, now: datetime) -> None:
    """Keep what a person adds, as written, for them and the agents; the same words twice are one. None leaves the contact as it was.

    Raises InvalidRequestError when it is too long, ConflictError without a share.
    """
    details, contact = details.strip(), follower.contact if contact is None else contact.strip()
    if len(details) > MAX_TEXT or len(contact) > MAX_CONTACT:
        raise InvalidRequestError("too_long", f"补充说明最多 {MAX_TEXT} 字，联系方式最多 {MAX_CONTACT} 字。请删减后再提交。")
    require_share(follower)
    follower.contact = contact
    last = next((event for event in reversed(seen_by(follower)) if event.follower_id == follower.id), None)
    if details and not (last is not None and last.kind == Kind.ADDED and last.text == details):
        history.record(follower.ticket, Kind.ADDED, now, ASKER, private=details, follower=follower)


def confirm(follower: Follower, now: datetime) -> None:
    """Let the asker say that it is solved; the ticket is confirmed when one of them does after it was resolved. Raises ConflictError without a share."""
    require_share(follower)
    follower.seen_at = now
    answered = follower.ticket.resolved_at
    if follower.ticket.state in {State.RESOLVED, State.CONFIRMED} and (
        follower.confirmed_at is None or (answered is not None and follower.confirmed_at < answered)
    ):
        follower.confirmed_at = now
    if follower.ticket.state == State.RESOLVED:
        history.record(follower.ticket, Kind.CONFIRMED, now, ASKER, follower=follower)


def rate(follower: Follower, satisfaction: int, word: str, now: datetime) -> None:
    """Keep how satisfied a person is, 1 to 5, with a word of theirs; a second rating replaces the first.

    Raises InvalidRequestError for another number or too long a word, ConflictError before there is an answer or without a share.
    """
    word = word.strip()
    if satisfaction not in SATISFACTION:
        raise InvalidRequestError("bad_field", "请选 1 到 5 分。")
    if len(word) > MAX_WORD:
        raise InvalidRequestError("too_long", f"评价最多 {MAX_WORD} 字。请删减后再提交。")
    require_share(follower)
    if follower.ticket.open:
        raise ConflictError("还没有解决，先不用评价。解决后这里会请你评价。")
    follower.satisfaction = satisfaction
    history.record(follower.ticket, Kind.RATED, now, ASKER, target=str(satisfaction), private=word, follower=follower)


def reopen(follower: Follower, why: str, now: datetime) -> None:
    """Let an asker say that the answer did not help. Their reason goes to the agents. Does nothing while it is open.

    Raises ConflictError without a share, or when the ticket was closed as spam or by its last share.
    """
    require_share(follower)
    ticket, why = follower.ticket, why.strip()
    if ticket.open:
        return add_details(follower, why, None, now)
    if ticket.closed_as not in {"", "expired"}:
        raise ConflictError("这个提问已经关闭，不能重新打开。请再搜索一次，把问题重新记下。")
    if len(why) > MAX_TEXT:
        raise InvalidRequestError("too_long", f"说明最多 {MAX_TEXT} 字。请删减后再提交。")
    follower.confirmed_at, follower.seen_at = None, now
    wait(follower)
    history.record(ticket, Kind.REOPENED, now, ASKER, body=masked(why), private=why, follower=follower)
    return None


def seen_by(follower: Follower) -> list[TicketEvent]:
    """Return what a person may read of their ticket's history: what was said to all, what was said to them, and what they said themselves."""
    session, told = history.session_of(follower.ticket), [kind.value for kind in _TOLD]
    here = (TicketEvent.ticket_number == follower.ticket_number) & TicketEvent.follower_id.is_(None) & TicketEvent.kind.in_(told)
    own = (TicketEvent.follower_id == follower.id) & TicketEvent.kind.in_([*told, Kind.ADDED.value, Kind.RATED.value])
    before = [
        (TicketEvent.ticket_number == number) & (TicketEvent.id <= last) & TicketEvent.follower_id.is_(None) & TicketEvent.kind.in_(told)
        for number, last in follower.came_from
    ]
    undone = select(TicketEvent.undoes).where(TicketEvent.undoes.is_not(None), TicketEvent.ticket_number == follower.ticket_number)
    query = select(TicketEvent).where(or_(here, own, *before), TicketEvent.id.not_in(undone)).order_by(TicketEvent.id)
    return list(session.scalars(query.options(joinedload(TicketEvent.detail))))


def last_news(follower: Follower) -> datetime | None:
    """Return when an agent last said something that this person can read, or None."""
    session = history.session_of(follower.ticket)
    return session.scalar(select(func.max(TicketEvent.at)).where(*_news_of(follower)))


def has_news(follower: Follower) -> bool:
    """Tell whether an agent said something since this person last looked."""
    news = last_news(follower)
    return news is not None and (follower.seen_at is None or news > follower.seen_at)


def of_person(session: Session, person: str, limit: int = 100) -> list[Follower]:
    """Return the shares in which a person waits, newest first, with their tickets."""
    query = select(Follower).where(Follower.person == person, Follower.withdrawn_at.is_(None), Follower.waiting.is_(True)).order_by(Follower.id.desc())
    return list(session.scalars(query.options(joinedload(Follower.ticket)).limit(limit)))


def with_news(session: Session, person: str) -> set[int]:
    """Return the ids of a person's shares with something that they have not seen."""
    mine = (Follower.person == person, Follower.withdrawn_at.is_(None), Follower.waiting.is_(True))
    unseen = or_(Follower.seen_at.is_(None), TicketEvent.at > Follower.seen_at)
    to_them = or_(TicketEvent.follower_id.is_(None), TicketEvent.follower_id == Follower.id)
    joined = select(Follower.id).join(TicketEvent, TicketEvent.ticket_number == Follower.ticket_number).distinct()
    return set(session.scalars(joined.where(*mine, TicketEvent.kind.in_(_NEWS), to_them, unseen)))


_TOLD = NEWS | {Kind.REOPENED, Kind.CONFIRMED, Kind.EXPIRED}
_NEWS = [kind.value for kind in NEWS]


def _news_of(follower: Follower) -> tuple[ColumnElement[bool], ...]:
    to_them = or_(TicketEvent.follower_id.is_(None), TicketEvent.follower_id == follower.id)
    return (TicketEvent.ticket_number == follower.ticket_number, TicketEvent.kind.in_(_NEWS), to_them)


def _phrasing(wording: Wording, now: datetime) -> Phrasing:
    return Phrasing(text=wording.text, key=wording.key, terms=list(wording.terms), asked=1, first_at=now, last_at=now)


def require_share(follower: Follower) -> None:
    """Refuse to let somebody who withdrew speak for those who still wait."""
    if follower.withdrawn_at is not None:
        raise ConflictError("你已撤销这个提问，不能再操作。如果还需要答案，请再搜索一次并记下问题。")
