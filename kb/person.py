"""What is kept about one person, across all capabilities: to hand it to them, or to forget it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, or_, select, update

from kb.accounts import people
from kb.accounts.models import User
from kb.errors import NotFoundError
from kb.notifications import messages
from kb.notifications.spreading import account_of
from kb.reading.models import Feedback
from kb.search.models import Intent
from kb.tickets import history, progress
from kb.tickets.models import Detail, Follower, TicketEvent
from kb.tickets.retention import drop_files, remove_contents
from kb.tickets.standing import ASKER, SYSTEM, Kind
from kb.web.models import StoredAnswer

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from kb.db import Database
    from kb.files import FileStore

_GONE = "（提问已按本人要求删除）"
"""What stands in the place of a question that nobody else asked."""


def identify(session: Session, who: str) -> str:
    """Return the person behind the address (or its secret) of one of their tickets, an account's name, or an id as the export shows it.

    Raises NotFoundError when nothing is kept about anybody of that name.
    """
    token = urlsplit(who).path.rpartition("/")[2] or who
    share = session.scalar(select(Follower).where(Follower.token == token))
    if share is not None:
        return share.person
    user = session.scalar(select(User).where(User.name == who))
    person = f"u:{user.id}" if user is not None else who
    kept = (Intent.person, Follower.person, Feedback.person)
    if user is None and not any(session.scalar(select(func.count()).where(column == person)) for column in kept):
        raise NotFoundError(f"nothing is kept about {who!r}; name the address of one of the person's tickets, an account, or an id such as c:1f…")
    return person


def export(session: Session, person: str) -> dict[str, Any]:
    """Return everything that is kept about a person, as plain values; files by name, size and digest (their content lies in the data folder)."""
    intents = session.scalars(select(Intent).where(Intent.person == person).order_by(Intent.at))
    followed = list(session.scalars(select(Follower).where(Follower.person == person).order_by(Follower.id)))
    feedback = session.scalars(select(Feedback).where(Feedback.person == person).order_by(Feedback.at))
    account = account_of(person)
    return {
        "person": person,
        "account": people.export(session, account) if account is not None else None,
        "steps": _steps(session, account) if account is not None else [],
        "questions": [
            {"at": one.at.isoformat(), "query": one.query, "verdict": one.verdict, "trigger": one.trigger, "opened": one.opened, "ticket": one.ticket_number}
            for one in intents
        ],
        "tickets": [_share(one) for one in followed],
        "messages": messages.export(session, [one.id for one in followed], account),
        "feedback": [
            {"at": one.at.isoformat(), "article": one.article, "anchor": one.anchor, "helpful": one.helpful, "reason": one.reason} for one in feedback
        ],
    }


def _steps(session: Session, account: int) -> list[dict[str, Any]]:
    """Return what somebody did on tickets under the name of their account, without what belongs to one person who asked."""
    name = session.scalar(select(User.name).where(User.id == account))
    done = session.scalars(select(TicketEvent).where(TicketEvent.actor == name).order_by(TicketEvent.id))
    return [
        {"at": one.at.isoformat(), "ticket": f"T-{one.ticket_number}", "kind": one.kind, "target": one.target, "article": one.article, "text": one.body}
        for one in done
    ]


def _share(share: Follower) -> dict[str, Any]:
    return {
        "ticket": share.ticket.name,
        "state": share.ticket.state,
        "wording": share.wording,
        "joined_at": share.joined_at.isoformat(),
        "withdrawn_at": share.withdrawn_at.isoformat() if share.withdrawn_at else None,
        "satisfaction": share.satisfaction,
        "contact": share.contact,
        "site": share.site,
        "context": share.context,
        "thread": [{"at": entry.at.isoformat(), "kind": entry.kind.value, "by": entry.by, "text": entry.text} for entry in progress.of(share).thread],
        "files": [{"name": one.name, "size": one.size, "digest": one.digest, "at": one.at.isoformat()} for one in share.files],
    }


def forget(db: Database, files: FileStore, person: str, now: datetime) -> dict[str, int]:
    """Forget a person; return how much of what was removed.

    Their questions, feedback's reasons, details, contacts and files go, and the addresses of their tickets stop working. That somebody asked stays,
    as a number: the share belongs to nobody any more, and the masked wording of a ticket stays for the others who asked it. Where there are no others,
    the question goes too, with what agents noted about it, and its ticket ends: nobody waits for it. An account stays, without its mail address; disabling
    it is another step.
    """
    with db.write() as session:
        followed = list(session.scalars(select(Follower).where(Follower.person == person)))
        ids = [one.id for one in followed]
        attached = [file for one in followed for file in one.files]
        digests = drop_files(session, attached)
        still = (Follower.ticket_number.in_([one.ticket_number for one in followed]), Follower.person != person, Follower.withdrawn_at.is_(None))
        shared = set(session.scalars(select(Follower.ticket_number).where(*still)))
        theirs = [one.ticket for one in followed if one.ticket_number not in shared]
        alone = or_(TicketEvent.ticket_number.in_([ticket.number for ticket in theirs]), TicketEvent.follower_id.in_(ids))
        about = select(TicketEvent.id).where(alone)
        details = list(session.scalars(select(Detail).where(Detail.forgotten_at.is_(None), or_(Detail.follower_id.in_(ids), Detail.event_id.in_(about)))))
        for detail in details:
            detail.body, detail.forgotten_at = "", now
        session.execute(update(TicketEvent).where(alone, TicketEvent.actor == ASKER).values(body=""))
        for ticket in theirs:
            ticket.question = _GONE
            for phrasing in list(ticket.phrasings):
                history.drop_phrasing(ticket, phrasing)
        for one in followed:
            session.execute(delete(StoredAnswer).where(StoredAnswer.body.contains(one.token, autoescape=True)))
            one.person, one.token, one.wording, one.contact = f"gone:{secrets.token_hex(8)}", secrets.token_urlsafe(24), "", ""
            one.waiting, one.context = False, ""
            history.count_people(one.ticket, now)
        for ticket in theirs:
            if ticket.open:
                history.record(ticket, Kind.WITHDRAWN, now, SYSTEM)
        account = account_of(person)
        told = messages.forget(session, ids, account)
        if account is not None:
            people.forget_contact(session, account)
        asked = session.execute(delete(Intent).where(Intent.person == person)).rowcount  # type: ignore[attr-defined]
        nobody = func.concat("gone:", Feedback.id)
        said = session.execute(update(Feedback).where(Feedback.person == person).values(person=nobody, reason="")).rowcount  # type: ignore[attr-defined]
    remove_contents(db, files, digests)
    db.empty_log()
    return {"questions": int(asked), "tickets": len(followed), "details": len(details), "files": len(attached), "messages": told, "feedback": int(said)}
