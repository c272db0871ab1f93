"""Background work in a process of its own: build when articles change, tell what is due, forget what has expired."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from indexer.build import build, fingerprint, last_outcome
from indexer.errors import ArticlesRejectedError, BuildRunningError, IndexerError
from indexer.published import current_id, verify
from kb.accounts import sign_in
from kb.accounts.models import AuditEntry
from kb.clock import FAR, HOLD, LONG_HOLD, Steady
from kb.notifications import messages
from kb.notifications.courier import Courier
from kb.tickets import alarms, loop, reindexing, retention
from kb.tickets.models import TicketEvent
from kb.tickets.standing import SYSTEM
from kb.web.models import forget

if TYPE_CHECKING:
    from collections.abc import Callable

    from kb.db import Database
    from kb.services import Services

log = structlog.get_logger()

LOOK_EVERY = 2.0
"""Seconds between two looks at the articles; a change is built when it has been still for one interval."""
RETRY_AFTER = timedelta(seconds=30)
"""Rest after a build that the disk refused; the same articles are then tried again."""
SWEEP_EVERY = 150
"""Looks between two sweeps of what has expired: sessions, stored answers."""
ALARMS_EVERY = 10
"""Looks between two at the clocks of tickets."""
_LAST_MESSAGE = 15.0
"""Seconds in which a message that is on its way may still arrive when the worker stops."""


class Worker:
    """Looks, builds, tells and sweeps until told to stop."""

    def __init__(self, services: Services, seconds: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet. `seconds` run evenly, whatever somebody does to the clock."""
        self._services = services
        self._seconds = seconds
        self._steady: Steady | None = None
        self._settled = False
        self._seen = ""
        self._verified: str | None = None
        self._asked_again = ""
        self._again_after = datetime.min.replace(tzinfo=UTC)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopped.set())
        courier = threading.Thread(target=Courier(self._services).run, args=(self._stopped,), name="courier", daemon=True)
        courier.start()  # beside the looks: a build takes seconds, and so does a mail server
        looks = 0
        while not self._stopped.wait(LOOK_EVERY):
            self.look()
            self.close_answered()
            if looks % ALARMS_EVERY == 0:
                self.tell_late()
            if looks % SWEEP_EVERY == 0:
                self.sweep()
            looks += 1
        courier.join(_LAST_MESSAGE)

    def look(self) -> bool:
        """Build if the articles differ from those of the last build, whatever it came to, and are still; tell whether it built."""
        config = self._services.config
        try:
            mark = fingerprint(config.articles)
        except OSError:  # a file went away while we looked: it is being changed right now
            return False
        last = last_outcome(config.index)
        known = last.fingerprint if last else ""
        still, self._seen = mark == self._seen, mark
        if (mark == known and self._whole()) or not still or self._services.now() < self._again_after:
            return False
        try:
            outcome = build(config.articles, config.index, self._services.now())
        except ArticlesRejectedError as error:
            log.warning("build_rejected", problems=[str(problem) for problem in error.problems][:20])
        except BuildRunningError:
            return False
        except (IndexerError, OSError) as error:
            log.exception("build_failed", reason=str(error))
            if isinstance(error, OSError):
                self._again_after = self._services.now() + RETRY_AFTER
        else:
            log.info("build_published", build=outcome.build, articles=outcome.articles, sections=outcome.sections)
        return True

    def close_answered(self) -> bool:
        """Ask the questions of open tickets again of a build that is new; tell whether it was. What fails is tried again at the next look."""
        services = self._services
        if current_id(services.config.index) in {None, self._asked_again}:
            return False
        try:
            published = services.library.current()
            if published.id == self._asked_again:
                return False
            reindexing.note_missing_terms(services.db, published)
            closed = loop.close_answered(services.db, published, services.now())
        except (IndexerError, SQLAlchemyError) as error:
            log.exception("loop_failed", reason=type(error).__name__)
            return False
        self._asked_again = published.id
        log.info("loop_closed", resolved=closed.resolved, suggested=closed.suggested)
        if closed.unknown:
            log.warning("unknown_tickets", named_in_answers=closed.unknown)
        return True

    def tell_late(self) -> bool:
        """Tell what is nearly late or late, unless the clock has just been set; tell whether it looked. What fails is tried again at the next look."""
        services, now = self._services, self._services.now()
        try:
            if self._held(now):
                self._settled = False
                return False
            if not self._settled:
                taken_back = alarms.take_back(services.db, now)
                self._settled = True
                if taken_back:
                    log.warning("alarms_taken_back", told_by_a_clock_ahead=taken_back)
            swept = alarms.sweep(services.db, services.policies, self._owners(), now, alarms.Reach.of(services.config))
        except SQLAlchemyError as error:
            log.exception("alarms_failed", reason=type(error).__name__)
            return False
        if swept.alarmed or swept.escalated:
            log.info("alarms_told", running=swept.running, alarmed=swept.alarmed, escalated=swept.escalated)
        return True

    def _held(self, now: datetime, *, final: bool = False) -> bool:
        """Tell whether the time is not to be acted on yet: it was set while we looked, or is far from when somebody last did something here."""
        if self._steady is None:
            self._steady = Steady(_last_deeds(self._services.db, now))
        jumped = self._steady.jump
        held = self._steady.held(now, self._seconds(), final=final)
        if self._steady.jump is not jumped:
            forgetting = LONG_HOLD if abs(self._steady.jump) > FAR else HOLD
            log.warning("clock_jumped", seconds=round(self._steady.jump.total_seconds()), alarms_held_for=round(HOLD), forgetting_held_for=round(forgetting))
        return held

    def _owners(self) -> dict[str, tuple[str, ...]]:
        """Return the owners of each module as they are published, none before the first build."""
        try:
            return {module.id: module.owners for module in self._services.library.current().modules}
        except IndexerError:
            return {}

    def _whole(self) -> bool:
        """Tell whether the published build can be opened by whoever starts now; looked at once per build."""
        index = self._services.config.index
        build_id = current_id(index)
        if build_id != self._verified:
            try:
                verify(index / "builds" / (build_id or ""))
            except IndexerError:
                return build_id is None
            self._verified = build_id
        return True

    def sweep(self) -> bool:
        """Forget what has expired and close what nobody objected to, unless the clock has just been set; tell whether it did. None of it can be taken back."""
        services, now = self._services, self._services.now()
        try:
            if self._held(now, final=True):
                return False
            with services.db.write() as session:
                sign_in.sweep(session, now)
                forget(session, now)
                messages.forget_old(session, now)
            messages.tidy_files(services.db, services.config.data)
            retention.close_unconfirmed(services.db, services.policies.hours, now)
            retention.forget(services.db, services.files, now)
            retention.tidy(services.db, services.files, now)
            services.db.empty_log()
        except (SQLAlchemyError, OSError) as error:
            log.exception("sweep_failed", reason=type(error).__name__)
            return False
        return True


def _last_deeds(db: Database, now: datetime) -> list[datetime]:
    """Return when somebody last did something that is kept, and when they last did more than `LONG_HOLD` before `now`, by two logs that only grow.

    People may have come since the clock was set: only what they did before can tell. What the program did by itself tells nothing of the time.
    """
    found = []
    for table in (TicketEvent, AuditEntry):
        last = select(table.at).where(table.actor != SYSTEM).order_by(table.id.desc()).limit(1)
        with db.read() as session:
            found.append((session.scalar(last), session.scalar(last.where(table.at < now - timedelta(seconds=LONG_HOLD)))))
    return [max(moments) for ats in zip(*found, strict=True) if (moments := [at for at in ats if at is not None])]
