"""Accounts as the database has them, and what was noted about them."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from kb.accounts.models import AuditEntry, User


@pytest.fixture
def session(db):
    """A transaction in which the whole test happens."""
    with db.write() as open_session:
        yield open_session


@pytest.fixture
def log_of(services):
    """Return what stands in the audit log, oldest first: `(actor, deed, object, detail)`."""

    def read():
        with services.db.read() as session:
            return [(one.actor, one.deed, one.object, one.detail) for one in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]

    return read


@pytest.fixture
def account(services):
    """Return an account's row as it is now."""

    def find(name):
        with services.db.read() as session:
            return session.scalars(select(User).where(User.name == name)).one()

    return find


@pytest.fixture
def with_password(browser, link_for):
    """Sign somebody in by their link and set a password."""

    def make(name, role, password="一句好记的话 2026"):  # noqa: S107 - of nobody
        client = browser()
        assert client.submit(link_for(name, role), password=password).status_code == 303
        return client

    return make
