"""管理: who may come in and as what, the settings in force, and who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request

from kb.accounts import audit, people, settings, sign_in
from kb.accounts.audit import COMMAND_LINE, DEED_NAMES, STRANGER, Choice, Deed
from kb.accounts.roles import NAMES, Right, Role, may
from kb.analytics.export import to_csv
from kb.errors import InvalidRequestError, KbError, NotFoundError
from kb.tickets.lifecycle import PUBLIC_KINDS
from kb.tickets.standing import LEVEL_NAMES, Kind
from kb.tickets.triage import CATEGORY_NAMES, PRIORITY_NAMES, Priority
from kb.web.forms import clean
from kb.web.visitor import signed_in
from kb.web.wording import event_name, timestamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from kb.accounts.audit import Entry
    from kb.accounts.models import User
    from kb.services import Services

_HEADER = ("时间", "谁", "做了什么", "对象", "详情")
_ROLES = {role.value: name for role, name in NAMES.items()}
_MEANT_FOR = {
    Role.AGENT: "接工单、回复、写文章草稿",
    Role.EDITOR: "同客服，主要写文章",
    Role.OPERATOR: "看分析和服务监督，不回复工单",
    Role.ADMINISTRATOR: "全部，包括人员、设置和操作记录",
    Role.ASKER: "只提问；不需要账号也能提问",
}
_DONE = {
    "change": "改好了。改了角色的，要重新登录；改了邮箱的，发到旧邮箱的链接已失效，还没设密码的会收到新的邀请。",
    "disable": "停用了：他已退出登录，也不能再登录。",
    "enable": "恢复了：可以用原来的密码登录。",
    "end": "他在所有地方都退出了登录。",
}
_TARGETS: Mapping[Kind, Mapping[str, str]] = {
    Kind.CATEGORISED: {category.value: name for category, name in CATEGORY_NAMES.items()},
    Kind.PRIORITISED: {priority.value: name for priority, name in PRIORITY_NAMES.items()},
    Kind.PUBLISHED: PUBLIC_KINDS,
    Kind.ESCALATED: {level.value: name for level, name in LEVEL_NAMES.items()},
}
"""What the target of an event is called; of other kinds it is a name already, or a ticket's number."""
_OTHER_TICKET = frozenset({Kind.MOVED_OUT, Kind.MOVED_IN, Kind.MERGED})


def blueprint(services: Services) -> Blueprint:
    """Return /admin, /admin/people, /admin/audit and what they post to."""
    views = Blueprint("admin", __name__)

    @views.get("/admin")
    def overview() -> ResponseReturnValue:
        policies = services.policies
        return render_template(
            "admin/overview.html",
            settings=settings.in_force(services.config),
            policies=policies,
            duration=lambda seconds, always: _duration(seconds, 86_400 if always else policies.hours.day, always=always),
            warning=policies.warning(services.now()),
            hours="、".join(f"{_clock(start)}–{_clock(end)}" for start, end in policies.hours.intervals),
            day_length=_in_full(policies.hours.day),
            raised=[(PRIORITY_NAMES[Priority(usual)], PRIORITY_NAMES[Priority(higher)]) for usual, higher in policies.month_end.raised.items()],
            month_end_modules=_module_names(services, policies.month_end.modules),
            levels=LEVEL_NAMES,
            mails=services.config.smtp is not None,
            unset=services.library.current().unset,
        )

    _add_people(views, services)
    _add_log(views, services)
    return views


def _add_people(views: Blueprint, services: Services) -> None:
    """Add the list of people, and a page for each."""

    @views.get("/admin/people")
    def everybody() -> ResponseReturnValue:
        return _everybody(services)

    @views.post("/admin/people")
    def invite() -> ResponseReturnValue:
        given = {name: clean(request.form.get(name, "")) for name in ("name", "role", "mail", "level")}
        try:
            if given["role"] not in _ROLES:
                raise InvalidRequestError("bad_field", "没有这种角色。请从列表里选择。")
            with services.db.write() as session:
                user, token = people.invite(
                    session, signed_in().name, given["name"], given["role"], mail=given["mail"], level=given["level"], now=services.now()
                )
                return _link_page(services, user, token)
        except KbError as error:
            return _everybody(services, error=str(error), given=given), 400

    @views.get("/admin/people/<int:person>")
    def one(person: int) -> ResponseReturnValue:
        with services.db.read() as session:
            return _person(services, session, people.find(session, person), done=_DONE.get(request.args.get("done", ""), ""))

    @views.get("/admin/people/<int:person>/<action>")
    def step_address(person: int, action: str) -> ResponseReturnValue:  # noqa: ARG001 - the address of a form, opened by reloading
        return redirect(f"/admin/people/{person}", 303)

    @views.post("/admin/people/<int:person>/<action>")
    def act(person: int, action: str) -> ResponseReturnValue:
        by, now, form = signed_in().name, services.now(), request.form
        try:
            with services.db.write() as session:
                user = people.find(session, person)
                if action == "change":
                    role, level, mail = (clean(form.get(name, "")) for name in ("role", "level", "mail"))
                    people.change(session, by, user, role=role, level=level, mail=mail, now=now)
                elif action == "link":
                    return _link_page(services, user, people.invite_again(session, by, user, now))
                elif action in _STEPS:
                    _STEPS[action](session, by, user, now)
                else:
                    raise NotFoundError("没有这个操作。请从这个人的页面上的按钮进入。")
        except InvalidRequestError as error:
            if isinstance(error, NotFoundError):
                raise
            with services.db.read() as session:
                return _person(services, session, people.find(session, person), error=str(error)), error.status
        return redirect(f"/admin/people/{person}?done={action}", 303)


def _add_log(views: Blueprint, services: Services) -> None:
    """Add who did what, on pages and as a table."""

    @views.get("/admin/audit")
    def log() -> ResponseReturnValue:
        choice = _choice()
        with services.db.read() as session:
            found = audit.page(session, choice, request.args.get("before", ""))
            names = [row.user.name for row in people.everybody(session, services.now())]
        address = urlencode({name: value for name, value in (("person", choice.person), ("deed", choice.deed)) if value})
        return render_template(
            "admin/audit.html",
            entries=[(entry, *_in_words(services, entry)) for entry in found.entries],
            onward=found.onward,
            choice=choice,
            names=[*names, COMMAND_LINE, STRANGER],
            deeds={audit.TICKETS: "工单里的操作"} | {deed.value: name for deed, name in DEED_NAMES.items()},
            address=address,
            paged="before" in request.args,
            exported=audit.EXPORTED,
        )

    @views.get("/admin/audit.csv")
    def export() -> ResponseReturnValue:
        with services.db.read() as session:
            found = audit.page(session, _choice(), rows=audit.EXPORTED)
        rows = [(timestamp(entry.at, services.policies.hours.zone), entry.actor, *_in_words(services, entry)) for entry in found.entries]
        with services.db.write() as session:
            audit.note(session, signed_in().name, Deed.EXPORTED, "audit.csv", "", services.now())
        return Response(to_csv(_HEADER, rows), mimetype="text/csv", headers={"Content-Disposition": "attachment; filename=audit.csv"})


def _in_words(services: Services, entry: Entry) -> tuple[str, str, str]:
    """Return what was done, to what, and the rest."""
    if entry.kind is None:
        return DEED_NAMES[entry.deed] if entry.deed else "", entry.object, entry.detail
    detail = entry.detail
    if entry.kind in _TARGETS:
        detail = _TARGETS[entry.kind].get(detail, detail)
    elif entry.kind is Kind.FILED:
        detail = next((module.name for module in services.library.current().modules if module.id == detail), detail)
    elif entry.kind in _OTHER_TICKET and detail:
        detail = f"T-{detail}"
    return event_name(entry.kind), f"T-{entry.number}", detail


def _everybody(services: Services, error: str = "", given: Mapping[str, str] | None = None) -> str:
    with services.db.read() as session:
        rows = people.everybody(session, services.now())
        return render_template(
            "admin/people.html",
            rows=rows,
            roles=_ROLES,
            meant_for=_MEANT_FOR,
            levels=LEVEL_NAMES,
            given=given or {"name": "", "role": Role.AGENT.value, "mail": "", "level": ""},
            error=error,
            now=services.now(),
        )


def _person(services: Services, session: Session, user: User, *, error: str = "", done: str = "") -> str:
    return render_template(
        "admin/person.html",
        user=user,
        sessions=sign_in.sessions_of(session, user.id, services.now()),
        roles=_ROLES,
        meant_for=_MEANT_FOR,
        levels=LEVEL_NAMES,
        me=user.name == signed_in().name,
        has_tickets=may(user.role, Right.DESK),
        error=error,
        done=done,
    )


def _link_page(services: Services, user: User, token: str) -> str:
    """Return the page that shows a secret address, once: it stands in no address, log or row."""
    return render_template(
        "admin/link.html",
        user=user,
        url=f"{services.config.base_url}/sign-in/{token}",
        mailed=user.mail and services.config.smtp is not None,
        days=sign_in.INVITATION_LIFE.days if sign_in.sets_password(token) else 0,
    )


_STEPS = {"disable": people.disable, "enable": people.enable, "end": people.end_sessions}


def _choice() -> Choice:
    return Choice(clean(request.args.get("person", "")).strip()[:80], clean(request.args.get("deed", "")).strip()[:40])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _in_full(seconds: float) -> str:
    """Return a number of hours and minutes: 7 小时 30 分钟."""
    hours, minutes = divmod(round(seconds / 60), 60)
    return " ".join(f"{number} {unit}" for number, unit in ((hours, "小时"), (minutes, "分钟")) if number)


def _module_names(services: Services, modules: Collection[str]) -> list[str]:
    """Return what people call modules, in the order of the home page; of those that have no articles any more their ids."""
    known = {module.id: module.name for module in services.library.current().modules}
    return [name for one, name in known.items() if one in modules] + sorted(one for one in modules if one not in known)


def _duration(seconds: float | None, day: float, *, always: bool) -> str:
    """Return a promised time in words: 30 分钟, 4 小时, 3 个工作日."""
    if seconds is None:
        return "不承诺"
    for unit, name in ((day, "天" if always else "个工作日"), (3600, "小时"), (60, "分钟")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 60:.0f} 分钟"
