"""What others said or decided on a ticket since an agent looked at it, in words: nobody on the desk overwrites what they have not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from kb.errors import ConflictError
from kb.tickets import history
from kb.tickets.models import TicketEvent
from kb.tickets.standing import ASKER, SYSTEM, Kind

if TYPE_CHECKING:
    from kb.tickets.models import Ticket

_UNTOLD = [kind.value for kind in (Kind.SUGGESTED, Kind.REWORDED, Kind.AWAITED, Kind.UNAWAITED, Kind.ALARMED, Kind.ESCALATED)]
_DID = {
    Kind.OPENED: "提了问",
    Kind.ASSIGNED: "改了处理人",
    Kind.CATEGORISED: "改了类别",
    Kind.PRIORITISED: "改了优先级",
    Kind.FILED: "改了模块",
    Kind.NOTED: "写了内部备注",
    Kind.REPLIED: "回复了",
    Kind.ASKED: "向提问人追问了",
    Kind.ADDED: "补充了说明",
    Kind.RESOLVED: "解决了这张工单",
    Kind.CONFIRMED: "确认已解决",
    Kind.RATED: "评价了",
    Kind.REOPENED: "重新打开了工单",
    Kind.EXPIRED: "到期关闭了工单",
    Kind.WITHDRAWN: "撤销了提问",
    Kind.MOVED_OUT: "移走了问法",
    Kind.MOVED_IN: "移入了问法",
    Kind.MERGED: "合并了工单",
    Kind.SPAM: "标为了垃圾",
    Kind.PUBLISHED: "公开了回复",
    Kind.RETIRED: "撤下了公开回复",
    Kind.DISMISSED: "忽略了建议",
    Kind.ALARMED: "提醒了时限",
    Kind.ESCALATED: "升级了工单",
    Kind.UNDONE: "撤销了一步操作",
}


def require_unchanged(ticket: Ticket, agent: str, seen: int | None) -> None:
    """Refuse an agent's action on what they have not seen: something was said or decided by somebody else after event `seen`.

    Raises ConflictError that says who did what; None skips the check.
    """
    news = news_since(ticket, agent, seen) if seen is not None else []
    if news:
        raise ConflictError(f"你打开这一页以后，{told(news[-1])}。先看看下面的经过；你写的内容还在，确认后可以再发一次。")


def news_since(ticket: Ticket, agent: str, seen: int) -> list[TicketEvent]:
    """Return what others said or decided after event `seen`, in its order."""
    if ticket.version <= seen:
        return []
    by_others = select(TicketEvent).where(TicketEvent.ticket_number == ticket.number, TicketEvent.id > seen, TicketEvent.actor != agent)
    told = by_others.where(TicketEvent.kind.not_in(_UNTOLD)).order_by(TicketEvent.id)
    return list(history.session_of(ticket).scalars(told))


def told(event: TicketEvent) -> str:
    """Return who did what, in words: 王敏回复了."""
    who = {ASKER: "提问人", SYSTEM: "系统"}.get(event.actor, event.actor)
    return f"{who}{_DID[Kind(event.kind)]}"
