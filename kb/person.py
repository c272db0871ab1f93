"""What is kept about one person, across all capabilities: to hand it to them, or to forget it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, or_, select, update

from kb.accounts.models import User
from kb.errors import NotFoundError
from kb.reading.models import Feedback
from kb.search.models import Intent
from kb.tickets import shares
from kb.tickets.models import Detail, Follower, TicketEvent
from kb.tickets.retention import remove_files

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from kb.files import FileStore


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
    return {
        "person": person,
        "questions": [
            {"at": one.at.isoformat(), "query": one.query, "verdict": one.verdict, "trigger": one.trigger, "opened": one.opened, "ticket": one.ticket_number}
            for one in intents
        ],
        "tickets": [_share(one) for one in followed],
        "feedback": [
            {"at": one.at.isoformat(), "article": one.article, "anchor": one.anchor, "helpful": one.helpful, "reason": one.reason} for one in feedback
        ],
    }


def _share(share: Follower) -> dict[str, Any]:
    return {
        "ticket": share.ticket.name,
        "state": share.ticket.state,
        "wording": share.wording,
        "joined_at": share.joined_at.isoformat(),
        "withdrawn_at": share.withdrawn_at.isoformat() if share.withdrawn_at else None,
        "satisfaction": share.satisfaction,
        "contact": share.contact,
        "thread": [
            {
                "at": event.at.isoformat(),
                "kind": event.kind,
                "by": "self" if event.follower_id == share.id and event.actor == "asker" else event.actor,
                "text": event.text,
            }
            for event in shares.seen_by(share)
        ],
        "files": [{"name": one.name, "size": one.size, "digest": one.digest, "at": one.at.isoformat()} for one in share.files],
    }


def forget(session: Session, files: FileStore, person: str, now: datetime) -> dict[str, int]:
    """Forget a person; return how much of what was removed.

    Their questions, feedback's reasons, details, contacts and files go, and the addresses of their tickets stop working. That somebody asked stays,
    as a number: the share belongs to nobody any more, and the masked wording of the ticket stays for those who asked the same.
    """
    followed = list(session.scalars(select(Follower).where(Follower.person == person)))
    ids = [one.id for one in followed]
    attached = [file for one in followed for file in one.files]
    remove_files(session, files, attached)
    about = select(TicketEvent.id).where(TicketEvent.follower_id.in_(ids))
    details = list(session.scalars(select(Detail).where(Detail.forgotten_at.is_(None), or_(Detail.follower_id.in_(ids), Detail.event_id.in_(about)))))
    for detail in details:
        detail.body, detail.forgotten_at = "", now
    session.execute(update(TicketEvent).where(TicketEvent.follower_id.in_(ids), TicketEvent.actor == "asker", TicketEvent.kind == "reopened").values(body=""))
    for one in followed:
        one.person, one.token, one.wording, one.contact = f"gone:{secrets.token_hex(8)}", secrets.token_urlsafe(24), "", ""
        if one.withdrawn_at is None and not one.ticket.open:
            one.waiting = False
    asked = session.execute(delete(Intent).where(Intent.person == person)).rowcount  # type: ignore[attr-defined]
    said = session.execute(update(Feedback).where(Feedback.person == person).values(person=func.concat("gone:", Feedback.id), reason="")).rowcount  # type: ignore[attr-defined]
    return {"questions": int(asked), "tickets": len(followed), "details": len(details), "files": len(attached), "feedback": int(said)}
