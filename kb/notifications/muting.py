"""Who wants no more messages: a link in each of them says about what, and works without signing in. It is signed, so that nobody ends another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from itsdangerous import BadData, URLSafeSerializer

from kb.accounts.models import User
from kb.errors import NotFoundError
from kb.notifications.models import Mute
from kb.notifications.spreading import onward
from kb.tickets.models import Follower

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

_PURPOSE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Subject:
    """What messages are about: a person's share in a ticket (`share`), or for an agent one ticket, or (number 0) what is about to be late."""

    share: int = 0
    user: int = 0
    number: int = 0


def token(secret_key: str, subject: Subject) -> str:
    """Return the text in an address by which somebody ends messages about `subject`, and nothing else."""
    return str(URLSafeSerializer(secret_key, salt=_PURPOSE).dumps([subject.share, subject.user, subject.number]))


def read(secret_key: str, token: str) -> Subject:
    """Return what a token is about. Raises NotFoundError for one that we did not make."""
    try:
        share, user, number = URLSafeSerializer(secret_key, salt=_PURPOSE).loads(token)
    except BadData as error:
        raise NotFoundError("这个退订链接不完整。请从邮件里重新点一次，或把整个网址复制过来。") from error
    return Subject(share, user, number)


def mute(session: Session, subject: Subject, now: datetime) -> None:
    """End messages about `subject`; again does nothing. Raises NotFoundError for what is gone."""
    if subject.share:
        for share in _shares(session, subject.share):
            share.muted_at = share.muted_at or now
    elif subject.number:
        _account(session, subject)
        session.merge(Mute(user_id=subject.user, ticket_number=subject.number, at=now))
    else:
        _account(session, subject).quiet = True


def unmute(session: Session, subject: Subject) -> None:
    """Let messages about `subject` come again. Raises NotFoundError for what is gone."""
    if subject.share:
        for share in _shares(session, subject.share):
            share.muted_at = None
    elif subject.number:
        _account(session, subject)
        stored = session.get(Mute, (subject.user, subject.number))
        if stored is not None:
            session.delete(stored)
    else:
        _account(session, subject).quiet = False


def muted(session: Session, subject: Subject) -> bool:
    """Tell whether messages about `subject` have ended. Raises NotFoundError for what is gone."""
    if subject.share:
        return _shares(session, subject.share)[-1].muted_at is not None
    account = _account(session, subject)
    return session.get(Mute, (subject.user, subject.number)) is not None if subject.number else account.quiet


def _shares(session: Session, id_: int) -> list[Follower]:
    """Return a share and the one in which it goes on."""
    share = session.get(Follower, id_)
    if share is None or share.person.startswith("gone:"):
        raise NotFoundError("这个提问已被清理，不会再有邮件。")
    return [share, onward(session, share)]


def _account(session: Session, subject: Subject) -> User:
    user = session.get(User, subject.user)
    if user is None:
        raise NotFoundError("这个账号已经不在了，不会再有邮件。")
    return user
