"""The web application over its services."""

from __future__ import annotations

import hashlib
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

import kb.accounts.account
import kb.accounts.admin
import kb.accounts.pages
import kb.analytics.pages
import kb.analytics.supervision_pages
import kb.notifications.pages
import kb.reading.api
import kb.reading.pages
import kb.search.api
import kb.search.pages
import kb.tickets.api
import kb.tickets.desk
import kb.tickets.desk_ticket
import kb.tickets.pages
import kb.widget.admin
import kb.widget.api
import kb.widget.frame
import kb.widget.pages
from kb.accounts.roles import Right
from kb.tickets import shares
from kb.web import api_keys, authorisation, errors, headers, health, hosts, language, limits, openapi, origins
from kb.web import visitor as visitors
from kb.web.wording import ago, day, file_size, moment, public_kind, role_name, state_name

if TYPE_CHECKING:
    from kb.services import Services

_HERE = Path(__file__).parent


def create_app(services: Services) -> Flask:
    """Return the application. `services.config` must be prepared (it holds the secret key). Raises KbError when a route says not who may open it."""
    app = Flask(__name__, template_folder=str(_HERE.parent / "templates"), static_folder=str(_HERE / "static"))
    config = services.config
    app.config.update(
        SECRET_KEY=config.secret_key,
        SESSION_COOKIE_NAME="__Host-kb_form" if config.secure else "kb_form",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.secure,
        SEND_FILE_MAX_AGE_DEFAULT=31_536_000,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # ticket pages send no referrer; the token and SameSite cookies protect them
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    if config.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.proxies, x_proto=config.proxies, x_host=config.proxies)  # type: ignore[method-assign]
    origins.install(app, services)  # first, so that a registered site can read why it was refused
    limits.install(app, config)  # before all that refuses, so that what is refused is counted too
    hosts.install(app, config)
    origins.install_refusals(app, services)
    language.install(app)
    api_keys.install(app, services)
    visitors.install(app, services)
    limits.install_for_callers(app, config, _whose)
    api_keys.install_scopes(app)
    authorisation.install(app)
    headers.install(app, config)
    errors.install(app)
    csrf = CSRFProtect(app)
    for module in (kb.search.api, kb.reading.api, kb.tickets.api, kb.widget.api):
        views = module.blueprint(services)
        csrf.exempt(views)
        app.register_blueprint(views)
    for module in (
        kb.reading.pages,
        kb.search.pages,
        kb.tickets.pages,
        kb.tickets.desk,
        kb.tickets.desk_ticket,
        kb.analytics.pages,
        kb.analytics.supervision_pages,
        kb.accounts.pages,
        kb.accounts.account,
        kb.accounts.admin,
        kb.widget.admin,
        kb.widget.frame,
        kb.notifications.pages,
        health,
    ):
        app.register_blueprint(module.blueprint(services))
    app.register_blueprint(openapi.blueprint(config.base_url))
    app.register_blueprint(kb.widget.pages.blueprint(config.base_url))
    from_mails = kb.notifications.pages.unsubscribing(services)
    csrf.exempt(from_mails)
    app.register_blueprint(from_mails)
    authorisation.require_rows(app)
    openapi.require_descriptions(app)
    _equip_templates(app, services)
    return app


def _whose() -> str:
    """Return whose requests to the API are counted together: those of a server's key, or of a person; "" for those of nobody."""
    server = api_keys.caller()
    return f"key:{server.key}" if server is not None else visitors.visitor().person


def _equip_templates(app: Flask, services: Services) -> None:
    """Give templates what every page shows: assets by hash, times people read, who asks, and whether there is news for them."""
    app.jinja_env.filters["ago"] = ago
    app.jinja_env.filters["day"] = day
    app.jinja_env.filters["file_size"] = file_size
    app.jinja_env.filters["moment"] = partial(moment, zone=services.policies.hours.zone)
    app.jinja_env.filters["state_name"] = state_name
    app.jinja_env.filters["public_kind"] = public_kind
    app.jinja_env.filters["role_name"] = role_name
    app.jinja_env.filters["trusted"] = Markup  # only for HTML that nh3 or indexer.snippet made
    app.jinja_env.globals["asset"] = asset

    @app.context_processor
    def _shared() -> dict[str, Any]:
        found = visitors.visitor()
        return {
            "staff": found.staff,
            "may_desk": found.may(Right.DESK),
            "may_analytics": found.may(Right.ANALYTICS),
            "may_supervise": found.may(Right.SUPERVISE),
            "may_admin": found.may(Right.ADMIN),
            "csrf": generate_csrf,
            "outbox_troubles": lambda: kb.notifications.pages.troubles(services),
            "news": lambda: _news(services, found.person),
            "company": lambda: services.library.current().company,
        }


def _news(services: Services, person: str) -> int:
    """Return how many of a person's questions have a reply that they have not seen."""
    if not person:
        return 0
    with services.db.read() as session:
        return len(shares.with_news(session, person))


@cache
def asset(name: str) -> str:
    """Return the address of a static file with its content's hash, so that it may be kept for a year."""
    digest = hashlib.sha256((_HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
