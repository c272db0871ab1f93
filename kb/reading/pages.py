"""Home, modules, articles and their pictures."""

from __future__ import annotations

from datetime import timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING

from flask import Blueprint, Response, redirect, render_template, request, send_file
from sqlalchemy import func, select

from indexer.published import EVERYONE
from indexer.source import MEDIA_TYPES
from kb.errors import NotFoundError
from kb.reading import passes
from kb.search.answerability import Verdict
from kb.search.models import Intent
from kb.web.visitor import visitor

if TYPE_CHECKING:
    from pathlib import Path

    from flask.typing import ResponseReturnValue

    from indexer.article import Article
    from indexer.published import Audience, Published
    from kb.services import Services

_POPULAR = 8
_POPULAR_PERIOD = timedelta(days=30)
_RELATED = 4
_PICTURE_KEPT = 3600
"""Seconds for which a browser may keep a picture."""


def blueprint(services: Services) -> Blueprint:
    """Return /, /m/<module>, /a/<module>/<slug>, /media/<module>/<name> and the icon."""
    views = Blueprint("reading", __name__)

    @views.get("/")
    def home() -> ResponseReturnValue:
        published = services.library.current()
        by_module = articles_by_module(published, visitor().audience)
        return render_template(
            "reading/home.html", published=published, by_module=by_module, popular=popular(services, published), announcements=_announcements(published)
        )

    @views.get("/m/<module>")
    def module(module: str) -> ResponseReturnValue:
        published = services.library.current()
        known = next((one for one in published.modules if one.id == module), None)
        articles = articles_by_module(published, visitor().audience).get(module, [])
        if known is None or not articles:
            raise NotFoundError("没有这个模块，或者里面还没有文章。请从首页进入。")
        return render_template("reading/module.html", module=known, articles=articles)

    @views.get("/a/<module>/<slug>")
    def article(module: str, slug: str) -> ResponseReturnValue:
        published = services.library.current()
        found = published.article(f"{module}/{slug}", visitor().audience)
        if found is None:
            raise NotFoundError("没有这篇文章。它可能改名或撤下了，搜一下你要找的内容。")
        known = next((one for one in published.modules if one.id == module), None)
        return render_template("reading/article.html", article=found, module=known, related=related(published, found))

    @views.get("/media/<module>/<name>")
    def media(module: str, name: str) -> ResponseReturnValue:
        published, picture = services.library.current(), f"{module}/{name}"
        path = _picture((published.folder / "media").resolve(), module, name)
        kept = _kept_for(services, published, picture)
        if path is None or kept is None:
            raise NotFoundError("没有这张图片。")
        response: Response = send_file(path, mimetype=MEDIA_TYPES[path.suffix.lower()], conditional=True, max_age=kept)
        if not published.shows(picture, EVERYONE):
            response.cache_control.public = False  # what stands between us and one person's browser must not give it to the next
            response.cache_control.private = True
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    @views.get("/favicon.ico")
    def icon() -> ResponseReturnValue:
        return redirect("/static/icon.svg", 301)

    return views


def _kept_for(services: Services, published: Published, picture: str) -> int | None:
    """Return for how many seconds the browser of whoever asks may keep a picture, None when they may not see it: neither for who they are nor by a pass."""
    if published.shows(picture, visitor().audience):
        return _PICTURE_KEPT
    now = services.now()
    ends = passes.until(services.config.secret_key, picture, request.args.get(passes.NAME, ""), now)
    return None if ends is None else int((ends - now).total_seconds())


def _picture(folder: Path, module: str, name: str) -> Path | None:
    """Return a picture's file; None for a name that leads out of the folder, is of another kind, or is none that a file can have."""
    try:
        path = (folder / module / name).resolve(strict=True)
    except (OSError, ValueError):
        return None
    return path if path.is_relative_to(folder) and path.suffix.lower() in MEDIA_TYPES and path.is_file() else None


def articles_by_module(published: Published, audience: Audience) -> dict[str, list[Article]]:
    """Return the articles that these people may read, by module, tutorials first."""
    found: dict[str, list[Article]] = {module.id: [] for module in published.modules}
    for article in sorted(published.articles.values(), key=lambda one: (one.kind != "tutorial", one.id)):
        if published.visible(article, audience):
            found.setdefault(article.module, []).append(article)
    return found


def popular(services: Services, published: Published) -> list[str]:
    """Return what different people ask most and get answered, in the wording of an editor: nothing that a stranger typed stands on the home page.

    Filled up with the first question of each module while little is known.
    """
    audience, since = visitor().audience, services.now() - _POPULAR_PERIOD
    people = func.count(func.distinct(Intent.person))
    asked = (
        select(Intent.query)
        .where(Intent.at > since, Intent.verdict == Verdict.ANSWERED.value, Intent.superseded_by.is_(None), Intent.staff.is_(False))
        .group_by(Intent.key)
        .having(people > 2)  # noqa: PLR2004 - one or two people are not many
        .order_by(people.desc())
        .limit(5 * _POPULAR)
    )
    with services.db.read() as session:
        found = dict.fromkeys(wording for query in session.scalars(asked) if (wording := published.wording_of(query, audience)))
    per_module = (
        [article.questions[0] for article in articles if article.questions and article.kind == "faq"]
        for articles in articles_by_module(published, audience).values()
    )
    for row in zip_longest(*per_module):
        found.update(dict.fromkeys(question for question in row if question))
    return list(found)[:_POPULAR]


def _announcements(published: Published) -> list[Article]:
    return [article for article in published.articles.values() if article.kind == "announcement" and published.visible(article, visitor().audience)]


def related(published: Published, article: Article) -> list[Article]:
    """Return articles that search finds for this one's title and tags."""
    question = published.read(" ".join([article.title, *article.tags]))
    found: dict[str, Article] = {}
    for hit in published.search(question, limit=50, audience=visitor().audience):
        other = published.sections[hit.position].article
        if other.id != article.id:
            found[other.id] = other
    return list(found.values())[:_RELATED]
