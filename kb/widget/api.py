"""What the widget learns about its site when it is first opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, jsonify

from kb.web.openapi import Answer, Operation, described, flag, listed, record, text
from kb.web.origins import site
from kb.widget.sites import SiteInForce

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services

_SITE = Operation(
    "What the widget learns about its site when it is first opened",
    {
        200: Answer(
            "The site that X-Zhida-Site names.",
            record(
                {
                    "site": text("Its name, empty when none is named."),
                    "theme": text("How the widget looks.", one_of=("auto", "light", "dark")),
                    "anonymous": flag("People may ask without a signed identity."),
                    "signed": flag("The site has keys to sign identities with."),
                    "modules": listed(record({"id": text("Module."), "name": text("What people call it.")})),
                }
            ),
        )
    },
    scope=None,
)


def blueprint(services: Services) -> Blueprint:
    """Return GET /api/v1/site."""
    views = Blueprint("site_api", __name__, url_prefix="/api/v1")

    @views.get("/site")
    @described(_SITE)
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
