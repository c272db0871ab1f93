"""Other applications that may carry our widget or use our API: their sites, the keys that vouch for their people, and the keys of their servers."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - SQLAlchemy reads the annotations

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kb.db import Base, Moment


class Site(Base):
    """An application that embeds us. `name` is public and stands in its pages.

    `origins`: whose pages may speak for it, exactly. `modules`: the folders of articles that it shows, [] for all. `audience`: the most that its signed
    people may read; those who are not signed are employees. `anonymous`: whether it may be used by people it does not vouch for.
    """

    __tablename__ = "sites"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    origins: Mapped[list[str]] = mapped_column(JSON)
    modules: Mapped[list[str]] = mapped_column(JSON, default=list)
    audience: Mapped[list[str]] = mapped_column(JSON, default=list)
    theme: Mapped[str] = mapped_column(String(10), default="auto")
    anonymous: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    signing_keys: Mapped[list[SigningKey]] = relationship(order_by="SigningKey.id")


class SigningKey(Base):
    """What a site signs its people's identities with: `key` is a secret (HS256) or a public key as PEM (ES256, EdDSA). Two may be in force, to change them."""

    __tablename__ = "signing_keys"
    __table_args__ = (UniqueConstraint("site_name", "kid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_name: Mapped[str] = mapped_column(ForeignKey("sites.name"))
    kid: Mapped[str] = mapped_column(String(40))
    algorithm: Mapped[str] = mapped_column(String(10))
    key: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    retired_at: Mapped[datetime | None] = mapped_column(Moment)


class ServerKey(Base):
    """What a site's server comes in with; only the hash of the secret is stored. `scopes`: what it may do."""

    __tablename__ = "server_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    site_name: Mapped[str] = mapped_column(ForeignKey("sites.name"))
    name: Mapped[str] = mapped_column(String(80))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


class Webhook(Base):
    """Where a site's server is told of what happens to its people's tickets. `topics`: ticket.opened, ticket.answered, ticket.closed."""

    __tablename__ = "webhooks"
    __table_args__ = (Index("ix_webhooks_site", "site_name"), {"sqlite_autoincrement": True})  # messages name them by id

    id: Mapped[int] = mapped_column(primary_key=True)
    site_name: Mapped[str] = mapped_column(ForeignKey("sites.name"))
    url: Mapped[str] = mapped_column(String(400))
    secret: Mapped[str] = mapped_column(String(200))
    topics: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
