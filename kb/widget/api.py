"""What the widget learns about its site when it is first opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, jsonify

from kb.web.origins import site
from kb.widget.sites import SiteInForce

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services


def blueprint(services: Services) -> Blueprint:
    """Return GET /api/v1/site."""
    views = Blueprint("site_api", __name__, url_prefix="/api/v1")

    @views.get("/site")
    def of_page() -> ResponseReturnValue:
        named = site() or SiteInForce("")
        published, readers = services.library.current(), named.readers()
        shown = {article.module for article in published.articles.values() if published.visible(article, readers)}
        return jsonify(
            site=named.name,
            theme=named.theme,
            anonymous=named.anonymous,
            signed=bool(named.keys),
            modules=[{"id": module.id, "name": module.name} for module in published.modules if module.id in shown],
        )

    return views
