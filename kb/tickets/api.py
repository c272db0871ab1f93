"""A follower's ticket over HTTP, for the widget and the pages' scripts. The secret token is the only key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, jsonify

from kb.tickets import lifecycle
from kb.tickets.pages import perform
from kb.web.forms import json_object, text_of

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from indexer.published import Published
    from kb.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return /api/v1/tickets/<token> and its actions."""
    views = Blueprint("tickets_api", __name__, url_prefix="/api/v1/tickets")

    @views.get("/<token>")
    def ticket(token: str) -> ResponseReturnValue:
        base_url = services.config.base_url
        with services.db.read() as session:
            mine = lifecycle.share(session, token)
            published = services.library.current()
            replies = [
                {"at": event.at.isoformat(), "text": event.body, **_article(published, event.article, base_url)}
                for event in mine.ticket.events
                if event.kind in {lifecycle.Kind.REPLIED, lifecycle.Kind.RESOLVED}
            ]
            return jsonify(
                number=mine.ticket.number,
                state=lifecycle.state(mine.ticket).value,
                question=mine.wording,
                followers=lifecycle.people(session, mine.ticket)[0],
                opened_at=mine.ticket.opened_at.isoformat(),
                withdrawn=mine.withdrawn_at is not None,
                news=lifecycle.has_news(mine),
                replies=replies,
                url=f"{base_url}/t/{token}",
            )

    @views.post("/<token>/<action>")
    def act(token: str, action: str) -> ResponseReturnValue:
        data = json_object()
        details = text_of(data, "details", most=20_000, required=False) if "details" in data else None
        contact = text_of(data, "contact", most=200, required=False) if "contact" in data else None
        perform(services, token, action, details, contact)
        return jsonify(status="ok")

    return views


def _article(published: Published, id_: str, base_url: str) -> dict[str, str | None]:
    """Return the article of a reply as far as askers may read it."""
    readable = published.article(id_) is not None
    return {"article": id_ if readable else "", "url": f"{base_url}/a/{id_}" if readable else None}
