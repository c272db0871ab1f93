"""What an agent can do with a ticket on its page: the names of the steps, and what each takes of what was sent."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from indexer.published import EVERYONE
from kb.accounts import sign_in
from kb.accounts.roles import Right
from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.tickets import history, lifecycle, realms, regroup, undoing, unseen
from kb.tickets.models import Follower
from kb.tickets.standing import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from indexer.published import Published
    from kb.accounts.sign_in import Staff
    from kb.business_hours import BusinessHours
    from kb.tickets.models import Ticket

BLANK = re.compile(r"（填写[^）\n]{0,60}）")
"""A place in a canned reply that the agent fills in."""
UNTIL = {"today": "今天下班", "3": "3 天", "7": "7 天", "30": "30 天", "date": "指定日期"}
"""How long a public reply is shown."""
_NUMBER = re.compile(r"(?:t-?)?(\d{1,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form of the ticket's page sent; "" is what it did not. `seen` is the last event on the sender's screen, None when the form knows of none.

    `mode`: reply, ask or note. `to`: the id of the one follower it is for. `public`: the kind of public reply. `value`: what a select was set to,
    None without a select. `target`: another ticket, as people write it. `sites`: those on which the sender saw people read it, "" for our own pages; None when
    the form does not say.
    """

    body: str = ""
    mode: str = "reply"
    to: str = ""
    article: str = ""
    public: str = ""
    until: str = ""
    day: str = ""
    value: str | None = None
    target: str = ""
    phrasings: tuple[int, ...] = ()
    event: int = 0
    seen: int | None = None
    sites: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    """One step of one agent, inside the transaction that writes it."""

    session: Session
    published: Published
    ticket: Ticket
    sent: Sent
    staff: Staff
    now: datetime
    hours: BusinessHours


def take(session: Session, published: Published, number: int, step: str, sent: Sent, staff: Staff, now: datetime, hours: BusinessHours) -> None:
    """Take a step on a ticket. The same words sent twice are said once. Days, and when they end, are those of the company's `hours`.

    Raises NotFoundError for a ticket or a step that is none, ConflictError when others did something that the agent has not seen, or were
    faster, and InvalidRequestError with a remedy for what cannot be done as it was sent.
    """
    taken = STEPS.get(step)
    if taken is None:
        raise NotFoundError("没有这个操作。请从工单页上的按钮进入。")
    turn = _Turn(session, published, history.find(session, number), sent, staff, now, hours)
    if _said_before(turn, step):
        return
    unseen.require_unchanged(turn.ticket, staff.name, sent.seen)
    taken(turn)


def until(choice: str, day: str, now: datetime, hours: BusinessHours) -> datetime:
    """Return when a public reply ends: one of `UNTIL`, with an ISO date for `date` (shown to the end of that day in the company's zone).

    Raises InvalidRequestError for another choice, no date, or today on a day off or after the end of work.
    """
    if choice == "today":
        ends = hours.ends_on(hours.day_of(now))
        if ends is None:
            raise InvalidRequestError("bad_field", "今天不上班，没有下班时间。请选 3 天，或者指定日期。")
        if now >= ends:
            raise InvalidRequestError("bad_field", f"今天已经过了下班时间（{ends.astimezone(hours.zone):%H:%M}）。请选 3 天，或者指定日期。")
        return ends
    if choice == "date":
        try:
            end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), hours.zone)
        except (ValueError, OverflowError) as error:
            raise InvalidRequestError("bad_field", "选了“指定日期”，还要写下日期，例如 2026-12-31。") from error
        if end <= now:
            raise InvalidRequestError("bad_field", "到期日已经过了。请选今天或以后的日期。")
        return end
    if choice not in UNTIL:
        raise InvalidRequestError("bad_field", "公开回复要有到期日。请从列表里选。")
    return now + timedelta(days=int(choice))


def _assign(turn: _Turn) -> None:
    to = turn.staff.name if turn.sent.value is None else turn.sent.value
    if to and to != turn.staff.name and to not in sign_in.names_of_those_who_may(turn.session, Right.DESK):
        raise InvalidRequestError("bad_field", f"没有叫“{to[:40]}”的客服。请从列表里选。")
    lifecycle.assign(turn.ticket, to, turn.staff.name, turn.now)


def _categorise(turn: _Turn) -> None:
    lifecycle.categorise(turn.ticket, turn.sent.value or "", turn.staff.name, turn.now)


def _prioritise(turn: _Turn) -> None:
    lifecycle.prioritise(turn.ticket, turn.sent.value or "", turn.staff.name, turn.now)


def _file(turn: _Turn) -> None:
    lifecycle.file(turn.ticket, turn.sent.value or "", turn.staff.name, turn.now, [module.id for module in turn.published.modules])


def _escalate(turn: _Turn) -> None:
    lifecycle.escalate(turn.ticket, turn.sent.value or "", turn.sent.body, turn.staff.name, turn.now)


def _say(turn: _Turn) -> None:
    """Reply, ask or note, as the composer's mode says; a reply to all may be made public with it."""
    ticket, sent, agent, now = turn.ticket, turn.sent, turn.staff.name, turn.now
    to = _one(turn)
    if sent.public and (sent.mode != "reply" or to is not None):
        raise InvalidRequestError("wrong_mode", "只有发给所有人的回复可以公开。请选“回复所有人”，或者选“不公开”。")
    if sent.mode == "note":
        if to is not None:
            raise InvalidRequestError("wrong_mode", "内部备注只给客服看，不发给提问人。要发给他，请选“回复”。")
        lifecycle.note(ticket, sent.body, agent, now)
        return
    _require_no_blanks(sent.body)
    if to is None:
        _require_known_readers(turn)
    if sent.mode == "ask":
        lifecycle.ask(ticket, sent.body, agent, now, to)
        return
    if sent.mode != "reply":
        raise InvalidRequestError("wrong_mode", "请选“回复所有人”“追问”或“内部备注”。")
    lifecycle.reply(ticket, sent.body, agent, now, to)
    if sent.public:
        _publish(turn)


def _resolve(turn: _Turn) -> None:
    sent, article = turn.sent, _article(turn)
    if sent.mode != "reply" or sent.to:
        raise InvalidRequestError("wrong_mode", "解决工单要告诉所有提问的人。请选“回复所有人”，发给“所有人”，再点“回复并解决”。")
    _require_no_blanks(sent.body)
    _require_known_readers(turn)
    lifecycle.resolve(turn.ticket, turn.staff.name, turn.now, article=article, body=sent.body)
    if sent.public:
        _publish(turn)


def _publish(turn: _Turn) -> None:
    sent = turn.sent
    _require_no_blanks(sent.body)
    expires_at = until(sent.until, sent.day, turn.now, turn.hours)
    lifecycle.publish(turn.ticket, sent.public, sent.body, turn.staff.name, turn.staff.role, turn.now, expires_at)


def _extend(turn: _Turn) -> None:
    live = lifecycle.live_public_replies(turn.ticket, turn.now)
    if not live:
        raise ConflictError("这条公开回复已经不在了，不能延长。需要的话请重新公开一条。")
    expires_at = until(turn.sent.until, turn.sent.day, turn.now, turn.hours)
    lifecycle.publish(turn.ticket, live[0].kind, live[0].body, turn.staff.name, turn.staff.role, turn.now, expires_at)


def _republish(turn: _Turn) -> None:
    """Show again what was taken down last, in the same words and to the same end."""
    last = lifecycle.retired_public_reply(turn.ticket, turn.now)
    if last is None:
        raise ConflictError("没有可以重新公开的回复：它已经到期、被代替，或者正在公开。需要的话请重新公开一条。")
    lifecycle.publish(turn.ticket, last.kind, last.body, turn.staff.name, turn.staff.role, turn.now, last.expires_at)


def _retire(turn: _Turn) -> None:
    lifecycle.retire(turn.ticket, turn.staff.name, turn.now)


def _reopen(turn: _Turn) -> None:
    lifecycle.reopen(turn.ticket, turn.sent.body, turn.staff.name, turn.now)


def _dismiss(turn: _Turn) -> None:
    lifecycle.dismiss(turn.ticket, turn.staff.name, turn.now)


def _split(turn: _Turn) -> None:
    regroup.move(turn.session, turn.ticket, turn.sent.phrasings, None, turn.staff.name, turn.now)


def _move(turn: _Turn) -> None:
    regroup.move(turn.session, turn.ticket, turn.sent.phrasings, _other(turn), turn.staff.name, turn.now)


def _merge(turn: _Turn) -> None:
    regroup.merge(turn.session, turn.ticket, _other(turn), turn.staff.name, turn.now)


def _spam(turn: _Turn) -> None:
    lifecycle.spam(turn.ticket, turn.staff.name, turn.now)


def _undo(turn: _Turn) -> None:
    undoing.undo(turn.session, turn.ticket, turn.sent.event, turn.staff.name, turn.now)


STEPS: dict[str, Callable[[_Turn], None]] = {
    "assign": _assign,
    "category": _categorise,
    "priority": _prioritise,
    "module": _file,
    "escalate": _escalate,
    "reply": _say,
    "resolve": _resolve,
    "publish": _publish,
    "extend": _extend,
    "retire": _retire,
    "reopen": _reopen,
    "dismiss": _dismiss,
    "split": _split,
    "move": _move,
    "merge": _merge,
    "spam": _spam,
    "republish": _republish,
    "undo": _undo,
}
"""Every step by its name in the address."""
_SAID = {"reply": Kind.REPLIED, "ask": Kind.ASKED, "note": Kind.NOTED}


def _said_before(turn: _Turn, step: str) -> bool:
    """Tell whether this agent said the same after what the form knows of: the button was pressed twice, or the answer was lost on its way."""
    sent = turn.sent
    kind = {"reply": _SAID.get(sent.mode), "resolve": Kind.RESOLVED, "publish": Kind.PUBLISHED}.get(step)
    if sent.seen is None or kind is None:
        return False
    mine = [event for event in turn.ticket.events if event.id > sent.seen and event.actor == turn.staff.name and event.kind == kind]
    return any((event.text, event.article, str(event.follower_id or "")) == (sent.body.strip(), _article(turn), sent.to) for event in mine)


def _require_no_blanks(body: str) -> None:
    left = BLANK.search(body)
    if left:
        raise InvalidRequestError("blank_left", f"还有没填的空：{left[0]}。填好或删掉以后再发送。")


def _require_known_readers(turn: _Turn) -> None:
    """Refuse to say to all what people of a site would read of whom the agent has not known. Raises ConflictError that names the site."""
    came = sorted(realms.sites_of(turn.ticket) - turn.sent.sites) if turn.sent.sites is not None else []
    if came:
        names = "、".join(site or "帮助中心" for site in came)
        raise ConflictError(f"你打开这一页以后，{names} 也有人来问同样的问题，会看到这条回复。你写的内容还在，合适的话再发一次。")


def _one(turn: _Turn) -> Follower | None:
    """Return the one follower that it is for, None for all."""
    if not turn.sent.to:
        return None
    found = turn.session.get(Follower, int(turn.sent.to)) if re.fullmatch(r"\d{1,18}", turn.sent.to, re.ASCII) else None
    if found is None or found.ticket_number != turn.ticket.number or found.withdrawn_at is not None:
        raise ConflictError("这位提问人已经撤销，或者不在这张工单里了。请重新选“发给”。")
    return found


def _other(turn: _Turn) -> Ticket:
    """Return the ticket that the agent named."""
    named = _NUMBER.fullmatch(unicodedata.normalize("NFKC", turn.sent.target).strip())
    if named is None:
        raise InvalidRequestError("bad_field", "写下目标工单的编号，例如 T-1024。")
    try:
        return history.find(turn.session, int(named[1]))
    except NotFoundError as error:
        raise InvalidRequestError("unknown_ticket", f"没有工单 T-{named[1]}。请核对目标工单的编号。") from error


def _article(turn: _Turn) -> str:
    """Return the id of the article that was named by its id or a wording of it, "" for none."""
    named = turn.sent.article
    if not named:
        return ""
    found = turn.published.article(named) or turn.published.written_for(named, EVERYONE)
    if found is None:
        raise InvalidRequestError("unknown_article", f"没有文章“{named[:80]}”，或者提问的人看不到它（只对部分人开放）。请从列表里选，写文章名或“模块/文章”。")
    return found.id
