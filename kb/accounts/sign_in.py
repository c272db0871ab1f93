"""Passwords, one-time links and sessions. Only hashes of secrets are stored; a wrong name and a wrong password look the same."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import delete, func, select

from indexer.text import folded
from kb.accounts.models import FailedSignIn, SignInLink, StaffSession, User
from kb.accounts.roles import Right, Role, may
from kb.errors import InvalidRequestError, KbError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

LINK_LIFE = timedelta(minutes=30)
IDLE_LIFE = timedelta(minutes=30)
WHOLE_LIFE = timedelta(hours=12)
TRIES = 10
TRY_WINDOW = timedelta(minutes=15)
MIN_PASSWORD = 10
MAX_NAME = 40
_RESERVED = frozenset({"asker", "system"})
"""Names under which the history of tickets keeps what those who ask and the program did: an account of that name would speak as them."""
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Staff:
    """The signed-in person of a request."""

    id: int
    name: str
    role: str


def hashed(token: str) -> str:
    """Return what is stored of a random token; random tokens need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def add_user(session: Session, name: str, role: str, now: datetime) -> User:
    """Add an account without a password. Raises KbError for a bad name, an unknown role or a name that is taken."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        raise KbError(f"姓名要有 1 到 {MAX_NAME} 个字")
    if role not in set(Role):
        raise KbError(f"the role {role!r} is unknown; use one of {', '.join(Role)}")
    if folded(name) in _RESERVED:
        raise KbError(f"{name} 这个名字由程序使用，请换一个")
    if find_user(session, name) is not None:
        raise KbError(f"{name} 这个名字已经有人用了，请换一个，或用 kb user link 给他新的登录链接")
    user = User(name=name, role=role, created_at=now, password_hash="")
    session.add(user)
    session.flush()
    return user


def find_user(session: Session, name: str) -> User | None:
    """Return the account of this name, compared without case, width or script."""
    wanted = folded(name)
    return next((user for user in session.scalars(select(User)) if folded(user.name) == wanted), None)


def has_administrator(session: Session) -> bool:
    """Tell whether anybody can administrate."""
    return session.scalar(select(User.id).where(User.role == Role.ADMINISTRATOR).limit(1)) is not None


def names_of_those_who_may(session: Session, right: Right) -> list[str]:
    """Return the names of the accounts with a right, sorted."""
    roles = [role.value for role in Role if may(role, right)]
    return list(session.scalars(select(User.name).where(User.role.in_(roles)).order_by(User.name)))


def new_link(session: Session, user: User | None, now: datetime) -> str:
    """Return the secret of a new sign-in link: for a user, or (None) for whoever becomes the first administrator. Older links of the same are void."""
    owner = SignInLink.user_id.is_(None) if user is None else SignInLink.user_id == user.id
    session.execute(delete(SignInLink).where(owner))
    token = secrets.token_urlsafe(24)
    session.add(SignInLink(token_hash=hashed(token), user_id=user.id if user else None, expires_at=now + LINK_LIFE))
    return token


def open_link(session: Session, token: str, now: datetime) -> tuple[SignInLink, User | None]:
    """Return an unused link and its user. Raises InvalidRequestError when it is wrong, used or too old."""
    link = session.get(SignInLink, hashed(token))
    stale = link is None or link.used_at is not None or link.expires_at < now or (link.user_id is None and has_administrator(session))
    if link is None or stale:
        raise InvalidRequestError("bad_link", "登录链接已用过或已过期（有效 30 分钟）。请让管理员运行 kb user link 重新生成。", 410)
    return link, session.get(User, link.user_id) if link.user_id is not None else None


def set_password(user: User, password: str) -> None:
    """Give an account a password. Raises InvalidRequestError when it is too short or is the name."""
    if len(password) < MIN_PASSWORD or folded(password) == folded(user.name):
        raise InvalidRequestError("weak_password", f"密码至少 {MIN_PASSWORD} 个字符，且不能和姓名相同。可以用一句好记的话。")
    user.password_hash = _hasher.hash(password[:1000])


@cache
def _no_password() -> str:
    """Return what the password of an unknown name is compared with, so that it takes as long as a known one."""
    return _hasher.hash(secrets.token_hex(16))


def stored_password(session: Session, name: str, now: datetime) -> str:
    """Return the hash that a password for this name must fit; a name without one gets a hash that nothing fits, so that it takes as long.

    Raises InvalidRequestError after 10 wrong tries on one name in 15 minutes.
    """
    recent = (FailedSignIn.name == hashed(folded(name)), FailedSignIn.at > now - TRY_WINDOW)
    if (session.scalar(select(func.count()).select_from(FailedSignIn).where(*recent)) or 0) >= TRIES:
        raise InvalidRequestError("too_many_tries", "这个账号输错太多次，请 15 分钟后再试，或让管理员运行 kb user link 生成登录链接。", 429)
    user = find_user(session, name)
    return user.password_hash if user and user.password_hash else _no_password()


def fits(stored: str, password: str) -> bool:
    """Tell whether a password fits a stored hash. Takes a tenth of a second on purpose: never while a transaction is open."""
    try:
        return _hasher.verify(stored, password[:1000]) and stored != _no_password()
    except (Argon2Error, InvalidHashError):
        return False


def note_try(session: Session, name: str, now: datetime, *, right: bool) -> User | None:
    """Return the account after a right password and forget its wrong tries; remember a wrong one."""
    tried = hashed(folded(name))
    user = find_user(session, name) if right else None
    if user is None:
        session.add(FailedSignIn(name=tried, at=now))
    else:
        session.execute(delete(FailedSignIn).where(FailedSignIn.name == tried))
    return user


def start_session(session: Session, user: User, now: datetime) -> str:
    """Return the secret of a new session for the cookie."""
    token = secrets.token_urlsafe(32)
    session.add(StaffSession(token_hash=hashed(token), user_id=user.id, created_at=now, seen_at=now))
    return token


def whose_session(session: Session, token: str, now: datetime) -> StaffSession | None:
    """Return a session that is still alive."""
    found = session.get(StaffSession, hashed(token))
    alive = found is not None and now - found.seen_at < IDLE_LIFE and now - found.created_at < WHOLE_LIFE
    return found if alive else None


def end_session(session: Session, token: str) -> None:
    """Forget a session."""
    session.execute(delete(StaffSession).where(StaffSession.token_hash == hashed(token)))


def sweep(session: Session, now: datetime) -> None:
    """Forget sessions, links and failed tries that no longer count."""
    session.execute(delete(StaffSession).where((StaffSession.seen_at < now - IDLE_LIFE) | (StaffSession.created_at < now - WHOLE_LIFE)))
    session.execute(delete(SignInLink).where(SignInLink.expires_at < now))
    session.execute(delete(FailedSignIn).where(FailedSignIn.at < now - TRY_WINDOW))
