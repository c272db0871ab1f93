"""Accounts, one-time sign-in links and server-side sessions. Secrets are stored as hashes only."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kb.db import Base, Moment


class User(Base):
    """Somebody with an account. Without a password they come in by link only; since `disabled_at` not at all.

    `mail`: where messages go, "" for nowhere. `level`: what they look at besides their own tickets (kb.tickets.standing.Level). `quiet`: they want no
    reminders of what is about to be late.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(Moment)
    mail: Mapped[str] = mapped_column(String(200), default="")
    level: Mapped[str] = mapped_column(String(20), default="")
    quiet: Mapped[bool] = mapped_column(default=False)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)


class SignInLink(Base):
    """A link that signs one person in once. Without a user it makes the first administrator."""

    __tablename__ = "sign_in_links"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    expires_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class StaffSession(Base):
    """A signed-in browser: ends after 30 minutes of rest, 12 hours in all, or at sign-out."""

    __tablename__ = "staff_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    browser: Mapped[str] = mapped_column(String(120), default="")
    user: Mapped[User] = relationship(lazy="joined")


class FailedSignIn(Base):
    """A wrong name or password, or a request for a new one, kept for some minutes to slow guessing down.

    `name` is a hash of what was tried: people type passwords into it. `address` is one of where it came from, made with the secret key (kb.web.limits).
    """

    __tablename__ = "failed_sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), index=True)
    address: Mapped[str] = mapped_column(String(80), index=True, default="")
    at: Mapped[datetime] = mapped_column(Moment, index=True)


class AuditEntry(Base):
    """Something that a person with rights did outside of tickets, whose history is their own. Never changed, never deleted.

    `actor` is a name, since accounts come and go; `deed` a word of kb.accounts.audit; `object` whom or what it was about; `detail` what it was changed to.
    """

    __tablename__ = "audit_entries"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    actor: Mapped[str] = mapped_column(String(80), index=True)
    deed: Mapped[str] = mapped_column(String(40))
    object: Mapped[str] = mapped_column(String(200), default="")
    detail: Mapped[str] = mapped_column(String(400), default="")
