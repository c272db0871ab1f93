"""Whether an article helped, from pages (with or without JavaScript) and the widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, jsonify, redirect, request
from werkzeug.http import parse_options_header

from kb.errors import InvalidRequestError, NotFoundError
from kb.reading.feedback import MAX_REASON, give
from kb.web.forms import json_object, text_of
from kb.web.visitor import person_named, visitor

if TYPE_CHECKING:
    from typing import Any

    from flask.typing import ResponseReturnValue

    from kb.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return POST /api/v1/feedback."""
    views = Blueprint("reading_api", __name__, url_prefix="/api/v1")

    @views.post("/feedback")
    def feedback() -> ResponseReturnValue:
        is_form = parse_options_header(request.headers.get("Content-Type"))[0] == "application/x-www-form-urlencoded"
        data: dict[str, Any] = {**request.form} if is_form else json_object()
        article, anchor = text_of(data, "article", most=200), text_of(data, "anchor", most=200, required=False)
        found = services.library.current().article(article, visitor().audience)
        if found is None:
            raise NotFoundError("没有这篇文章。")
        if anchor not in {section.anchor for section in found.sections}:
            anchor = ""  # of an earlier version, or made up: the word is on the article as a whole
        helpful = {"yes": True, "no": False}.get(str(data.get("helpful"))) if is_form else data.get("helpful")
        if not isinstance(helpful, bool):
            raise InvalidRequestError("bad_field", "helpful must be true or false")
        person = visitor().person or person_named(data.get("visitor"))
        if not person:
            raise InvalidRequestError("no_visitor", "send `visitor`, a random id that stays the same, so that one person has one voice")
        give(services.db, person, article, anchor, helpful=helpful, reason=text_of(data, "reason", most=MAX_REASON, required=False), now=services.now())
        if is_form:
            return redirect(f"/a/{article}?helpful={'yes' if helpful else 'no'}#feedback", 303)
        return jsonify(status="ok"), 201

    return views
