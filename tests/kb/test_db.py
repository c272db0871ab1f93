from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from kb.accounts.models import User
from kb.db import MIGRATIONS, SCHEMA, Base, Database
from kb.errors import KbError
from kb.tickets.models import Follower


def user(name, now):
    return User(name=name, role="agent", created_at=now, password_hash="")


def names(db):
    with db.read() as session:
        return sorted(session.scalars(select(User.name)))


def test_what_a_write_block_ends_with_is_there_for_the_next_reader(db, now):
    with db.write() as session:
        session.add(user("甲", now))
    assert names(db) == ["甲"]


def test_a_write_block_that_fails_leaves_nothing(db, now):
    def fail():
        with db.write() as session:
            session.add(user("甲", now))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert names(db) == []


def test_what_is_added_while_reading_is_not_kept(db, now):
    with db.read() as session:
        session.add(user("甲", now))
        session.flush()
    assert names(db) == []


def test_a_reader_sees_one_moment(db, now):
    with db.read() as session:
        assert session.scalar(select(User.name)) is None
        with db.write() as writing:
            writing.add(user("甲", now))
        assert session.scalar(select(User.name)) is None
    assert names(db) == ["甲"]


def test_writers_queue_instead_of_failing_and_none_reads_what_another_is_about_to_change(db, now):
    with db.write() as session:
        session.add(user("0", now))

    def count_up(_):
        with db.write() as session:
            account = session.scalar(select(User))
            account.name = str(int(account.name) + 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count_up, range(80)))
    assert names(db) == ["80"]


def test_commits_are_durable_and_references_are_checked(db, now):
    with db.read() as session:
        pragmas = {name: session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0}
    orphan = Follower(ticket_number=7, person="p", token="t", wording="w", waiting=True, joined_at=now, contact="")
    with pytest.raises(IntegrityError), db.write() as session:
        session.add(orphan)


def test_a_time_keeps_its_moment_whatever_its_zone(db):
    shanghai = timezone(timedelta(hours=8))
    with db.write() as session:
        session.add(user("甲", datetime(2026, 11, 20, 17, 30, tzinfo=shanghai)))
    with db.read() as session:
        found = session.scalar(select(User.created_at))
    assert found == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert found.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(db):
    with pytest.raises(StatementError, match="time zone"), db.write() as session:
        session.add(user("甲", datetime(2026, 11, 20)))  # noqa: DTZ001 - what must be refused


def test_the_migrations_make_the_tables_that_the_models_describe(db):
    found = inspect(db.engine)
    for table in Base.metadata.sorted_tables:
        assert {column["name"] for column in found.get_columns(table.name)} == {column.name for column in table.columns}, table.name
        assert {index["name"] for index in found.get_indexes(table.name)} >= {index.name for index in table.indexes if not index.unique}, table.name


def test_upgrading_twice_changes_nothing_and_needs_no_backup(db, now, tmp_path):
    assert db.ready()
    assert db.upgrade(now) is None
    assert not list(tmp_path.glob("*.backup.*"))


def test_the_schema_that_the_program_expects_is_that_of_the_last_migration():
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == SCHEMA


def test_an_empty_file_is_not_ready(tmp_path):
    assert not Database(f"sqlite:///{tmp_path / 'new.sqlite3'}").ready()


def test_two_processes_that_upgrade_at_once_make_one_schema(tmp_path, now):
    databases = [Database(f"sqlite:///{tmp_path / 'kb.sqlite3'}") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda database: database.upgrade(now), databases))
    assert all(database.ready() for database in databases)


def test_a_database_of_a_newer_version_is_left_alone(db, now):
    with db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999_future'"))
    with pytest.raises(KbError, match="newer version"):
        db.upgrade(now)
    assert not db.ready()


def test_an_emptied_log_holds_nothing_and_what_was_written_stays(db, now):
    with db.write() as session:
        session.add(user("甲", now))
    log = db.path().with_name(f"{db.path().name}-wal")
    assert log.stat().st_size > 0
    assert db.empty_log()
    assert log.stat().st_size == 0
    assert names(db) == ["甲"]
    with db.write() as session:
        session.add(user("乙", now))
    assert names(db) == ["乙", "甲"], "the connection that emptied it begins transactions again"


def test_a_log_that_somebody_reads_from_is_left_and_emptied_later(db, now):
    with db.read() as session:
        assert session.scalars(select(User.name)).all() == []
        with db.write() as writing:
            writing.add(user("甲", now))
        assert not db.empty_log()
    assert db.empty_log()
    assert names(db) == ["甲"]
