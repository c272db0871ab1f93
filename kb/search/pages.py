"""The search page: as one types with JavaScript, by a form and a redirect without it. Only the POST writes."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import Blueprint, redirect, render_template, request

from kb.errors import InvalidRequestError
from kb.search.answerability import Verdict
from kb.search.api import asked_answer
from kb.search.intents import Trigger
from kb.tickets import countdown
from kb.tickets.intake import Finished, receipt_of, record
from kb.web.forms import clean
from kb.web.visitor import anonymous_source, visitor

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from kb.services import Services

_EXAMPLES = 3
"""Questions that are shown to whoever has asked nothing yet."""


def blueprint(services: Services) -> Blueprint:
    """Return /search."""
    views = Blueprint("search", __name__)

    @views.get("/search")
    def search() -> ResponseReturnValue:
        published = services.library.current()
        said = asked_answer(published)
        intent_id = request.args.get("i", "")[:64]
        receipt = receipt_of(services.db, intent_id, visitor().person) if intent_id and visitor().person else None
        with services.db.read() as session:
            expected = countdown.of_receipt(session, receipt.token, services.policies, services.now()) if receipt else None
        public = services.public_replies.matching(published, said.question.text) if said.verdict is not Verdict.EMPTY else None
        found_in = {hit.article.module for hit in said.hits}
        template = "search/results.html" if request.args.get("part") == "results" else "search/search.html"
        return render_template(
            template,
            said=said,
            query=clean(request.args.get("q", "")),
            receipt=receipt,
            expected=expected,
            public=public,
            published=published,
            module=request.args.get("module", ""),
            examples=published.suggest(said.question.text, visitor().audience, _EXAMPLES) if said.verdict is Verdict.EMPTY else [],
            modules=[module for module in published.modules if module.id in found_in],
            base_url=services.config.base_url,
        )

    @views.post("/search")
    def submit() -> ResponseReturnValue:
        published, query = services.library.current(), clean(request.form.get("q", "")).strip()
        if not query:
            return redirect("/", 303)
        trigger = request.form.get("trigger", Trigger.ENTER.value)
        if trigger not in {Trigger.ENTER.value, Trigger.UNSOLVED.value}:
            raise InvalidRequestError("bad_field", "这个按钮已失效，请刷新页面再试。")
        intent_id = request.form.get("i", "")[:64] or secrets.token_urlsafe(16)
        reply = services.public_replies.matching(published, query)
        person, source = visitor().person or f"i:{intent_id}", anonymous_source(services)
        finished = Finished(intent_id, query, Trigger(trigger), person, staff=visitor().working, reply=reply, source=source)
        record(services.db, published, finished, services.now(), services.config.tickets_per_hour, crowd=services.crowd)
        module = request.form.get("module", "")
        shown = {"q": query[:400], "module": module if module in {known.id for known in published.modules} else "", "i": intent_id}
        return redirect(f"/search?{urlencode({name: value for name, value in shown.items() if value})}", 303)

    return views
