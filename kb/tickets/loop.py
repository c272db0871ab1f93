"""The loop closes by itself: what a new build answers is resolved where an article says so, and suggested to the agents where it only seems so.

A ticket named in an article's `answers:` is resolved when every wording of it now comes out `answered` with that article, and that once for each
version of the article: better synonyms, weights or thresholds may only suggest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from indexer.published import EVERYONE
from kb.search.answer import answer
from kb.search.answerability import Verdict
from kb.search.intents import Trigger
from kb.search.models import Intent
from kb.tickets import lifecycle
from kb.tickets.models import Phrasing, Replay, Ticket
from kb.tickets.standing import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from indexer.article import Article
    from indexer.published import Published
    from kb.db import Database

MOST_WORDINGS = 50
"""Wordings of a ticket that are asked again, the most asked first."""
MOST_TICKETS = 5_000
"""Open tickets that a new build is asked about, those with most people first: some seconds of the worker's time."""
_NAMED = re.compile(r"T-(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Closed:
    """What a build did: numbers of tickets. `unknown` are named in an article and do not exist."""

    resolved: tuple[int, ...] = ()
    suggested: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()


def close_answered(db: Database, published: Published, now: datetime) -> Closed:
    """Resolve the tickets that articles answer by name, and suggest what else the build seems to answer. Asking again changes nothing."""
    resolved, suggested, unknown = _by_name(db, published, now)
    suggested += _by_search(db, published, now)
    return Closed(tuple(resolved), tuple(dict.fromkeys(suggested)), tuple(unknown))


def answered_by(published: Published, wordings: Sequence[str]) -> str:
    """Return the one article that answers all of these wordings for people without rights of their own, "" when there is none."""
    found = {said.best.article.id if said.verdict is Verdict.ANSWERED and said.best else "" for said in (answer(published, text) for text in wordings)}
    return found.pop() if len(found) == 1 else ""


def _by_name(db: Database, published: Published, now: datetime) -> tuple[list[int], list[int], list[int]]:
    resolved: list[int] = []
    suggested: list[int] = []
    unknown: list[int] = []
    for article in published.articles.values():
        for named in (int(match[1]) for match in map(_NAMED.fullmatch, article.answers) if match):
            number, wordings = _untried(db, named, article)
            if number is None:
                unknown.append(named)
            if number is None or not wordings:
                continue
            visible = published.visible(article, EVERYONE)
            answers = visible and len(wordings) <= MOST_WORDINGS and answered_by(published, wordings) == article.id
            with db.write() as session:
                ticket = session.get_one(Ticket, number)
                if answers and set(_asked(session, ticket)) != set(wordings):
                    continue  # somebody has joined in other words meanwhile; the next look asks these too
                session.add(Replay(ticket_number=number, article=article.id, digest=article.digest, answered=answers, at=now))
                if answers:
                    lifecycle.retire(ticket, SYSTEM, now, replaced_by=article.id)
                if answers and ticket.open:
                    lifecycle.resolve(ticket, SYSTEM, now, article=article.id)
                    resolved.append(number)
                elif visible and ticket.open:
                    lifecycle.suggest(ticket, article.id, now)
                    suggested.append(number)
    return resolved, suggested, unknown


def _untried(db: Database, named: int, article: Article) -> tuple[int | None, list[str]]:
    """Return the number under which a ticket goes on (None when there is no such ticket), and its wordings.

    There are none when this version of the article was tried on it before. One that has ended is tried too: whoever opens it again has read the article.
    """
    with db.read() as session:
        ticket = session.get(Ticket, named)
        while ticket is not None and ticket.merged_into is not None:
            ticket = session.get(Ticket, ticket.merged_into)
        if ticket is None:
            return None, []
        number = ticket.number
        tried = session.get(Replay, (number, article.id, article.digest))
        return number, [] if tried is not None else _asked(session, ticket)


def _asked(session: Session, ticket: Ticket) -> list[str]:
    """Return a ticket's wordings, the most asked first; one more than are tried when there are more."""
    asked = select(Phrasing.text).where(Phrasing.ticket_number == ticket.number, or_(Phrasing.asked > 0, Phrasing.text == ticket.question))
    return list(session.scalars(asked.order_by(Phrasing.asked.desc(), Phrasing.id).limit(MOST_WORDINGS + 1)))


def _by_search(db: Database, published: Published, now: datetime) -> list[int]:
    """Suggest articles for open tickets whose wordings all come out answered by one; a suggestion that no longer holds goes.

    Not for those where somebody saw an answer and said that it is none.
    """
    with db.read() as session:
        refused = select(Intent.ticket_number).where(
            Intent.ticket_number.is_not(None), Intent.verdict == Verdict.ANSWERED.value, Intent.trigger == Trigger.UNSOLVED.value
        )
        standing = select(Ticket.number, Ticket.suggested).where(Ticket.open, Ticket.number.not_in(refused))
        order = (Ticket.waiting.desc(), Ticket.people.desc(), Ticket.number)
        numbers = [(int(number), str(before)) for number, before in session.execute(standing.order_by(*order).limit(MOST_TICKETS))]
    suggested = []
    for number, before in numbers:
        with db.read() as session:
            asked = select(Phrasing.text).where(Phrasing.ticket_number == number, Phrasing.asked > 0).order_by(Phrasing.asked.desc(), Phrasing.id)
            wordings = list(session.scalars(asked.limit(MOST_WORDINGS)))
        article = answered_by(published, wordings) if wordings else ""
        named = before in published.articles and f"T-{number}" in published.articles[before].answers
        if article == before or (not article and named):
            continue
        with db.write() as session:
            ticket = session.get_one(Ticket, number)
            lifecycle.suggest(ticket, article, now)
            if article and ticket.suggested == article:
                suggested.append(number)
    return suggested
