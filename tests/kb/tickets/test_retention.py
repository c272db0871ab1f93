"""What time does to tickets: silence is consent after three working days, and what belongs to one person is forgotten after ninety."""

from __future__ import annotations

import io
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from kb.files import FileStore
from kb.tickets import history, lifecycle, regroup, shares, sla_file
from kb.tickets.models import Attachment, Detail, Follower, Presence, Ticket
from kb.tickets.retention import close_unconfirmed, forget, tidy
from kb.tickets.shares import Wording
from kb.tickets.sla_file import SHIPPED
from tests.kb.tickets.conftest import happened

HOURS = sla_file.read().hours
CSV = b"\xe5\x8d\x95\xe5\x8f\xb7,\xe9\x87\x91\xe9\xa2\x9d\nBX1,300\n"


@pytest.fixture
def files(tmp_path):
    return FileStore(tmp_path / "files")


@pytest.fixture
def ticket(db, now, files):
    """A ticket of one person who told everything they could, resolved at `now`."""
    kept = files.keep(io.BytesIO(CSV), "单据.csv")
    with db.write() as session:
        made = history.open_ticket(session, "打印机卡纸", now)
        share = shares.join(made, "asker", Wording("打印机卡纸", "key"), now, receipt=True)
        shares.add_details(share, "我是三楼的张三", "13800138000", now)
        session.add(Attachment(follower_id=share.id, name=kept.name, media_type=kept.media_type, size=kept.size, digest=kept.digest, at=now))
        lifecycle.note(made, "打过张三的电话", "小李", now)
        lifecycle.reply(made, "张三，请看三楼的打印机", "小李", now, to=share)
        lifecycle.resolve(made, "小李", now, body="重启打印机。")
        return made.number


def state(db, number):
    with db.read() as session:
        return session.get_one(Ticket, number).state


@pytest.mark.parametrize(
    ("resolved", "still", "closed"),
    [
        ("2026-11-16 10:00", "2026-11-19 09:59", "2026-11-19 10:00"),  # Monday → Thursday
        ("2026-11-19 10:00", "2026-11-23 23:00", "2026-11-24 10:00"),  # over a weekend
        ("2026-09-30 10:00", "2026-10-09 23:00", "2026-10-12 10:00"),  # over National Day: 10 October is a make-up Saturday
    ],
)
def test_an_answer_that_nobody_objects_to_for_three_working_days_closes_the_ticket(db, resolved, still, closed):
    at = {name: datetime.fromisoformat(f"{time}+08:00") for name, time in {"resolved": resolved, "still": still, "closed": closed}.items()}
    with db.write() as session:
        made = history.open_ticket(session, "打印机卡纸", at["resolved"])
        shares.join(made, "asker", Wording("打印机卡纸", "key"), at["resolved"], receipt=True)
        lifecycle.resolve(made, "小李", at["resolved"], body="重启打印机。")
        number = made.number
    assert close_unconfirmed(db, HOURS, at["still"]) == 0
    assert state(db, number) == "resolved"
    assert close_unconfirmed(db, HOURS, at["closed"]) == 1
    assert state(db, number) == "closed"
    assert close_unconfirmed(db, HOURS, at["closed"]) == 0


def test_those_days_are_days_on_which_the_company_works(db, ticket, now, tmp_path):
    own = tmp_path / "sla.toml"
    days = [(now + timedelta(days=ahead)).date().isoformat() for ahead in range(1, 15)]
    own.write_text(SHIPPED.read_text(encoding="utf-8").replace("off = []", f"off = {days}"), encoding="utf-8")
    hours = sla_file.read(own).hours
    assert close_unconfirmed(db, hours, now + timedelta(days=14)) == 0
    assert close_unconfirmed(db, HOURS, now + timedelta(days=14)) == 1


def test_who_comes_back_after_that_can_still_open_it_again(db, ticket, now):
    close_unconfirmed(db, HOURS, now + timedelta(days=14))
    with db.write() as session:
        shares.reopen(session.scalars(select(Follower)).one(), "又卡了", now + timedelta(days=15))
    assert state(db, ticket) == "in_progress"


def test_confirmed_tickets_are_left_alone(db, ticket, now):
    with db.write() as session:
        shares.confirm(session.scalars(select(Follower)).one(), now)
    assert close_unconfirmed(db, HOURS, now + timedelta(days=30)) == 0
    assert state(db, ticket) == "confirmed"


def test_what_belongs_to_one_person_is_forgotten_90_days_after_the_end_and_not_a_day_before(db, ticket, now, files):
    assert forget(db, files, now + timedelta(days=89)) == 0
    assert forget(db, files, now + timedelta(days=90)) == 4
    with db.read() as session:
        found = session.get_one(Ticket, ticket)
        assert {(detail.body, detail.forgotten_at is not None) for detail in session.scalars(select(Detail))} == {("", True)}
        assert session.scalars(select(Follower)).one().contact == ""
        assert session.scalar(select(func.count()).select_from(Attachment)) == 0
        assert [event.text for event in found.events if event.kind == "resolved"] == ["重启打印机。"], "the answer for everybody stays"
        assert [event.kind for event in happened(found)] == ["opened", "added", "noted", "assigned", "replied", "resolved"], "that something happened stays"
    assert list((files._root).rglob("??/*")) == []  # noqa: SLF001 - the disk is what counts
    assert forget(db, files, now + timedelta(days=91)) == 0


def test_an_open_ticket_forgets_nothing_however_old_it_is(db, ticket, now, files):
    with db.write() as session:
        shares.reopen(session.scalars(select(Follower)).one(), "又卡了", now + timedelta(days=1))
    assert forget(db, files, now + timedelta(days=400)) == 0


def test_a_file_that_two_people_added_stays_until_the_second_one_is_forgotten(db, ticket, now, files):
    with db.write() as session:
        mine = session.scalars(select(Attachment)).one()
        other = history.open_ticket(session, "复印机坏了", now)
        share = shares.join(other, "colleague", Wording("复印机坏了", "other"), now, receipt=True)
        session.add(Attachment(follower_id=share.id, name="a.csv", media_type="text/plain", size=mine.size, digest=mine.digest, at=now))
        digest = mine.digest
    forget(db, files, now + timedelta(days=90))
    assert files.holds(digest)


def test_orphans_of_cut_requests_and_old_presences_are_tidied_away(db, ticket, now, files):
    orphan = files.keep(io.BytesIO(b"a,b\n1,2\n"), "没提交.csv")
    with db.write() as session:
        kept = session.scalars(select(Attachment.digest)).one()
        session.add(Presence(ticket_number=ticket, agent="小李", writing=True, seen_at=now - timedelta(hours=1)))
    tidy(db, files, datetime.now(now.tzinfo) + timedelta(hours=2))
    assert (files.holds(orphan.digest), files.holds(kept)) == (False, True)
    with db.read() as session:
        assert session.scalars(select(Presence)).all() == []


def test_what_was_noted_in_a_merged_ticket_stays_while_the_one_that_goes_on_is_open(db, ticket, now, files):
    with db.write() as session:
        source = history.find(session, ticket)
        target = history.open_ticket(session, "复印机坏了", now)
        shares.join(target, "colleague", Wording("复印机坏了", "other"), now, receipt=True)
        regroup.merge(session, source, target, "小李", now)
        number = target.number
    assert forget(db, files, now + timedelta(days=400)) == 0
    with db.write() as session:
        lifecycle.resolve(history.find(session, number), "小李", now + timedelta(days=400), body="修好了。")
    assert forget(db, files, now + timedelta(days=490)) == 4


def test_a_file_is_still_there_when_forgetting_it_could_not_be_stored(db, ticket, now, files, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("kb.tickets.retention.drop_files", fail)
    with pytest.raises(OSError, match="disk full"):
        forget(db, files, now + timedelta(days=90))
    with db.read() as session:
        assert files.holds(session.scalars(select(Attachment.digest)).one())
