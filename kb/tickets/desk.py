"""The desk's queue: who waits for what, narrowed and sorted by the address alone, with one step for many tickets."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, jsonify, redirect, render_template, request
from sqlalchemy import select

from indexer.build import last_outcome
from indexer.text import folded
from kb.accounts import sign_in
from kb.accounts.roles import Right
from kb.errors import InvalidRequestError
from kb.tickets import bulk, countdown, history, queue
from kb.tickets.bulk import Span
from kb.tickets.queue import Choice, Sort, View
from kb.tickets.standing import Kind, Level, State
from kb.tickets.triage import CATEGORY_NAMES, PRIORITY_NAMES, Category, Priority
from kb.web.forms import clean, number_arg
from kb.web.visitor import signed_in
from kb.web.wording import state_name
from kb.widget.models import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from kb.accounts.sign_in import Staff
    from kb.services import Services
    from kb.tickets.bulk import Done
    from kb.tickets.models import Ticket, TicketEvent

VIEWS = {
    View.OPEN: "待处理",
    View.NEAR: "快到或已超时",
    View.MINE: "我的",
    View.UNASSIGNED: "未分配",
    View.ASKED: "等待用户",
    View.SUGGESTED: "可能已回答",
    View.SILENT: "无人等待",
    View.DONE: "已结束",
    View.ALL: "全部",
}
SORTS = {Sort.URGENT: "紧急在前", Sort.DUE: "先到期在前", Sort.DEMAND: "等的人多在前", Sort.NEWEST: "新提的在前", Sort.RESTING: "最久没动在前"}
ESCALATED = {Level.SECOND: "已升级·二线", Level.MANAGER: "已升级·主管"}
"""What a row says of who looks at it besides; there is no room for more."""
RULES = {
    "answers": "“answers” 写的工单不对",
    "audience": "“audience” 写的人群不对",
    "company-key": "用了没有定义的公司信息",
    "company-unset": "公司信息还没有填",
    "damaged-text": "文字有乱码",
    "dead-link": "链接或图片找不到",
    "duplicate-question": "同一个问法写在两篇文章里",
    "duplicate-slug": "文件名重复",
    "editors-file": "设置文件写错了",
    "empty": "没有内容",
    "empty-section": "有标题下面没有内容",
    "encoding": "文件不是 UTF-8 编码",
    "front-matter": "文件开头的说明写错了",
    "heading": "标题的层级不对",
    "image-alt": "图片没有文字说明",
    "kind": "“kind” 写的种类不对",
    "length": "太长了",
    "list": "应该写成列表",
    "module": "没有这个模块",
    "modules": "“modules” 写的模块不对",
    "no-articles": "目录里没有文章",
    "owner": "“owner” 没有写或写错了",
    "path": "文件名或位置不对",
    "placeholder": "还有没写完的地方",
    "plain-text": "这里只能写普通文字",
    "question-not-found": "“questions” 里的问法搜不到这篇文章",
    "questions": "“questions” 的问法不对",
    "render": "正文的格式无法显示",
    "review-by": "“review_by” 的日期不对",
    "size": "文件太大",
    "symlink": "指到目录外面的链接不读",
    "title": "标题不对",
    "unknown-key": "开头有不认识的项目",
    "vocabulary": "词表写错了",
}
"""What each rule of the linter finds, for those who read no English; its own line stands below with the remedy."""
_PROBLEM = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): (?:error|warning) (?P<rule>[a-z-]+): ")
_NUMBER = re.compile(r"t ?-? ?(\d{1,18})", re.ASCII)
_NUMBERS = re.compile(r"\d{1,18}(?:-\d{1,18})*", re.ASCII)
_MAX_TEXT = 100
"""Characters of a search in the queue, or of a name in a filter."""
_MAX_BACK = 2_000
_MAX_NUMBER = 999_999_999


@dataclass(frozen=True, slots=True)
class Notice:
    """What the agent's last step came to: in words, what was refused and why, and whether it can be taken back."""

    text: str
    refused: list[tuple[int, str]]
    undo: str


def blueprint(services: Services) -> Blueprint:
    """Return /desk, /desk/bulk and /desk/counts."""
    views = Blueprint("desk", __name__)

    @views.get("/desk")
    def tickets() -> ResponseReturnValue:
        staff = signed_in()
        choice = _choice(staff)
        with services.db.read() as session:
            if named := _NUMBER.fullmatch(folded(choice.words)):
                return redirect(f"/desk/{history.find(session, int(named[1])).number}", 303)
            page = queue.page(session, choice, after=request.args.get("after", ""), before=request.args.get("before", ""))
            now = services.now()
            return render_template(
                "tickets/queue.html",
                page=page,
                counts=queue.counts(session, choice, _MAX_NUMBER),
                choice=choice,
                staff=staff,
                agents={name: name for name in sign_in.names_of_those_who_may(session, Right.DESK)},
                notice=_notice(session, staff),
                modules={module.id: module.name for module in services.library.current().modules},
                now=now,
                countdowns={ticket.number: countdown.of_row(ticket, services.policies, now) for ticket in page.tickets},
                marks=ESCALATED,
                views=VIEWS,
                sorts=SORTS,
                sites={name: name for name in session.scalars(select(Site.name).order_by(Site.name))},
                states={state.value: state_name(state) for state in State},
                categories={kind.value: name for kind, name in CATEGORY_NAMES.items()},
                priorities={kind.value: name for kind, name in PRIORITY_NAMES.items()},
                address=_address(choice),
                without=lambda name: _address(choice, **{name: ""}),
                waits_on=_waits_on,
                in_words=in_words,
                outcome=last_outcome(services.config.index),
                refusal=services.library.refusal,
            )

    @views.get("/desk/counts")
    def counts() -> ResponseReturnValue:
        choice = _choice(signed_in())
        with services.db.read() as session:
            found = queue.counts(session, choice, number_arg("since", 0, 0, _MAX_NUMBER))
        answer = jsonify(counts=found.views, new=found.new)
        answer.add_etag()
        return answer.make_conditional(request)

    @views.get("/desk/bulk")
    def bulk_address() -> ResponseReturnValue:
        """Lead whoever reloads a step for many, or signs in again on it, to the queue: an address takes no step."""
        return redirect("/desk", 303)

    @views.post("/desk/bulk")
    def many() -> ResponseReturnValue:
        staff, form = signed_in(), request.form
        with services.db.write() as session:
            if "undo" in form:
                done = bulk.undo(session, _span(form["undo"]), staff.name, services.now())
            else:
                deed = clean(form.get("now") or form.get("deed", ""))
                done = bulk.perform(session, [_ticked(value) for value in form.getlist("ticket")], deed, staff.name, services.now())
        return redirect(f"/desk?{_address_after(done, form.get('back', ''))}", 303)

    return views


def _choice(staff: Staff) -> Choice:
    return choice_of(request.args, staff.name)


def choice_of(address: Mapping[str, str], agent: str) -> Choice:
    """Return what an address asks for. Raises InvalidRequestError for a view, an order or a name of a list that there is none of."""
    asked = {name: clean(value).strip()[:_MAX_TEXT] for name, value in address.items()}
    view = asked.get("view") or View.OPEN
    sort = asked.get("sort") or _usual_sort(view)
    filters = {name: asked.get(name, "") for name in ("module", "category", "priority", "assignee", "state", "site")}
    for known, value in ((View, view), (Sort, sort), (Category, filters["category"]), (Priority, filters["priority"]), (State, filters["state"])):
        if value and value not in set[str](known):
            raise InvalidRequestError("unknown_view", "没有这样的工单列表。请从服务台上方选择。", 404)
    return Choice(agent, View(view), Sort(sort), words=asked.get("q", ""), **filters)


_USUAL: dict[str, Sort] = {View.NEAR: Sort.DUE, View.DONE: Sort.NEWEST}


def _usual_sort(view: str) -> Sort:
    return _USUAL.get(view, Sort.URGENT)


def _address(choice: Choice, **changes: str) -> str:
    """Return the part of an address that says which tickets are chosen, as short as can be. `MINE` alone is different for each who opens it."""
    said = asdict(choice) | changes
    said["q"] = said.pop("words")
    usual = {"agent": choice.agent, "view": View.OPEN, "sort": _usual_sort(choice.view)}
    return urlencode({name: value for name, value in said.items() if value and value != usual.get(name)})


def _address_after(done: Done, back: str) -> str:
    """Return the address of the page on which a step was taken, with what it came to."""
    said = {name: value for name, value in parse_qsl(back[:_MAX_BACK]) if name not in {"step", "refused"}}
    came_to = {"step": f"{done.span.first}-{done.span.last}", "refused": "-".join(map(str, dict.fromkeys(done.refused)))}
    return urlencode(said | {name: value for name, value in came_to.items() if value})


def _ticked(value: str) -> tuple[int, int | None]:
    """Return a ticket's number and the last event that was on the agent's screen; a value without one does not say what was seen."""
    number, _, seen = value.partition(".")
    if not _NUMBERS.fullmatch(f"{number}-{seen or 0}"):
        raise InvalidRequestError("bad_field", "工单编号不对。请在列表里勾选。")
    return int(number), int(seen) if seen else None


def _span(value: str) -> Span:
    first, _, last = value.partition("-")
    if not _NUMBERS.fullmatch(f"{first}-{last}"):
        raise InvalidRequestError("bad_field", "这一步不能撤销。可以在工单的“经过”里撤销。")
    return Span(int(first), int(last))


def _notice(session: Session, staff: Staff) -> Notice | None:
    """Return what the step in the address came to, None without one. Only the agent who took it is told."""
    step, refused = request.args.get("step", ""), request.args.get("refused", "")
    if not step:
        return None
    done = bulk.events(session, _span(step), staff.name)
    undo = step if bulk.may_be_undone(session, done) else ""
    numbers = [int(number) for number in refused.split("-")] if _NUMBERS.fullmatch(refused) else []
    return Notice(
        "" if numbers and not done else _told(done), [(number, why) for number, why in bulk.refusals(session, numbers[: bulk.MOST], staff.name)], undo
    )


def _told(done: Sequence[TicketEvent]) -> str:
    """Return in words what a step did."""
    undone = sum(event.kind == Kind.UNDONE for event in done)
    if undone:
        return f"已撤销 {undone} 张工单上的这一步。"
    told = [event for event in done if event.kind in _DEEDS]
    if not told:
        return "没有要改的。"
    what = _DEEDS[Kind(told[0].kind)](told[0].target)
    return f"{len(told)} 张工单已{what}。"


_DEEDS: dict[Kind, Callable[[str], str]] = {
    Kind.ASSIGNED: lambda name: f"交给{name}" if name else "改为无人接手",
    Kind.CATEGORISED: lambda category: f"改类别为“{CATEGORY_NAMES[Category(category)]}”",
    Kind.PRIORITISED: lambda priority: f"改优先级为“{PRIORITY_NAMES[Priority(priority)]}”",
    Kind.MERGED: lambda number: f"并入 T-{number}",
    Kind.SPAM: lambda _: "标为垃圾",
}


def in_words(problem: str) -> str:
    """Return where a linter's line points and what its rule finds: open/pay.md 第 3 行：标题不对。 "" for a line of another form."""
    found = _PROBLEM.match(problem)
    return f"{found['path']} 第 {found['line']} 行：{RULES.get(found['rule'], found['rule'])}。" if found else ""


def _waits_on(ticket: Ticket) -> str:
    """Return whose turn it is, where no time runs that says so."""
    if ticket.state in {State.WAITING, State.RESOLVED}:
        return "提问人"
    return "客服" if ticket.open and ticket.waiting else ""
