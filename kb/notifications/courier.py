"""The one who carries messages: writes them from notices, sends what is due, and marks what became of each. A thread of the worker.

A message is sent at least once: it is marked after the other side took it, so whoever is killed in between sends it again, under the same Message-ID.
"""

from __future__ import annotations

import fcntl
import random
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError

from indexer.errors import IndexerError
from kb import mailer
from kb.notifications import bots, messages, outages, spreading, webhooks
from kb.notifications.channels import DeliveryError
from kb.notifications.letters import Writer, makes_link
from kb.notifications.models import Message, Notice
from kb.notifications.outages import Outage
from kb.notifications.outbox import Topic

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from kb.notifications.channels import Channel, Outgoing
    from kb.services import Services

log = structlog.get_logger()

LOOK_EVERY = 1.0
"""Seconds between two looks when nothing is due."""
MOST_TRIES = 35
"""Tries after which a message is given up: a day, as they lie ever further apart."""
LONGEST_REST = timedelta(hours=1)
"""Between two tries of one message."""
LONGEST_PAUSE = timedelta(minutes=5)
"""Between two tries of a channel that cannot be reached."""
_WITHOUT_ARTICLES = timedelta(seconds=10)
"""Between two looks whether there is a build to write a letter with."""
_BATCH = 50
"""Messages between two looks at what has become due meanwhile."""
_IN_A_ROW = 5
"""Different messages that are not taken for now, one after the other, after which the channel itself is the reason."""


class Due(NamedTuple):
    """A message to be sent."""

    id: int
    channel: str
    tries: int
    notice_id: int
    kind: str


def rest(tries: int, chance: float) -> timedelta:
    """Return how long a message rests after its `tries`-th try: 1 s, doubled each time up to an hour, and a quarter more or less by `chance` (0 to 1)."""
    seconds = min(2.0 ** min(tries - 1, 30), LONGEST_REST.total_seconds())
    return timedelta(seconds=seconds * (0.75 + chance / 2))


class Courier:
    """Carries messages until told to stop. Of several at work in one data folder one carries, and the others look on."""

    def __init__(self, services: Services, channels: Mapping[str, Channel] | None = None, chance: Callable[[], float] = random.random) -> None:
        """Open nothing yet. Without `channels` they are those that the settings name."""
        config = services.config
        self._services = services
        self._channels = channels if channels is not None else {mailer.MAIL: mailer.channel(config, services.now), **bots.channels(config, services.now)}
        self._lasting = self._channels
        self._ways = spreading.Ways.of(self._lasting, config.base_url)
        self._writer = Writer(config.base_url, config.secret_key, services.policies)
        self._chance = chance
        self._pauses: dict[str, datetime] = {}
        self._in_vain: dict[str, int] = {}
        self._refused_in_a_row: dict[str, set[int]] = {}
        self._outages = config.data / "outages.json"
        self._down = {name: outage for name, outage in outages.read(self._outages).items() if name in self._channels}

    def run(self, stopped: threading.Event) -> None:
        """Carry what is due, look again each second, until `stopped`. Whatever fails is logged and tried again at a later look."""
        while not stopped.wait(LOOK_EVERY):
            try:
                self.work(stopped.is_set)
            except (SQLAlchemyError, IndexerError, OSError) as error:
                log.exception("courier_failed", reason=type(error).__name__)
            except Exception:  # what nobody foresaw must not end the sending of everything after it
                log.exception("courier_failed", reason="unforeseen")

    def work(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Carry everything that is due now; return how many messages were handled, 0 too when another courier is at work."""
        handled = 0
        with self._alone() as alone:
            if not alone:
                return 0
            try:
                self._channels = {**self._lasting, **webhooks.channels(self._services.db, self._services.now)}
                if self._down != outages.read(self._outages):
                    outages.write(self._outages, self._down)  # the settings name a channel no more, or another courier was here before
                self._note_waiting()
                while not stop():
                    now = self._services.now()
                    spreading.spread(self._services.db, self._ways, now)
                    batch = self._due(now)
                    for due in batch:
                        if not stop() and due.channel not in self._pauses:
                            self._carry(due)
                            handled += 1
                    if not batch:
                        break
            finally:
                for channel in self._channels.values():
                    channel.close()
        return handled

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Tell whether no other courier is at work in this data folder; the kernel lifts the lock from whoever is killed."""
        with (self._services.config.data / "courier.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            try:
                yield True
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # a child that was forked meanwhile has the file open too

    def _due(self, now: datetime) -> list[Due]:
        """Return what is to be sent now: what was not tried yet before what was, so that addresses which take no mail for now delay nobody.

        What goes to accounts (a link to set a password by waits for nobody's question) comes before what goes to askers, and of each notice the first message
        before the second of any: a thousand followers delay nobody else either.
        """
        self._pauses = {name: until for name, until in self._pauses.items() if now < until <= now + LONGEST_PAUSE}
        turn = func.row_number().over(partition_by=Message.notice_id, order_by=Message.id).label("turn")
        waiting = select(Message.id, Message.channel, Message.tries, Message.notice_id, Message.next_at, Message.user_id, Notice.kind, turn)
        waiting = waiting.join(Notice, Notice.id == Message.notice_id)
        waiting = waiting.where(Message.ended_at.is_(None), spreading.due(Message.next_at, now), Message.channel.not_in(self._pauses))
        listed = waiting.subquery()
        columns = (listed.c.id, listed.c.channel, listed.c.tries, listed.c.notice_id, listed.c.kind)
        order = (listed.c.tries > 0, listed.c.user_id.is_(None), listed.c.turn, listed.c.next_at, listed.c.id)
        with self._services.db.read() as session:
            return [Due(*row) for row in session.execute(select(*columns).order_by(*order).limit(_BATCH))]

    def _carry(self, due: Due) -> None:
        """Write a message, send it, and mark what became of it."""
        channel = self._channels.get(due.channel)
        if channel is None:
            self._mark(due, ended_as="void", error="这个渠道已从设置里去掉")
            return
        self._count(due, due.tries + 1)
        try:
            outgoing = self._written(due)
        except IndexerError as error:  # a link to an article waits for the articles, and nothing else does
            log.warning("letter_waits", message=due.id, reason=type(error).__name__)
            self._mark(due, tries=due.tries, next_at=self._services.now() + _WITHOUT_ARTICLES)
            return
        except (SQLAlchemyError, OSError):
            self._count(due, due.tries)
            raise
        except Exception as error:  # a letter that cannot be written must not keep others from being sent
            log.exception("letter_failed", message=due.id)
            self._try_later(due, f"写这封信时程序出错（{type(error).__name__}），请把日志交给管理员")
            return
        if outgoing is None:
            self._mark(due, ended_as="void")
            return
        try:
            channel.send(outgoing)
        except DeliveryError as error:
            self._refused(due, error)
        except Exception as error:  # the same for one that cannot be sent
            log.exception("sending_failed", message=due.id)
            self._try_later(due, f"发这封信时程序出错（{type(error).__name__}），请把日志交给管理员")
        else:
            self._mark(due, ended_as="sent", tries=due.tries + 1, error="")
            self._reached(due.channel)
            log.info("told", channel=due.channel, topic=outgoing.topic, message_id=outgoing.message_id)

    def _written(self, due: Due) -> Outgoing | None:
        services, now = self._services, self._services.now()
        if webhooks.is_one(due.channel):
            with services.db.read() as session:
                return webhooks.write(session, session.get_one(Message, due.id), services.library.current, services.config.base_url)
        with services.db.read() as session:
            if not makes_link(session.get_one(Notice, due.notice_id)):
                return self._writer.write(session, session.get_one(Message, due.id), services.library.current, now)
        with services.db.write() as session:
            return self._writer.write(session, session.get_one(Message, due.id), services.library.current, now)

    def _refused(self, due: Due, error: DeliveryError) -> None:
        log.warning("not_told", channel=due.channel, message=due.id, permanent=error.permanent, down=error.down)
        if error.down:
            self._count(due, due.tries)
            self._pause(due.channel, error.reason)
        elif error.permanent:
            self._mark(due, ended_as="dead", tries=due.tries + 1, error=error.reason)
            self._reached(due.channel)
        elif error.alone:
            self._try_later(due, error.reason)
            self._reached(due.channel)
        else:
            self._try_later(due, error.reason)
            refused = self._refused_in_a_row.setdefault(due.channel, set())
            refused.add(due.id)
            if len(refused) >= _IN_A_ROW:
                self._pause(due.channel, error.reason)

    def _count(self, due: Due, tries: int) -> None:
        """Note how often word of a resolution was sent, before it is read whether it still holds: it is taken back before this, or not at all."""
        if due.kind == Topic.RESOLVED:
            self._mark(due, tries=tries)

    def _try_later(self, due: Due, reason: str) -> None:
        tries = due.tries + 1
        if tries >= MOST_TRIES:
            self._mark(due, ended_as="dead", tries=tries, error=reason)
        else:
            self._mark(due, tries=tries, error=reason, next_at=self._services.now() + rest(tries, self._chance()))

    def _mark(self, due: Due, *, ended_as: str = "", **values: object) -> None:
        if ended_as:
            values |= {"ended_as": ended_as, "ended_at": self._services.now()}
        if "error" in values:
            values["error"] = str(values["error"])[:400]
        with self._services.db.write() as session:
            session.execute(update(Message).where(Message.id == due.id, Message.ended_at.is_(None)).values(**values))

    def _pause(self, channel: str, reason: str) -> None:
        """Leave a channel alone for a while, the longer the more often it was tried in vain, and let the desk know."""
        now = self._services.now()
        tries = self._in_vain[channel] = self._in_vain.get(channel, 0) + 1
        self._refused_in_a_row.pop(channel, None)
        self._pauses[channel] = now + min(rest(tries, self._chance()), LONGEST_PAUSE)
        self._note({**self._down, channel: Outage(self._down[channel].since if channel in self._down else now, reason)})

    def _reached(self, channel: str) -> None:
        self._refused_in_a_row.pop(channel, None)
        self._in_vain.pop(channel, None)
        if channel in self._down:
            self._note({name: outage for name, outage in self._down.items() if name != channel})

    def _note_waiting(self) -> None:
        """Let no channel be told as away for which nothing waits any more: nobody would ever find that it is back."""
        if self._down:
            with self._services.db.read() as session:
                waiting = {one.channel for one in messages.waiting(session)}
            self._note({name: outage for name, outage in self._down.items() if name in waiting})

    def _note(self, down: dict[str, Outage]) -> None:
        if down != self._down:
            self._down = down
            outages.write(self._outages, down)
