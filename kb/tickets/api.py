"""Questions of people over HTTP: for the widget, the pages' scripts, and the servers of sites.

On our own pages a ticket's secret token is its only key. Over a site it has to be the caller's own too, and a server reaches those of its site's people.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request

from kb.accounts.identity import is_subject, subject_of
from kb.db import MAX_ID
from kb.errors import InvalidRequestError, NotFoundError
from kb.search.answerability import Verdict
from kb.search.api import article_json, readers, receipt_json
from kb.search.intents import Trigger
from kb.tickets import contract, countdown, progress, shares
from kb.tickets.intake import MAX_CONTEXT, Finished, record
from kb.tickets.pages import Sent, add_file, perform, remove_file
from kb.tickets.shares import MAX_CONTACT, MAX_TEXT, MAX_WORD, Place
from kb.tickets.standing import NEWS, State
from kb.web import api_keys, idempotency
from kb.web.forms import clean, json_object, number_arg, text_of
from kb.web.idempotency import once
from kb.web.language import said
from kb.web.openapi import described
from kb.web.visitor import anonymous_source, named_site, sender, visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from indexer.published import Published
    from kb.services import Services
    from kb.tickets.countdown import Expected
    from kb.tickets.intake import Receipt
    from kb.tickets.models import Attachment, Follower
    from kb.tickets.progress import Entry, Line
    from kb.web.api_keys import Caller

_MAX_QUESTION = 50_000
"""Characters that are read; 2,000 of them are kept (kb.search.intents.MAX_QUERY)."""
_NO_TICKET = "这个链接不对，或者提问已被清理。请在“我的提问”里查看。"


def blueprint(services: Services) -> Blueprint:
    """Return /api/v1/tickets, /api/v1/tickets/<token> and its actions."""
    views = Blueprint("tickets_api", __name__, url_prefix="/api/v1")
    _list_and_open(views, services)

    @views.get("/tickets/<token>")
    @described(contract.TICKET)
    def ticket(token: str) -> ResponseReturnValue:
        with services.db.read() as session:
            mine = _reached(session, token)
            told = _told(mine, token, services.library.current(), services.config.base_url)
            expected = countdown.expected(mine, services.policies, services.now(), asked=told["asked"] is not None)
            return jsonify(told | {"expected": expected.as_json() if expected else None})

    @views.post("/tickets/<token>/<action>")
    @described(contract.ACT)
    def act(token: str, action: str) -> ResponseReturnValue:
        _require_reach(services, token)
        sent = _sent(json_object(), action)
        with once(services, f"t:{token}") as turn:
            if turn.stored is not None:
                return turn.stored
            done = {"status": "ok"}
            perform(services, token, action, sent, lambda session: turn.keep(session, done, 200))
            return jsonify(done)

    @views.post("/tickets/<token>/files")
    @described(contract.ADD_FILE)
    def add_file_(token: str) -> ResponseReturnValue:
        _require_reach(services, token)
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

    @views.post("/tickets/<token>/files/<int:file>/remove")
    @described(contract.REMOVE_FILE)
    def remove(token: str, file: int) -> ResponseReturnValue:
        _require_reach(services, token)
        with once(services, f"t:{token}") as turn:
            if turn.stored is not None:
                return turn.stored
            done = {"status": "ok"}
            remove_file(services, token, file, lambda session: turn.keep(session, done, 200))
            return jsonify(done)

    return views


def _list_and_open(views: Blueprint, services: Services) -> None:
    """Add what is done at /api/v1/tickets itself."""

    @views.get("/tickets")
    @described(contract.TICKETS)
    def tickets() -> ResponseReturnValue:
        server = api_keys.caller()
        with services.db.read() as session:
            if server is not None:
                return jsonify(_of_site(session, server, services.config.base_url))
            if {"limit", "after"} & request.args.keys():
                return jsonify(_of_person(session, _person(), services.config.base_url))
            return jsonify(_overview(session, _person(), services))

    @views.post("/tickets")
    @described(contract.OPEN)
    def open_() -> ResponseReturnValue:
        person = _person()
        if api_keys.caller() is not None and idempotency.HEADER not in request.headers:
            raise InvalidRequestError("key_required", f"a server sends an {idempotency.HEADER}, so that a question sent again is not asked twice")
        data, published = json_object(), services.library.current()
        question = text_of(data, "question", most=_MAX_QUESTION)
        details = text_of(data, "details", most=MAX_TEXT - 2 * MAX_CONTEXT, required=False).strip()
        contact = text_of(data, "contact", most=MAX_CONTACT, required=False)
        with once(services, person) as turn:
            if turn.stored is not None:
                return turn.stored
            told: list[tuple[dict[str, Any], int]] = []

            def add(session: Session, receipt: Receipt) -> None:
                if receipt.verdict is Verdict.EMPTY and receipt.number is None:
                    raise InvalidRequestError("no_question", "question holds nothing that could be answered; write what the person wants to know")
                if receipt.number is not None and (details or contact):
                    shares.add_details(shares.share(session, receipt.token), details, contact or None, services.now())
                expected = countdown.of_receipt(session, receipt.token, services.policies, services.now())
                told.append(_opened(receipt, expected, published, services.config.base_url))
                turn.keep(session, *told[0])

            finished = Finished(
                intent_id=secrets.token_hex(16),
                query=question,
                trigger=Trigger.UNSOLVED,
                person=person,
                staff=visitor().working,
                reply=services.public_replies.matching(published, question, visitor().audience, named_site()),
                audience=readers(),
                source=anonymous_source(services),
                place=Place(named_site(), text_of(data, "context", most=MAX_CONTEXT, required=False)),
            )
            record(services.db, published, finished, services.now(), services.config.tickets_per_hour, add, services.crowd)
            return jsonify(told[0][0]), told[0][1]


def _person() -> str:
    """Return who asks. Raises InvalidRequestError 400 when nothing says so."""
    if found := sender():
        return found
    raise InvalidRequestError("no_visitor", "send X-Zhida-Visitor, a random id that stays the same, or a signed identity: these questions are one person's")


def _reached(session: Session, token: str) -> Follower:
    """Return a share that this request may reach. Raises NotFoundError: over a site, a token alone opens nothing."""
    mine, server, site = shares.share(session, token), api_keys.caller(), visitor().site
    if server is not None:
        subject = subject_of(mine.person)
        if subject is None or subject.site != server.site.name or server.sub not in {"", subject.sub}:
            raise NotFoundError(_NO_TICKET)
    elif site is not None and mine.person != visitor().person:
        raise NotFoundError(_NO_TICKET)
    return mine


def _require_reach(services: Services, token: str) -> None:
    with services.db.read() as session:
        _reached(session, token)


def _overview(session: Session, person: str, services: Services) -> dict[str, Any]:
    """Return a person's latest questions, those that want something of them first; `next` leads on to the older ones."""
    found, state = progress.overview(session, person, services.now()), _state()
    lines = [*found.needed, *found.answered, *found.waiting, *found.ended]
    listed = [_line(line, services.config.base_url) for line in lines if state in {"", line.share.ticket.state}]
    oldest = min((line.share.id for line in lines), default=0)
    more = len(lines) == shares.OVERSEEN and shares.of_person(session, person, 1, state=state, before=oldest)
    return {"tickets": listed, "news": sum(line["news"] for line in listed), "next": str(oldest) if more else None}


def _of_person(session: Session, person: str, base_url: str) -> dict[str, Any]:
    """Return a page of a person's questions, the latest first."""
    limit, before = _asked_page()
    found = shares.of_person(session, person, limit + 1, state=_state(), before=before)
    return _paged(session, found, limit, lambda line: _line(line, base_url))


def _asked_page() -> tuple[int, int | None]:
    """Return how many questions are asked for, and the id of the share that they are older than, None for the first page."""
    return number_arg("limit", 20, 1, 100), number_arg("after", 0, 1, 999_999_999) or None


def _paged(session: Session, found: Sequence[Follower], limit: int, written: Callable[[Line], dict[str, Any]]) -> dict[str, Any]:
    """Return the first `limit` of these shares as a page; one more says that there is a next one."""
    lines = progress.listed(session, found[:limit])
    following = str(found[limit - 1].id) if len(found) > limit else None
    return {"tickets": [written(line) for line in lines], "news": sum(line.news for line in lines), "next": following}


def _of_site(session: Session, server: Caller, base_url: str) -> dict[str, Any]:
    """Return a page of the questions of a site's people, the latest first."""
    limit, before = _asked_page()
    sub = clean(request.args.get("sub", "")) or server.sub
    if server.sub not in {"", sub}:
        raise InvalidRequestError("bad_sub", f"?sub= and {api_keys.SUB} name different people: send one of them, or the same person twice")
    if sub and not is_subject(sub):
        raise InvalidRequestError("bad_field", "sub is no id of a person: 1 to 52 visible characters")
    found = shares.of_site(session, server.site.name, limit + 1, sub=sub, state=_state(), before=before)

    def written(line: Line) -> dict[str, Any]:
        subject = subject_of(line.share.person)
        return _line(line, base_url) | {"sub": subject.sub if subject else ""}

    return _paged(session, found, limit, written)


def _state() -> str:
    """Return the state that is asked for, "" for any."""
    state = request.args.get("state", "")
    if state and state not in set(State):
        raise InvalidRequestError("bad_field", f"state must be one of {', '.join(State)}")
    return state


def _line(line: Line, base_url: str) -> dict[str, Any]:
    share = line.share
    return {
        "number": share.ticket.number,
        "token": share.token,
        "url": f"{base_url}/t/{share.token}",
        "question": share.wording,
        "words": said(line.words),
        "state": share.ticket.state,
        "news": line.news,
        "at": line.at.isoformat(),
    }


def _opened(receipt: Receipt, expected: Expected | None, published: Published, base_url: str) -> tuple[dict[str, Any], int]:
    body = receipt_json(receipt, expected, published, base_url)
    if receipt.number is None:
        return body, 200
    return body | {"ticket": body["ticket"] | {"token": receipt.token}}, 201


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
    if last is not None and (not isinstance(last, int) or isinstance(last, bool) or not 0 <= last <= MAX_ID):
        raise InvalidRequestError("bad_field", "last must be the whole number of an event")
    return Sent(details, contact, mark, text_of(data, "word", most=MAX_WORD, required=False), last)


def _told(mine: Follower, token: str, published: Published, base_url: str) -> dict[str, Any]:
    """Return a share as its owner may see it."""
    way, ticket = progress.of(mine), mine.ticket
    return {
        "number": ticket.number,
        "state": ticket.state,
        "words": said(way.words),
        "question": mine.wording,
        "followers": ticket.people,
        "others": shares.others_waiting(mine),
        "opened_at": ticket.opened_at.isoformat(),
        "joined_at": mine.joined_at.isoformat(),
        "withdrawn": mine.withdrawn_at is not None,
        "news": shares.has_news(mine),
        "news_at": way.news_at.isoformat() if way.news_at else None,
        "steps": [
            {
                "step": step.stage.value,
                "name": said(step.name),
                "at": step.at.isoformat() if step.at else None,
                "reached": step.reached,
                "current": step.current,
            }
            for step in way.steps
        ],
        "asked": way.question.text if way.question else None,
        "replies": [
            {"at": entry.at.isoformat(), "text": entry.text, **article_json(published, entry.article, base_url)} for entry in way.thread if entry.kind in NEWS
        ],
        "thread": [_entry(entry, published, base_url) for entry in way.thread],
        "files": [_file(one, token, base_url) for one in mine.files],
        "contact": mine.contact,
        "context": mine.context,
        "satisfaction": mine.satisfaction,
        "url": f"{base_url}/t/{token}",
    }


def _entry(entry: Entry, published: Published, base_url: str) -> dict[str, Any]:
    said = {"at": entry.at.isoformat(), "kind": entry.kind.value, "by": entry.by, "text": entry.text, "forgotten": entry.forgotten, "files": list(entry.files)}
    return said | article_json(published, entry.article, base_url)


def _file(one: Attachment, token: str, base_url: str) -> dict[str, Any]:
    url = f"{base_url}/t/{token}/files/{one.id}"
    return {"id": one.id, "name": one.name, "size": one.size, "media_type": one.media_type, "at": one.at.isoformat(), "url": url}
