"""How states and times read to people in China."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kb.accounts.roles import NAMES, Role
from kb.tickets.lifecycle import PUBLIC_KINDS
from kb.tickets.standing import Alarm, Kind, State

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

_STATES = {
    State.NEW: "待处理",
    State.ASSIGNED: "已有人接手",
    State.IN_PROGRESS: "处理中",
    State.WAITING: "等待补充",
    State.RESOLVED: "已解决，待确认",
    State.CONFIRMED: "已确认解决",
    State.CLOSED: "已关闭",
}


_EVENTS = {
    Kind.OPENED: "提问",
    Kind.REWORDED: "改了问法",
    Kind.ASSIGNED: "交给",
    Kind.CATEGORISED: "类别改为",
    Kind.PRIORITISED: "优先级改为",
    Kind.FILED: "模块改为",
    Kind.NOTED: "内部备注",
    Kind.REPLIED: "回复",
    Kind.ASKED: "追问",
    Kind.ADDED: "补充说明",
    Kind.RESOLVED: "解决",
    Kind.CONFIRMED: "确认已解决",
    Kind.RATED: "评价",
    Kind.REOPENED: "重新打开",
    Kind.EXPIRED: "到期关闭",
    Kind.WITHDRAWN: "撤销提问",
    Kind.MOVED_OUT: "问法移到",
    Kind.MOVED_IN: "移入问法，来自",
    Kind.MERGED: "并入",
    Kind.SPAM: "标为垃圾",
    Kind.PUBLISHED: "公开回复",
    Kind.RETIRED: "撤下公开回复",
    Kind.SUGGESTED: "可能已回答",
    Kind.DISMISSED: "忽略建议",
    Kind.AWAITED: "有人在等",
    Kind.UNAWAITED: "没有人在等了",
    Kind.ALARMED: "时限提醒",
    Kind.ESCALATED: "升级",
    Kind.UNDONE: "撤销操作",
}

ALARM_NAMES = {
    Alarm.NONE: "",
    Alarm.RESPONSE_NEAR: "即将超过首次回复时限",
    Alarm.RESPONSE_LATE: "已超过首次回复时限",
    Alarm.RESOLUTION_NEAR: "即将超过解决时限",
    Alarm.RESOLUTION_LATE: "已超过解决时限",
}


def public_kind(kind: str) -> str:
    """Return what people call a kind of public reply."""
    return PUBLIC_KINDS[kind]


def role_name(role: str) -> str:
    """Return what people call a role; somebody whose role is gone is 客服."""
    return NAMES[Role(role)] if role in set(Role) else "客服"


def event_name(kind: str) -> str:
    """Return what people call what happened."""
    return _EVENTS[Kind(kind)]


def state_name(state: str) -> str:
    """Return what people call a ticket's state."""
    return _STATES[State(state)]


def day(value: str) -> str:
    """Return an ISO date as people write it: 2026年11月3日."""
    year, month, date = value[:10].split("-")
    return f"{year}年{int(month)}月{int(date)}日"


def moment(value: datetime, zone: tzinfo) -> str:
    """Return a point in time as the clocks of a zone show it, the company's (Policies.hours.zone) wherever people read it: 11月3日 14:05."""
    local = value.astimezone(zone)
    return f"{local.month}月{local.day}日 {local:%H:%M}"


def ago(value: datetime, now: datetime) -> str:
    """Return how long before `now` something was, in its largest whole unit: 5 分钟, 3 小时, 2 天, 4 个月."""
    minutes = max(0, int((now - value).total_seconds() // 60))
    for unit, name in ((60 * 24 * 365, "年"), (60 * 24 * 30, "个月"), (60 * 24, "天"), (60, "小时"), (1, "分钟")):
        if minutes >= unit:
            return f"{minutes // unit} {name}"
    return "刚刚"


def timestamp(value: datetime, zone: tzinfo) -> str:
    """Return a point in time by the clocks of a zone as spreadsheets read it: 2026-11-03 14:05."""
    return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"


def file_size(size: int) -> str:
    """Return how large a file of `size` bytes is, never 0: 12 KB, 1.2 MB."""
    return f"{size / 2**20:.1f} MB" if size >= 2**20 else f"{max(1, round(size / 2**10))} KB"
