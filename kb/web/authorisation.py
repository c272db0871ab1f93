"""Who may open what: one table of every route, looked at before any view runs. What has no row is denied, and the program does not start with it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from flask import request

from kb.accounts.roles import Right
from kb.errors import KbError, NotFoundError
from kb.web.visitor import require, signed_in

if TYPE_CHECKING:
    from flask import Flask


class Gate(StrEnum):
    """Who may open what needs no right: everybody, or whoever has signed in.

    Whatever else they must hold (a ticket's secret address, a picture's pass) its view looks at.
    """

    PUBLIC = "public"
    SIGNED_IN = "signed_in"


NEEDS: dict[str, Right | Gate] = {
    "static": Gate.PUBLIC,
    "health.healthz": Gate.PUBLIC,
    "health.readyz": Gate.PUBLIC,
    "health.metrics": Gate.PUBLIC,
    "reading.home": Gate.PUBLIC,
    "reading.module": Gate.PUBLIC,
    "reading.article": Gate.PUBLIC,
    "reading.media": Gate.PUBLIC,
    "reading.icon": Gate.PUBLIC,
    "openapi.description": Gate.PUBLIC,
    "reading_api.articles": Gate.PUBLIC,
    "reading_api.article": Gate.PUBLIC,
    "reading_api.feedback": Gate.PUBLIC,
    "search.search": Gate.PUBLIC,
    "search.submit": Gate.PUBLIC,
    "search_api.search": Gate.PUBLIC,
    "search_api.intents": Gate.PUBLIC,
    "search_api.suggest": Gate.PUBLIC,
    "search_api.suggestions": Gate.PUBLIC,
    "site_api.of_page": Gate.PUBLIC,
    "site_frame.frame": Gate.PUBLIC,
    "widget.script": Gate.PUBLIC,
    "widget.texts": Gate.PUBLIC,
    "widget.demo": Gate.PUBLIC,
    "tickets.mine": Gate.PUBLIC,
    "tickets.ticket": Gate.PUBLIC,
    "tickets.back": Gate.PUBLIC,
    "tickets.act": Gate.PUBLIC,
    "tickets.add_files": Gate.PUBLIC,
    "tickets.open_file": Gate.PUBLIC,
    "tickets.remove": Gate.PUBLIC,
    "tickets_api.tickets": Gate.PUBLIC,
    "tickets_api.open_": Gate.PUBLIC,
    "tickets_api.ticket": Gate.PUBLIC,
    "tickets_api.act": Gate.PUBLIC,
    "tickets_api.add_file_": Gate.PUBLIC,
    "tickets_api.remove": Gate.PUBLIC,
    "desk.tickets": Right.DESK,
    "desk.counts": Right.DESK,
    "desk.bulk_address": Right.DESK,
    "desk.many": Right.DESK,
    "desk_ticket.ticket": Right.DESK,
    "desk_ticket.act": Right.DESK,
    "desk_ticket.step_address": Right.DESK,
    "desk_ticket.markdown": Right.DESK,
    "desk_ticket.people": Right.DESK,
    "desk_ticket.file": Right.DESK,
    "desk_ticket.watch": Right.DESK,
    "analytics.page": Right.ANALYTICS,
    "analytics.export": Right.ANALYTICS,
    "supervision.overview": Right.SUPERVISE,
    "supervision.complaints": Right.SUPERVISE,
    "supervision.figures_table": Right.SUPERVISE,
    "supervision.tickets_table": Right.SUPERVISE,
    "supervision.complaints_table": Right.SUPERVISE,
    "accounts.form": Gate.PUBLIC,
    "accounts.with_password": Gate.PUBLIC,
    "accounts.open_link": Gate.PUBLIC,
    "accounts.use_link": Gate.PUBLIC,
    "accounts.forgotten": Gate.PUBLIC,
    "accounts.ask_for_reset": Gate.PUBLIC,
    "accounts.leave": Gate.PUBLIC,
    "account.page": Gate.SIGNED_IN,
    "account.act": Gate.SIGNED_IN,
    "account.step_address": Gate.SIGNED_IN,
    "admin.overview": Right.ADMIN,
    "admin.everybody": Right.ADMIN,
    "admin.invite": Right.ADMIN,
    "admin.one": Right.ADMIN,
    "admin.act": Right.ADMIN,
    "admin.step_address": Right.ADMIN,
    "admin.log": Right.ADMIN,
    "admin.export": Right.ADMIN,
    "sites_admin.everything": Right.ADMIN,
    "sites_admin.add": Right.ADMIN,
    "sites_admin.one": Right.ADMIN,
    "sites_admin.act": Right.ADMIN,
    "sites_admin.step_address": Right.ADMIN,
    "outbox.page": Right.DESK,
    "outbox.retry_all": Right.DESK,
    "outbox.act": Right.DESK,
    "unsubscribe.ask": Gate.PUBLIC,
    "unsubscribe.leave": Gate.PUBLIC,
}
"""What each endpoint needs. A new route gets its row here, and its outcomes for the whole cast in tests/kb/test_authorisation.py."""


def install(app: Flask) -> None:
    """Let nobody past without what the table asks for: strangers are sent to sign in, for others the page does not exist."""

    @app.before_request
    def _admit() -> None:
        if request.endpoint is None:
            return  # no such address: the router says so
        needed = NEEDS.get(request.endpoint)
        if isinstance(needed, Right):
            require(needed)
        elif needed is Gate.SIGNED_IN:
            signed_in()
        elif needed is not Gate.PUBLIC:
            raise NotFoundError("没有这一页。")


def require_rows(app: Flask) -> None:
    """Raise KbError when a route has no row or a row has no route."""
    routes = {rule.endpoint for rule in app.url_map.iter_rules()}
    if missing := sorted(routes - set(NEEDS)):
        raise KbError(f"nobody said who may open {', '.join(missing)}: add a row for each to NEEDS in kb/web/authorisation.py")
    if left := sorted(set(NEEDS) - routes):
        raise KbError(f"NEEDS in kb/web/authorisation.py has rows without a route: {', '.join(left)}; take them out")


def is_public() -> bool:
    """Tell whether everybody may open what is asked for."""
    return NEEDS.get(request.endpoint or "", Gate.PUBLIC) is Gate.PUBLIC
