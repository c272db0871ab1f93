"""What may happen to a ticket, as events; its state is computed from them. The only writer of tickets, followers and phrasings."""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select
from sqlalchemy.orm import object_session, selectinload

from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.masking import masked
from kb.tickets.models import FIRST_NUMBER, Follower, Phrasing, Ticket, TicketEvent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

MAX_TEXT = 20_000
"""Characters of a reply or of details."""
MAX_CONTACT = 200
_TOO_LARGE = 2**63
"""From here on a number is none that SQLite can hold."""


class State(StrEnum):
    """Where a ticket stands."""

    NEW = "new"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CONFIRMED = "confirmed"
    CLOSED = "closed"


class Kind(StrEnum):
    """What happened."""

    OPENED = "opened"
    REWORDED = "reworded"
    ASSIGNED = "assigned"
    REPLIED = "replied"
    RESOLVED = "resolved"
    CONFIRMED = "confirmed"
    REOPENED = "reopened"
    WITHDRAWN = "withdrawn"


_STATE_AFTER = {
    Kind.OPENED: State.NEW,
    Kind.RESOLVED: State.RESOLVED,
    Kind.CONFIRMED: State.CONFIRMED,
    Kind.REOPENED: State.IN_PROGRESS,
    Kind.WITHDRAWN: State.CLOSED,
}
_OPEN = {State.NEW, State.ASSIGNED, State.IN_PROGRESS, State.WAITING}
_OPENING = (Kind.OPENED, Kind.REOPENED)
_BY_AGENT = {Kind.ASSIGNED, Kind.REPLIED, Kind.RESOLVED}


def state(ticket: Ticket) -> State:
    """Return the state that the events add up to. Taking or answering moves an open ticket on, and never reopens one."""
    current = State.NEW
    for event in ticket.events:
        kind = Kind(event.kind)
        if kind is Kind.ASSIGNED:
            current = State.ASSIGNED if current is State.NEW else current
        elif kind is Kind.REPLIED:
            current = State.IN_PROGRESS if current in _OPEN else current
        else:
            current = _STATE_AFTER.get(kind, current)
    return current


def is_open(ticket: Ticket) -> bool:
    """Tell whether people still wait for an answer to it, so that others may join."""
    return state(ticket) in _OPEN


def followers(ticket: Ticket) -> list[Follower]:
    """Return the people who have a share in it, in the order of their coming."""
    return [follower for follower in ticket.followers if follower.withdrawn_at is None]


def waiting(ticket: Ticket) -> int:
    """Return how many of them saw a receipt and wait."""
    return sum(follower.waiting for follower in followers(ticket))


def touched(ticket: Ticket) -> bool:
    """Tell whether an agent has done something with it."""
    return any(Kind(event.kind) in _BY_AGENT for event in ticket.events)


def has_told(follower: Follower) -> bool:
    """Tell whether a person added something of their own, which belongs to these words and no others."""
    return bool(follower.details or follower.contact)


def replied(ticket: Ticket) -> bool:
    """Tell whether an agent has said something to those who wait."""
    return any(Kind(event.kind) in {Kind.REPLIED, Kind.RESOLVED} for event in ticket.events)


def last_news(ticket: Ticket) -> datetime | None:
    """Return when an agent last replied or resolved it, or None."""
    return max((event.at for event in ticket.events if Kind(event.kind) in {Kind.REPLIED, Kind.RESOLVED}), default=None)


def find(session: Session, number: int) -> Ticket:
    """Return a ticket. Raises NotFoundError."""
    ticket = session.get(Ticket, number) if number < _TOO_LARGE else None
    if ticket is None:
        raise NotFoundError(f"没有工单 T-{number}。请从工单列表里选择。")
    return ticket


def share(session: Session, token: str) -> Follower:
    """Return the share that a secret address belongs to. Raises NotFoundError; withdrawn shares are still found."""
    follower = session.scalar(select(Follower).where(Follower.token == token))
    if follower is None:
        raise NotFoundError("这个链接不对，或者提问已被清理。请在“我的提问”里查看。")
    return follower


def share_of(session: Session, ticket: Ticket, person: str) -> Follower | None:
    """Return a person's share in a ticket, withdrawn or not, without loading everybody else's."""
    return session.scalar(select(Follower).where(Follower.ticket_number == ticket.number, Follower.person == person))


def people(session: Session, ticket: Ticket) -> tuple[int, int]:
    """Return how many people have a share in a ticket, and how many of them wait."""
    counted = select(func.count(), func.count(case((Follower.waiting.is_(True), 1)))).where(
        Follower.ticket_number == ticket.number, Follower.withdrawn_at.is_(None)
    )
    share, wait = session.execute(counted).one()
    return int(share), int(wait)


def open_ticket(session: Session, question: str, module: str, now: datetime) -> Ticket:
    """Open a ticket for a masked question."""
    last = session.scalar(select(func.max(Ticket.number)))
    ticket = Ticket(number=max(FIRST_NUMBER, (last or 0) + 1), question=question, module=module, opened_at=now, events=[], phrasings=[])
    session.add(ticket)
    _record(ticket, Kind.OPENED, now, "asker", body=question)
    return ticket


def join(ticket: Ticket, person: str, wording: str, key: str, now: datetime, *, receipt: bool) -> Follower:
    """Give a person a share in a ticket and count their wording; who is in already keeps the same page. A receipt makes them wait."""
    session = _session_of(ticket)
    session.flush()
    follower = share_of(session, ticket, person)
    if follower is None:
        token = secrets.token_urlsafe(24)
        follower = Follower(ticket_number=ticket.number, person=person, token=token, wording=wording, waiting=receipt, joined_at=now, details="", contact="")
        session.add(follower)
    elif follower.withdrawn_at is not None:
        follower.withdrawn_at, follower.joined_at, follower.waiting, follower.wording = None, now, receipt, wording
    else:
        follower.waiting = follower.waiting or receipt
    phrasing = next((one for one in ticket.phrasings if one.text == wording), None)
    if phrasing is None:
        ticket.phrasings.append(Phrasing(text=wording, key=key, asked=1, first_at=now, last_at=now))
    else:
        phrasing.asked, phrasing.last_at = phrasing.asked + 1, now
    return follower


def reword(ticket: Ticket, follower: Follower, wording: str, key: str, now: datetime) -> None:
    """Put better words in the place of the only wording of a ticket that one person alone opened and nobody touched."""
    for phrasing in list(ticket.phrasings):
        ticket.phrasings.remove(phrasing)
        _session_of(ticket).delete(phrasing)
    ticket.question = follower.wording = wording
    ticket.phrasings.append(Phrasing(text=wording, key=key, asked=1, first_at=now, last_at=now))
    _record(ticket, Kind.REWORDED, now, "asker", body=wording)


def withdraw(ticket: Ticket, follower: Follower, now: datetime) -> None:
    """Take a person's share back; the last share closes the ticket. Raises ConflictError once an agent has replied."""
    if follower.withdrawn_at is not None:
        return
    if replied(ticket):
        raise ConflictError("客服已经回复，不能再撤销。如果问题已经解决，请在提问页上点“已解决”。")
    follower.withdrawn_at = now
    phrasing = next((one for one in ticket.phrasings if one.text == follower.wording), None)
    if phrasing is not None:
        phrasing.asked = max(0, phrasing.asked - 1)
    session = _session_of(ticket)
    session.flush()
    if people(session, ticket)[0] == 0 and is_open(ticket):
        _record(ticket, Kind.WITHDRAWN, now, "asker")


def add_details(follower: Follower, details: str | None, contact: str | None) -> None:
    """Keep what a person adds, as written, for them and the agents; None leaves it as it was. Raises InvalidRequestError when it is too long."""
    details = follower.details if details is None else details.strip()
    contact = follower.contact if contact is None else contact.strip()
    if len(details) > MAX_TEXT or len(contact) > MAX_CONTACT:
        raise InvalidRequestError("too_long", f"补充说明最多 {MAX_TEXT} 字，联系方式最多 {MAX_CONTACT} 字。请删减后再提交。")
    follower.details, follower.contact = details, contact


def assign(ticket: Ticket, agent: str, now: datetime) -> None:
    """Let an agent take a ticket; a second take by the same agent changes nothing."""
    _require_open(ticket)
    if assignee(ticket) != agent:
        _record(ticket, Kind.ASSIGNED, now, agent)


def assignee(ticket: Ticket) -> str:
    """Return who took it last, "" when nobody did."""
    return next((event.actor for event in reversed(ticket.events) if event.kind == Kind.ASSIGNED), "")


def reply(ticket: Ticket, agent: str, body: str, now: datetime) -> None:
    """Say something to everyone who asked. Raises InvalidRequestError without text, ConflictError on a closed ticket."""
    if state(ticket) is State.CLOSED:
        raise ConflictError("提问的人都已撤销，这张工单已关闭，回复不会有人看到。")
    _record(ticket, Kind.REPLIED, now, agent, body=_text(body))


def resolve(ticket: Ticket, agent: str, now: datetime, *, article: str = "", body: str = "") -> None:
    """Resolve a ticket with an article, a reply, or both. Raises InvalidRequestError without either."""
    _require_open(ticket)
    if not article and not body.strip():
        raise InvalidRequestError("nothing_to_say", "解决工单要有答案：选一篇文章，或者写一段回复。")
    _record(ticket, Kind.RESOLVED, now, agent, body=_text(body) if body.strip() else "", article=article)


def confirm(ticket: Ticket, follower: Follower, now: datetime) -> None:
    """Let the asker say that it is solved; the ticket is confirmed when one of them does after it was resolved. Raises ConflictError without a share."""
    _require_share(follower)
    follower.seen_at = now
    if state(ticket) is State.RESOLVED:
        _record(ticket, Kind.CONFIRMED, now, "asker")


def reopen(ticket: Ticket, follower: Follower, why: str, now: datetime) -> None:
    """Let an asker say that the answer did not help. Their reason goes to the agents. Does nothing while it is open. Raises ConflictError without a share."""
    _require_share(follower)
    if why.strip():
        add_details(follower, f"{follower.details}\n{why}".strip(), follower.contact)
    if state(ticket) in {State.RESOLVED, State.CONFIRMED}:
        _record(ticket, Kind.REOPENED, now, "asker", body=masked(why.strip()))


def has_news(follower: Follower) -> bool:
    """Tell whether an agent said something since this person last looked."""
    news = last_news(follower.ticket)
    return news is not None and (follower.seen_at is None or news > follower.seen_at)


def of_person(session: Session, person: str, limit: int = 100) -> list[Follower]:
    """Return a person's shares that were not withdrawn, newest first."""
    query = select(Follower).where(Follower.person == person, Follower.withdrawn_at.is_(None), Follower.waiting.is_(True)).order_by(Follower.id.desc())
    return list(session.scalars(query.options(selectinload(Follower.ticket)).limit(limit)))


def newest(session: Session, limit: int = 500) -> list[Ticket]:
    """Return the newest tickets with their people, newest first."""
    return list(session.scalars(select(Ticket).options(selectinload(Ticket.followers)).order_by(Ticket.number.desc()).limit(limit)))


def open_tickets(session: Session) -> list[Ticket]:
    """Return every open ticket with its people, however many there are: none may drop out of sight."""
    numbers = select(TicketEvent.ticket_number).where(TicketEvent.id.in_(_last_decisions()), TicketEvent.kind.in_([kind.value for kind in _OPENING]))
    return list(session.scalars(select(Ticket).options(selectinload(Ticket.followers)).where(Ticket.number.in_(numbers)).order_by(Ticket.number)))


def closed_tickets(session: Session, limit: int = 500) -> list[Ticket]:
    """Return the newest tickets that are not open, with their people."""
    numbers = select(TicketEvent.ticket_number).where(TicketEvent.id.in_(_last_decisions()), TicketEvent.kind.not_in([kind.value for kind in _OPENING]))
    query = select(Ticket).options(selectinload(Ticket.followers)).where(Ticket.number.in_(numbers)).order_by(Ticket.number.desc()).limit(limit)
    return list(session.scalars(query))


def decisions(session: Session) -> dict[str, int]:
    """Return how many tickets there are by the last event that opened or ended them."""
    counted = select(TicketEvent.kind, func.count()).where(TicketEvent.id.in_(_last_decisions())).group_by(TicketEvent.kind)
    return {str(kind): int(count) for kind, count in session.execute(counted)}


def _last_decisions() -> Select[int]:
    """Select, for each ticket, the last event that opened or ended it."""
    deciding = [kind.value for kind in (*_OPENING, Kind.RESOLVED, Kind.CONFIRMED, Kind.WITHDRAWN)]
    return select(func.max(TicketEvent.id)).where(TicketEvent.kind.in_(deciding)).group_by(TicketEvent.ticket_number)


def news_for(session: Session, person: str) -> int:
    """Return how many of a person's questions have a reply that they have not seen."""
    unseen = (Follower.seen_at.is_(None)) | (TicketEvent.at > Follower.seen_at)
    mine = (Follower.person == person, Follower.withdrawn_at.is_(None), Follower.waiting.is_(True))
    replies = TicketEvent.kind.in_([Kind.REPLIED.value, Kind.RESOLVED.value])
    joined = select(func.count(func.distinct(Follower.id))).join(TicketEvent, TicketEvent.ticket_number == Follower.ticket_number)
    return session.scalar(joined.where(*mine, replies, unseen)) or 0


def by_demand(tickets: Iterable[Ticket]) -> list[Ticket]:
    """Order by people waiting, then by all people, then oldest first: one loud person does not lead the queue."""
    return sorted(tickets, key=lambda ticket: (-waiting(ticket), -len(followers(ticket)), ticket.number))


def _session_of(ticket: Ticket) -> Session:
    """Return the session that a stored ticket belongs to."""
    session = object_session(ticket)
    if session is None:
        raise ValueError("a ticket outside a session can only be read")
    return session


def _require_open(ticket: Ticket) -> None:
    if not is_open(ticket):
        raise ConflictError("这张工单已经解决或关闭。刷新页面看看最新状态；要继续处理，请等提问人重新打开。")


def _require_share(follower: Follower) -> None:
    """Refuse to let somebody who withdrew speak for those who still wait."""
    if follower.withdrawn_at is not None:
        raise ConflictError("你已撤销这个提问，不能再操作。如果还需要答案，请再搜索一次并记下问题。")


def _text(body: str) -> str:
    body = body.strip()
    if not body:
        raise InvalidRequestError("empty_reply", "回复是空的。写下答案后再发送。")
    if len(body) > MAX_TEXT:
        raise InvalidRequestError("too_long", f"回复最多 {MAX_TEXT} 字。请删减，或写成文章。")
    return body


def _record(ticket: Ticket, kind: Kind, now: datetime, actor: str, body: str = "", article: str = "") -> None:
    ticket.events.append(TicketEvent(kind=kind.value, at=now, actor=actor, body=body, article=article))
