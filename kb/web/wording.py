"""How states and times read to people in China."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from kb.tickets import lifecycle

_CHINA = timezone(timedelta(hours=8))
_STATES = {
    lifecycle.State.NEW: "待处理",
    lifecycle.State.ASSIGNED: "已有人接手",
    lifecycle.State.IN_PROGRESS: "处理中",
    lifecycle.State.WAITING: "等待补充",
    lifecycle.State.RESOLVED: "已解决，待确认",
    lifecycle.State.CONFIRMED: "已确认解决",
    lifecycle.State.CLOSED: "已关闭",
}


def state_name(state: lifecycle.State) -> str:
    """Return what people call a ticket's state."""
    return _STATES[state]


def day(value: str) -> str:
    """Return an ISO date as people write it: 2026年11月3日."""
    year, month, date = value[:10].split("-")
    return f"{year}年{int(month)}月{int(date)}日"


def moment(value: datetime) -> str:
    """Return a point in time in China's time zone: 11月3日 14:05."""
    local = value.astimezone(_CHINA)
    return f"{local.month}月{local.day}日 {local:%H:%M}"


def timestamp(value: datetime) -> str:
    """Return a point in time in China's time zone as spreadsheets read it: 2026-11-03 14:05."""
    return f"{value.astimezone(_CHINA):%Y-%m-%d %H:%M}"
