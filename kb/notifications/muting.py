"""Who wants no more messages: a link in each of them says about what, and works without signing in. It is signed, so that nobody ends another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import delete

from kb.accounts.models import User
from kb.errors import NotFoundError
from kb.mail_address import digest
from kb.notifications.models import Mute, MutedAddress
from kb.notifications.spreading import account_of, onward, ways_to
from kb.tickets.models import Follower

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

_PURPOSE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Subject:
    """What messages are about: a person's share in a ticket (`share`), or for an agent one ticket, or (number 0) what is about to be late.

    `address`: a digest of where messages about a share went. Whoever got one by a mistake ends what goes there, and nothing else. With neither share nor
    `user` it is all that goes to that address because somebody wrote it down.
    """

    share: int = 0
    user: int = 0
    number: int = 0
    address: str = ""


def token(secret_key: str, subject: Subject) -> str:
    """Return the text in an address by which somebody ends messages about `subject`, and nothing else."""
    return str(URLSafeSerializer(secret_key, salt=_PURPOSE).dumps([subject.share, subject.user, subject.number, subject.address]))


def read(secret_key: str, token: str) -> Subject:
    """Return what a token is about. Raises NotFoundError for one that we did not make."""
    try:
        share, user, number, address = URLSafeSerializer(secret_key, salt=_PURPOSE).loads(token)
    except (BadData, ValueError) as error:
        raise NotFoundError("这个退订链接不完整。请从邮件里重新点一次，或把整个网址复制过来。") from error
    return Subject(share, user, number, address)


def mute(session: Session, subject: Subject, now: datetime) -> None:
    """End messages about `subject`; again does nothing. Raises NotFoundError for what is gone."""
    if subject.share:
        for share in _shares(session, subject):
            share.muted_at = share.muted_at or now
    elif not subject.user:
        session.merge(MutedAddress(digest=subject.address, at=now))
    elif subject.number:
        _account(session, subject)
        session.merge(Mute(user_id=subject.user, ticket_number=subject.number, at=now))
    else:
        _account(session, subject).quiet = True


def unmute(session: Session, subject: Subject) -> None:
    """Let messages about `subject` come again. Raises NotFoundError for what is gone."""
    if subject.share:
        for share in _shares(session, subject):
            share.muted_at = None
    elif not subject.user:
        session.execute(delete(MutedAddress).where(MutedAddress.digest == subject.address))
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
        shares = _shares(session, subject)
        return not shares or shares[-1].muted_at is not None
    if not subject.user:
        return session.get(MutedAddress, subject.address) is not None
    account = _account(session, subject)
    return session.get(Mute, (subject.user, subject.number)) is not None if subject.number else account.quiet


def everything(session: Session, subject: Subject) -> Subject | None:
    """Return all that goes where messages about a share went, to be ended at once; None where that is the mail of an account, which has its own settings."""
    if not subject.address:
        return None
    if subject.share:
        last = onward(session, session.get_one(Follower, subject.share))
        user = session.get(User, account_of(last.person) or 0)
        if user is not None and digest(user.mail) == subject.address:
            return None
    return Subject(address=subject.address)


def _shares(session: Session, subject: Subject) -> list[Follower]:
    """Return a share and the one in which it goes on; none when messages about it go to another address by now."""
    share = session.get(Follower, subject.share)
    if share is None or share.person.startswith("gone:"):
        raise NotFoundError("这个提问已被清理，不会再有邮件。")
    last = onward(session, share)
    user = session.get(User, account_of(last.person) or 0)
    ways = ways_to(last.person, last.contact, {user.id: user} if user is not None else {}, hook=True)
    return [share, last] if subject.address in {digest(way.address) for way in ways} else []


def _account(session: Session, subject: Subject) -> User:
    user = session.get(User, subject.user)
    if user is None:
        raise NotFoundError("这个账号已经不在了，不会再有邮件。")
    return user
