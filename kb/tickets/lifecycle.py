"""The agents' side of a ticket: who has it, what is said, how it ends. Everything is an event; kb.tickets.undoing takes back what can be."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from kb.errors import ConflictError, InvalidRequestError
from kb.tickets import history, shares
from kb.tickets.models import Follower, PublicReply, Ticket, TicketEvent
from kb.tickets.shares import MAX_TEXT
from kb.tickets.standing import SYSTEM, Kind, Level, Others, State
from kb.tickets.triage import CATEGORY_NAMES, PRIORITY_NAMES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


EXPIRES_AFTER_WORKING_DAYS = 3
"""Working days after which a resolved ticket that nobody confirmed is closed."""
MAX_PUBLIC = 2_000
"""Characters of a public reply: it stands above everything else that was found."""
PUBLIC_KINDS = {"answer": "客服答复", "known": "已知问题·处理中", "elsewhere": "不归本系统"}
LONGEST_PUBLIC = timedelta(days=90)


def assign(ticket: Ticket, to: str, agent: str, now: datetime) -> None:
    """Give a ticket to somebody, to nobody with "". The same again changes nothing."""
    _require_open(ticket)
    if ticket.assignee != to:
        history.record(ticket, Kind.ASSIGNED, now, agent, target=to)


def assign_in_turn(ticket: Ticket, owners: Sequence[str], now: datetime) -> None:
    """Give a ticket that nobody ever had to the owner of its module who has waited longest for one; do nothing without owners.

    What an agent put back is for somebody else to take. `owners` are names of accounts that may work on tickets.
    """
    if ticket.assignee or not owners or not ticket.open:
        return
    session = history.session_of(ticket)
    given = select(func.max(TicketEvent.id)).where(TicketEvent.kind == Kind.ASSIGNED.value)
    if session.scalar(given.where(TicketEvent.ticket_number == ticket.number)) is not None:
        return
    last = {name: session.scalar(given.where(TicketEvent.target == name)) or 0 for name in owners}
    history.record(ticket, Kind.ASSIGNED, now, SYSTEM, target=min(owners, key=lambda name: last[name]))


def categorise(ticket: Ticket, category: str, agent: str, now: datetime) -> None:
    """Correct the guessed category. Raises InvalidRequestError for an unknown one."""
    _require_one_of(category, CATEGORY_NAMES, "类别")
    if ticket.category != category:
        history.record(ticket, Kind.CATEGORISED, now, agent, target=category)


def prioritise(ticket: Ticket, priority: str, agent: str, now: datetime) -> None:
    """Set the priority. Raises InvalidRequestError for an unknown one."""
    _require_one_of(priority, PRIORITY_NAMES, "优先级")
    if ticket.priority != priority:
        history.record(ticket, Kind.PRIORITISED, now, agent, target=priority)


def file(ticket: Ticket, module: str, agent: str, now: datetime, modules: Sequence[str]) -> None:
    """Move a ticket to another module, to none with "". Raises InvalidRequestError for an unknown one."""
    if module:
        _require_one_of(module, modules, "模块")
    if ticket.module != module:
        history.record(ticket, Kind.FILED, now, agent, target=module)


def escalate(ticket: Ticket, level: str, why: str, agent: str, now: datetime) -> None:
    """Let the second line or the manager look at an open ticket too. Who has it stays; only agents read why. Where they do already nothing changes.

    Raises InvalidRequestError for no such level, ConflictError on a closed ticket.
    """
    _require_one_of(level, [Level.SECOND, Level.MANAGER], "级别")
    _require_open(ticket)
    levels = list(Level)
    if levels.index(Level(ticket.escalated)) < levels.index(Level(level)):
        history.record(ticket, Kind.ESCALATED, now, agent, private=_text(why) if why.strip() else "", target=level)


def note(ticket: Ticket, body: str, agent: str, now: datetime) -> None:
    """Write something that only agents read. It may be about a person, so it is forgotten with the details."""
    history.record(ticket, Kind.NOTED, now, agent, private=_text(body))


def reply(ticket: Ticket, body: str, agent: str, now: datetime, to: Follower | None = None) -> None:
    """Say something to everyone who asked, or to one of them; who does has the ticket, if nobody had it.

    Raises InvalidRequestError without text, ConflictError on a closed ticket.
    """
    _require_readers(ticket)
    said, private = _said(body, to)
    _take(ticket, agent, now)
    history.record(ticket, Kind.REPLIED, now, agent, body=said, private=private, follower=to, target=_others(ticket, to))


def ask(ticket: Ticket, body: str, agent: str, now: datetime, to: Follower | None = None) -> None:
    """Ask everyone, or one of them, for what is missing; a ticket in which everybody was asked waits until somebody answers. Raises as `reply`."""
    _require_open(ticket)
    said, private = _said(body, to)
    _take(ticket, agent, now)
    history.record(ticket, Kind.ASKED, now, agent, body=said, private=private, follower=to, target=_others(ticket, to))


def resolve(ticket: Ticket, agent: str, now: datetime, *, article: str = "", body: str = "") -> None:
    """Resolve a ticket with an article, a reply, or both; who does has it, if nobody had it. Raises InvalidRequestError without either."""
    _require_open(ticket)
    if not article and not body.strip():
        raise InvalidRequestError("nothing_to_say", "解决工单要有答案：选一篇文章，或者写一段回复。")
    said = _text(body) if body.strip() else ""
    along = [_take(ticket, agent, now), retire(ticket, agent, now, replaced_by=article) if article else None]
    history.record(ticket, Kind.RESOLVED, now, agent, body=said, article=article, data=_undone_along(along))


def reopen(ticket: Ticket, why: str, agent: str, now: datetime) -> None:
    """Open a ticket again that ended too early. Does nothing while it is open. Raises ConflictError for one that nobody follows any more."""
    if ticket.open:
        return
    if ticket.closed_as not in {"", "expired"}:
        raise ConflictError("这张工单不能重新打开：提问人已撤销，或已合并、标为垃圾。合并和垃圾可以在“经过”里撤销。")
    history.record(ticket, Kind.REOPENED, now, agent, private=why.strip())


def expire(ticket: Ticket, now: datetime) -> None:
    """Close a resolved ticket that nobody confirmed in time."""
    if ticket.state == State.RESOLVED:
        history.record(ticket, Kind.EXPIRED, now, SYSTEM)


def spam(ticket: Ticket, agent: str, now: datetime) -> None:
    """Close a ticket as no question at all; its public reply is taken down. It can be taken back. Raises ConflictError for one that goes on in another."""
    if ticket.closed_as == "merged":
        raise ConflictError("这张工单已并入另一张，不能再标为垃圾。请先撤销合并，或到那一张里处理。")
    if ticket.closed_as != "spam":
        retired = retire(ticket, agent, now)
        history.record(ticket, Kind.SPAM, now, agent, data=_undone_along([retired]))


def suggest(ticket: Ticket, article: str, now: datetime) -> None:
    """Note that an article seems to answer an open ticket by now; a suggestion that was dismissed is not made again."""
    if not ticket.open or ticket.suggested == article:
        return
    undone = select(TicketEvent.undoes).where(TicketEvent.ticket_number == ticket.number, TicketEvent.undoes.is_not(None))
    said_no = (TicketEvent.ticket_number == ticket.number, TicketEvent.kind == Kind.DISMISSED.value, TicketEvent.article == article)
    if article == "" or history.session_of(ticket).scalar(select(TicketEvent.id).where(*said_no, TicketEvent.id.not_in(undone)).limit(1)) is None:
        history.record(ticket, Kind.SUGGESTED, now, SYSTEM, article=article)


def dismiss(ticket: Ticket, agent: str, now: datetime) -> None:
    """Say that the suggested article does not answer it."""
    if ticket.suggested:
        history.record(ticket, Kind.DISMISSED, now, agent, article=ticket.suggested)


def publish(ticket: Ticket, kind: str, body: str, agent: str, role: str, now: datetime, expires_at: datetime) -> None:
    """Show a reply above the hits to everybody who asks the like, in the place of an earlier one of this ticket.

    Raises InvalidRequestError for an unknown kind, no or too long text, or an end that is past or more than 90 days away.
    """
    _require_one_of(kind, PUBLIC_KINDS, "公开回复的种类")
    body = _text(body)
    if len(body) > MAX_PUBLIC:
        raise InvalidRequestError("too_long", f"公开回复最多 {MAX_PUBLIC} 字。请删减，或写成文章。")
    if not now < expires_at <= now + LONGEST_PUBLIC:
        raise InvalidRequestError("bad_field", "公开回复要有到期日，最长 90 天。到期前可以再延长，长期有用的请写成文章。")
    if ticket.closed_as in {"spam", "merged"}:
        raise ConflictError("这张工单已合并或标为垃圾，不能公开回复。")
    session, earlier = history.session_of(ticket), live_public_replies(ticket, now)
    for one in earlier:
        one.ended_at = now
    reply = PublicReply(ticket_number=ticket.number, kind=kind, body=body, author=agent, role=role, at=now, expires_at=expires_at, replaced_by="")
    session.add(reply)
    session.flush()
    history.record(ticket, Kind.PUBLISHED, now, agent, body=body, target=kind, data={"reply": [reply.id], "ended": [one.id for one in earlier]})


def retire(ticket: Ticket, agent: str, now: datetime, *, replaced_by: str = "") -> TicketEvent | None:
    """Take the public reply down, because it is over or because an article says it better; return the event, None when there was nothing to take down."""
    live = live_public_replies(ticket, now)
    for one in live:
        one.ended_at, one.replaced_by = now, replaced_by
    return history.record(ticket, Kind.RETIRED, now, agent, article=replaced_by, data={"ended": [one.id for one in live]}) if live else None


def live_public_replies(ticket: Ticket, now: datetime) -> list[PublicReply]:
    """Return the ticket's public replies that are shown now: none, one, or after a merger more."""
    query = select(PublicReply).where(PublicReply.ticket_number == ticket.number, PublicReply.ended_at.is_(None), PublicReply.expires_at > now)
    return list(history.session_of(ticket).scalars(query))


def retired_public_reply(ticket: Ticket, now: datetime) -> PublicReply | None:
    """Return the public reply that an agent took down last, if it has time left and nothing has come in its place."""
    if live_public_replies(ticket, now):
        return None
    query = select(PublicReply).where(PublicReply.ticket_number == ticket.number, PublicReply.ended_at.is_not(None)).order_by(PublicReply.ended_at.desc())
    last = history.session_of(ticket).scalar(query.order_by(PublicReply.id.desc()).limit(1))
    return last if last is not None and last.expires_at > now and not last.replaced_by else None


def _take(ticket: Ticket, agent: str, now: datetime) -> TicketEvent | None:
    """Give an open ticket that nobody has to the agent who answers it, so that askers and colleagues know whose it is; return the event."""
    if not ticket.open or ticket.assignee or agent == SYSTEM:
        return None
    return history.record(ticket, Kind.ASSIGNED, now, agent, target=agent)


def _undone_along(events: Sequence[TicketEvent | None]) -> dict[str, list[int]] | None:
    """Return the note by which an undone step takes back what it brought about."""
    ids = [event.id for event in events if event is not None]
    return {"along": ids} if ids else None


def _others(ticket: Ticket, to: Follower | None) -> str:
    """Return who waits besides the one person to whom something is said, NONE when it is said to all."""
    if to is None or ticket.waiting <= (1 if to.waiting else 0):
        return Others.NONE.value
    return (Others.UNTOLD if shares.others_untold(to) else Others.TOLD).value


def _said(body: str, to: Follower | None) -> tuple[str, str]:
    """Return what is said to all and what is said to one person: one of them is ""."""
    return (_text(body), "") if to is None else ("", _text(body))


def _require_one_of(value: str, known: Collection[str], what: str) -> None:
    if value not in known:
        raise InvalidRequestError("bad_field", f"没有这个{what}：“{value[:40]}”。请从列表里选。")


def _require_open(ticket: Ticket) -> None:
    if not ticket.open:
        raise ConflictError("这张工单已经解决或关闭。刷新页面看看最新状态；要继续处理，先点“重新打开”。")


def _require_readers(ticket: Ticket) -> None:
    if ticket.closed_as in {"withdrawn", "merged", "spam"}:
        raise ConflictError("这张工单已关闭（提问人都已撤销、已合并或标为垃圾），回复不会有人看到。")


def _text(body: str) -> str:
    body = body.strip()
    if not body:
        raise InvalidRequestError("empty_reply", "回复是空的。写下答案后再发送。")
    if len(body) > MAX_TEXT:
        raise InvalidRequestError("too_long", f"回复最多 {MAX_TEXT} 字。请删减，或写成文章。")
    return body
