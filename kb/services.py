"""The composition root: everything with an outside, made once from the settings and passed on by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import kb.models  # noqa: F401 - relationships between tables resolve once all are known
from indexer.published import Library
from kb.clock import utc_now
from kb.db import Database
from kb.files import FileStore
from kb.tickets import sla_file
from kb.tickets.crowd import PEOPLE, Crowd
from kb.tickets.public import PublicReplies
from kb.widget.sites import Sites

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from kb.config import Config
    from kb.tickets.sla import Policies


@dataclass(frozen=True)
class Services:
    """Settings, database, published articles and the clock."""

    config: Config
    db: Database
    library: Library
    now: Callable[[], datetime] = field(default=utc_now)

    @cached_property
    def files(self) -> FileStore:
        """The files that people add to tickets."""
        return FileStore(self.config.files)

    @cached_property
    def public_replies(self) -> PublicReplies:
        """What agents said to everybody who asks the like."""
        return PublicReplies(self.db, self.now)

    @cached_property
    def crowd(self) -> Crowd:
        """What anonymous people at one address turned into tickets."""
        return Crowd(PEOPLE * self.config.tickets_per_hour)

    @cached_property
    def sites(self) -> Sites:
        """The sites that embed us."""
        return Sites(self.db)

    @cached_property
    def policies(self) -> Policies:
        """What people who ask are promised. Raises ConfigError when the company's file cannot be used."""
        return sla_file.read(self.config.sla)

    @classmethod
    def of(cls, config: Config) -> Services:
        """Make the real ones. Opens no connection and no index yet, so that it may happen before a fork."""
        return cls(config, Database(config.database_url), Library(config.index, scorer=config.scorer))
