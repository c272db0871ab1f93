"""The composition root: everything with an outside, made once from the settings and passed on by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import kb.models  # noqa: F401 - relationships between tables resolve once all are known
from indexer.published import Library
from kb.db import Database

if TYPE_CHECKING:
    from collections.abc import Callable

    from kb.config import Config


def utc_now() -> datetime:
    """Return the time; only edges call it, everything else is told."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """Settings, database, published articles and the clock."""

    config: Config
    db: Database
    library: Library
    now: Callable[[], datetime] = field(default=utc_now)

    @classmethod
    def of(cls, config: Config) -> Services:
        """Make the real ones. Opens no connection and no index yet, so that it may happen before a fork."""
        return cls(config, Database(config.database_url), Library(config.index, scorer=config.scorer))
