"""How the clocks of a ticket read: for the desk in what is left, for who asked in what to expect. Says nothing that the clocks do not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kb.tickets import alarms, shares
from kb.tickets.sla import clocks, round_of
from kb.tickets.standing import Level, State
from kb.web.language import said
from kb.web.wording import moment

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from sqlalchemy.orm import Session

    from kb.tickets.models import Follower, Ticket
    from kb.tickets.sla import Clock, Clocks, Policies, Promise

_MINUTE, _HOUR, _REAL_DAY = 60, 3600, 86_400
_WEEKDAYS = "一二三四五六日"
_ASKED_TO_HELP = {Level.SECOND: "负责的同事", Level.MANAGER: "服务主管"}
"""Who looks at a ticket besides its agent, in words of who asked: what a second line is they need not know."""


@dataclass(frozen=True, slots=True)
class Countdown:
    """One clock in words. `tone` is late, near, paused, met or "" while there is time; `at` the moment that it is about, None where there is none."""

    words: str
    tone: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """All that was promised for a ticket, and how it stands. `raised`: 月结 promises more than its priority does."""

    promised: str
    raised: bool
    lines: tuple[tuple[str, Countdown], ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """What somebody who asked may expect next: `what` is reply or solution, `at` by when (None while it waits for them), `resting` when nobody works now."""

    what: str
    at: datetime | None
    late: bool
    words: str
    resting: str = ""

    @property
    def sentences(self) -> str:
        """All of it, without the last full stop."""
        return "。".join(filter(None, (self.words, self.resting)))

    def as_json(self) -> dict[str, Any]:
        """Return it in the form of the API, in the language that the request asks for."""
        return {"what": self.what, "at": self.at.isoformat() if self.at else None, "late": self.late, "words": said(self.words, self.resting)}


def of_row(ticket: Ticket, policies: Policies, now: datetime) -> Countdown | None:
    """Return the clock that counts now, in as few words as a row has room for; None when nobody waits or nothing is promised."""
    found = clocks(policies, round_of(ticket), now)
    if found.next is None or not ticket.awaited:
        return None
    if not found.next.running:
        return Countdown("等提问人，暂停计时", "paused")
    name = "回复" if found.next is found.response else "解决"
    if found.next.due_at is not None and _rests(found.next, found, policies, now):
        by = _by(found.next.due_at, now, policies.hours.zone, short=True)
        return Countdown(f"{by.strip()} 前{name}", _tone(found.next, now), found.next.due_at)
    return Countdown(f"{name}{_left(found.next, _day(policies, found.promise))}", _tone(found.next, now), found.next.due_at)


def of_ticket(ticket: Ticket, policies: Policies, now: datetime) -> Times | None:
    """Return both clocks of a ticket's round with their moments; None when nobody has waited in it, or nothing is promised."""
    found = clocks(policies, round_of(ticket), now)
    named = [(name, clock) for name, clock in (("首次回复", found.response), ("解决", found.resolution)) if clock.target is not None]
    if not ticket.runs or not named:
        return None
    usual = policies.promise(ticket.priority, ticket.category, "", None)
    lines = tuple((name, _line(ticket, found, clock, policies, now)) for name, clock in named)
    return Times(promised(found.promise, policies), found.promise != usual, lines)


def promised(promise: Promise, policies: Policies) -> str:
    """Return what is promised: 普通：30 分钟内回复，1 个工作日内解决."""
    day = _day(policies, promise)
    said = [f"{_whole(seconds, day)}内{deed}" for seconds, deed in ((promise.respond, "回复"), (promise.resolve, "解决")) if seconds is not None]
    return f"{promise.name}：{'，'.join(said)}" if said else promise.name


def expected(mine: Follower, policies: Policies, now: datetime, *, asked: bool) -> Expected | None:
    """Return what a person may expect; `asked`: an agent waits for their answer. None when they wait for nothing, or nothing is promised."""
    ticket = mine.ticket
    found = clocks(policies, round_of(ticket), now)
    if found.next is None or not mine.waiting or mine.withdrawn_at is not None or shares.done(mine):
        return None
    what, deed = ("reply", "回复") if found.next is found.response else ("solution", "解决")
    if asked:
        return Expected(what, None, late=False, words="等你补充后继续")
    if found.next.due_at is None:
        return None
    resting = "" if found.promise.always else _resting(policies, now)
    if found.next.late:
        before = "比预计的晚了" if mine.joined_at < found.next.due_at else "前面的同事也在等"
        return Expected(what, found.next.due_at, late=True, words=f"{before}{_told(ticket, now)}；有进展会马上告诉你", resting=resting)
    return Expected(what, found.next.due_at, late=False, words=f"预计{_by(found.next.due_at, now, policies.hours.zone)}前{deed}", resting=resting)


def of_receipt(session: Session, token: str, policies: Policies, now: datetime) -> Expected | None:
    """Return what somebody may expect who is given a receipt for their share, None for "", which is no receipt."""
    return expected(shares.share(session, token), policies, now, asked=False) if token else None


def _line(ticket: Ticket, found: Clocks, clock: Clock, policies: Policies, now: datetime) -> Countdown:
    day, zone = _day(policies, found.promise), policies.hours.zone
    over = f"，晚了{_span(clock.used - (clock.target or 0), day)}" if clock.late else ""
    if clock.met_at is not None:
        met = "回复" if clock is found.response else "解决"
        return Countdown(f"{moment(clock.met_at, zone)} 已{met}{over or '，按时'}", "late" if clock.late else "met", clock.met_at)
    if clock.running and clock.due_at is not None:
        if _rests(clock, found, policies, now):
            return Countdown(f"{_by(clock.due_at, now, zone).strip()} 前（休息中）", _tone(clock, now), clock.due_at)
        return Countdown(f"{moment(clock.due_at, zone)} 前，{_left(clock, day)}", _tone(clock, now), clock.due_at)
    if not ticket.open:
        return Countdown("已结束" + over, "late" if clock.late else "met")
    why = "等提问人补充" if ticket.state == State.WAITING else "现在没有人在等"
    return Countdown(f"{why}，暂停计时，{_left(clock, day)}", "late" if clock.late else "paused")


def _rests(clock: Clock, found: Clocks, policies: Policies, now: datetime) -> bool:
    """Tell whether a clock with time left stands still until people work again: minutes that are left would read as minutes from now."""
    return not clock.late and not found.promise.always and policies.hours.opens_at(now) > now


def _tone(clock: Clock, now: datetime) -> str:
    if clock.late:
        return "late"
    return "near" if clock.near_at is not None and clock.near_at <= now else ""


def _day(policies: Policies, promise: Promise) -> tuple[float, str]:
    """Return how many seconds count in a day of a promise, and what such days are called."""
    return (_REAL_DAY, "天") if promise.always else (policies.hours.day, "个工作日")


def _left(clock: Clock, day: tuple[float, str]) -> str:
    """Return how much of a clock's time is left, or by how much it is over."""
    left = (clock.target or 0) - clock.used
    if clock.late:
        return f"已超{_span(-left, day)}" if -left >= _MINUTE else "刚刚超时"
    return f"剩{_span(left, day)}"


def _span(seconds: float, day: tuple[float, str]) -> str:
    """Return a duration in its largest whole unit, as it stands after a word: ` 12 分钟`."""
    for unit, name in ((day[0], day[1]), (_HOUR, "小时"), (_MINUTE, "分钟")):
        if seconds >= unit:
            return f" {int(seconds // unit)} {name}"
    return "不到 1 分钟"


def _whole(seconds: float, day: tuple[float, str]) -> str:
    """Return a duration in full: 1 小时 30 分钟."""
    if seconds % day[0] == 0:
        return f"{int(seconds // day[0])} {day[1]}"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return " ".join(f"{number} {name}" for number, name in ((hours, "小时"), (minutes, "分钟")) if number)


def _by(due_at: datetime, now: datetime, zone: ZoneInfo, *, short: bool = False) -> str:
    """Return a moment to come as people say it, the started minute as a whole one: 今天 17:10, 11月24日（周二）10:00; in `short` 周二 10:00 within a week."""
    local = (due_at + timedelta(minutes=1, microseconds=-1)).astimezone(zone).replace(second=0, microsecond=0)
    away = (local.date() - now.astimezone(zone).date()).days
    day = f"周{_WEEKDAYS[local.weekday()]} " if short and 1 < away < 7 else _day_name(local, now)  # noqa: PLR2004 - a week
    return f"{day}{local:%H:%M} "


def _day_name(local: datetime, now: datetime) -> str:
    today = now.astimezone(local.tzinfo).date()
    year = f"{local.year}年" if local.year != today.year else ""
    return {0: "今天 ", 1: "明天 "}.get((local.date() - today).days, f" {year}{local.month}月{local.day}日（周{_WEEKDAYS[local.weekday()]}）")


def _resting(policies: Policies, now: datetime) -> str:
    """Return when people work again, "" while they do."""
    opens_at = policies.hours.opens_at(now)
    if opens_at <= now:
        return ""
    local = opens_at.astimezone(policies.hours.zone)
    return f"现在是休息时间，客服{_day_name(local, now)}{local:%H:%M} 上班"


def _told(ticket: Ticket, now: datetime) -> str:
    """Return who knows that a ticket is late, "" when nobody was told: reminders can be turned off, and mail not set up."""
    if not (ticket.alarm or ticket.escalated):
        return ""
    known = alarms.reminded(ticket, now)
    if known.level:
        level = _ASKED_TO_HELP[Level(ticket.escalated)]
        return f"，客服已请{level}一起处理" if known.by_hand else f"，已提醒{level}"
    return "，已提醒客服" if known.anybody else ""
