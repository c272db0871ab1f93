"""Signing in and out, and asking for a new password. A link is opened by GET and used by POST, so that a preview in a chat does not use it up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request
from flask import session as form_cookie

from kb.accounts import audit, browsers, sign_in
from kb.accounts.audit import Deed
from kb.accounts.roles import NAMES, Right, Role, may
from kb.errors import InvalidRequestError, KbError
from kb.notifications import outbox
from kb.notifications.outbox import Topic
from kb.web import limits
from kb.web.forms import clean
from kb.web.visitor import session_cookie

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session
    from werkzeug.wrappers import Response

    from kb.accounts.models import User
    from kb.services import Services

_DESK = "/desk"
_SAFE_NEXT = re.compile(r"/[a-z0-9](?:(?!//|\.\.)[a-zA-Z0-9/_.?=&%-])*")


def safe_next(target: str) -> str:
    """Return a path of ours to go on to, /desk for anything else: an open redirect lends our name to others' pages."""
    return target if _SAFE_NEXT.fullmatch(target) else _DESK


def _first_page(role: str, target: str = _DESK) -> str:
    """Return where somebody goes on to after signing in: the desk only for those to whom it is open."""
    if target != _DESK or may(role, Right.DESK):
        return target
    return "/analytics" if may(role, Right.ANALYTICS) else "/mine"


def blueprint(services: Services) -> Blueprint:
    """Return /sign-in, /sign-in/<token>, /forgot and /sign-out."""
    views = Blueprint("accounts", __name__)

    @views.get("/sign-in")
    def form() -> ResponseReturnValue:
        return render_template("accounts/sign_in.html", next=safe_next(request.args.get("next", "")), error="", name="")

    @views.post("/sign-in")
    def with_password() -> ResponseReturnValue:
        name, password = clean(request.form.get("name", ""))[:200], clean(request.form.get("password", ""))
        target, now, source = safe_next(request.form.get("next", "")), services.now(), limits.source(services.config)
        with services.db.read() as session:
            stored = sign_in.stored_password(session, name, now, address=source)
        fitted = stored if sign_in.fits(stored, password) else ""
        with services.db.write() as session:
            user = sign_in.note_try(session, name, now, fitted=fitted, address=source)
            token = _begin(services, session, user, "密码") if user else ""
            target = _first_page(user.role, target) if user else target
        if not token:
            return render_template("accounts/sign_in.html", next=target, error="姓名或密码不对。", name=name), 403
        return _signed_in(services, token, target)

    _add_links(views, services)

    @views.post("/sign-out")
    def leave() -> ResponseReturnValue:
        if token := request.cookies.get(session_cookie(services)):
            with services.db.write() as session:
                found = sign_in.whose_session(session, token, services.now())
                if found is not None:
                    audit.note(session, found.user.name, Deed.SIGNED_OUT, "", "", services.now())
                sign_in.end_session(session, token)
        response = redirect("/", 303)
        response.delete_cookie(session_cookie(services), path="/", secure=services.config.secure, httponly=True, samesite="Lax")
        return response

    return views


def _add_links(views: Blueprint, services: Services) -> None:
    """Add what signs in by a link, and what sends one."""

    @views.get("/sign-in/<token>")
    def open_link(token: str) -> ResponseReturnValue:
        return _link_page(services, token, "", "")

    @views.post("/sign-in/<token>")
    def use_link(token: str) -> ResponseReturnValue:
        name, password, now = clean(request.form.get("name", "")), clean(request.form.get("password", "")), services.now()
        try:
            with services.db.write() as session:
                link, user = sign_in.open_link(session, token, now)
                if user is None:
                    user = sign_in.add_user(session, name, Role.ADMINISTRATOR.value, now)
                    audit.note(session, user.name, Deed.ADDED, user.name, NAMES[Role.ADMINISTRATOR], now)
                if password or link.user_id is None or sign_in.sets_password(token):
                    sign_in.set_password(user, password)
                    sign_in.end_sessions(session, user.id)
                    audit.note(session, user.name, Deed.PASSWORD, user.name, "", now)
                sign_in.use_link(session, link, user, now)
                session_token, role = _begin(services, session, user, "链接"), user.role
        except KbError as error:
            return _link_page(services, token, str(error), name)
        return _signed_in(services, session_token, _first_page(role))

    @views.get("/forgot")
    def forgotten() -> ResponseReturnValue:
        return render_template("accounts/forgot.html", sent=False, mails=services.config.smtp is not None)

    @views.post("/forgot")
    def ask_for_reset() -> ResponseReturnValue:
        who, now = clean(request.form.get("who", "")).strip()[:200], services.now()
        with services.db.write() as session:
            user = sign_in.ask_for_reset(session, who, now, address=limits.source(services.config))
            if user is not None:
                outbox.note_for(session, user.id, Topic.RESET, now)
                audit.note(session, audit.STRANGER, Deed.ASKED_RESET, user.name, "", now)
        return render_template("accounts/forgot.html", sent=True, mails=services.config.smtp is not None)


def _begin(services: Services, session: Session, user: User, how: str) -> str:
    """Return the secret of a new session; the one that this browser had before ends, whoever's it was."""
    sign_in.end_session(session, request.cookies.get(session_cookie(services), ""))
    audit.note(session, user.name, Deed.SIGNED_IN, "", how, services.now())
    return sign_in.start_session(session, user, services.now(), browser=browsers.in_words(request.user_agent.string))


def _signed_in(services: Services, token: str, target: str) -> Response:
    form_cookie.clear()  # forms from before somebody signed in are not theirs
    response = redirect(target, 303)
    response.set_cookie(
        session_cookie(services),
        token,
        max_age=int(sign_in.WHOLE_LIFE.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=services.config.secure,
        path="/",
    )
    return response


def _link_page(services: Services, token: str, error: str, name: str) -> ResponseReturnValue:
    with services.db.read() as session:
        try:
            _, user = sign_in.open_link(session, token, services.now())
        except InvalidRequestError as dead:
            founded = sign_in.has_administrator(session)
            return render_template("accounts/dead_link.html", mails=services.config.smtp is not None, founded=founded), dead.status
        page = render_template(
            "accounts/link.html",
            user=user,
            role=NAMES[Role(user.role)] if user else NAMES[Role.ADMINISTRATOR],
            sets_password=user is None or sign_in.sets_password(token),
            error=error,
            name=name,
        )
    return page, 400 if error else 200
