"""What agents may take back of what they did, and taking it back: their own deciding, as long as nobody outside has read it and nothing rests on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from kb.errors import ConflictError, InvalidRequestError
from kb.notifications import messages
from kb.tickets import history, lifecycle, regroup
from kb.tickets.models import Follower, PublicReply, Ticket, TicketEvent
from kb.tickets.standing import ASKER, SYSTEM, UNDOABLE, Kind, State

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


def undo(session: Session, ticket: Ticket, event_id: int, agent: str, now: datetime) -> None:
    """Take back one of the agents' steps. What it changed is as it was before; steps of others stay.

    Raises InvalidRequestError for what cannot be undone, ConflictError when later steps rest on it.
    """
    event = session.get(TicketEvent, event_id)
    if event is None or event.ticket_number != ticket.number or not _may_be_undone(event):
        raise InvalidRequestError("not_undoable", "这一步不能撤销。回复已经发给提问人，可以再补充一句更正。")
    if session.scalar(select(TicketEvent.id).where(TicketEvent.undoes == event.id)) is not None:
        return
    kind = Kind(event.kind)
    if kind is Kind.RESOLVED and ticket.state != State.RESOLVED:
        raise ConflictError("提问人已经确认或重新打开，不能再撤销解决。可以直接重新打开工单。")
    if kind is Kind.RESOLVED and event.id != _last_resolution(ticket):
        raise ConflictError("这不是最近一次解决，不能撤销。要撤销，请撤销最近一次。")
    if kind is Kind.RESOLVED and _was_read(ticket, event):
        raise ConflictError("已经有提问人看到这个答复，或收到了邮件，不能再撤销解决。可以重新打开工单，再补充一句更正。")
    if kind in {Kind.MOVED_OUT, Kind.MERGED}:
        regroup.move_back(session, ticket, event, agent, now)
    if kind is Kind.PUBLISHED:
        _take_down(session, ticket, event, now)
    for id_ in [*(event.data or {}).get("along", []), *(event.data or {}).get("retired", [])]:  # `retired`: as the version before this one noted it
        along = session.get_one(TicketEvent, id_)
        if along.kind == Kind.RETIRED:
            _show_again(ticket, along, now)
        history.record(ticket, Kind.UNDONE, now, agent, undoes=id_, target=along.kind)
    history.record(ticket, Kind.UNDONE, now, agent, undoes=event.id, target=event.kind)


def _take_down(session: Session, ticket: Ticket, published: TicketEvent, now: datetime) -> None:
    """Undo the publishing of a reply: it goes, and the one in whose place it came is back. Raises ConflictError when it is down or elsewhere already."""
    (id_,) = (published.data or {})["reply"]
    reply = session.get_one(PublicReply, id_)
    if reply.ended_at is not None or reply.ticket_number != ticket.number:
        raise ConflictError("这条公开回复已经撤下、被替换，或随工单合并走了，不用再撤销。")
    reply.ended_at = now
    _show_again(ticket, published, now)


def _show_again(ticket: Ticket, event: TicketEvent, now: datetime) -> None:
    """Show the public replies again that an event has ended, unless another one has come in their place since."""
    if not lifecycle.live_public_replies(ticket, now):
        for reply in history.session_of(ticket).scalars(select(PublicReply).where(PublicReply.id.in_((event.data or {})["ended"]))):
            reply.ended_at, reply.replaced_by = None, ""


def undoable(ticket: Ticket) -> list[TicketEvent]:
    """Return the steps that an agent may still take back, the latest first; of several about the same thing only the last."""
    session, mine = history.session_of(ticket), TicketEvent.ticket_number == ticket.number
    undone = set(session.scalars(select(TicketEvent.undoes).where(mine, TicketEvent.undoes.is_not(None))))
    steps = select(TicketEvent).where(mine, TicketEvent.kind.in_([kind.value for kind in UNDOABLE])).order_by(TicketEvent.id)
    found: dict[str, TicketEvent] = {}
    for event in session.scalars(steps):
        if _may_be_undone(event) and event.id not in undone:
            found[event.kind if event.kind != Kind.MOVED_OUT else f"{event.id}"] = event
    resolved = found.get(Kind.RESOLVED)
    if resolved is not None and (ticket.state != State.RESOLVED or resolved.id != _last_resolution(ticket) or _was_read(ticket, resolved)):
        found.pop(Kind.RESOLVED)
    if ticket.closed_as != "spam":
        found.pop(Kind.SPAM, None)
    if ticket.closed_as != "merged":
        found.pop(Kind.MERGED, None)
    if not ticket.escalated:
        found.pop(Kind.ESCALATED, None)
    published = found.get(Kind.PUBLISHED)
    if published is not None and (published.data or {})["reply"][0] not in _shown(ticket):
        found.pop(Kind.PUBLISHED)
    return sorted(found.values(), key=lambda event: -event.id)


def _last_resolution(ticket: Ticket) -> int | None:
    """Return the id of the last resolution that was not taken back."""
    session, mine = history.session_of(ticket), TicketEvent.ticket_number == ticket.number
    undone = select(TicketEvent.undoes).where(mine, TicketEvent.undoes.is_not(None))
    return session.scalar(select(func.max(TicketEvent.id)).where(mine, TicketEvent.kind == Kind.RESOLVED.value, TicketEvent.id.not_in(undone)))


def _was_read(ticket: Ticket, event: TicketEvent) -> bool:
    """Tell whether somebody who asked has looked since, has said that it is solved, or was sent word of it."""
    session, read = history.session_of(ticket), (Follower.seen_at >= event.at) | (Follower.confirmed_at >= event.at)
    looked = session.scalar(select(Follower.id).where(Follower.ticket_number == ticket.number, read).limit(1)) is not None
    return looked or messages.was_sent(session, event.id)


def _shown(ticket: Ticket) -> set[int]:
    """Return the ids of the ticket's public replies that nobody has taken down."""
    return set(history.session_of(ticket).scalars(select(PublicReply.id).where(PublicReply.ticket_number == ticket.number, PublicReply.ended_at.is_(None))))


def _may_be_undone(event: TicketEvent) -> bool:
    """Moves that were themselves the undoing of a move carry no list of what they moved."""
    moved = event.kind in {Kind.MOVED_OUT, Kind.MERGED}
    return event.kind in UNDOABLE and event.actor not in {ASKER, SYSTEM} and (not moved or bool(event.data))
