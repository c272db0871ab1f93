"""A follower's ticket over HTTP, for the widget and the pages' scripts. The secret token is the only key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request

from kb.errors import InvalidRequestError
from kb.tickets import countdown, progress, shares
from kb.tickets.pages import Sent, add_file, perform, remove_file
from kb.tickets.shares import MAX_CONTACT, MAX_TEXT, MAX_WORD
from kb.tickets.standing import NEWS
from kb.web.forms import json_object, text_of
from kb.web.idempotency import once

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from indexer.published import Published
    from kb.services import Services
    from kb.tickets.countdown import Expected
    from kb.tickets.models import Attachment, Follower
    from kb.tickets.progress import Entry


def blueprint(services: Services) -> Blueprint:
    """Return /api/v1/tickets/<token> and its actions."""
    views = Blueprint("tickets_api", __name__, url_prefix="/api/v1/tickets")

    @views.get("/<token>")
    def ticket(token: str) -> ResponseReturnValue:
        with services.db.read() as session:
            mine = shares.share(session, token)
            told = _told(mine, token, services.library.current(), services.config.base_url)
            return jsonify(told | {"expected": _expected(countdown.expected(mine, services.policies, services.now(), asked=told["asked"] is not None))})

    @views.post("/<token>/<action>")
    def act(token: str, action: str) -> ResponseReturnValue:
        sent = _sent(json_object(), action)
        with once(services, f"t:{token}") as turn:
            if turn.stored is not None:
                return turn.stored
            done = {"status": "ok"}
            perform(services, token, action, sent, lambda session: turn.keep(session, done, 200))
            return jsonify(done)

    @views.post("/<token>/files")
    def add_file_(token: str) -> ResponseReturnValue:
        with once(services, f"t:{token}") as turn:
            if turn.stored is not None:
                return turn.stored
            sent = request.files.getlist("file")
            if len(sent) != 1 or not sent[0].filename:
                raise InvalidRequestError("bad_field", "send multipart/form-data with one file, named, in the field file")
            told: list[tuple[dict[str, Any], int]] = []

            def keep(session: Session, added: Attachment, new: bool) -> None:  # noqa: FBT001 - called by place
                told.append(({"file": _file(added, token, services.config.base_url)}, 201 if new else 200))
                turn.keep(session, *told[0])

            add_file(services, token, sent[0].stream, sent[0].filename, keep)
            body, status = told[0]
            return jsonify(body), status

    @views.post("/<token>/files/<int:file>/remove")
    def remove(token: str, file: int) -> ResponseReturnValue:
        with once(services, f"t:{token}") as turn:
            if turn.stored is not None:
                return turn.stored
            done = {"status": "ok"}
            remove_file(services, token, file, lambda session: turn.keep(session, done, 200))
            return jsonify(done)

    return views


def _sent(data: dict[str, Any], action: str) -> Sent:
    """Read the fields of an action. Raises InvalidRequestError for wrong types, too long texts, and a contact or a rating without its field."""
    details = text_of(data, "details", most=MAX_TEXT, required=False) if "details" in data else None
    contact = text_of(data, "contact", most=MAX_CONTACT, required=False) if "contact" in data or action == "contact" else None
    if action == "contact" and "contact" not in data:
        raise InvalidRequestError("bad_field", "contact must be a text; an empty one removes it")
    mark = data.get("satisfaction")
    if (mark is not None and (not isinstance(mark, int) or isinstance(mark, bool))) or (action == "rate" and mark is None):
        raise InvalidRequestError("bad_field", "satisfaction must be a whole number from 1 to 5")
    last = data.get("last")
    if last is not None and (not isinstance(last, int) or isinstance(last, bool) or not 0 <= last < 2**63):
        raise InvalidRequestError("bad_field", "last must be the whole number of an event")
    return Sent(details, contact, mark, text_of(data, "word", most=MAX_WORD, required=False), last)


def _told(mine: Follower, token: str, published: Published, base_url: str) -> dict[str, Any]:
    """Return a share as its owner may see it."""
    way, ticket = progress.of(mine), mine.ticket
    return {
        "number": ticket.number,
        "state": ticket.state,
        "words": way.words,
        "question": mine.wording,
        "followers": ticket.people,
        "opened_at": ticket.opened_at.isoformat(),
        "joined_at": mine.joined_at.isoformat(),
        "withdrawn": mine.withdrawn_at is not None,
        "news": shares.has_news(mine),
        "news_at": way.news_at.isoformat() if way.news_at else None,
        "steps": [
            {"step": step.stage.value, "name": step.name, "at": step.at.isoformat() if step.at else None, "reached": step.reached, "current": step.current}
            for step in way.steps
        ],
        "asked": way.question.text if way.question else None,
        "replies": [
            {"at": entry.at.isoformat(), "text": entry.text, **_article(published, entry.article, base_url)} for entry in way.thread if entry.kind in NEWS
        ],
        "thread": [_entry(entry, published, base_url) for entry in way.thread],
        "files": [_file(one, token, base_url) for one in mine.files],
        "contact": mine.contact,
        "satisfaction": mine.satisfaction,
        "url": f"{base_url}/t/{token}",
    }


def _expected(found: Expected | None) -> dict[str, Any] | None:
    """Return what a person may expect next, None when nothing is promised."""
    if found is None:
        return None
    words = "。".join(filter(None, (found.words, found.resting)))
    return {"what": found.what, "at": found.at.isoformat() if found.at else None, "late": found.late, "words": words}


def _entry(entry: Entry, published: Published, base_url: str) -> dict[str, Any]:
    said = {"at": entry.at.isoformat(), "kind": entry.kind.value, "by": entry.by, "text": entry.text, "forgotten": entry.forgotten, "files": list(entry.files)}
    return said | _article(published, entry.article, base_url)


def _file(one: Attachment, token: str, base_url: str) -> dict[str, Any]:
    url = f"{base_url}/t/{token}/files/{one.id}"
    return {"id": one.id, "name": one.name, "size": one.size, "media_type": one.media_type, "at": one.at.isoformat(), "url": url}


def _article(published: Published, id_: str, base_url: str) -> dict[str, str | None]:
    """Return the article of a reply as far as askers may read it."""
    readable = published.article(id_) is not None
    return {"article": id_ if readable else "", "url": f"{base_url}/a/{id_}" if readable else None}
