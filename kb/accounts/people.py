"""What an administrator does with accounts. Each step is noted in the audit log in its transaction; nobody can leave the product without an administrator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from kb.accounts import audit, sign_in
from kb.accounts.audit import Deed
from kb.accounts.models import AuditEntry, StaffSession, User
from kb.accounts.roles import NAMES, Role
from kb.db import MAX_ID
from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.mail_address import is_address
from kb.notifications import outbox
from kb.notifications.outbox import Topic
from kb.tickets.standing import LEVEL_NAMES, Level

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Row:
    """An account in the list. `seen_at`: when its owner was last known to be there; None for never."""

    user: User
    seen_at: datetime | None
    sessions: int


def find(session: Session, number: int) -> User:
    """Return an account. Raises NotFoundError."""
    user = session.get(User, number) if number <= MAX_ID else None
    if user is None:
        raise NotFoundError("没有这个账号。请从人员列表里选择。")
    return user


def everybody(session: Session, now: datetime) -> list[Row]:
    """Return all accounts: those in use first, by name."""
    live = select(StaffSession.user_id, func.max(StaffSession.seen_at), func.count()).where(sign_in.alive(now))
    sessions = {user_id: (seen_at, count) for user_id, seen_at, count in session.execute(live.group_by(StaffSession.user_id))}
    came = select(AuditEntry.actor, func.max(AuditEntry.at)).where(AuditEntry.deed.in_((Deed.SIGNED_IN, Deed.SIGNED_OUT))).group_by(AuditEntry.actor)
    last = dict(session.execute(came).all())
    rows = []
    for user in session.scalars(select(User).order_by(User.disabled_at.is_not(None), User.name)):
        seen_at, count = sessions.get(user.id, (None, 0))
        rows.append(Row(user, max((at for at in (seen_at, last.get(user.name)) if at is not None), default=None), count))
    return rows


def invite(session: Session, by: str, name: str, role: str, *, mail: str, level: str, now: datetime) -> tuple[User, str]:
    """Add an account and return it with the secret of its link, good for a week; the link also goes out by mail where there is an address.

    Raises KbError for a name, role, address or level that cannot be.
    """
    user = sign_in.add_user(session, name, role, now)
    user.mail, user.level = _mail(session, user, mail), _level(user, level)
    token = _invitation(session, user, now)
    audit.note(session, by, Deed.INVITED, user.name, NAMES[Role(role)], now)
    return user, token


def add(session: Session, by: str, name: str, role: str, *, mail: str, now: datetime) -> str:
    """Add an account for somebody who is at hand, and return the secret of a sign-in link. Raises KbError for a name, role or address that cannot be."""
    user = sign_in.add_user(session, name, role, now)
    user.mail = _mail(session, user, mail)
    audit.note(session, by, Deed.ADDED, user.name, NAMES[Role(role)], now)
    return sign_in.new_link(session, user, now)


def link(session: Session, by: str, user: User, now: datetime) -> str:
    """Return the secret of a new sign-in link for somebody; earlier ones are void. Raises ConflictError when the account is disabled."""
    _require_enabled(user)
    audit.note(session, by, Deed.LINKED, user.name, "", now)
    return sign_in.new_link(session, user, now)


def invite_again(session: Session, by: str, user: User, now: datetime) -> str:
    """Return the secret of a new link for somebody; earlier ones are void. Who has no password yet gets an invitation. Raises ConflictError when disabled."""
    _require_enabled(user)
    if user.password_hash:
        return link(session, by, user, now)
    sign_in.void_links(session, user)
    audit.note(session, by, Deed.INVITED, user.name, NAMES[Role(user.role)], now)
    return _invitation(session, user, now)


def _invitation(session: Session, user: User, now: datetime) -> str:
    if user.mail:
        outbox.note_for(session, user.id, Topic.INVITED, now)
    return sign_in.invitation(session, user, now)


def change(session: Session, by: str, user: User, *, role: str, level: str, mail: str, now: datetime) -> bool:
    """Change what an account is for and where its mail goes; tell whether anything changed. Who gets another role has to sign in again.

    Raises InvalidRequestError for values that cannot be, ConflictError for one's own role or that of the last administrator.
    """
    if role not in set(Role):
        raise InvalidRequestError("bad_field", "没有这种角色。请从列表里选择。")
    before = (user.role, user.level, user.mail)
    if role != user.role:
        _require_another(session, by, user)
        audit.note(session, by, Deed.ROLE, user.name, f"{NAMES[Role(user.role)]} → {NAMES[Role(role)]}", now)
        user.role = role
        sign_in.end_sessions(session, user.id)
    new_level = _level(user, level)
    if new_level != user.level:
        audit.note(session, by, Deed.LEVEL, user.name, f"{_level_name(user.level)} → {_level_name(new_level)}", now)
        user.level = new_level
    change_mail(session, by, user, mail, now)
    return (user.role, user.level, user.mail) != before


def change_mail(session: Session, by: str, user: User, mail: str, now: datetime) -> None:
    """Send an account's mail to another address, "" for nowhere. Links that went to the one before are void; who has no password yet is invited anew.

    Raises InvalidRequestError for what is no address, ConflictError for somebody else's.
    """
    address, before = _mail(session, user, mail), user.mail
    if address == before:
        return
    audit.note(session, by, Deed.MAIL, user.name, "", now)
    user.mail = address
    if before:
        sign_in.void_links(session, user)
        if address and not user.password_hash and user.disabled_at is None:
            outbox.note_for(session, user.id, Topic.INVITED, now)  # the letter brings its own link, when it is sent


def disable(session: Session, by: str, user: User, now: datetime) -> None:
    """Let nobody sign in to an account any more; its sessions end at once, its links are void. Raises ConflictError for oneself and the last administrator."""
    if user.disabled_at is not None:
        return
    _require_another(session, by, user)
    user.disabled_at = now
    sign_in.end_sessions(session, user.id)
    sign_in.void_links(session, user)
    audit.note(session, by, Deed.DISABLED, user.name, "", now)


def enable(session: Session, by: str, user: User, now: datetime) -> None:
    """Let the owner of a disabled account sign in again, with the password that they had."""
    if user.disabled_at is not None:
        user.disabled_at = None
        audit.note(session, by, Deed.ENABLED, user.name, "", now)


def end_sessions(session: Session, by: str, user: User, now: datetime) -> None:
    """Sign somebody out everywhere; links that they were given are void."""
    sign_in.end_sessions(session, user.id)
    sign_in.void_links(session, user)
    audit.note(session, by, Deed.ENDED_SESSIONS, user.name, "", now)


def export(session: Session, number: int) -> dict[str, Any] | None:
    """Return everything that is kept about an account as plain values, no hash of a secret among them; None when there is no such account."""
    user = session.get(User, number)
    if user is None:
        return None
    sessions = session.scalars(select(StaffSession).where(StaffSession.user_id == number).order_by(StaffSession.created_at))
    entries = session.scalars(select(AuditEntry).where(AuditEntry.actor == user.name).order_by(AuditEntry.id))
    return {
        "name": user.name,
        "role": user.role,
        "level": user.level,
        "mail": user.mail,
        "reminders": not user.quiet,
        "created_at": user.created_at.isoformat(),
        "disabled_at": user.disabled_at.isoformat() if user.disabled_at else None,
        "sessions": [{"browser": one.browser, "created_at": one.created_at.isoformat(), "seen_at": one.seen_at.isoformat()} for one in sessions],
        "audit": [{"at": one.at.isoformat(), "deed": one.deed, "object": one.object, "detail": one.detail} for one in entries],
    }


def forget_contact(session: Session, number: int) -> None:
    """Forget where an account's mail goes. Its name stays with what was done under it: others rely on that."""
    user = session.get(User, number)
    if user is not None:
        user.mail = ""


def _require_enabled(user: User) -> None:
    if user.disabled_at is not None:
        raise ConflictError(f"{user.name}的账号停用了。要让他登录，请先恢复账号。")


def _require_another(session: Session, by: str, user: User) -> None:
    """Raise ConflictError when the step would take the last administrator away, or was meant for oneself."""
    if user.name == by:
        raise ConflictError("不能改自己的角色，也不能停用自己：请让另一位管理员来做。")
    if user.role == Role.ADMINISTRATOR and user.disabled_at is None and not sign_in.has_administrator(session, besides=user):
        raise ConflictError(f"{user.name}是唯一的管理员。请先让另一个人当管理员，再来改。")


def _mail(session: Session, user: User, mail: str) -> str:
    address = mail.strip()
    if not address:
        return ""
    if not is_address(address):
        raise InvalidRequestError("bad_mail", "邮箱写得不对，应该像 lin@example.com 这样。没有邮箱就留空。")
    other = sign_in.find_by_mail(session, address)
    if other is not None and other.id != user.id:
        raise ConflictError(f"这个邮箱已经是{other.name}的。请换一个，或留空。")
    return address


def _level_name(level: str) -> str:
    return LEVEL_NAMES[Level(level)] or "无"


def _level(user: User, level: str) -> str:
    if level not in set(Level):
        raise InvalidRequestError("bad_field", "没有这种级别。请从列表里选择。")
    if level and user.role == Role.ASKER:
        raise InvalidRequestError("bad_field", "员工看不到别人的工单，不能当二线或服务主管。请换个角色，或把级别选成“无”。")
    return level
