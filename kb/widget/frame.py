"""The search of a site as a page in a frame, for pages that may run no script of ours.

It reads only: a frame in another site's page has no cookie of ours, so nothing is asked there in anybody's name. Whoever wants to ask goes on to the help
centre in a window of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, make_response, render_template, request

from kb.errors import InvalidRequestError, NotFoundError
from kb.search.answer import answer
from kb.web.forms import clean
from kb.web.headers import framed_by
from kb.web.limits import MAX_URL

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services

_HITS = 5


def blueprint(services: Services) -> Blueprint:
    """Return GET /widget/frame."""
    views = Blueprint("site_frame", __name__)

    @views.get("/widget/frame")
    def frame() -> ResponseReturnValue:
        site = services.sites.current().by_name.get(request.args.get("site", ""))
        if site is None:
            raise NotFoundError("没有这个站点。请检查网页里 /widget/frame?site= 后面的站点名。")
        if len(request.query_string) > MAX_URL:
            raise InvalidRequestError("too_long", "问题太长了。请缩短到 400 字以内。")
        query = clean(request.args.get("q", "")).strip()
        published = services.library.current()
        said = answer(published, query, limit=_HITS, audience=site.readers()) if query and site.anonymous else None
        page = make_response(render_template("widget/frame.html", site=site, query=query, said=said, base_url=services.config.base_url))
        page.headers["Content-Security-Policy"] = framed_by(site.origins)
        return page

    return views
