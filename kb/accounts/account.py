"""我的账号: who one is here, one's password, reminders, and where one is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request

from kb.accounts import audit, sign_in
from kb.accounts.audit import Deed
from kb.accounts.models import User
from kb.accounts.roles import Right, may
from kb.errors import InvalidRequestError, NotFoundError
from kb.tickets.standing import LEVEL_NAMES, Level
from kb.web import limits
from kb.web.forms import clean
from kb.web.visitor import session_cookie, signed_in

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services

_DONE = {
    "password": "密码改好了，其他地方的登录都已退出。",
    "reminders": "提醒的设置改好了。",
    "end": "那个登录已退出。",
    "others": "其他地方的登录都已退出。",
}


def blueprint(services: Services) -> Blueprint:
    """Return /account and its forms."""
    views = Blueprint("account", __name__)

    @views.get("/account")
    def page() -> ResponseReturnValue:
        return _page(services)

    @views.get("/account/<action>")
    def step_address(action: str) -> ResponseReturnValue:  # noqa: ARG001 - the address of a form, opened by reloading
        return redirect("/account", 303)

    @views.post("/account/<action>")
    def act(action: str) -> ResponseReturnValue:
        if action not in _STEPS:
            raise NotFoundError("没有这个操作。请从“我的账号”页面上的按钮进入。")
        try:
            _STEPS[action](services)
        except InvalidRequestError as error:
            if isinstance(error, NotFoundError):
                raise
            return _page(services, error=str(error)), error.status
        return redirect(f"/account?done={action}", 303)

    return views


def _page(services: Services, error: str = "") -> str:
    staff, here = signed_in(), sign_in.hashed(_cookie(services))
    with services.db.read() as session:
        user = session.get_one(User, staff.id)
        sessions = [(sign_in.session_key(one), one, one.token_hash == here) for one in sign_in.sessions_of(session, user.id, services.now())]
        return render_template(
            "accounts/account.html",
            user=user,
            level=LEVEL_NAMES[Level(user.level)],
            reminded=may(user.role, Right.DESK),
            sessions=sorted(sessions, key=lambda found: not found[2]),
            now=services.now(),
            error=error,
            done=_DONE.get(request.args.get("done", ""), ""),
        )


def _cookie(services: Services) -> str:
    return request.cookies.get(session_cookie(services), "")


def _change_password(services: Services) -> None:
    staff, now, source = signed_in(), services.now(), limits.source(services.config)
    old, new = clean(request.form.get("old", "")), clean(request.form.get("password", ""))
    with services.db.read() as session:
        had_one = bool(session.get_one(User, staff.id).password_hash)
        stored = sign_in.stored_password(session, staff.name, now, address=source)
    fitted = stored if sign_in.fits(stored, old) or not had_one else ""
    hashed = sign_in.password_hash(staff.name, new) if fitted else ""
    with services.db.write() as session:
        user = sign_in.note_try(session, staff.name, now, fitted=fitted, address=source)
        if user is not None:
            user.password_hash = hashed
            sign_in.end_sessions(session, user.id, but=_cookie(services))
            sign_in.void_links(session, user)
            audit.note(session, staff.name, Deed.PASSWORD, staff.name, "", now)
    if user is None:
        raise InvalidRequestError("bad_password", "现在的密码不对，没有改。忘了的话请退出登录，在登录页点“忘了密码”。", 403)


def _change_reminders(services: Services) -> None:
    with services.db.write() as session:
        session.get_one(User, signed_in().id).quiet = request.form.get("reminders", "") != "on"


def _end_one(services: Services) -> None:
    staff = signed_in()
    with services.db.write() as session:
        if not sign_in.end_session_of(session, staff.id, request.form.get("session", "")):
            raise NotFoundError("这个登录已经不在了。请回到“我的账号”看现在的列表。")
        audit.note(session, staff.name, Deed.ENDED_SESSIONS, staff.name, "一处", services.now())


def _end_others(services: Services) -> None:
    staff = signed_in()
    with services.db.write() as session:
        sign_in.end_sessions(session, staff.id, but=_cookie(services))
        sign_in.void_links(session, session.get_one(User, staff.id))
        audit.note(session, staff.name, Deed.ENDED_SESSIONS, staff.name, "其他所有", services.now())


_STEPS = {"password": _change_password, "reminders": _change_reminders, "end": _end_one, "others": _end_others}
