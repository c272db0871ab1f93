"""The sites in force: which pages may speak for them, what they show, and whom they vouch for."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from indexer.published import EVERYONE, Audience
from kb.accounts.identity import Key
from kb.widget.models import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kb.db import Database

_LOOK_EVERY = 1.0
"""Seconds for which what was read is taken to be still so: a key that was revoked is refused everywhere that much later."""


@dataclass(frozen=True, slots=True)
class SiteInForce:
    """A site as requests are judged by it. `modules`: the folders that it shows, none for all; `keys`: those in force by their `kid`."""

    name: str
    origins: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    audience: frozenset[str] = frozenset()
    theme: str = "auto"
    anonymous: bool = True
    keys: Mapping[str, Key] = field(default_factory=dict)

    def readers(self, roles: frozenset[str] = frozenset()) -> Audience:
        """Return what people of these roles may read here: no more than the site's `audience` beside what is for everyone, and of its modules only."""
        return Audience(EVERYONE.roles | (roles & self.audience), self.modules)


@dataclass(frozen=True, slots=True)
class InForce:
    """All sites in force, by name, and the origins of their pages."""

    by_name: Mapping[str, SiteInForce]
    origins: frozenset[str]


class Sites:
    """The sites that are registered. Any number of threads may use it; each process looks at the database once a second at most."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet, so that it may be made before a fork."""
        self._db, self._clock = db, clock
        self._looked = float("-inf")
        self._found = InForce({}, frozenset())
        self._lock = threading.Lock()

    def current(self) -> InForce:
        """Return the sites in force, at most a second old."""
        if self._clock() - self._looked >= _LOOK_EVERY:
            with self._lock:
                if self._clock() - self._looked >= _LOOK_EVERY:
                    self.look()
        return self._found

    def look(self) -> None:
        """Read them now; for whoever has just changed them."""
        with self._db.read() as session:
            found = session.scalars(select(Site).where(Site.disabled_at.is_(None)).options(selectinload(Site.signing_keys)))
            by_name = {site.name: _in_force(site) for site in found}
        self._found = InForce(by_name, frozenset(origin for site in by_name.values() for origin in site.origins))
        self._looked = self._clock()


def _in_force(site: Site) -> SiteInForce:
    return SiteInForce(
        name=site.name,
        origins=frozenset(site.origins),
        modules=frozenset(site.modules),
        audience=frozenset(site.audience),
        theme=site.theme,
        anonymous=site.anonymous,
        keys={key.kid: Key(key.algorithm, key.key) for key in site.signing_keys if key.retired_at is None},
    )
