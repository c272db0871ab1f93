"""A follower's ticket over HTTP, for the widget and the pages' scripts. The secret token is the only key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, jsonify

from kb.tickets import lifecycle
from kb.tickets.pages import perform
from kb.web.forms import json_object, text_of

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return /api/v1/tickets/<token> and its actions."""
    views = Blueprint("tickets_api", __name__, url_prefix="/api/v1/tickets")

    @views.get("/<token>")
    def ticket(token: str) -> ResponseReturnValue:
        base_url = services.config.base_url
        with services.db.read() as session:
            mine = lifecycle.share(session, token)
            replies = [
                {"at": event.at.isoformat(), "text": event.body, "article": event.article, "url": f"{base_url}/a/{event.article}" if event.article else None}
                for event in mine.ticket.events
                if event.kind in {lifecycle.Kind.REPLIED, lifecycle.Kind.RESOLVED}
            ]
            return jsonify(
                number=mine.ticket.number,
                state=lifecycle.state(mine.ticket).value,
                question=mine.wording,
                followers=len(lifecycle.followers(mine.ticket)),
                opened_at=mine.ticket.opened_at.isoformat(),
                withdrawn=mine.withdrawn_at is not None,
                news=lifecycle.has_news(mine),
                replies=replies,
                url=f"{base_url}/t/{token}",
            )

    @views.post("/<token>/<action>")
    def act(token: str, action: str) -> ResponseReturnValue:
        data = json_object()
        details, contact = text_of(data, "details", most=20_000, required=False), text_of(data, "contact", most=200, required=False)
        perform(services, token, action, details, contact)
        return jsonify(status="ok")

    return views
