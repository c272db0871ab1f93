"""Everything that an agent sees of one ticket, read in a number of statements that does not grow with the people in it, and put into words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select
from sqlalchemy.orm import joinedload

from kb.accounts import sign_in
from kb.accounts.roles import Right
from kb.tickets import clusters, history, lifecycle, presence
from kb.tickets.candidates import MOST_WORDINGS, articles_for
from kb.tickets.models import Attachment, Detail, Follower, Phrasing, Ticket, TicketEvent
from kb.tickets.standing import Kind
from kb.tickets.timeline import Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from indexer.published import Published
    from indexer.reply import Reply
    from kb.search.answer import Hit
    from kb.tickets.models import PublicReply
    from kb.tickets.timeline import Entry

ALIKE = 3
"""Other open tickets that may be the same wish."""
RECENTLY = timedelta(days=30)
"""For how long an answer to the same words is offered again."""
PEOPLE = 20
"""People that stand on the ticket's page; the rest are on pages of their own."""
PEOPLE_A_PAGE = 100
RECENT = 8
"""Times that somebody said something which stand open on the page, with the steps between them; what was before is folded away."""
MOST_OPEN = 40
"""Entries that stand open at most."""
EARLIER = 200
"""Events that are folded away; whoever wants still older ones asks for all."""
CONTEXTS = 2
"""Places of a host application that are named under a ticket's title; that of each person stands beside them."""
WORDINGS = 30
"""Wordings that are listed, the most asked first."""


@dataclass(frozen=True, slots=True)
class Said:
    """Something that a person added to their own share; `forgotten` when it was cleared in time."""

    at: datetime
    text: str
    forgotten: bool


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asked, by a number instead of a name, with what they told."""

    label: str
    share: Follower
    said: tuple[Said, ...]
    word: str
    files: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """A site on which people asked, "" for our own pages: how many, and where they were there, the most named first."""

    site: str
    people: int
    contexts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was answered in another ticket to all who had asked it: words, an article, or both."""

    number: int
    text: str
    article: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Dossier:
    """A ticket with all that its page shows. `entries` are in the order of time; of people and wordings there are the first, and how many in all.

    `omitted` entries are older than those. `alike`: open tickets that may be the same wish. `titles`: the titles of all articles by their ids.
    `here`: who else has the page open, in words. `origins`: from where it was asked; `unheard`: those of them, by the names of their sites, whose people
    have not read what was answered last, since it was said to others before they came.
    """

    ticket: Ticket
    entries: list[Entry]
    people: list[Person]
    people_in_all: int
    wordings: list[Phrasing]
    wordings_in_all: int
    candidates: list[Hit]
    alike: list[Ticket]
    public: PublicReply | None
    here: str
    agents: list[str]
    replies: list[Reply]
    modules: dict[str, str]
    titles: Mapping[str, str]
    omitted: int
    origins: list[Origin]
    unheard: list[str]
    answered: Earlier | None

    @property
    def recent(self) -> list[Entry]:
        """What happened last."""
        return self.entries[self._fold :]

    @property
    def earlier(self) -> list[Entry]:
        """What happened before that."""
        return self.entries[: self._fold]

    @property
    def _fold(self) -> int:
        spoken = [at for at, entry in enumerate(self.entries) if entry.spoken]
        first = spoken[-RECENT] if len(spoken) > RECENT else 0
        return max(first, len(self.entries) - MOST_OPEN)

    @property
    def last_step(self) -> Entry | None:
        """What this agent did last, when it is the last thing that happened."""
        last = self.entries[-1] if self.entries else None
        return last if last is not None and last.mine else None


def read(
    session: Session, published: Published, number: int, agent: str, now: datetime, *, since: int | None = None, to: str = "", whole: bool = False
) -> Dossier:
    """Read a ticket for its page. Raises NotFoundError.

    `since`: the last event that the agent has seen; `to`: the id of a person to be shown whatever their number; `whole`: with the oldest events too.
    """
    ticket = history.find(session, number)
    labels = _labels(session, ticket)
    modules = {module.id: module.name for module in published.modules}
    its = (Phrasing.ticket_number == number, Phrasing.asked > 0) if ticket.people else (Phrasing.ticket_number == number,)
    wordings = list(session.scalars(select(Phrasing).where(*its).order_by(Phrasing.asked.desc(), Phrasing.id).limit(WORDINGS)))
    entries = Words(published, labels, modules).entries(session, ticket, agent, since)
    omitted = 0 if whole else max(0, len(entries) - MOST_OPEN - EARLIER)
    public = lifecycle.live_public_replies(ticket, now)
    return Dossier(
        ticket=ticket,
        entries=entries[omitted:],
        people=people(session, ticket, labels, to=to),
        people_in_all=ticket.people,
        wordings=wordings,
        wordings_in_all=session.scalar(select(func.count()).select_from(Phrasing).where(*its)) or 0,
        candidates=articles_for(published, [one.text for one in wordings[:MOST_WORDINGS]] or [ticket.question]),
        alike=[other for other, _ in clusters.alike(session, published, ticket, ALIKE)] if ticket.open else [],
        public=public[0] if public else None,
        here=presence.in_words(presence.others(session, number, agent, now)),
        agents=sign_in.names_of_those_who_may(session, Right.DESK),
        replies=sorted(published.replies, key=lambda reply: (ticket.module not in reply.modules, bool(reply.modules), reply.title)),
        modules=modules,
        titles={id_: article.title for id_, article in published.articles.items()},
        omitted=omitted,
        origins=(origins := _origins(session, ticket)),
        unheard=_unheard(session, ticket) if origins and ticket.open else [],
        answered=_answered(session, ticket, now) if ticket.open and ticket.news_at is None else None,
    )


def _answered(session: Session, ticket: Ticket, now: datetime) -> Earlier | None:
    """Return what was answered to all who asked in the same words before, in the ticket that was resolved last; None without such a one of these weeks."""
    keys = list(session.scalars(select(Phrasing.key).where(Phrasing.ticket_number == ticket.number, Phrasing.asked > 0).limit(WORDINGS)))
    ended = (Ticket.open.is_(False), Ticket.closed_as.in_(["", "expired"]), Ticket.resolved_at > now - RECENTLY)
    alike = select(Ticket).join(Phrasing, Phrasing.ticket_number == Ticket.number).where(Phrasing.key.in_(keys), Phrasing.key != "", *ended)
    for other in session.scalars(alike.distinct().order_by(Ticket.resolved_at.desc()).limit(ALIKE)):
        undone = select(TicketEvent.undoes).where(TicketEvent.ticket_number == other.number, TicketEvent.undoes.is_not(None))
        to_all = (TicketEvent.ticket_number == other.number, TicketEvent.follower_id.is_(None), TicketEvent.id.not_in(undone))
        answers = TicketEvent.kind.in_([Kind.REPLIED.value, Kind.RESOLVED.value])
        said = session.scalar(select(TicketEvent).where(*to_all, answers).order_by(TicketEvent.id.desc()).limit(1))
        if said is not None:
            return Earlier(other.number, said.body, said.article, said.at)
    return None


def _origins(session: Session, ticket: Ticket) -> list[Origin]:
    """Return from where a ticket was asked, most people first; nothing when all asked on our own pages."""
    counted = select(Follower.site, Follower.context, func.count()).where(Follower.ticket_number == ticket.number, Follower.withdrawn_at.is_(None))
    people: Counter[str] = Counter()
    contexts: dict[str, Counter[str]] = {}
    for site, context, count in session.execute(counted.group_by(Follower.site, Follower.context)):
        people[site] += count
        contexts.setdefault(site, Counter()).update({context: count} if context else {})
    if not any(people):
        return []
    listed = sorted(people.items(), key=lambda one: (-one[1], not one[0], one[0]))
    return [Origin(site, count, tuple(name for name, _ in contexts[site].most_common(CONTEXTS))) for site, count in listed]


def _unheard(session: Session, ticket: Ticket) -> list[str]:
    """Return the sites, "" for our own pages, where people wait who have not read the last answer to all: it was said before they came (kb.tickets.realms)."""
    undone = select(TicketEvent.undoes).where(TicketEvent.ticket_number == ticket.number, TicketEvent.undoes.is_not(None))
    to_all = (TicketEvent.ticket_number == ticket.number, TicketEvent.follower_id.is_(None), TicketEvent.id.not_in(undone))
    answers = TicketEvent.kind.in_([Kind.REPLIED.value, Kind.RESOLVED.value])
    last = session.scalar(select(func.max(TicketEvent.id)).where(*to_all, answers))
    if last is None:
        return []
    waits = (Follower.ticket_number == ticket.number, Follower.withdrawn_at.is_(None), Follower.waiting.is_(True), Follower.reads_after >= last)
    return list(session.scalars(select(Follower.site).where(*waits).distinct().order_by(Follower.site.desc())))


def people(session: Session, ticket: Ticket, labels: Mapping[int, str] | None = None, *, to: str = "", after: int | None = None) -> list[Person]:
    """Return people who have a share in a ticket: the first `PEOPLE`, those with words before others; or with `after` the next `PEOPLE_A_PAGE` by id."""
    labels = _labels(session, ticket) if labels is None else labels
    share = select(Follower).where(Follower.ticket_number == ticket.number, Follower.withdrawn_at.is_(None))
    told = exists().where(Detail.follower_id == Follower.id) | exists().where(Attachment.follower_id == Follower.id) | (Follower.contact != "")
    if after is None:
        named = Follower.id == (int(to) if to.isascii() and to.isdigit() and len(to) < len(str(2**63)) else 0)
        shares = list(session.scalars(share.order_by(named.desc(), told.desc(), Follower.waiting.desc(), Follower.id).limit(PEOPLE)))
    else:
        shares = list(session.scalars(share.where(Follower.id > after).order_by(Follower.id).limit(PEOPLE_A_PAGE)))
    ids = [one.id for one in shares]
    said: dict[int, list[tuple[Detail, TicketEvent]]] = {}
    for detail in session.scalars(select(Detail).where(Detail.follower_id.in_(ids)).options(joinedload(Detail.event)).order_by(Detail.id)):
        said.setdefault(detail.follower_id or 0, []).append((detail, detail.event))
    files: dict[int, list[Attachment]] = {}
    for file in session.scalars(select(Attachment).where(Attachment.follower_id.in_(ids)).order_by(Attachment.id)):
        files.setdefault(file.follower_id, []).append(file)
    return [_person(one, labels.get(one.id, "提问人"), said.get(one.id, ()), files.get(one.id, ())) for one in shares]


def _person(share: Follower, label: str, said: Sequence[tuple[Detail, TicketEvent]], files: Sequence[Attachment]) -> Person:
    own = tuple(Said(event.at, detail.body, detail.forgotten_at is not None) for detail, event in said if event.kind in {Kind.ADDED, Kind.REOPENED})
    words = [detail.body for detail, event in said if event.kind == Kind.RATED]
    return Person(label, share, own, words[-1] if words else "", tuple(files))


def _labels(session: Session, ticket: Ticket) -> dict[int, str]:
    """Return what each person in a ticket is called: by their turn, never by a name; the only one needs no number."""
    ids = list(session.scalars(select(Follower.id).where(Follower.ticket_number == ticket.number).order_by(Follower.id)))
    return {id_: f"提问人 {at}" for at, id_ in enumerate(ids, 1)} if len(ids) > 1 else dict.fromkeys(ids, "提问人")
