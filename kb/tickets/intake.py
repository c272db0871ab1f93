"""From a finished question to a ticket: idempotent, revising, and on disk before anybody is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from indexer.published import EVERYONE
from kb.accounts.models import User
from kb.accounts.roles import Right, may
from kb.errors import ConflictError
from kb.masking import masked
from kb.search import intents
from kb.search.answer import answer
from kb.search.answerability import VERSION, Verdict
from kb.search.intents import MAX_QUERY, Effect, Trigger
from kb.search.models import Intent
from kb.tickets import history, lifecycle, shares, triage
from kb.tickets.clusters import open_ticket_for, still_right, wording_of
from kb.tickets.models import Follower, PublicReply, Ticket
from kb.tickets.shares import HERE, Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from indexer.published import Audience, Published
    from kb.db import Database
    from kb.search.answer import Answer
    from kb.tickets.crowd import Crowd
    from kb.tickets.public import Reply
    from kb.tickets.shares import Wording


_ABOUT_IT = 0.5
"""Likelihood that the articles are about the subject from which the hits of an unanswered question tell its module."""
_VOTERS = 3
MAX_CONTEXT = 200
"""Characters of where somebody was in a host application."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished question as it came in. `person` is who asks (see kb.web.visitor); staff are counted, never ticketed.

    `reply`: the public reply that stands above its hits. `audience`: whom the verdict is for. `source`: what stands for the address of a person whom nobody
    vouches for, "" where it does not count. `place`: where they ask, its context as it came.
    """

    intent_id: str
    query: str
    trigger: Trigger
    person: str
    opened: str | None = None
    rank: int | None = None
    staff: bool = False
    reply: Reply | None = None
    audience: Audience = EVERYONE
    source: str = ""
    place: Place = HERE


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that stood in a ticket when somebody came: its words, its article, or both."""

    text: str
    article: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a question. `followers` counts all people who asked, this one included; `others` those who wait now besides this one.

    `number` is None without a ticket. `answer`: what an agent has answered in it already, as far as this person may read it.
    """

    verdict: Verdict
    new: bool
    number: int | None = None
    token: str = ""
    followers: int = 0
    others: int = 0
    answer: Given | None = None
    limited: bool = False


def record(
    db: Database,
    published: Published,
    finished: Finished,
    now: datetime,
    tickets_per_hour: int,
    then: Callable[[Session, Receipt], None] | None = None,
    crowd: Crowd | None = None,
) -> Receipt:
    """Store a finished question and open, join, re-word or leave tickets as it demands. Returns after the commit.

    The same id and query give the same answer again; another query under the same id, or a refinement by the same person within 30 s, revises.
    `then` is called with the receipt inside the transaction that makes it true. A `crowd` that had all of its hour at the
    question's source is told so like a person who had: `limited`. Raises ConflictError when the id belongs to somebody else.
    """
    said = answer(published, finished.query, audience=finished.audience)
    finished = replace(finished, query=finished.query[: 2 * MAX_QUERY])
    if not intents.finishes(finished.query, finished.trigger):
        receipt = Receipt(said.verdict, new=False)
        if then is not None:
            with db.write() as session:
                then(session, receipt)
        return receipt
    place = replace(finished.place, context=masked(" ".join(finished.place.context.split()))[:MAX_CONTEXT])
    opened = finished.opened if finished.opened in published.articles else None
    finished = replace(finished, query=masked(finished.query)[:MAX_QUERY], opened=opened, place=place)
    with db.read() as session:  # comparing wordings takes time that nobody else should wait for
        last = _last_intent(session, finished.person, now)
        refined = last.id if last is not None and _refines(last, finished.query, now) else None
        wording = wording_of(published, finished.query)
        found = open_ticket_for(session, published, wording) if _wants(said, finished) else None
        looked = _LookedUp(refined, wording, found.number if found is not None else None, crowded=crowd is not None and crowd.full(finished.source, now))
    with db.write() as session:
        receipt = _record(session, published, said, finished, now, tickets_per_hour, looked)
        if then is not None:
            then(session, receipt)
    if crowd is not None and receipt.new and receipt.number is not None:
        crowd.add(finished.source, now)
    return receipt


@dataclass(frozen=True, slots=True)
class _LookedUp:
    """What was found before the write lock was taken: the intent that this question refines, its wording, and the number of the ticket that it belongs to.

    `crowded`: the address that it comes from had all the tickets of an hour.
    """

    refined: str | None
    wording: Wording
    number: int | None
    crowded: bool


def _wants(said: Answer, finished: Finished) -> bool:
    """Tell whether a question asks for a ticket."""
    return intents.effect(said.verdict, finished.trigger, replied=finished.reply is not None) is Effect.TICKET


def _record(session: Session, published: Published, said: Answer, finished: Finished, now: datetime, tickets_per_hour: int, looked: _LookedUp) -> Receipt:
    query = finished.query
    intent = session.get(Intent, finished.intent_id)
    if intent is not None and intent.person != finished.person:
        raise ConflictError("intent_id is somebody else's; send a new random one")
    if intent is not None and intent.query == query and not intents.stronger(finished.trigger, Trigger(intent.trigger)):
        _note_opened(intent, finished)
        return _receipt(session, intent, new=False)
    last = _last_intent(session, finished.person, now) if intent is None else None
    before = intent or (last if last is not None and last.id == looked.refined else None)
    previous = before.ticket_number if before else None
    if intent is None:
        intent = Intent(id=finished.intent_id, person=finished.person, at=now, staff=finished.staff, limited=False)
        session.add(intent)
    else:
        intent.revised_at, intent.superseded_by = now, None
    _fill(intent, published, said, finished, query)
    wants = _wants(said, finished)
    intent.public_reply = finished.reply.id if finished.reply else None
    revised = {intent.id, before.id} if before else {intent.id}
    alone = previous is None or not _asked_otherwise(session, finished.person, previous, revised)
    target = (_replied_to(session, intent) or still_right(session, published, looked.wording, looked.number)) if wants and not finished.staff else None
    old = previous if alone else None
    further = previous is None or ((target is None or target.number != previous) and (old is None or _stays(session, old, finished.person)))
    intent.limited = wants and (finished.staff or (further and (looked.crowded or _over_limit(session, finished.person, now, tickets_per_hour))))
    wanted = wants and not intent.limited
    target = target if wanted else None
    comes = _Comes(intent, looked.wording, said, finished.place, finished.trigger.receipt)
    intent.ticket_number = _move_ticket(session, comes, published, target, old, now, wanted=wanted)
    if before is not None and before is not intent:
        before.superseded_by, before.ticket_number = intent.id, None
    session.flush()
    return _receipt(session, intent, new=before is None)


def _last_intent(session: Session, person: str, now: datetime) -> Intent | None:
    """Return what this person asked last, as far as it was not revised since."""
    mine = select(Intent).where(Intent.person == person, Intent.superseded_by.is_(None), Intent.at <= now)
    return session.scalar(mine.order_by(func.coalesce(Intent.revised_at, Intent.at).desc()).limit(1))


def _refines(last: Intent, query: str, now: datetime) -> bool:
    """Tell whether this question revises the person's last one."""
    before, after = intents.Asked(last.query, last.revised_at or last.at), intents.Asked(query, now)
    return intents.revises(before, after, promised=last.ticket_number is not None and Trigger(last.trigger).receipt)


def _fill(intent: Intent, published: Published, said: Answer, finished: Finished, query: str) -> None:
    read = published.read(query)
    intent.query, intent.key = query, read.key
    intent.verdict, intent.score = said.verdict.value, said.decision.score
    intent.matched = [word for word in said.decision.matched if word in read.content]  # a word alone does not show that it was a name or a password
    intent.missing = [word for word in said.decision.missing if word in read.content]
    intent.build, intent.verdict_version, intent.hits = said.build, VERSION, len(said.hits)
    intent.trigger = finished.trigger.value
    _note_opened(intent, finished)


def _note_opened(intent: Intent, finished: Finished) -> None:
    if finished.opened and not intent.opened:
        intent.opened, intent.rank = finished.opened, finished.rank


def _over_limit(session: Session, person: str, now: datetime, allowed: int) -> bool:
    """Tell whether a person had all the tickets of an hour, be it by many questions or by turning one of them into many."""
    since = now - timedelta(hours=1)
    asked = select(func.count()).select_from(Intent).where(Intent.person == person, Intent.at > since, Intent.ticket_number.is_not(None))
    joined = select(func.count()).select_from(Follower).where(Follower.person == person, Follower.joined_at > since, Follower.withdrawn_at.is_(None))
    return max(session.scalar(asked) or 0, session.scalar(joined) or 0) >= allowed


def _stays(session: Session, number: int, person: str) -> bool:
    """Tell whether a person's share stays where it is when they go on to another ticket."""
    ticket = session.get_one(Ticket, number)
    share = shares.of(session, ticket, person)
    return share is not None and share.withdrawn_at is None and _settled(ticket, share)


def _settled(ticket: Ticket, share: Follower) -> bool:
    """Tell whether words can no longer be replaced: somebody did something with them, or the person added to them or was told something."""
    return shares.touched(ticket) or shares.has_told(share) or shares.told(share)


@dataclass(frozen=True, slots=True)
class _Comes:
    """A person's question on its way into a ticket: what was found for it, where it was asked, and whether its person is given a receipt."""

    intent: Intent
    wording: Wording
    said: Answer
    place: Place
    receipt: bool


def _move_ticket(
    session: Session, comes: _Comes, published: Published, target: Ticket | None, previous: int | None, now: datetime, *, wanted: bool
) -> int | None:
    """Bring a person's question into the right ticket and return its number: the one it was in, `target`, a new one, or none."""
    intent = comes.intent
    old = session.get(Ticket, previous) if previous is not None else None
    share = shares.of(session, old, intent.person) if old is not None else None
    mine = share if share is not None and share.withdrawn_at is None else None
    if old is not None and mine is not None:
        settled = _settled(old, mine)
        alone = not settled and shares.alone(old)
        if target is old and mine.wording == intent.query:
            return _keep(session, old, mine, published, now, receipt=comes.receipt)
        if wanted and target in {None, old} and alone:
            shares.reword(old, mine, comes.wording, now)
            history.guess_anew(old, **_guesses(comes.said, intent.query))
            return _keep(session, old, mine, published, now, receipt=comes.receipt)
        if target is not old and settled:
            return old.number if not wanted else _join(session, target, comes, published, now)
        if target is not old:
            shares.withdraw(old, mine, now)
    return _join(session, target, replace(comes, receipt=comes.receipt or bool(mine and mine.waiting)), published, now) if wanted else None


def _join(session: Session, target: Ticket | None, comes: _Comes, published: Published, now: datetime) -> int:
    query = comes.intent.query
    ticket = target or history.open_ticket(session, query, now, **_guesses(comes.said, query))
    shares.join(ticket, comes.intent.person, comes.wording, now, receipt=comes.receipt, place=comes.place)
    _hand_out(session, ticket, published, now)
    return ticket.number


def _keep(session: Session, ticket: Ticket, share: Follower, published: Published, now: datetime, *, receipt: bool) -> int:
    """Leave a person in the ticket where they are, waiting once they have seen a receipt."""
    if receipt:
        shares.wait(share, now)
    _hand_out(session, ticket, published, now)
    return ticket.number


def _hand_out(session: Session, ticket: Ticket, published: Published, now: datetime) -> None:
    """Give a ticket for which somebody waits and that nobody has to the owner whose turn it is."""
    if ticket.waiting and not ticket.assignee:
        lifecycle.assign_in_turn(ticket, _owners(session, published, ticket.module), now)


def _guesses(said: Answer, query: str) -> dict[str, str]:
    """Guess how a ticket is to be filed."""
    module = module_of(said)
    return {"module": module, "category": triage.category(query, module).value, "priority": triage.priority(query).value}


def module_of(said: Answer) -> str:
    """Guess the module of a question: that of most of its first hits, "" where the articles are not about its subject, so that nobody's owner gets it."""
    if dict(said.decision.factors).get("subject", 1.0) < _ABOUT_IT:
        return ""
    module, votes = Counter(hit.article.module for hit in said.hits[:_VOTERS]).most_common(1)[0] if said.hits else ("", 0)
    return module if votes * 2 > min(_VOTERS, len(said.hits)) else ""


def _replied_to(session: Session, intent: Intent) -> Ticket | None:
    """Return the open ticket of the public reply that did not help this person."""
    reply = session.get(PublicReply, intent.public_reply) if intent.public_reply is not None else None
    return reply.ticket if reply is not None and reply.ticket.open else None


def _owners(session: Session, published: Published, module: str) -> list[str]:
    """Return the names of the accounts that take a module's tickets in turn: of its owners those who may work on tickets."""
    named = next((known.owners for known in published.modules if known.id == module), ())
    accounts = {user.name: user for user in session.scalars(select(User).where(User.name.in_(named)))} if named else {}
    return [name for name in named if name in accounts and may(accounts[name].role, Right.DESK)]


def _asked_otherwise(session: Session, person: str, number: int, revised: set[str]) -> bool:
    """Tell whether the person is in a ticket by a question of theirs other than the revised one: their share then stays."""
    others = select(Intent.id).where(Intent.person == person, Intent.ticket_number == number, Intent.id.not_in(revised), Intent.superseded_by.is_(None))
    return session.scalar(others.limit(1)) is not None


def _receipt(session: Session, intent: Intent, *, new: bool) -> Receipt:
    """Return what became of an intent, or of the one that revised it."""
    while intent.superseded_by is not None and (later := session.get(Intent, intent.superseded_by)) is not None:
        intent = later
    ticket = session.get(Ticket, intent.ticket_number) if intent.ticket_number is not None else None
    mine = shares.of(session, ticket, intent.person) if ticket else None
    if intent.limited or ticket is None or mine is None or mine.withdrawn_at is not None:
        return Receipt(Verdict(intent.verdict), new=new, limited=intent.limited)
    said = shares.answer(mine)
    given = Given(said.text, said.article, said.at) if said is not None else None
    others = shares.others_waiting(mine)
    return Receipt(Verdict(intent.verdict), new, ticket.number, mine.token, followers=ticket.people, others=others, answer=given)


def receipt_of(db: Database, intent_id: str, person: str) -> Receipt | None:
    """Return what became of a person's own question, for the page after the redirect; None for anybody else's."""
    with db.read() as session:
        intent = session.get(Intent, intent_id)
        return _receipt(session, intent, new=False) if intent is not None and intent.person == person else None
