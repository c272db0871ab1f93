"""What a message may name to whom: never more than its links show to whoever follows them.

A message is read later, elsewhere, and perhaps by others: what a site said of a person's roles when they asked counts for nothing in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.published import ALL, EVERYONE, Audience
from kb.accounts.identity import subject_of
from kb.accounts.models import User
from kb.accounts.roles import is_staff
from kb.notifications.spreading import account_of
from kb.widget.models import Site

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NOTHING = Audience(frozenset(), frozenset({""}))
"""What may be named where nobody can say what somebody may read: no module has an empty name."""


def of_person(session: Session, person: str) -> Audience:
    """Return what may be named to one person: what their account shows them, what their site shows everybody, else what everybody may read."""
    subject = subject_of(person)
    if subject is not None:
        return of_site(session, subject.site)
    account = account_of(person)
    user = session.get(User, account) if account is not None else None
    return ALL if user is not None and is_staff(user.role) else EVERYONE


def of_site(session: Session, name: str) -> Audience:
    """Return what may be named to a site's people and its server: what everybody may read, of the modules that it shows now; nothing for no site."""
    site = session.get(Site, name)
    return Audience(EVERYONE.roles, frozenset(site.modules)) if site is not None else NOTHING
