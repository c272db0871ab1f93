"""The asker's side of a ticket: a person's share in it, from joining to saying whether the answer helped."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select
from sqlalchemy.orm import aliased, contains_eager, joinedload

from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.mail_address import address_in
from kb.masking import without_cards
from kb.notifications import outbox
from kb.tickets import history, realms
from kb.tickets.models import Detail, Follower, Phrasing, Ticket, TicketEvent
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
STILL_UNSOLVED = "仍未解决"
"""What an agent reads of somebody who said no more."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A masked question as it is compared: its key is equal for trivially different words, its terms are what it is found by (see kb.tickets.clusters)."""

    text: str
    key: str
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody asks: the name of a site, "" for our own pages, and where they are on it, masked, in the words of the host application."""

    site: str = ""
    context: str = ""


HERE = Place()


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


def join(ticket: Ticket, person: str, wording: Wording, now: datetime, *, receipt: bool, place: Place = HERE) -> Follower:
    """Give a person a share in a ticket and count their wording; who is in already keeps the same page and place. A receipt makes them wait."""
    session = history.session_of(ticket)
    session.flush()
    follower = of(session, ticket, person)
    waited = follower is not None and follower.withdrawn_at is None and follower.waiting
    if follower is None:
        token = secrets.token_urlsafe(24)
        follower = Follower(ticket_number=ticket.number, person=person, token=token, wording=wording.text, waiting=receipt, joined_at=now, contact="")
        follower.site, follower.context = place.site, place.context
        follower.reads_after = realms.present(ticket).reads_after(person, place.site)
        session.add(follower)
    elif follower.withdrawn_at is not None:
        follower.reads_after = realms.present(ticket).reads_after(person, place.site)
        follower.withdrawn_at, follower.joined_at, follower.waiting, follower.wording = None, now, receipt, wording.text
        follower.goes_on, follower.site, follower.context = None, place.site, place.context
    else:
        follower.waiting = follower.waiting or receipt
    phrasing = _phrasing_of(ticket, wording.text)
    if phrasing is None:
        history.add_phrasing(ticket, _phrasing(wording, now))
    else:
        phrasing.last_at = now
        history.count_asked(ticket, phrasing, 1)
    history.count_people(ticket, now)
    if receipt and not waited:
        outbox.note_received(session, follower, now)
    return follower


def wait(follower: Follower, now: datetime) -> None:
    """Make a person wait who has now seen a receipt."""
    if not follower.waiting:
        follower.waiting = True
        history.count_people(follower.ticket, now)


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
    phrasing = _phrasing_of(ticket, follower.wording)
    if phrasing is not None:
        history.count_asked(ticket, phrasing, -1)
    history.count_people(ticket, now)
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
        raise ConflictError("这个提问已经关闭，不能恢复。请换个说法再搜索一次。")
    follower.reads_after = realms.present(ticket).reads_after(follower.person, follower.site)
    follower.withdrawn_at, follower.goes_on, follower.waiting = None, None, True
    phrasing = _phrasing_of(ticket, follower.wording)
    if phrasing is not None:
        phrasing.last_at = now
        history.count_asked(ticket, phrasing, 1)
    history.count_people(ticket, now)
    outbox.note_received(session, follower, now)  # it may have been taken back before its receipt was due
    if ticket.closed_as == "withdrawn":
        closed = max(event.id for event in ticket.events if event.kind == Kind.WITHDRAWN)
        history.record(ticket, Kind.UNDONE, now, ASKER, follower=follower, undoes=closed, target=Kind.WITHDRAWN.value)
    return None


def alone(ticket: Ticket) -> bool:
    """Tell whether one person has the ticket to themselves."""
    return ticket.people == 1


def touched(ticket: Ticket) -> bool:
    """Tell whether somebody besides those who asked has done something with it: an agent anything at all, the program more than to hand it out."""
    by_hand = TicketEvent.actor.not_in([ASKER, SYSTEM]) | TicketEvent.kind.in_(_NEWS)
    done = select(TicketEvent.id).where(TicketEvent.ticket_number == ticket.number, by_hand)
    return history.session_of(ticket).scalar(done.limit(1)) is not None


def told(follower: Follower) -> bool:
    """Tell whether an agent has said something to this person since they joined; what they could read before is no news to them."""
    session = history.session_of(follower.ticket)
    return session.scalar(select(TicketEvent.id).where(*_news_of(follower)).limit(1)) is not None


def others_untold(follower: Follower) -> bool:
    """Tell whether somebody else waits in a person's ticket to whom no agent has said anything since they came."""
    said = aliased(TicketEvent)
    to_them = or_(said.follower_id.is_(None), said.follower_id == Follower.id)
    since = (said.at >= Follower.joined_at, said.id > Follower.reads_after)
    heard = select(said.id).where(said.ticket_number == follower.ticket_number, said.kind.in_(_NEWS), to_them, *since)
    waits = (Follower.ticket_number == follower.ticket_number, Follower.withdrawn_at.is_(None), Follower.waiting.is_(True), Follower.id != follower.id)
    session = history.session_of(follower.ticket)
    return session.scalar(select(Follower.id).where(*waits, ~heard.exists()).limit(1)) is not None


def others_waiting(follower: Follower) -> int:
    """Return how many people wait in a person's ticket now, this person not among them."""
    return follower.ticket.waiting - int(follower.waiting and follower.withdrawn_at is None)


def answer(follower: Follower) -> TicketEvent | None:
    """Return what an agent last answered that this person may read, be it to all before they came; None without one. What was asked back answers nothing."""
    answers = TicketEvent.kind.in_([Kind.REPLIED.value, Kind.RESOLVED.value])
    query = select(TicketEvent).where(_readable(follower), answers).order_by(TicketEvent.id.desc()).limit(1)
    return history.session_of(follower.ticket).scalar(query.options(joinedload(TicketEvent.detail)))


def has_told(follower: Follower) -> bool:
    """Tell whether a person added something of their own, which belongs to these words and no others."""
    return bool(follower.details or follower.contact or follower.files)


def add_details(follower: Follower, details: str, contact: str | None, now: datetime) -> None:
    """Keep what a person adds, but for numbers of cards as written, for them and the agents; the same words twice are one. None leaves the contact as it was.

    Raises InvalidRequestError when it is too long, ConflictError without a share.
    """
    details, contact = details.strip(), follower.contact if contact is None else contact.strip()
    if len(details) > MAX_TEXT or len(contact) > MAX_CONTACT:
        raise InvalidRequestError("too_long", f"补充说明最多 {MAX_TEXT} 字，联系方式最多 {MAX_CONTACT} 字。请删减后再提交。")
    require_share(follower)
    details = without_cards(details)
    answers = bool(contact) and contact != follower.contact and follower.ticket.open and _asked_back(follower)
    reachable_anew = address_in(contact) not in {"", address_in(follower.contact)}
    follower.contact = contact
    session = history.session_of(follower.ticket)
    if reachable_anew:
        follower.muted_at = None  # who got mail by a mistake may have ended it
    if reachable_anew and follower.ticket.open:
        outbox.note_received(session, follower, now)
    last = session.scalar(select(TicketEvent).where(TicketEvent.follower_id == follower.id).order_by(TicketEvent.id.desc()).limit(1))
    if details and not (last is not None and last.kind == Kind.ADDED and last.text == details):
        history.record(follower.ticket, Kind.ADDED, now, ASKER, private=details, follower=follower)
    elif answers and not details:
        history.record(follower.ticket, Kind.ADDED, now, ASKER, private=f"联系方式：{contact}", follower=follower)


def confirm(follower: Follower, now: datetime) -> None:
    """Let the asker say that it is solved; the ticket is confirmed when one of them does after it was resolved. Raises ConflictError without a share."""
    require_share(follower)
    follower.seen_at = now
    if follower.ticket.state in {State.RESOLVED, State.CONFIRMED} and not done(follower):
        _be_done(follower, now)
    if follower.ticket.state == State.RESOLVED:
        history.record(follower.ticket, Kind.CONFIRMED, now, ASKER, follower=follower)


def settle(follower: Follower, now: datetime) -> None:
    """Let an asker say of an open ticket that what they were told is enough: they wait no longer, and the ticket ends when nobody does.

    On a ticket that has ended it is `confirm`. Raises ConflictError without a share or before there was anything for this person to read.
    """
    require_share(follower)
    ticket = follower.ticket
    if not ticket.open:
        return confirm(follower, now)
    if not told(follower) and answer(follower) is None:
        raise ConflictError("客服还没有回复。如果不需要答案了，请点“撤销这个提问”。")
    if not done(follower):
        _be_done(follower, now)
        follower.seen_at = now
        history.record(ticket, Kind.CONFIRMED, now, ASKER, follower=follower, target="" if ticket.waiting else "all")
    return None


def done(follower: Follower) -> bool:
    """Tell whether a person said that it is solved for them; it stays so whatever others say, until they say otherwise or ask again."""
    answered = follower.ticket.resolved_at
    lasts = answered is not None and follower.confirmed_at is not None and follower.confirmed_at >= answered
    return follower.confirmed_at is not None and (lasts or not follower.waiting)


def see(follower: Follower, shown: int | None, now: datetime) -> None:
    """Note that a person has read everything up to the event `shown`, None for all there is; what came after it stays news."""
    moment: datetime | None = now
    if shown is not None:
        read = select(func.max(TicketEvent.at)).where(_readable(follower), TicketEvent.id <= shown)
        moment = history.session_of(follower.ticket).scalar(read)
    if moment is not None and (follower.seen_at is None or moment > follower.seen_at):
        follower.seen_at = moment


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
    if follower.ticket.resolved_at is None:
        raise ConflictError("还没有解决，先不用评价。解决后这里会请你评价。")
    follower.satisfaction = satisfaction
    history.record(follower.ticket, Kind.RATED, now, ASKER, target=str(satisfaction), private=without_cards(word), follower=follower)


def reopen(follower: Follower, why: str, now: datetime) -> None:
    """Let an asker say that the answer did not help. Their reason goes to the agents; without one these read that it did not.

    Of an open ticket that nobody has answered yet only a reason says anything.

    Raises ConflictError without a share, or when the ticket was closed as spam or by its last share.
    """
    require_share(follower)
    ticket, why = follower.ticket, why.strip()
    if ticket.open:
        follower.confirmed_at = None
        wait(follower, now)
        return add_details(follower, why or (STILL_UNSOLVED if answer(follower) is not None else ""), None, now)
    if ticket.closed_as not in {"", "expired"}:
        raise ConflictError("这个提问已经关闭，不能重新打开。请再搜索一次，把问题重新记下。")
    if len(why) > MAX_TEXT:
        raise InvalidRequestError("too_long", f"说明最多 {MAX_TEXT} 字。请删减后再提交。")
    follower.confirmed_at, follower.seen_at = None, now
    wait(follower, now)
    history.record(ticket, Kind.REOPENED, now, ASKER, private=without_cards(why), follower=follower)
    return None


def seen_by(follower: Follower) -> list[TicketEvent]:
    """Return what a person may read of their ticket's history: what was said to all, what was said to them, and what they said themselves."""
    spoken = TicketEvent.kind.in_([kind.value for kind in _TOLD | {Kind.ADDED, Kind.RATED}])
    query = select(TicketEvent).where(_readable(follower), spoken).order_by(TicketEvent.id)
    return list(history.session_of(follower.ticket).scalars(query.options(joinedload(TicketEvent.detail))))


def _asked_back(follower: Follower) -> bool:
    """Tell whether the last thing that was said to a person, or by them, is an agent's question."""
    said = TicketEvent.kind.in_([*_NEWS, Kind.ADDED.value])
    last = select(TicketEvent.kind).where(_readable(follower), said).order_by(TicketEvent.id.desc()).limit(1)
    return history.session_of(follower.ticket).scalar(last) == Kind.ASKED


def may_read(follower: Follower, event: TicketEvent) -> bool:
    """Tell whether a person may read an event of their ticket."""
    session = history.session_of(follower.ticket)
    return session.scalar(select(TicketEvent.id).where(TicketEvent.id == event.id, _readable(follower))) is not None


def last_news(follower: Follower) -> datetime | None:
    """Return when an agent last said something that this person can read, or None."""
    session = history.session_of(follower.ticket)
    return session.scalar(select(func.max(TicketEvent.at)).where(*_news_of(follower)))


def has_news(follower: Follower) -> bool:
    """Tell whether an agent said something since this person last looked."""
    news = last_news(follower)
    return news is not None and (follower.seen_at is None or news > follower.seen_at)


OVERSEEN = 100
"""Shares of one person that an overview holds, the newest."""


def of_person(session: Session, person: str, limit: int = OVERSEEN, *, state: str = "", before: int | None = None) -> list[Follower]:
    """Return the shares in which a person waits or waited until it was solved for them, newest first, with their tickets.

    Only those in tickets of one state, and older than the share with the id `before`, where these are given.
    """
    return _page(session, Follower.person == person, limit, state, before)


def of_site(session: Session, site: str, limit: int, *, sub: str = "", state: str = "", before: int | None = None) -> list[Follower]:
    """Return the shares of a site's people, or of one of them, as `of_person`."""
    return _page(session, Follower.person == f"s:{site}:{sub}" if sub else people_of(site), limit, state, before)


def _page(session: Session, theirs: ColumnElement[bool], limit: int, state: str, before: int | None) -> list[Follower]:
    query = select(Follower).join(Follower.ticket).where(theirs, Follower.withdrawn_at.is_(None), _noted()).order_by(Follower.id.desc())
    if state:
        query = query.where(Ticket.state == state)
    if before is not None:
        query = query.where(Follower.id < before)
    return list(session.scalars(query.options(contains_eager(Follower.ticket)).limit(limit)))


def people_of(site: str) -> ColumnElement[bool]:
    """What is true of the shares of a site's people: a range of the index, since ; follows upon :."""
    return (Follower.person > f"s:{site}:") & (Follower.person < f"s:{site};")


def with_news(session: Session, person: str) -> set[int]:
    """Return the ids of a person's shares with something that they have not seen."""
    mine = (Follower.person == person, Follower.withdrawn_at.is_(None), _noted())
    said = Ticket.news_at.is_not(None) & (Follower.seen_at.is_(None) | (Ticket.news_at > Follower.seen_at))
    moved = func.json_array_length(Follower.came_from) > 0
    return {share.id for share in session.scalars(select(Follower).join(Follower.ticket).where(*mine, said | moved)) if has_news(share)}


_TOLD = NEWS | {Kind.REOPENED, Kind.CONFIRMED, Kind.EXPIRED}
_NEWS = [kind.value for kind in NEWS]


def _noted() -> ColumnElement[bool]:
    """Shares whose person saw a receipt: not those who only searched."""
    return Follower.waiting.is_(True) | Follower.confirmed_at.is_not(None)


def _be_done(follower: Follower, now: datetime) -> None:
    follower.confirmed_at, follower.waiting = now, False
    history.count_people(follower.ticket, now)


def _news_of(follower: Follower) -> tuple[ColumnElement[bool], ...]:
    return (_readable(follower), TicketEvent.kind.in_(_NEWS), TicketEvent.at >= follower.joined_at)


def _readable(follower: Follower) -> ColumnElement[bool]:
    """What concerns all who are in a ticket with this person, or were when they were in another one, and what concerns them alone; not what was undone.

    Of what was said to all before they came, only what people of theirs had heard (kb.tickets.realms); nothing that was said since they took their share back.
    What somebody who asked did is theirs, also where the version before this one did not note whose it was.
    """
    to_all = TicketEvent.follower_id.is_(None) & (TicketEvent.actor != ASKER)
    here = (TicketEvent.ticket_number == follower.ticket_number) & (TicketEvent.id > follower.reads_after) & to_all
    if follower.withdrawn_at is not None:
        here &= TicketEvent.at <= follower.withdrawn_at
    before = [(TicketEvent.ticket_number == number) & TicketEvent.id.between(after + 1, last) & to_all for number, last, after in follower.came_from]
    written = TicketEvent.id.in_(select(Detail.event_id).where(Detail.follower_id == follower.id))
    undoing = aliased(TicketEvent)
    counts = ~select(undoing.id).where(undoing.undoes == TicketEvent.id).exists()
    return or_(here, *before, TicketEvent.follower_id == follower.id, written) & counts


def _phrasing_of(ticket: Ticket, text: str) -> Phrasing | None:
    session = history.session_of(ticket)
    return session.scalar(select(Phrasing).where(Phrasing.ticket_number == ticket.number, Phrasing.text == text).order_by(Phrasing.id).limit(1))


def _phrasing(wording: Wording, now: datetime) -> Phrasing:
    return Phrasing(text=wording.text, key=wording.key, terms=list(wording.terms), asked=1, first_at=now, last_at=now)


def require_share(follower: Follower) -> None:
    """Refuse to let somebody who withdrew speak for those who still wait."""
    if follower.withdrawn_at is not None:
        raise ConflictError("你已撤销这个提问，不能再操作。如果还需要答案，请再搜索一次并记下问题。")
