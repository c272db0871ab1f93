"""服务监督 as a page, the complaint sheets, and both as tables for a spreadsheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template, request

from kb.accounts import audit
from kb.accounts.audit import Deed
from kb.accounts.roles import Right
from kb.analytics import supervision
from kb.analytics.export import to_csv
from kb.analytics.supervision import Span
from kb.tickets.standing import LEVEL_NAMES
from kb.tickets.triage import CATEGORY_NAMES, PRIORITY_NAMES, Category, Priority
from kb.web.visitor import signed_in, visitor
from kb.web.wording import state_name, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from flask.typing import ResponseReturnValue

    from kb.analytics.metrics import Rate
    from kb.analytics.supervision import Figures, Period, Report, Served, Step
    from kb.services import Services
    from kb.tickets.sla import Clock, Promise

SPAN_NAMES = {Span.THIS_MONTH: "本月", Span.LAST_MONTH: "上月", Span.RECENT: "最近 30 天"}
MOST_LATE = 200
"""Tickets in the list of what is late; more are counted."""
_IN_SIGHT = 20
"""Tickets of that list that are seen without opening it."""
_TABLE = (
    "范围",
    "名称",
    "在等",
    "即将超时",
    "已超时",
    "新进",
    "首次回复超时",
    "已回复或已超时",
    "首次回复超时率%",
    "首次回复中位数(分钟)",
    "首次回复九成以内(分钟)",
    "解决超时",
    "已解决或已超时",
    "解决超时率%",
    "重新打开",
    "已解决",
    "重新打开率%",
    "评价数",
    "平均分",
    "4 分以上",
    "满意率%",
)
_TICKETS = (
    "工单",
    "问题",
    "模块",
    "客服",
    "类别",
    "优先级",
    "人数",
    "状态",
    "承诺",
    "开始等待",
    "首次回复",
    "首次回复用时(分钟)",
    "首次回复承诺(分钟)",
    "首次回复超时",
    "解决",
    "解决用时(分钟)",
    "解决承诺(分钟)",
    "解决超时",
    "又打开",
)
_COMPLAINTS = (
    "工单",
    "问题",
    "模块",
    "客服",
    "人数",
    "状态",
    "收到",
    "首次回复期限",
    "首次回复",
    "回复超时",
    "升级给",
    "升级期限",
    "升级",
    "升级超时",
    "解决期限",
    "解决",
    "解决超时",
    "评分",
)


def blueprint(services: Services) -> Blueprint:
    """Return /supervision, its complaint sheets and its tables."""
    views, zone = Blueprint("supervision", __name__), services.policies.hours.zone

    def reported() -> tuple[Report, Period, dict[str, str]]:
        now, policies = services.now(), services.policies
        within = supervision.period(request.args.get("period", ""), now, policies.hours.zone)
        with services.db.read() as session:
            found = supervision.report(session, policies, within, now)
        return found, within, {module.id: module.name for module in services.library.current().modules}

    def page(template: str) -> str:
        found, within, modules = reported()
        return render_template(
            template,
            report=found,
            period=within,
            spans=SPAN_NAMES,
            modules=modules,
            levels=LEVEL_NAMES,
            lists=[found.late[:_IN_SIGHT], found.late[_IN_SIGHT:MOST_LATE]],
            most=MOST_LATE,
            now=services.now(),
            warning=services.policies.warning(services.now()),
            may_open=visitor().may(Right.DESK),
            spent=spent,
            promised=promised,
            day=services.policies.hours.day,
        )

    def table(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
        with services.db.write() as session:
            audit.note(session, signed_in().name, Deed.EXPORTED, name, "", services.now())
        return Response(to_csv(header, rows), mimetype="text/csv", headers={"Content-Disposition": f"attachment; filename={name}"})

    @views.get("/supervision")
    def overview() -> ResponseReturnValue:
        return page("analytics/supervision.html")

    @views.get("/supervision/complaints")
    def complaints() -> ResponseReturnValue:
        return page("analytics/complaints.html")

    @views.get("/supervision/figures.csv")
    def figures_table() -> ResponseReturnValue:
        found, within, modules = reported()
        rows = [_figures_row("全部", SPAN_NAMES[within.span], found.total)]
        rows += [_figures_row("模块", modules.get(name, name or "未归类"), each) for name, each in found.modules]
        rows += [_figures_row("客服", name or "没有人接手", each) for name, each in found.agents]
        return table("supervision.csv", _TABLE, rows)

    @views.get("/supervision/tickets.csv")
    def tickets_table() -> ResponseReturnValue:
        found, _, modules = reported()
        return table("supervision-tickets.csv", _TICKETS, [_ticket_row(one, modules, zone) for one in found.begun])

    @views.get("/supervision/complaints.csv")
    def complaints_table() -> ResponseReturnValue:
        found, _, modules = reported()
        rows = [
            (
                *_which(each.served, modules),
                each.served.people,
                state_name(each.served.around.state),
                _time(each.served.around.began, zone),
                *_step(each.answered, zone),
                LEVEL_NAMES[each.level],
                *_step(each.escalated, zone),
                *_step(each.solved, zone),
                "、".join(str(points) for points in each.satisfaction),
            )
            for each in found.complaints
        ]
        return table("complaints.csv", _COMPLAINTS, rows)

    return views


def spent(seconds: float, day: float = 0.0) -> str:
    """Return a duration as people say it: 45 分钟, 3 小时 5 分钟; in working days of `day` seconds as well, unless that is 0: 2 个工作日 3 小时."""
    days, rest = divmod(round(seconds / 60), round(day / 60)) if day else (0, round(seconds / 60))
    hours, minutes = divmod(rest, 60)
    units = ((days, "个工作日"), (hours, "小时"), (minutes, "分钟"))
    return " ".join(f"{count} {unit}" for count, unit in units if count) or "0 分钟"


def promised(promise: Promise, day: float) -> str:
    """Return what is promised as people say it: 15 分钟内回复，3 个工作日内解决. `day`: the business seconds of a working day."""
    counted = 0.0 if promise.always else day
    steps = ((promise.respond, "回复"), (promise.escalate, f"{LEVEL_NAMES[promise.level]}介入"), (promise.resolve, "解决"))
    return "，".join(f"{spent(seconds, counted)}内{what}" for seconds, what in steps if seconds)


def _figures_row(kind: str, name: str, each: Figures) -> tuple[object, ...]:
    return (
        kind,
        name,
        each.waiting,
        each.near,
        each.late,
        each.begun,
        *_rate(each.response_late),
        _number(each.response_median),
        _number(each.response_most),
        *_rate(each.resolution_late),
        *_rate(each.reopened),
        each.ratings,
        _number(each.mean),
        each.satisfied.part,
        _number(each.satisfied.percent),
    )


def _ticket_row(one: Served, modules: dict[str, str], zone: ZoneInfo) -> tuple[object, ...]:
    around, clocks = one.around, one.clocks
    return (
        *_which(one, modules),
        CATEGORY_NAMES[Category(around.category)] if around.category else "",
        PRIORITY_NAMES[Priority(around.priority)] if around.priority else "",
        one.people,
        state_name(around.state),
        clocks.promise.name,
        _time(around.began, zone),
        *_clock(clocks.response, zone),
        *_clock(clocks.resolution, zone),
        _yes(one.reopened),
    )


def _which(one: Served, modules: dict[str, str]) -> tuple[str, str, str, str]:
    return f"T-{one.number}", one.question, modules.get(one.around.module, one.around.module), one.around.assignee


def _clock(clock: Clock, zone: ZoneInfo) -> tuple[object, ...]:
    return _time(clock.met_at, zone), _number(clock.used / 60), _number(clock.target and clock.target / 60), _yes(clock.late)


def _step(step: Step, zone: ZoneInfo) -> tuple[str, str, str]:
    return _time(step.due_at, zone), _time(step.done_at, zone), _yes(step.late)


def _rate(rate: Rate) -> tuple[int, int, str]:
    return rate.part, rate.whole, _number(rate.percent)


def _number(value: float | None) -> str:
    """Return a number with one decimal at most; nothing for what was not counted, which is not 0."""
    return "" if value is None else f"{value:.1f}".removesuffix(".0")


def _time(at: datetime | None, zone: ZoneInfo) -> str:
    return timestamp(at, zone) if at else ""


def _yes(value: bool) -> str:  # noqa: FBT001 - a cell
    return "是" if value else ""
