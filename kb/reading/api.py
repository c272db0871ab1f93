"""Articles for programs and the widget; whether one helped, also from pages (with or without JavaScript)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, jsonify, redirect, request
from werkzeug.http import parse_options_header

from kb.errors import InvalidRequestError, NotFoundError
from kb.reading import contract
from kb.reading.feedback import MAX_REASON, give
from kb.reading.passes import for_any_page
from kb.web.forms import clean, json_object, number_arg, text_of
from kb.web.openapi import described
from kb.web.visitor import sender, visitor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from flask.typing import ResponseReturnValue

    from indexer.article import Article
    from kb.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return /api/v1/articles, /api/v1/articles/<module>/<slug> and POST /api/v1/feedback."""
    views = Blueprint("reading_api", __name__, url_prefix="/api/v1")

    @views.get("/articles")
    @described(contract.ARTICLES)
    def articles() -> ResponseReturnValue:
        published, who = services.library.current(), visitor().audience
        limit, after = number_arg("limit", 50, 1, 100), clean(request.args.get("after", ""))
        module = request.args.get("module")
        ids = sorted(id_ for id_, one in published.articles.items() if id_ > after and module in {None, one.module} and published.visible(one, who))
        found = [_brief(published.articles[id_], services.config.base_url) for id_ in ids[:limit]]
        return jsonify(articles=found, next=ids[limit - 1] if len(ids) > limit else None)

    @views.get("/articles/<module>/<slug>")
    @described(contract.ARTICLE)
    def article(module: str, slug: str) -> ResponseReturnValue:
        published = services.library.current()
        found = published.article(f"{module}/{slug}", visitor().audience)
        if found is None:
            raise NotFoundError("没有这篇文章。它可能改名或撤下了，搜一下你要找的内容。")
        config, now = services.config, services.now()
        return jsonify(_whole(found, config.base_url, lambda html: for_any_page(html, published, config.secret_key, config.base_url, now)))

    @views.post("/feedback")
    @described(contract.FEEDBACK)
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
        person = sender(data.get("visitor"))
        if not person:
            raise InvalidRequestError("no_visitor", "send `visitor`, a random id that stays the same, so that one person has one voice")
        give(services.db, person, article, anchor, helpful=helpful, reason=text_of(data, "reason", most=MAX_REASON, required=False), now=services.now())
        if is_form:
            return redirect(f"/a/{article}?helpful={'yes' if helpful else 'no'}#feedback", 303)
        return jsonify(status="ok"), 201

    return views


def _brief(article: Article, base_url: str) -> dict[str, Any]:
    return {
        "article": article.id,
        "title": article.title,
        "module": article.module,
        "kind": article.kind,
        "url": f"{base_url}/a/{article.id}",
        "updated": article.changed,
    }


def _whole(article: Article, base_url: str, shown: Callable[[str], str]) -> dict[str, Any]:
    """Return an article in the form of the contract: `shown` makes HTML fit for any page."""
    sections = [{"anchor": one.anchor, "heading": one.heading, "level": one.level, "html": shown(one.html)} for one in article.sections]
    contents = [{"anchor": one.anchor, "heading": one.heading} for one in article.sections if one.anchor]
    return _brief(article, base_url) | {"sections": sections, "contents": contents}
