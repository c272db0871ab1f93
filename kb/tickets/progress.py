"""How a ticket looks to somebody who asked: how far it is, what was said, and what is theirs to do. Reads only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from kb.search.models import Intent
from kb.tickets import history, shares
from kb.tickets.models import Follower, TicketEvent
from kb.tickets.standing import ASKER, NEWS, SYSTEM, Kind, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

ANSWERED = "客服已有答复"
"""What somebody reads who comes into a question that an agent has answered."""
RESTORABLE = timedelta(minutes=10)
"""How long the list of a person's questions offers those that they took back."""


class Stage(StrEnum):
    """A step on the way from a question to a confirmed answer."""

    NOTED = "noted"
    HANDLED = "handled"
    ASKED = "asked"
    SOLVED = "solved"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"


NAMES = {
    Stage.NOTED: "已记下",
    Stage.HANDLED: "客服在处理",
    Stage.ASKED: "等你补充",
    Stage.SOLVED: "已解决",
    Stage.CONFIRMED: "已确认",
    Stage.EXPIRED: "已关闭",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. The last that was `reached` is `current`; `at` is None for what is still to come, and for what happened before this person came."""

    stage: Stage
    at: datetime | None
    reached: bool
    current: bool = False

    @property
    def name(self) -> str:
        """What people call it."""
        return NAMES[self.stage]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was said or done. `by` is `self`, `agent` or `system`; `to_me`: an agent said it to this person alone.

    `files` are ids of attachments that were added with it. `forgotten`: there were words, and they were cleared in time.
    """

    id: int
    kind: Kind
    at: datetime
    by: str
    text: str
    article: str
    to_me: bool
    files: tuple[int, ...]
    forgotten: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """What a page shows of one share. `question` is what an agent asked this person and they have not answered; `word` what they said to their rating."""

    words: str
    steps: tuple[Step, ...]
    thread: tuple[Entry, ...]
    question: Entry | None
    confirmed: bool
    word: str
    news_at: datetime | None


def of(mine: Follower) -> Progress:
    """Return how far a share's ticket is."""
    events = shares.seen_by(mine)
    entries = _thread(mine, events)
    question = _question(mine, entries)
    rated = next((event.text for event in reversed(events) if event.kind == Kind.RATED), "")
    news = [entry.at for entry in entries if entry.kind in NEWS]
    confirmed = shares.done(mine)
    steps = _steps(mine, question, _handled_at(mine), next((entry.at for entry in reversed(entries) if entry.kind is Kind.EXPIRED), None))
    return Progress(words(mine, asked=question is not None), steps, tuple(entries), question, confirmed, rated, max(news, default=None))


def words(mine: Follower, *, asked: bool) -> str:
    """Return in a few words where a share stands; `asked`: an agent waits for this person's answer."""
    ticket = mine.ticket
    if mine.withdrawn_at is not None:
        return "已撤销"
    if asked:
        return "等你补充"
    if ticket.state == State.CLOSED:
        return "已到期关闭" if ticket.closed_as == "expired" else "已关闭"
    return _words_when_done(mine) if shares.done(mine) else _WORDS[State(ticket.state)]


def _words_when_done(mine: Follower) -> str:
    if not mine.ticket.open:
        return "已确认解决"
    return "你已确认解决。另一位同事还没解决，客服在继续处理" if mine.ticket.waiting else "你已确认解决。客服在继续处理"


_WORDS = {
    State.NEW: "已记下",
    State.ASSIGNED: "已交给客服",
    State.IN_PROGRESS: "客服在处理",
    State.WAITING: "客服在处理",
    State.RESOLVED: "已解决，待确认",
    State.CONFIRMED: "已解决，另一位同事已确认",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One share in a list: where it stands, since when, and whether an agent said something that its person has not seen."""

    share: Follower
    words: str
    at: datetime
    news: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """A person's shares: those that want something of them, those with something new to read, those that wait, those that ended, and those they took back."""

    needed: tuple[Line, ...] = ()
    answered: tuple[Line, ...] = ()
    waiting: tuple[Line, ...] = ()
    ended: tuple[Line, ...] = ()
    withdrawn: tuple[Follower, ...] = ()


def overview(session: Session, person: str, now: datetime) -> Overview:
    """Return a person's questions, in each group the newest first."""
    mine = shares.of_person(session, person)
    news = shares.with_news(session, person) if mine else set()
    asked = _asked(session, mine)
    lines = _lines(mine, asked, news)
    needed = [line for line in lines if line.share.id in asked or _awaits_verdict(line.share)]
    answered = [line for line in lines if line.news and line not in needed]
    rest = [line for line in lines if line not in needed and line not in answered]
    return Overview(
        tuple(sorted(needed, key=lambda line: line.at, reverse=True)),
        tuple(sorted(answered, key=lambda line: line.at, reverse=True)),
        tuple(line for line in rest if line.share.ticket.open),
        tuple(sorted((line for line in rest if not line.share.ticket.open), key=lambda line: line.at, reverse=True)),
        tuple(_withdrawn(session, person, now)),
    )


def listed(session: Session, mine: Sequence[Follower]) -> list[Line]:
    """Return where these shares stand, in their order."""
    return _lines(mine, _asked(session, mine), {share.id for share in mine if shares.has_news(share)})


def _lines(mine: Sequence[Follower], asked: set[int], news: set[int]) -> list[Line]:
    return [_line(share, asked=share.id in asked, news=share.id in news) for share in mine]


def _awaits_verdict(share: Follower) -> bool:
    """Tell whether a person has yet to say whether the answer helped; looking at it does not say so."""
    return share.ticket.state == State.RESOLVED and not shares.done(share)


def _line(share: Follower, *, asked: bool, news: bool) -> Line:
    said = shares.last_news(share) if asked or news else None
    at = said or (share.joined_at if share.ticket.open else share.ticket.ended_at) or share.joined_at
    return Line(share, words(share, asked=asked), at, news)


def _asked(session: Session, mine: Sequence[Follower]) -> set[int]:
    """Return the ids of those shares in open tickets in which an agent waits for the person's answer."""
    ids = [share.id for share in mine if share.ticket.open]
    to_them = or_(TicketEvent.follower_id.is_(None), TicketEvent.follower_id == Follower.id)
    asked = select(Follower.id).join(TicketEvent, TicketEvent.ticket_number == Follower.ticket_number).where(TicketEvent.kind == Kind.ASKED, to_them)
    once_asked = set(session.scalars(asked.where(Follower.id.in_(ids)).distinct()))
    return {share.id for share in mine if share.id in once_asked and _question(share, _thread(share, shares.seen_by(share))) is not None}


def _withdrawn(session: Session, person: str, now: datetime) -> list[Follower]:
    """Return the shares that a person took back just now; not those that better words of theirs have replaced."""
    still_asked = select(Intent.id).where(Intent.person == person, Intent.ticket_number == Follower.ticket_number, Intent.superseded_by.is_(None))
    by_hand = select(Follower).where(
        Follower.person == person,
        Follower.withdrawn_at > now - RESTORABLE,
        Follower.waiting.is_(True),
        Follower.goes_on.is_(None),
        still_asked.exists(),
    )
    found = session.scalars(by_hand.order_by(Follower.withdrawn_at.desc()).options(joinedload(Follower.ticket)))
    return [share for share in found if share.ticket.closed_as != "spam"]


def _thread(mine: Follower, events: Sequence[TicketEvent]) -> list[Entry]:
    """Return what a person may read, oldest first; files that were added one after the other are one entry."""
    entries: list[Entry] = []
    for event in events:
        if event.kind == Kind.RATED:
            continue
        entry = _entry(mine, event)
        last = entries[-1] if entries else None
        if last is not None and entry.files and last.files and not (entry.text or last.text):
            entries[-1] = replace(last, files=last.files + entry.files)
        else:
            entries.append(entry)
    return entries


def _entry(mine: Follower, event: TicketEvent) -> Entry:
    kind = Kind(event.kind)
    by = {ASKER: "self", SYSTEM: "system"}.get(event.actor, "agent")
    text = "" if kind is Kind.REOPENED and by == "agent" else event.text  # why an agent opened it again is for agents
    files = tuple(int(id_) for id_ in (event.data or {}).get("files", ()))
    forgotten = event.detail is not None and event.detail.forgotten_at is not None and by != "system"
    return Entry(event.id, kind, event.at, by, text, event.article, by == "agent" and event.follower_id == mine.id, files, forgotten and not text)


def _question(mine: Follower, entries: Sequence[Entry]) -> Entry | None:
    """Return what an agent last asked, when nothing was said to this person or by them since: what all were asked each may answer, also after another has."""
    last = entries[-1] if entries else None
    if last is None or last.kind is not Kind.ASKED or not mine.ticket.open or mine.withdrawn_at is not None or shares.done(mine):
        return None
    return last


def _handled_at(mine: Follower) -> datetime | None:
    """Return when a person began to work on the ticket, since it was last reopened; None while it was only dealt out."""
    session = history.session_of(mine.ticket)
    kinds = [kind.value for kind in (Kind.ASSIGNED, Kind.REPLIED, Kind.ASKED, Kind.REOPENED)]
    undone = select(TicketEvent.undoes).where(TicketEvent.undoes.is_not(None), TicketEvent.ticket_number == mine.ticket_number)
    query = select(TicketEvent.kind, TicketEvent.at, TicketEvent.actor, TicketEvent.target).where(
        TicketEvent.ticket_number == mine.ticket_number, TicketEvent.kind.in_(kinds), TicketEvent.id.not_in(undone)
    )
    began: datetime | None = None
    for kind, at, actor, target in session.execute(query.order_by(TicketEvent.id)):
        taken = kind != Kind.ASSIGNED or (actor != SYSTEM and target)
        if kind == Kind.REOPENED or (began is None and taken):
            began = at
    return began


def _steps(mine: Follower, question: Entry | None, handled_at: datetime | None, expired_at: datetime | None) -> tuple[Step, ...]:
    ticket = mine.ticket
    expired = ticket.closed_as == "expired"
    solved = expired or ticket.state in {State.RESOLVED, State.CONFIRMED}
    handled = solved or ticket.state in {State.IN_PROGRESS, State.WAITING} or (ticket.state == State.ASSIGNED and handled_at is not None)
    since = handled_at if handled and handled_at is not None and handled_at >= mine.joined_at else None
    confirmed = solved and not expired and shares.done(mine)
    steps = [Step(Stage.NOTED, mine.joined_at, reached=True), Step(Stage.HANDLED, since, handled)]
    if question is not None:
        steps.append(Step(Stage.ASKED, question.at, reached=True))
    steps.append(Step(Stage.SOLVED, ticket.resolved_at if solved else None, solved))
    steps.append(Step(Stage.EXPIRED, expired_at, reached=True) if expired else Step(Stage.CONFIRMED, mine.confirmed_at if confirmed else None, confirmed))
    current = max(place for place, step in enumerate(steps) if step.reached)
    return tuple(replace(step, current=place == current) for place, step in enumerate(steps))
