"""Signing in and out. A link is opened by GET and used by POST, so that a preview in a chat does not use it up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request

from kb.accounts import sign_in
from kb.accounts.roles import NAMES, Role
from kb.errors import KbError
from kb.web.forms import clean
from kb.web.visitor import session_cookie

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from werkzeug.wrappers import Response

    from kb.services import Services

_SAFE_NEXT = re.compile(r"/[a-z0-9](?:(?!//|\.\.)[a-zA-Z0-9/_.?=&%-])*")


def safe_next(target: str) -> str:
    """Return a path of ours to go on to, /desk for anything else: an open redirect lends our name to others' pages."""
    return target if _SAFE_NEXT.fullmatch(target) else "/desk"


def blueprint(services: Services) -> Blueprint:
    """Return /sign-in, /sign-in/<token> and /sign-out."""
    views = Blueprint("accounts", __name__)

    @views.get("/sign-in")
    def form() -> ResponseReturnValue:
        return render_template("accounts/sign_in.html", next=safe_next(request.args.get("next", "")), error="", name="")

    @views.post("/sign-in")
    def with_password() -> ResponseReturnValue:
        name, password = clean(request.form.get("name", ""))[:200], clean(request.form.get("password", ""))
        target, now = safe_next(request.form.get("next", "")), services.now()
        with services.db.read() as session:
            stored = sign_in.stored_password(session, name, now)
        right = sign_in.fits(stored, password)
        with services.db.write() as session:
            user = sign_in.note_try(session, name, now, right=right)
            token = sign_in.start_session(session, user, now) if user else ""
        if not token:
            return render_template("accounts/sign_in.html", next=target, error="姓名或密码不对。忘了密码，请让管理员运行 kb user link。", name=name), 403
        return _signed_in(token, target)

    @views.get("/sign-in/<token>")
    def open_link(token: str) -> ResponseReturnValue:
        with services.db.read() as session:
            _, user = sign_in.open_link(session, token, services.now())
            return render_template("accounts/link.html", user=user, role=NAMES[Role(user.role)] if user else NAMES[Role.ADMINISTRATOR], error="", name="")

    @views.post("/sign-in/<token>")
    def use_link(token: str) -> ResponseReturnValue:
        name, password, now = clean(request.form.get("name", "")), clean(request.form.get("password", "")), services.now()
        try:
            with services.db.write() as session:
                link, user = sign_in.open_link(session, token, now)
                if user is None:
                    user = sign_in.add_user(session, name, Role.ADMINISTRATOR.value, now)
                if password or link.user_id is None:
                    sign_in.set_password(user, password)
                link.used_at, link.user_id = now, user.id
                session_token = sign_in.start_session(session, user, now)
        except KbError as error:
            with services.db.read() as session:
                _, user = sign_in.open_link(session, token, now)
                role = NAMES[Role(user.role)] if user else NAMES[Role.ADMINISTRATOR]
                return render_template("accounts/link.html", user=user, role=role, error=str(error), name=name), 400
        return _signed_in(session_token, "/desk")

    @views.post("/sign-out")
    def leave() -> ResponseReturnValue:
        if token := request.cookies.get(session_cookie(services)):
            with services.db.write() as session:
                sign_in.end_session(session, token)
        response = redirect("/", 303)
        response.delete_cookie(session_cookie(services), path="/", secure=services.config.secure, httponly=True, samesite="Lax")
        return response

    def _signed_in(token: str, target: str) -> Response:
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

    return views
