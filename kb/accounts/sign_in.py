"""Passwords, one-time links and sessions. Only hashes of secrets are stored; a wrong name and a wrong password look the same."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING
from unicodedata import category

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import and_, delete, func, not_, select

from indexer.text import folded
from kb.accounts import audit
from kb.accounts.audit import Deed
from kb.accounts.models import FailedSignIn, SignInLink, StaffSession, User
from kb.accounts.roles import Right, Role, may
from kb.clock import JUMP
from kb.errors import InvalidRequestError, KbError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

LINK_LIFE = timedelta(minutes=30)
INVITATION_LIFE = timedelta(days=7)
IDLE_LIFE = timedelta(minutes=30)
WHOLE_LIFE = timedelta(hours=12)
TRIES = 10
TRIES_OF_ADDRESS = 50
"""Wrong tries from one address, behind which a whole office may sit."""
RESETS = 3
RESETS_OF_ADDRESS = 20
"""Requests for a new password for one name, and from one address, that are listened to."""
TRY_WINDOW = timedelta(minutes=15)
MIN_PASSWORD = 10
MAX_NAME = 40
_RESERVED = frozenset({"asker", "system", "命令行", "未登录"})
"""Names under which the history of tickets and the audit log keep what those without an account did: an account of that name would speak as them."""
_SETS_PASSWORD = "p."  # noqa: S105 - a mark, no password
"""What a link's secret begins with when whoever uses it has to set a password. Random secrets hold no full stop, and the stored hash is one of all of it."""
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
    if any(category(letter).startswith("C") for letter in name):
        raise KbError("姓名里有看不见的字符，请重新输入，不要粘贴")
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


def find_by_mail(session: Session, mail: str) -> User | None:
    """Return the account with this mail address, compared without case."""
    wanted = mail.strip().lower()
    return session.scalar(select(User).where(User.mail != "", func.lower(User.mail) == wanted)) if wanted else None


def find_user(session: Session, name: str) -> User | None:
    """Return the account of this name, compared without case, width or script."""
    wanted = folded(name)
    return next((user for user in session.scalars(select(User)) if folded(user.name) == wanted), None)


def has_administrator(session: Session, besides: User | None = None) -> bool:
    """Tell whether anybody can administrate, besides one account where one is given."""
    found = select(User.id).where(User.role == Role.ADMINISTRATOR, User.disabled_at.is_(None))
    return session.scalar((found.where(User.id != besides.id) if besides is not None else found).limit(1)) is not None


def names_of_those_who_may(session: Session, right: Right) -> list[str]:
    """Return the names of the accounts with a right that can be used, sorted."""
    roles = [role.value for role in Role if may(role, right)]
    return list(session.scalars(select(User.name).where(User.role.in_(roles), User.disabled_at.is_(None)).order_by(User.name)))


def new_link(session: Session, user: User | None, now: datetime, *, life: timedelta = LINK_LIFE, sets_password: bool = False) -> str:
    """Return the secret of a new sign-in link: for a user, or (None) for whoever becomes the first administrator.

    Older links of the same are void. With `sets_password` whoever uses it has to set a password, and older links live on until one of them is used: such a
    link goes out by mail, maybe twice under one Message-ID, and which of the two somebody reads is not known.
    """
    if not sets_password:
        void_links(session, user)
    token = f"{_SETS_PASSWORD if sets_password else ''}{secrets.token_urlsafe(24)}"
    session.add(SignInLink(token_hash=hashed(token), user_id=user.id if user else None, expires_at=now + life))
    return token


def invitation(session: Session, user: User, now: datetime) -> str:
    """Return the secret of a link by which somebody new sets their password, good for a week."""
    return new_link(session, user, now, life=INVITATION_LIFE, sets_password=True)


def reset(session: Session, user: User, now: datetime) -> str:
    """Return the secret of a link by which somebody who forgot their password sets a new one."""
    return new_link(session, user, now, sets_password=True)


def void_links(session: Session, user: User | None) -> None:
    """Forget the links of a user, or (None) those that make the first administrator."""
    session.execute(delete(SignInLink).where(SignInLink.user_id.is_(None) if user is None else SignInLink.user_id == user.id))


def sets_password(token: str) -> bool:
    """Tell whether whoever uses this link has to set a password."""
    return token.startswith(_SETS_PASSWORD)


def open_link(session: Session, token: str, now: datetime) -> tuple[SignInLink, User | None]:
    """Return an unused link and its user. Raises InvalidRequestError when it is wrong, used or too old, or the account is disabled."""
    link = session.get(SignInLink, hashed(token))
    user = session.get(User, link.user_id) if link is not None and link.user_id is not None else None
    life = INVITATION_LIFE if sets_password(token) and user is not None and not user.password_hash else LINK_LIFE
    latest = now + life + JUMP  # a link that lasts longer was made by a clock that was ahead
    stale = link is None or link.used_at is not None or not now <= link.expires_at <= latest or (link.user_id is None and has_administrator(session))
    if link is None or stale or (user is not None and user.disabled_at is not None):
        raise InvalidRequestError("bad_link", "登录链接已用过或已过期。请在登录页点“忘了密码”，或让管理员给你新的链接。", 410)
    return link, user


def use_link(session: Session, link: SignInLink, user: User, now: datetime) -> None:
    """Use a link up, and with it every other link of the same person."""
    link.used_at, link.user_id = now, user.id
    session.flush()
    session.execute(delete(SignInLink).where(SignInLink.user_id == user.id, SignInLink.used_at.is_(None)))


def set_password(user: User, password: str) -> None:
    """Give an account a password. Raises InvalidRequestError when it is too short or is the name."""
    user.password_hash = password_hash(user.name, password)


def password_hash(name: str, password: str) -> str:
    """Return what is stored of a password. Raises InvalidRequestError when it is too short or is the name. Takes as long as `fits`."""
    if len(password) < MIN_PASSWORD or folded(password) == folded(name):
        raise InvalidRequestError("weak_password", f"密码至少 {MIN_PASSWORD} 个字符，且不能和姓名相同。可以用一句好记的话。")
    return _hasher.hash(password[:1000])


@cache
def _no_password() -> str:
    """Return what the password of an unknown name is compared with, so that it takes as long as a known one."""
    return _hasher.hash(secrets.token_hex(16))


def stored_password(session: Session, name: str, now: datetime, *, address: str = "") -> str:
    """Return the hash that a password for this name must fit; a name without one gets a hash that nothing fits, so that it takes as long.

    `address` is a hash of where the request comes from, "" when nobody knows. Raises InvalidRequestError after 10 wrong tries on one name, or 50 from one
    address, in 15 minutes.
    """
    _require_tries_left(session, name, now, address)
    user = find_user(session, name)
    return user.password_hash if user and user.password_hash and user.disabled_at is None else _no_password()


def _require_tries_left(session: Session, name: str, now: datetime, address: str) -> None:
    if _recent(session, FailedSignIn.name == hashed(folded(name)), now) >= TRIES:
        raise InvalidRequestError("too_many_tries", "这个账号输错太多次，请 15 分钟后再试，或让管理员运行 kb user link 生成登录链接。", 429)
    if address and _recent(session, FailedSignIn.address == address, now) >= TRIES_OF_ADDRESS:
        raise InvalidRequestError("too_many_tries", "你所在的网络输错密码太多次，请 15 分钟后再试，或让管理员运行 kb user link 生成登录链接。", 429)


def _recent(session: Session, whose: ColumnElement[bool], now: datetime) -> int:
    """Return how many tries of a name or an address count by now."""
    return session.scalar(select(func.count()).select_from(FailedSignIn).where(whose, _counts(now))) or 0


def _counts(now: datetime) -> ColumnElement[bool]:
    """What is true of the tries that count: not those from before a while, nor those that a clock noted that was ahead."""
    return (FailedSignIn.at > now - TRY_WINDOW) & (FailedSignIn.at <= now + JUMP)


def fits(stored: str, password: str) -> bool:
    """Tell whether a password fits a stored hash. Takes a tenth of a second on purpose: never while a transaction is open."""
    try:
        return _hasher.verify(stored, password[:1000]) and stored != _no_password()
    except (Argon2Error, InvalidHashError):
        return False


def note_try(session: Session, name: str, now: datetime, *, fitted: str, address: str = "") -> User | None:
    """Return the account after a right password and forget its wrong tries; remember a wrong one, and in the audit log that it was one too many.

    `fitted` is the stored hash that the password fits, "" for a wrong one: a password that was changed since it was looked up is not right any more.
    Raises InvalidRequestError as `stored_password` does: of many tries at the same time, all of which were let in, no more count than one after the other.
    """
    tried = hashed(folded(name))
    user = find_user(session, name)
    if fitted and user is not None and user.disabled_at is None and fitted == (user.password_hash or _no_password()):
        _require_tries_left(session, name, now, address)
        session.execute(delete(FailedSignIn).where(FailedSignIn.name == tried))
        return user
    session.add(FailedSignIn(name=tried, address=address, at=now))
    session.flush()
    if _recent(session, FailedSignIn.name == tried, now) == TRIES:
        audit.note(session, audit.STRANGER, Deed.LIMITED, user.name if user is not None else "没有的姓名", f"输错 {TRIES} 次", now)
    if address and _recent(session, FailedSignIn.address == address, now) == TRIES_OF_ADDRESS:
        audit.note(session, audit.STRANGER, Deed.LIMITED, "同一个网络", f"输错 {TRIES_OF_ADDRESS} 次", now)
    return None


def ask_for_reset(session: Session, name_or_mail: str, now: datetime, *, address: str) -> User | None:
    """Return the account whose owner is to get a link for a new password by mail; None when there is none, or when it was asked for too often.

    Raises InvalidRequestError when too many were asked for from one address, whatever the names. What it costs does not tell whether there is an account.
    """
    tried, source = hashed(f"reset {folded(name_or_mail)}"), hashed(f"reset {address}")
    if _recent(session, FailedSignIn.address == source, now) >= RESETS_OF_ADDRESS:
        raise InvalidRequestError("too_many_tries", "你所在的网络申请得太多了，请 15 分钟后再试，或让管理员给你一个登录链接。", 429)
    asked = _recent(session, FailedSignIn.name == tried, now)
    session.add(FailedSignIn(name=tried, address=source, at=now))
    named, addressed = find_user(session, name_or_mail), find_by_mail(session, name_or_mail)
    user = named if named is not None else addressed
    if user is None or not user.mail or user.disabled_at is not None or asked >= RESETS:
        return None
    return user


def start_session(session: Session, user: User, now: datetime, *, browser: str = "") -> str:
    """Return the secret of a new session for the cookie. `browser` says in words where it is."""
    token = secrets.token_urlsafe(32)
    session.add(StaffSession(token_hash=hashed(token), user_id=user.id, created_at=now, seen_at=now, browser=browser[:120]))
    return token


def whose_session(session: Session, token: str, now: datetime) -> StaffSession | None:
    """Return a session that is still alive; a disabled account has none."""
    found = session.get(StaffSession, hashed(token))
    return found if found is not None and _alive(found, now) and found.user.disabled_at is None else None


def _alive(found: StaffSession, now: datetime) -> bool:
    return -JUMP <= now - found.seen_at < IDLE_LIFE and -JUMP <= now - found.created_at < WHOLE_LIFE


def alive(now: datetime) -> ColumnElement[bool]:
    """What is true of the sessions that are still alive: those of a clock that was ahead, which would never end, are not."""
    until = now + JUMP
    return and_(
        *(StaffSession.seen_at > now - IDLE_LIFE, StaffSession.seen_at <= until),
        *(StaffSession.created_at > now - WHOLE_LIFE, StaffSession.created_at <= until),
    )


def sessions_of(session: Session, user_id: int, now: datetime) -> list[StaffSession]:
    """Return the sessions of an account that are still alive, the last seen first."""
    found = session.scalars(select(StaffSession).where(StaffSession.user_id == user_id).order_by(StaffSession.seen_at.desc()))
    return [one for one in found if _alive(one, now)]


def end_session(session: Session, token: str) -> None:
    """Forget a session."""
    session.execute(delete(StaffSession).where(StaffSession.token_hash == hashed(token)))


def end_session_of(session: Session, user_id: int, key: str) -> bool:
    """Forget one session of an account, named as `session_key` does; tell whether there was one. Nobody else's is found."""
    for one in session.scalars(select(StaffSession).where(StaffSession.user_id == user_id)):
        if session_key(one) == key:
            session.delete(one)
            return True
    return False


def session_key(one: StaffSession) -> str:
    """Return what names a session on its owner's page: no secret, and no part of one."""
    return one.token_hash[:16]


def end_sessions(session: Session, user_id: int, *, but: str = "") -> None:
    """Forget the sessions of an account, all or all but the one with this secret."""
    session.execute(delete(StaffSession).where(StaffSession.user_id == user_id, StaffSession.token_hash != hashed(but)))


def sweep(session: Session, now: datetime) -> None:
    """Forget sessions, links and failed tries that no longer count."""
    session.execute(delete(StaffSession).where(not_(alive(now))))
    session.execute(delete(SignInLink).where(not_(SignInLink.expires_at.between(now, now + INVITATION_LIFE + JUMP))))
    session.execute(delete(FailedSignIn).where(not_(_counts(now))))
