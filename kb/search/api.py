"""Search over HTTP for programs and the widget: GETs that write nothing, and the POST by which a finished question arrives."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request

from indexer.published import EVERYONE
from kb.errors import InvalidRequestError
from kb.reading.passes import for_any_page
from kb.search import contract
from kb.search.answer import answer, as_json
from kb.search.answerability import Verdict
from kb.search.intents import Trigger
from kb.tickets import countdown, progress
from kb.tickets.intake import MAX_CONTEXT, Finished, record
from kb.tickets.shares import Place
from kb.web.forms import clean, json_object, number_arg, text_of
from kb.web.idempotency import once
from kb.web.language import listed, said
from kb.web.limits import MAX_URL
from kb.web.openapi import described
from kb.web.visitor import anonymous_source, named_site, sender, visitor
from kb.web.wording import public_kind, role_name

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue
    from sqlalchemy.orm import Session

    from indexer.published import Audience, Published
    from kb.search.answer import Answer
    from kb.services import Services
    from kb.tickets.countdown import Expected
    from kb.tickets.intake import Receipt
    from kb.tickets.public import Reply

_MAX_QUERY = 50_000
_MAX_ID = 64
_MORE = "再多说几个字，比如“发票查验失败”"
_SUGGESTIONS = 6


def blueprint(services: Services) -> Blueprint:
    """Return /api/v1/search, intents, suggest and suggestions."""
    views = Blueprint("search_api", __name__, url_prefix="/api/v1")

    @views.get("/search")
    @described(contract.SEARCH)
    def search() -> ResponseReturnValue:
        published = services.library.current()
        found = asked_answer(published, limit=number_arg("limit", 10, 1, 50))
        public = (
            services.public_replies.matching(published, found.question.text, visitor().audience, named_site()) if found.verdict is not Verdict.EMPTY else None
        )
        body = as_json(found, services.config.base_url) | {"words": _words_of(found)}
        if "answer" in body:
            body["answer"] = for_any_page(body["answer"], published, services.config.secret_key, services.config.base_url, services.now())
        return jsonify(body | ({"reply": _reply_json(public)} if public else {}))

    @views.post("/intents")
    @described(contract.INTENT)
    def intents() -> ResponseReturnValue:
        data, published = json_object(), services.library.current()
        query = text_of(data, "query", most=_MAX_QUERY)
        finished = Finished(
            intent_id=text_of(data, "intent_id", most=_MAX_ID),
            query=query,
            trigger=_trigger(data.get("trigger")),
            person=sender(data.get("visitor")) or f"i:{text_of(data, 'intent_id', most=_MAX_ID)}",
            opened=_opened(text_of(data, "opened", most=200, required=False), published),
            rank=_rank(data.get("rank")),
            staff=visitor().working,
            reply=services.public_replies.matching(published, query, visitor().audience, named_site()),
            audience=readers(),
            source=anonymous_source(services),
            place=Place(named_site(), text_of(data, "context", most=MAX_CONTEXT, required=False)),
        )
        with once(services, finished.person) as turn:
            if turn.stored is not None:
                return turn.stored

            def told(session: Session, receipt: Receipt) -> tuple[dict[str, Any], int]:
                expected = countdown.of_receipt(session, receipt.token, services.policies, services.now())
                return receipt_json(receipt, expected, published, services.config.base_url), 201 if receipt.new else 200

            def keep(session: Session, receipt: Receipt) -> None:
                turn.keep(session, *told(session, receipt))

            receipt = record(services.db, published, finished, services.now(), services.config.tickets_per_hour, keep if turn.keyed else None, services.crowd)
            with services.db.read() as session:
                body, status = told(session, receipt)
            return jsonify(body), status

    @views.get("/suggest")
    @described(contract.SUGGEST)
    def suggest() -> ResponseReturnValue:
        found = services.library.current().suggest(clean(request.args.get("q", "")), visitor().audience, _SUGGESTIONS)
        return jsonify(suggestions=found)

    @views.get("/suggestions")
    @described(contract.SUGGESTIONS)
    def suggestions() -> ResponseReturnValue:
        context = request.args.get("context", "")
        published = services.library.current()
        found = [
            {"article": article.id, "title": article.title, "module": article.module, "url": f"{services.config.base_url}/a/{article.id}"}
            for article in published.articles.values()
            if context and published.visible(article, visitor().audience) and any(fnmatchcase(context, pattern) for pattern in article.contexts)
        ]
        return jsonify(context=context, suggestions=found[:_SUGGESTIONS])

    return views


def asked_answer(published: Published, *, limit: int = 10) -> Answer:
    """Answer the question in this request's query string. Raises InvalidRequestError for a module or a length that cannot be."""
    if len(request.query_string) > MAX_URL:
        raise InvalidRequestError("too_long", "问题太长了。请缩短到 400 字以内，或在搜索框里提交。")
    module = request.args.get("module") or None
    shown = visitor().audience.modules or {known.id for known in published.modules}
    if module is not None and module not in shown:
        raise InvalidRequestError("unknown_module", f"没有模块 {module[:80]}。去掉 module 参数即可搜索全部。")
    typing = request.args.get("typing") == "1"
    return answer(published, clean(request.args.get("q", "")), limit=limit, module=module, audience=visitor().audience, typing=typing)


def receipt_json(receipt: Receipt, expected: Expected | None, published: Published, base_url: str) -> dict[str, Any]:
    """Return what became of a question, and what its person may expect, in the form of the contract."""
    given = receipt.answer
    answered = (
        {"words": said(progress.ANSWERED), "text": given.text, "at": given.at.isoformat(), **article_json(published, given.article, base_url)}
        if given
        else None
    )
    counted = {"followers": receipt.followers, "others": receipt.others}
    ticket = None if receipt.number is None else {"number": receipt.number, "url": f"{base_url}/t/{receipt.token}", **counted, "answer": answered}
    body: dict[str, Any] = {"verdict": receipt.verdict.value, "words": _words_of_receipt(receipt), "ticket": ticket}
    body |= {"expected": expected.as_json()} if expected else {}
    return body | {"limited": True} if receipt.limited else body


def _words_of_receipt(receipt: Receipt) -> str:
    if receipt.limited:
        return said("这一小时记下的问题太多了，请稍后再试")
    if receipt.number is None:
        return said(_MORE if receipt.verdict is Verdict.EMPTY else "谢谢")
    number = said(f"（T-{receipt.number}）")
    if receipt.answer:
        return said(progress.ANSWERED) + number
    noted = said("还没有答案，已替你记下" if receipt.verdict is Verdict.UNANSWERED else "已替你记下") + number
    return noted + (said(f"，另有 {receipt.others} 位同事在等") if receipt.others > 0 else "")


def _words_of(found: Answer) -> str:
    """Return what is said above what was found, in the language of the request; "" where that says it all."""
    empty, missing = found.verdict is Verdict.EMPTY, found.decision.missing
    if found.unfinished and not found.best and (found.hits or not empty):  # half a word is too early for a verdict
        return "" if found.hits else said("还没有对得上的，接着输入试试")
    if empty:
        return said(_MORE)
    corrected = f"已按“{found.question.corrected}”搜索" if found.question.corrected else ""
    if found.verdict is Verdict.ANSWERED or (found.verdict is Verdict.WEAK and corrected and not missing):
        return said(corrected)
    nothing = said(corrected, "没有找到完全对应的答案" if found.verdict is Verdict.WEAK else "没有找到答案")
    return nothing + (said(f"（没有提到：{listed(missing)}）") if missing else "") + (said("，下面的内容可能有关") if found.hits else "")


def readers() -> Audience:
    """Return for whom answers are: what a site shows to this person; on our own pages what everybody may read, also for agents who look."""
    return visitor().audience if visitor().site else EVERYONE


def article_json(published: Published, id_: str, base_url: str) -> dict[str, str | None]:
    """Return the article of a reply as far as askers may read it."""
    readable = published.article(id_, readers()) is not None
    return {"article": id_ if readable else "", "url": f"{base_url}/a/{id_}" if readable else None}


def _reply_json(reply: Reply) -> dict[str, Any]:
    """Return a public reply as plain text with what it is; `open` tells whether somebody may still join those who wait."""
    return {
        "kind": reply.kind,
        "kind_name": said(public_kind(reply.kind)),
        "text": reply.body,
        "role": said(role_name(reply.role)),
        "at": reply.at.isoformat(),
        "expires_at": reply.expires_at.isoformat(),
        "open": reply.open,
    }


def _trigger(value: object) -> Trigger:
    if not isinstance(value, str) or value not in set(Trigger):
        raise InvalidRequestError("bad_field", f"trigger must be one of {', '.join(Trigger)}")
    return Trigger(value)


def _opened(value: str, published: Published) -> str | None:
    """Return the article that was opened, None for what is no article: free text would be kept unmasked."""
    article = value.partition("#")[0].removeprefix("/a/")
    return article if article in published.articles else None


def _rank(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:  # noqa: PLR2004 - no list is longer
        raise InvalidRequestError("bad_field", "rank must be a whole number from 1")
    return value
