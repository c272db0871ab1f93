"""Who with rights did what and when: their own log, read together with what they did to tickets, whose events are the log of that."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, cast, literal, select, union_all

from kb.accounts.models import AuditEntry
from kb.errors import InvalidRequestError
from kb.tickets.models import TicketEvent
from kb.tickets.standing import ASKER, SYSTEM, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row, Select
    from sqlalchemy.orm import Session

COMMAND_LINE = "命令行"
"""The actor of what was done by a command on the server."""
STRANGER = "未登录"
"""The actor of what somebody did who was not signed in."""
ROWS = 50
"""Entries on a page."""
EXPORTED = 20_000
"""Entries of an export, the newest ones."""
TICKETS = "tickets"
"""The deed that stands for everything that was done to tickets."""
_PLACE = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)
_BEYOND = 10**18 - 1
"""Above every id, and the largest number that a place may hold."""


class Deed(StrEnum):
    """What was done, apart from tickets. `object` and `detail` of an entry are what stands beside the deed."""

    SIGNED_IN = "signed_in"  # detail: how
    SIGNED_OUT = "signed_out"
    LIMITED = "limited"  # object: whose name was tried; detail: how often
    INVITED = "invited"  # object: whom; detail: the role
    ADDED = "added"  # object: whom; detail: the role
    ROLE = "role"  # object: whose; detail: from what to what
    LEVEL = "level"  # the same
    MAIL = "mail"  # object: whose; detail: none, addresses are personal
    DISABLED = "disabled"
    ENABLED = "enabled"
    LINKED = "linked"  # object: for whom a sign-in link was made
    ASKED_RESET = "asked_reset"  # object: who is sent a link for a new password
    ENDED_SESSIONS = "ended_sessions"  # object: whose
    PASSWORD = "password"  # noqa: S105 - a deed; object: whose
    EXPORTED = "exported"  # object: the file
    PERSON_EXPORTED = "person_exported"
    PERSON_DELETED = "person_deleted"
    OUTBOX_RETRIED = "outbox_retried"
    OUTBOX_DROPPED = "outbox_dropped"
    SITE_ADDED = "site_added"  # object: the site, of these and the following; detail: what is agreed
    SITE_CHANGED = "site_changed"  # the same
    SITE_DISABLED = "site_disabled"
    SITE_ENABLED = "site_enabled"
    KEY_ADDED = "key_added"  # detail: which, never the key
    KEY_RETIRED = "key_retired"
    SERVER_KEY_ADDED = "server_key_added"
    SERVER_KEY_REVOKED = "server_key_revoked"
    WEBHOOK_ADDED = "webhook_added"
    WEBHOOK_REMOVED = "webhook_removed"


DEED_NAMES = {
    Deed.SIGNED_IN: "登录",
    Deed.SIGNED_OUT: "退出登录",
    Deed.LIMITED: "输错太多次，暂停登录",
    Deed.INVITED: "邀请",
    Deed.ADDED: "添加账号",
    Deed.ROLE: "改角色",
    Deed.LEVEL: "改级别",
    Deed.MAIL: "改邮箱",
    Deed.DISABLED: "停用账号",
    Deed.ENABLED: "恢复账号",
    Deed.LINKED: "生成登录链接",
    Deed.ASKED_RESET: "申请重设密码",
    Deed.ENDED_SESSIONS: "退出登录状态",
    Deed.PASSWORD: "设密码",
    Deed.EXPORTED: "下载表格",
    Deed.PERSON_EXPORTED: "导出个人信息",
    Deed.PERSON_DELETED: "删除个人信息",
    Deed.OUTBOX_RETRIED: "重试通知",
    Deed.OUTBOX_DROPPED: "放弃通知",
    Deed.SITE_ADDED: "添加站点",
    Deed.SITE_CHANGED: "改站点",
    Deed.SITE_DISABLED: "停用站点",
    Deed.SITE_ENABLED: "恢复站点",
    Deed.KEY_ADDED: "加签名密钥",
    Deed.KEY_RETIRED: "停用签名密钥",
    Deed.SERVER_KEY_ADDED: "加服务器密钥",
    Deed.SERVER_KEY_REVOKED: "停用服务器密钥",
    Deed.WEBHOOK_ADDED: "加通知地址",
    Deed.WEBHOOK_REMOVED: "删通知地址",
}
"""What people call a deed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries are looked for: of one person, of one deed (`tickets` for all that was done to tickets). "" lets everything pass."""

    person: str = ""
    deed: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that somebody did: a deed to `object`, or to the ticket `number`, whose event is then `kind`. `detail`: the event's target."""

    at: datetime
    actor: str
    deed: Deed | None
    kind: Kind | None
    object: str
    number: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, the newest first; `onward` is where older ones begin, "" when there are none."""

    entries: list[Entry]
    onward: str


def note(session: Session, actor: str, deed: Deed, object_: str, detail: str, now: datetime) -> None:
    """Write down what somebody did, in the transaction that does it. Names and details that are too long are cut."""
    session.add(AuditEntry(at=now, actor=actor[:80], deed=deed.value, object=object_[:200], detail=detail[:400]))


def page(session: Session, choice: Choice, place: str = "", rows: int = ROWS) -> Page:
    """Return the entries from a place on that an earlier page named, else the newest. Raises InvalidRequestError for an unknown deed or place.

    Each of the two logs is read backwards by its own key, which clocks cannot turn round; they are put together by time.
    """
    below = _PLACE.fullmatch(place)
    if place and below is None:
        raise InvalidRequestError("bad_field", "没有这一页。请从操作记录的第一页开始看。")
    log_below, events_below = (int(number) for number in below.groups()) if below else (_BEYOND, _BEYOND)
    log = _log(choice, log_below).order_by(AuditEntry.id.desc()).limit(rows + 1).subquery()
    events = _events(choice, events_below).order_by(TicketEvent.id.desc()).limit(rows + 1).subquery()
    found = session.execute(union_all(select(log), select(events))).all()
    of_log = sorted((row for row in found if row.ticket == 0), key=lambda row: -row.id)
    of_events = sorted((row for row in found if row.ticket), key=lambda row: -row.id)
    entries: list[Entry] = []
    while (of_log or of_events) and len(entries) < rows:
        row = (of_log if not of_events or (of_log and of_log[0].at >= of_events[0].at) else of_events).pop(0)
        if row.ticket:
            entries.append(Entry(row.at, row.actor, None, Kind(row.deed), "", row.ticket, row.detail))
        else:
            entries.append(Entry(row.at, row.actor, Deed(row.deed), None, row.object, None, row.detail))
    return Page(entries, f"{_place(of_log)}-{_place(of_events)}" if of_log or of_events else "")


def _place(left: Sequence[Row[Any]]) -> int:
    """Return above which id nothing is left of a log that a page did not show: what came to it since is not older than the page."""
    return left[0].id + 1 if left else 0


def _log(choice: Choice, below: int) -> Select[int, int, datetime, str, str, str, str]:
    of = AuditEntry
    found = select(of.id, literal(0).label("ticket"), of.at, of.actor, of.deed, of.object, of.detail).where(of.id < below)
    if choice.person:
        found = found.where(of.actor == choice.person)
    if choice.deed:
        found = found.where(of.deed == choice.deed)
    return found


def _events(choice: Choice, below: int) -> Select[int, int, datetime, str, str, str, str]:
    if choice.deed and choice.deed != TICKETS and choice.deed not in set(Deed):
        raise InvalidRequestError("bad_field", "没有这种操作。请从列表里选择。")
    of = TicketEvent
    found = select(of.id, of.ticket_number.label("ticket"), of.at, of.actor, of.kind.label("deed"), literal("").label("object"), cast(of.target, String)).where(
        of.id < below, of.actor.not_in((ASKER, SYSTEM))
    )
    if choice.person:
        found = found.where(of.actor == choice.person)
    return found.where(literal(choice.deed in {"", TICKETS}))
