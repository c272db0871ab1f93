"""The asker's page: one follower's view of a ticket, behind an address that only they know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, redirect, render_template, request

from kb.errors import NotFoundError
from kb.tickets import lifecycle
from kb.web.forms import clean
from kb.web.visitor import visitor

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return /mine, /t/<token> and what can be done there."""
    views = Blueprint("tickets", __name__)

    @views.get("/mine")
    def mine() -> ResponseReturnValue:
        with services.db.read() as session:
            shares = lifecycle.of_person(session, visitor().person) if visitor().person else []
            return render_template("tickets/mine.html", shares=shares, lifecycle=lifecycle)

    @views.get("/t/<token>")
    def ticket(token: str) -> ResponseReturnValue:
        with services.db.read() as session:
            mine = lifecycle.share(session, token)
            published = services.library.current()
            page = render_template(
                "tickets/ticket.html", mine=mine, ticket=mine.ticket, lifecycle=lifecycle, published=published, unseen=lifecycle.has_news(mine)
            )
        response = Response(page)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @views.post("/t/<token>/<action>")
    def act(token: str, action: str) -> ResponseReturnValue:
        perform(services, token, action, clean(request.form.get("details", "")), clean(request.form.get("contact", "")))
        return redirect(f"/t/{token}?done={action}", 303)

    return views


def perform(services: Services, token: str, action: str, details: str | None, contact: str | None) -> None:
    """Do what an asker may do with their ticket. Raises InvalidRequestError for what they may not."""
    now = services.now()
    with services.db.write() as session:
        mine = lifecycle.share(session, token)
        match action:
            case "details":
                lifecycle.add_details(mine, details, contact)
            case "withdraw":
                lifecycle.withdraw(mine.ticket, mine, now)
            case "confirm":
                lifecycle.confirm(mine.ticket, mine, now)
            case "reopen":
                lifecycle.reopen(mine.ticket, mine, details or "", now)
            case "seen":
                mine.seen_at = now
            case _:
                raise NotFoundError("没有这个操作。请从提问页上的按钮进入。")
