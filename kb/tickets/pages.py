"""The asker's page: one follower's view of a ticket, behind an address that only they know, and the list of what a person asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from flask import Blueprint, Response, redirect, render_template, request

from kb.errors import InvalidRequestError, NotFoundError
from kb.files import MAX_NAME
from kb.tickets import attachments, countdown, progress, shares
from kb.tickets.retention import KEPT, remove_contents
from kb.tickets.standing import NEWS
from kb.web.downloads import download
from kb.web.forms import clean
from kb.web.visitor import visitor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO, BinaryIO

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from kb.services import Services
    from kb.tickets.models import Attachment

SATISFACTION = {1: "很不满意", 2: "不满意", 3: "一般", 4: "满意", 5: "很满意"}


@dataclass(frozen=True, slots=True)
class Sent:
    """What came with an asker's action; None for what did not."""

    details: str | None = None
    contact: str | None = None
    satisfaction: int | None = None
    word: str = ""
    last: int | None = None
    """The last event that was on screen, where only what was read is marked as such."""


def blueprint(services: Services) -> Blueprint:
    """Return /mine, /t/<token> and what can be done there."""
    views = Blueprint("tickets", __name__)

    @views.get("/mine")
    def mine() -> ResponseReturnValue:
        person, now = visitor().person, services.now()
        with services.db.read() as session:
            found = progress.overview(session, person, now) if person else progress.Overview()
            waiting = [line.share for line in (*found.waiting, *found.answered)]
            expected = {share.id: countdown.expected(share, services.policies, now, asked=False) for share in waiting}
            return render_template("tickets/mine.html", found=found, expected=expected)

    @views.get("/t/<token>")
    def ticket(token: str) -> ResponseReturnValue:
        return _page(services, token)

    @views.get("/t/<token>/<action>")
    @views.get("/t/<token>/files/<int:file>/remove")
    def back(token: str, **_: object) -> ResponseReturnValue:
        return _unreferred(cast("Response", redirect(f"/t/{quote(token, safe='')}", 303)))  # the address of a page after a refused form, opened anew

    @views.post("/t/<token>/<action>")
    def act(token: str, action: str) -> ResponseReturnValue:
        sent = Sent(_sent("details"), _sent("contact"), _mark(request.form.get("satisfaction", "")), clean(request.form.get("word", "")), _number("last"))
        try:
            perform(services, token, action, sent)
        except NotFoundError:
            raise
        except InvalidRequestError as error:
            return _page(services, token, problems=[error], typed={"details": sent.details or "", "word": sent.word, "action": action})
        return redirect(f"/t/{token}?done={action}", 303)

    _take_files(views, services)
    return views


def _take_files(views: Blueprint, services: Services) -> None:
    """Add what can be done with files at /t/<token>/files."""

    @views.post("/t/<token>/files")
    def add_files(token: str) -> ResponseReturnValue:
        problems: list[InvalidRequestError] = []
        chosen = [file for file in request.files.getlist("file") if file.filename]
        if not chosen:
            problems.append(InvalidRequestError("no_file", "还没有选文件。先选一个或几个，再点“添加”。"))
        added: list[str] = []
        again: list[str] = []

        def tell(_: Session, one: Attachment, new: bool) -> None:  # noqa: FBT001 - called by place
            (added if new else again).append(one.name)

        for file in chosen:
            try:
                add_file(services, token, file.stream, file.filename or "", tell)
            except NotFoundError:
                raise
            except InvalidRequestError as error:
                problems.append(error)
        if problems or again:
            return _page(services, token, problems=problems, kept=len(added), again=again)
        return redirect(f"/t/{token}?done=files#files", 303)

    @views.get("/t/<token>/files/<int:file>")
    def open_file(token: str, file: int) -> ResponseReturnValue:
        with services.db.read() as session:
            return _unreferred(download(services.files, attachments.find(shares.share(session, token), file)))

    @views.post("/t/<token>/files/<int:file>/remove")
    def remove(token: str, file: int) -> ResponseReturnValue:
        try:
            remove_file(services, token, file)
        except NotFoundError:
            raise
        except InvalidRequestError as error:
            return _page(services, token, problems=[error])
        return redirect(f"/t/{token}?done=remove#files", 303)


def perform(services: Services, token: str, action: str, sent: Sent, then: Callable[[Session], object] = lambda _: None) -> None:
    """Do what an asker may do with their ticket, and `then` what belongs to the same transaction. Raises InvalidRequestError for what they may not."""
    now = services.now()
    with services.db.write() as session:
        mine = shares.share(session, token)
        match action:
            case "details":
                shares.add_details(mine, sent.details or "", sent.contact, now)
            case "contact":
                shares.add_details(mine, "", sent.contact, now)
            case "withdraw":
                shares.withdraw(mine.ticket, mine, now)
            case "rejoin":
                shares.rejoin(mine, now)
            case "confirm":
                shares.confirm(mine, now)
            case "reopen":
                shares.reopen(mine, sent.details or "", now)
            case "rate":
                shares.rate(mine, sent.satisfaction or 0, sent.word, now)
            case "settle":
                shares.settle(mine, now)
            case "seen":
                shares.see(mine, sent.last, now)
            case _:
                raise NotFoundError("没有这个操作。请从提问页上的按钮进入。")
        then(session)


def add_file(services: Services, token: str, stream: IO[bytes], name: str, then: Callable[[Session, Attachment, bool], object] = lambda *_: None) -> None:
    """Add a file to a follower's share: its content first, then the row, and `then` what belongs to the same transaction with the row and whether it is new.

    Raises InvalidRequestError that names the file and the remedy for what is not taken, NotFoundError for an unknown address.
    """
    with services.db.read() as session:
        mine = shares.share(session, token)
        kept = attachments.known(mine, stream)
        if kept is None:
            attachments.require_room(mine, clean(name)[-MAX_NAME:])
    kept = kept or services.files.keep(cast("BinaryIO", stream), clean(name))
    with services.db.write() as session:
        added, new = attachments.add(shares.share(session, token), kept, services.files, services.now())
        then(session, added, new)


def remove_file(services: Services, token: str, file: int, then: Callable[[Session], object] = lambda _: None) -> None:
    """Remove a file of a follower's own, and do `then` what belongs to the same transaction. Raises InvalidRequestError once the ticket has ended."""
    with services.db.write() as session:
        digests = attachments.remove(shares.share(session, token), file)
        then(session)
    remove_contents(services.db, services.files, digests)


def _page(
    services: Services,
    token: str,
    *,
    problems: Sequence[InvalidRequestError] = (),
    typed: dict[str, str] | None = None,
    kept: int = 0,
    again: Sequence[str] = (),
) -> Response:
    """Return a follower's page; after problems with what the person had written, and the status of the first of them.

    `kept`: how many files were added beside those with problems; `again`: the names of those that were there already.
    """
    with services.db.read() as session:
        mine = shares.share(session, token)
        ended = mine.ticket.ended_at
        page = render_template(
            "tickets/ticket.html",
            mine=mine,
            ticket=mine.ticket,
            token=token,
            way=(way := progress.of(mine)),
            expected=countdown.expected(mine, services.policies, services.now(), asked=way.question is not None),
            last=max((entry.id for entry in way.thread), default=0),
            done=shares.done(mine),
            others=shares.others_waiting(mine) if mine.ticket.open else mine.ticket.people - 1,
            answered=shares.answer(mine) is not None,
            files={one.id: one for one in mine.files},
            most_files=attachments.MAX_FILES,
            told=shares.told(mine),
            unseen=shares.has_news(mine),
            published=services.library.current(),
            cleared=ended is not None and services.now() >= ended + KEPT,
            news_kinds=NEWS,
            satisfaction=SATISFACTION,
            problems=[str(problem) for problem in problems],
            typed=typed or {},
            kept=kept,
            again=again,
        )
    return _unreferred(Response(page, status=problems[0].status if problems else 200))


def _unreferred(response: Response) -> Response:
    """Keep the secret address from whatever the page leads to."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _sent(name: str) -> str | None:
    return clean(request.form[name]) if name in request.form else None


def _number(name: str) -> int | None:
    value = request.form.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None  # noqa: PLR2004 - what a column holds


def _mark(value: str) -> int | None:
    return int(value) if value in {str(mark) for mark in SATISFACTION} else None
