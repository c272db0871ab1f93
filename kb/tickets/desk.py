"""The desk: agents see who waits for what, answer once for all who asked, and turn answers into articles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, redirect, render_template, request

from indexer.build import last_outcome
from indexer.published import EVERYONE
from kb.accounts.roles import Right
from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.search.answer import answer
from kb.tickets import lifecycle
from kb.tickets.draft import draft
from kb.web.forms import clean
from kb.web.visitor import require

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.accounts.sign_in import Staff
    from kb.services import Services

VIEWS = {"open": "待处理", "silent": "无人等待", "done": "已解决", "all": "全部"}


def blueprint(services: Services) -> Blueprint:
    """Return /desk and /desk/<number>."""
    views = Blueprint("desk", __name__)

    @views.get("/desk")
    def queue() -> ResponseReturnValue:
        require(Right.DESK)
        view = request.args.get("view", "open")
        if view not in VIEWS:
            raise InvalidRequestError("unknown_view", "没有这个视图。请从工单列表上方选择。", 404)
        with services.db.read() as session:
            unsolved = lifecycle.by_demand(lifecycle.open_tickets(session))
            waited_for = [ticket for ticket in unsolved if lifecycle.waiting(ticket)]
            silent = [ticket for ticket in unsolved if not lifecycle.waiting(ticket)]
            done = lifecycle.closed_tickets(session) if view in {"done", "all"} else []
            shown = {"open": waited_for, "silent": silent, "done": done, "all": [*unsolved, *done]}[view]
            total = sum(lifecycle.decisions(session).values())
            counts = {"open": len(waited_for), "silent": len(silent), "done": total - len(unsolved), "all": total}
            modules = {module.id: module.name for module in services.library.current().modules}
            return render_template(
                "tickets/queue.html",
                tickets=shown,
                view=view,
                views=VIEWS,
                counts=counts,
                modules=modules,
                lifecycle=lifecycle,
                outcome=last_outcome(services.config.index),
                refusal=services.library.refusal,
            )

    @views.get("/desk/<int:number>")
    def ticket(number: int) -> ResponseReturnValue:
        return _page(services, number, require(Right.DESK))

    @views.post("/desk/<int:number>/<action>")
    def act(number: int, action: str) -> ResponseReturnValue:
        staff = require(Right.DESK)
        body, article = clean(request.form.get("body", "")), clean(request.form.get("article", "")).strip()
        try:
            _perform(services, number, action, staff, body=body, article=article)
        except (InvalidRequestError, ConflictError) as error:
            if isinstance(error, NotFoundError):
                raise
            return _page(services, number, staff, error=str(error), body=body, chosen=article), error.status
        back = "/analytics" if request.form.get("back") == "analytics" else f"/desk/{number}"
        return redirect(f"{back}?done={action}", 303)

    @views.get("/desk/<int:number>/draft.md")
    def markdown(number: int) -> ResponseReturnValue:
        require(Right.DESK)
        with services.db.read() as session:
            text = draft(lifecycle.find(session, number), services.now().date())
        return Response(text, mimetype="text/markdown", headers={"Content-Disposition": f"attachment; filename=t-{number}.md"})

    return views


def _page(services: Services, number: int, staff: Staff, *, error: str = "", body: str = "", chosen: str = "") -> str:
    """Return a ticket's page; after an error with what the agent had typed."""
    published = services.library.current()
    with services.db.read() as session:
        found = lifecycle.find(session, number)
        suggested = {hit.article.id: hit for hit in reversed(answer(published, found.question).hits)}
        articles = sorted((one for one in published.articles.values() if published.visible(one, EVERYONE)), key=lambda one: one.id)
        return render_template(
            "tickets/desk_ticket.html",
            ticket=found,
            suggested=list(reversed(suggested.values()))[:5],
            articles=articles,
            lifecycle=lifecycle,
            staff=staff,
            error=error,
            body=body,
            chosen=chosen or request.args.get("article", ""),
        )


def _perform(services: Services, number: int, action: str, staff: Staff, *, body: str, article: str) -> None:
    """Do what an agent may do with a ticket. Raises InvalidRequestError with a remedy for what they may not."""
    published, now = services.library.current(), services.now()
    named = published.article(article) or published.written_for(article, EVERYONE)
    if article and named is None:
        raise InvalidRequestError("unknown_article", f"没有文章“{article[:80]}”，或者提问的人看不到它（只对部分人开放）。请从列表里选，写文章名或“模块/文章”。")
    with services.db.write() as session:
        found = lifecycle.find(session, number)
        match action:
            case "assign":
                lifecycle.assign(found, staff.name, now)
            case "reply":
                lifecycle.reply(found, staff.name, body, now)
            case "resolve":
                lifecycle.resolve(found, staff.name, now, article=named.id if named else "", body=body)
            case _:
                raise NotFoundError("没有这个操作。请从工单页上的按钮进入。")
