"""A ticket on the desk: one page on which an agent answers once for all who asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from flask import Blueprint, Response, jsonify, redirect, render_template, request

from indexer.published import EVERYONE
from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.tickets import alarms, countdown, dossier, history, lifecycle, presence, queue, unseen
from kb.tickets.desk import choice_of
from kb.tickets.draft import draft
from kb.tickets.models import Attachment, Follower
from kb.tickets.shares import MAX_TEXT
from kb.tickets.standing import LEVEL_NAMES, Level
from kb.tickets.steps import STEPS, UNTIL, Sent, take
from kb.tickets.triage import CATEGORY_NAMES, PRIORITY_NAMES, Category, Priority
from kb.web.downloads import download
from kb.web.forms import clean, number_arg
from kb.web.visitor import signed_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue

    from kb.accounts.sign_in import Staff
    from kb.services import Services
    from kb.tickets.models import Ticket

_MOST = 2**31 - 1
_LONGEST_VIEW = 400
"""Characters of the queue's address that a page carries along."""
_ALSO_PUBLIC, _ALSO_UNTIL = "answer", "7"
"""As what, and for how many days, a reply is made public by one tick."""
_IN_COMPOSER = ("reply", "resolve", "publish", "insert")
"""Steps whose text stands in the composer, to be sent from there again."""


def blueprint(services: Services) -> Blueprint:
    """Return /desk/<number> and what can be done there."""
    views = Blueprint("desk_ticket", __name__)

    @views.get("/desk/<int:number>")
    def ticket(number: int) -> ResponseReturnValue:
        staff = signed_in()
        sent = Sent(article=clean(request.args.get("article", "")), to=clean(request.args.get("to", "")))
        return _page(services, number, staff, sent, since=number_arg("since", _MOST, 0, _MOST))

    @views.post("/desk/<int:number>/<action>")
    def act(number: int, action: str) -> ResponseReturnValue:
        staff, sent = signed_in(), _sent()
        if action == "insert":
            return _page(services, number, staff, _with_canned(services, sent), step=action)
        try:
            with services.db.write() as session:
                take(session, services.library.current(), number, action, sent, staff, services.now(), services.policies.hours)
        except NotFoundError:
            raise
        except InvalidRequestError as error:
            since = sent.seen if isinstance(error, ConflictError) else None
            return _page(services, number, staff, sent, step=action, error=error, since=since), error.status
        if request.form.get("back") == "analytics":
            return redirect(f"/analytics?done={action}", 303)
        done = sent.mode if action == "reply" else action
        if sent.public and action in {"reply", "resolve"}:
            done += "-public"
        view = _view()
        return redirect(f"/desk/{number}?done={done}{f'&from={quote(view)}' if view else ''}", 303)

    @views.get("/desk/<int:number>/<action>")
    def step_address(number: int, action: str) -> ResponseReturnValue:
        """Lead whoever reloads the page of a step, or signs in again on it, to the ticket: an address takes no step."""
        if action not in STEPS and action != "insert":
            raise NotFoundError("没有这个操作。请从工单页上的按钮进入。")
        view = _view()
        return redirect(f"/desk/{number}{f'?from={quote(view)}' if view else ''}", 303)

    _add_reads(views, services)
    return views


def _add_reads(views: Blueprint, services: Services) -> None:
    """Add what is only read beside the page: the draft, all people, files, and who else is here."""

    @views.get("/desk/<int:number>/draft.md")
    def markdown(number: int) -> ResponseReturnValue:
        with services.db.read() as session:
            text = draft(history.find(session, number), services.now().date())
        return Response(text, mimetype="text/markdown", headers={"Content-Disposition": f"attachment; filename=t-{number}.md"})

    @views.get("/desk/<int:number>/people")
    def people(number: int) -> ResponseReturnValue:
        with services.db.read() as session:
            found = history.find(session, number)
            shown = dossier.people(session, found, after=number_arg("after", 0, 0, _MOST))
            more = shown[-1].share.id if len(shown) == dossier.PEOPLE_A_PAGE else None
            return render_template("tickets/desk_people.html", ticket=found, people=shown, more=more, view=_view())

    @views.get("/desk/<int:number>/files/<int:file>")
    def file(number: int, file: int) -> ResponseReturnValue:
        with services.db.read() as session:
            stored = session.get(Attachment, file) if file <= _MOST else None
            share = session.get(Follower, stored.follower_id) if stored is not None else None
            if stored is None or share is None or share.ticket_number != number:
                raise NotFoundError("没有这个文件：提问人可能已删掉它，或者它已按期清除。")
            return download(services.files, stored)

    @views.get("/desk/<int:number>/watch")
    def watch(number: int) -> ResponseReturnValue:
        """Note that somebody looks at a ticket, and tell who else does and what happened since event `seen`."""
        staff, now = signed_in(), services.now()
        seen, writing = number_arg("seen", 0, 0, _MOST), request.args.get("writing") == "1"
        with services.db.read() as session:
            found = history.find(session, number)
            news = unseen.news_since(found, staff.name, seen)
            here = presence.in_words(presence.others(session, number, staff.name, now))
            noted = presence.is_noted(session, number, staff.name, now, writing=writing)
            told = unseen.told(news[-1]) if news else ""
        if not noted:
            with services.db.write() as session:
                presence.note(session, number, staff.name, now, writing=writing)
        return jsonify(here=here, news=told + (f"，还有另外 {len(news) - 1} 件事" if len(news) > 1 else ""))


def _in_words(error: InvalidRequestError, sent: Sent) -> str:
    """Return what an agent is told of a refusal: that their words are still there only when there are some."""
    kept = "先看看下面的经过；你写的内容还在，确认后可以再发一次。"
    return str(error) if sent.body.strip() else str(error).replace(kept, "先看看下面的经过。")


_STILL: dict[str, Callable[[str], str]] = {
    "assign": lambda name: f"交给“{name}”" if name else "改处理人",
    "category": lambda value: f"改为“{CATEGORY_NAMES[Category(value)]}”" if value in CATEGORY_NAMES else "改类别",
    "priority": lambda value: f"改为“{PRIORITY_NAMES[Priority(value)]}”" if value in PRIORITY_NAMES else "改优先级",
    "module": lambda _: "改模块",
    "escalate": lambda level: f"升级给{LEVEL_NAMES[Level(level)]}" if level in set(Level) else "升级",
    "split": lambda _: "拆成新工单",
    "move": lambda _: "移过去",
    "merge": lambda _: "并过去",
    "spam": lambda _: "标为垃圾",
    "undo": lambda _: "撤销",
    "retire": lambda _: "撤下",
    "republish": lambda _: "重新公开",
    "extend": lambda _: "延长",
    "dismiss": lambda _: "忽略这个建议",
    "reopen": lambda _: "重新打开",
    "resolve": lambda _: "解决",
}
"""What the button says that takes a refused step after all, after 仍然."""


_OUR_OWN = "."
"""What stands for our own pages among the names of sites in a form."""


def _sent() -> Sent:
    """Return what a form of the page sent."""
    form = request.form
    seen, event = form.get("seen", ""), form.get("event", "")
    texts = {name: clean(form.get(name, "")) for name in ("body", "to", "public", "until", "day", "target")}
    mode = form.get("mode", "reply")
    if mode == "reply" and form.get("also") == "public" and not texts["public"]:
        texts |= {"public": _ALSO_PUBLIC, "until": _ALSO_UNTIL}
    return Sent(
        mode=mode,
        article=clean(form.get("article", "")).strip(),
        value=clean(form["value"]).strip() if "value" in form else None,
        phrasings=tuple(map(int, filter(_is_number, form.getlist("phrasing")))),
        event=int(event) if _is_number(event) else 0,
        seen=int(seen) if _is_number(seen) else None,
        sites=frozenset("" if site == _OUR_OWN else site for site in clean(form["sites"]).split()) if "sites" in form else None,
        **texts,
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text[:10]) <= _MOST and len(text) <= len(str(_MOST))


def _view() -> str:
    """Return the part of the queue's address that says which view the agent came from, "" when they came from elsewhere."""
    return clean(request.values.get("from", ""))[:_LONGEST_VIEW]


def _with_canned(services: Services, sent: Sent) -> Sent:
    """Put the chosen canned reply below what was typed: what the script does at the cursor."""
    chosen = next((reply.text for reply in services.library.current().replies if reply.id == request.form.get("canned")), "")
    return replace(sent, body="\n\n".join(filter(None, (sent.body.rstrip(), chosen)))[:MAX_TEXT])


def _page(
    services: Services,
    number: int,
    staff: Staff,
    sent: Sent,
    *,
    step: str = "",
    error: InvalidRequestError | None = None,
    since: int | None = None,
) -> str:
    """Return a ticket's page; after an error with what the agent had typed, and what they had not seen (after event `since`) marked as new."""
    published, now = services.library.current(), services.now()
    with services.db.read() as session:
        found = dossier.read(session, published, number, staff.name, now, since=since, to=sent.to, whole=request.args.get("history") == "all")
        articles = sorted((one for one in published.articles.values() if published.visible(one, EVERYONE)), key=lambda one: one.id)
        before, after = queue.neighbours(session, choice_of(dict(parse_qsl(_view())), staff.name), found.ticket)
        again = [(name, value) for name, value in request.form.items(multi=True) if name not in {"csrf_token", "seen"}]
        return render_template(
            "tickets/desk_ticket.html",
            it=found,
            ticket=found.ticket,
            times=countdown.of_ticket(found.ticket, services.policies, now),
            unreached=alarms.unreached(found.ticket),
            month_end=services.policies.month_end,
            levels={level.value: name for level, name in LEVEL_NAMES.items() if name and not _looks(found.ticket, level)},
            level=LEVEL_NAMES[Level(found.ticket.escalated)],
            articles=articles,
            agents={name: name for name in found.agents},
            staff=staff,
            sent=sent,
            step=step,
            composed=step in _IN_COMPOSER,
            error=_in_words(error, sent) if error else "",
            still=_STILL[step](sent.value or "") if step in _STILL else "",
            again=again if isinstance(error, ConflictError) and any(entry.new for entry in found.entries) else None,
            retired=lifecycle.retired_public_reply(found.ticket, now),
            before=before,
            after=after,
            done=request.args.get("done", "") if request.method == "GET" else "",
            view=_view(),
            until=UNTIL,
            public_kinds=lifecycle.PUBLIC_KINDS,
            categories={category.value: name for category, name in CATEGORY_NAMES.items()},
            priorities={priority.value: name for priority, name in PRIORITY_NAMES.items()},
        )


def _looks(ticket: Ticket, level: Level) -> bool:
    """Tell whether a level, or one above it, looks at a ticket already."""
    levels = list(Level)
    return levels.index(Level(ticket.escalated)) >= levels.index(level)
