"""The one door to the database engine: SQLite through pysqlite3, durable, with short write transactions that queue instead of failing."""

from __future__ import annotations

import fcntl
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import DateTime, Engine, create_engine, event, inspect
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from kb.errors import KbError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.exc import OperationalError

MIGRATIONS = Path(__file__).parent / "migrations"
SCHEMA = "0007"
"""The last migration: written here too, so that a database of this version is known without loading alembic, which takes an eighth of a second."""
MAX_ID = 2**63 - 1
"""The greatest number that SQLite can hold: a row of a greater one is not even asked for."""
_BUSY = 5000
"""Milliseconds for which SQLite waits for a lock."""
_BUSY_EMPTYING = 250
"""The same while the write-ahead log is emptied: others cannot write meanwhile."""
_PRAGMAS = (f"busy_timeout={_BUSY}", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF", "secure_delete=ON")
_WAL_TRIES = 50
QUEUE_SECONDS = 5.0
"""How long a write stays in the queue; after it SQLite's own lock decides, which it would have waited for in any case."""
_LOOK_EVERY = 0.001
_REFUSALS = frozenset({sqlite.SQLITE_BUSY, sqlite.SQLITE_CANTOPEN, sqlite.SQLITE_FULL, sqlite.SQLITE_IOERR, sqlite.SQLITE_READONLY})


class Base(DeclarativeBase):
    """What every stored row derives from."""


class Moment(TypeDecorator[datetime]):
    """A point in time: stored as UTC without a zone, returned with it."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002 - the library calls it so
        """Refuse a time without a zone: nobody would know what it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time needs a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002 - the library calls it so
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


class Database:
    """Opens connections lazily, so that it may be made before a fork. `read` and `write` are the only ways in."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self.url = url
        self.engine: Engine = create_engine(url, module=sqlite, hide_parameters=True)
        self._writing = threading.Lock()
        event.listen(self.engine, "connect", _on_connect)
        event.listen(self.engine, "begin", _on_begin)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that sees one moment of the database and is rolled back at the end."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that is committed, and on disk, when the block ends without an error.

        It takes the write lock at once, so what it reads cannot change before it writes. Writers of this machine queue for it for up to 5 s, then
        wait another 5 s as SQLite does. Raises OperationalError when nothing can be written (see `cannot_store`).
        """
        with self._turn(), Session(self.engine.execution_options(kb_write=True)) as session, session.begin():
            yield session

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for a turn to write: one thread of each process stands in the queue, which is a lock on a file that the kernel lifts from whoever is killed.

        SQLite alone lets writers look again at ever longer intervals, so that newcomers overtake who has waited for seconds. Only the order
        depends on this queue: who gets no turn in time goes on without.
        """
        end = time.monotonic() + QUEUE_SECONDS
        with ExitStack() as held:
            if self._writing.acquire(timeout=QUEUE_SECONDS):
                held.callback(self._writing.release)
            with suppress(OSError):  # what is wrong with the folder SQLite says itself
                queue = held.enter_context(self.path().with_name(f"{self.path().name}.queue").open("ab"))
                held.callback(fcntl.flock, queue, fcntl.LOCK_UN)  # a child that was forked meanwhile has the file open too
                while not _taken(queue.fileno()) and time.monotonic() < end:
                    time.sleep(_LOOK_EVERY)
            yield

    def path(self) -> Path:
        """Return SQLite's file."""
        return Path(self.url.removeprefix("sqlite:///"))

    def empty_log(self) -> bool:
        """Move what the write-ahead log holds into the database and cut the log to nothing: what was forgotten can be read in it until then.

        Tells whether it worked; while somebody reads from the log it does not, and is to be tried again later. Raises SQLAlchemyError.
        """
        with self._turn(), self.engine.execution_options(kb_bare=True).connect() as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_EMPTYING}")
            try:
                busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY}")
        return not busy

    def disconnect(self) -> None:
        """Close every connection; the next use opens a new one."""
        self.engine.dispose()

    def upgrade(self, now: datetime) -> Path | None:
        """Bring the schema to this version. Returns the backup that was made first, or None when there was nothing to change or to keep."""
        at = self._at()
        if at == SCHEMA:
            return None
        from alembic import command  # noqa: PLC0415 - see SCHEMA
        from alembic.config import Config as AlembicConfig  # noqa: PLC0415 - the same
        from alembic.script import ScriptDirectory  # noqa: PLC0415 - the same

        if at is not None and at not in {revision.revision for revision in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}:
            raise KbError(f"the database is of a newer version ({at}) than this program; install that version, or restore a backup")
        backup = self._backup(now) if at is not None else None
        settings = AlembicConfig()
        settings.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.execution_options(kb_write=True).connect() as connection:
            raw = connection.connection.dbapi_connection
            if raw is None:
                raise KbError("the database connection was lost before the migration; try again")
            raw.execute("PRAGMA foreign_keys=OFF")  # SQLite changes a table by making it anew, and this cannot be switched inside a transaction
            try:
                with connection.begin():
                    settings.attributes["connection"] = connection
                    command.upgrade(settings, "head")
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise KbError("the migration would leave rows without their ticket; nothing was changed, the backup is beside the database")
            finally:
                raw.execute("PRAGMA foreign_keys=ON")
        return backup

    def _backup(self, now: datetime) -> Path:
        target = self.path().with_name(f"{self.path().stem}-{now:%Y%m%dT%H%M%SZ}.backup.sqlite3")
        source, copy = sqlite.connect(str(self.path())), sqlite.connect(str(target))
        try:
            source.backup(copy)
        finally:
            copy.close()
            source.close()
        return target

    def ready(self) -> bool:
        """Tell whether the database answers and has this version's schema."""
        if not self.path().exists():
            return False  # connecting would make an empty one
        return self._at() == SCHEMA

    def _at(self) -> str | None:
        """Return the migration that the database has come to, None when it has no schema yet."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            return found


def cannot_store(error: OperationalError) -> bool:
    """Tell whether the place where the database lies is the reason, not the statement: no room, no right to write, a failing disk, or too long a queue."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _REFUSALS  # the upper bits say more about the same reason


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _on_connect(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    _use_wal(connection)


def _use_wal(connection: Any) -> None:
    """Switch to write-ahead logging. SQLite does not wait here while another process makes the same new file, so this does."""
    for attempt in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite.OperationalError:
            if attempt == _WAL_TRIES - 1:
                raise
            time.sleep(0.1)
        else:
            return


def _on_begin(connection: Any) -> None:
    if connection.get_execution_options().get("kb_bare"):
        return  # the log cannot be emptied inside of a transaction
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("kb_write") else "BEGIN")
