"""The worker: what editors change is published without anybody doing anything; what is broken is not, and is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from indexer import build as building
from indexer.build import current_id, last_outcome, rollback
from kb import worker as working
from kb.accounts import sign_in
from kb.notifications.models import Notice
from kb.tickets import history, lifecycle, shares
from kb.tickets.models import Detail, Follower, Ticket
from kb.tickets.shares import Wording
from kb.web.models import StoredAnswer
from kb.worker import Worker
from tests.kb.tickets.conftest import consistent

DAY = 86_400
BROKEN = "---\ntitle: 坏了\nkinds: faq\n---\n正文"


@pytest.fixture
def folder(write, article):
    return write({"office/printer.md": article("关机再开机。\n", "打印机卡纸怎么处理", questions=["打印机卡纸"])})


@pytest.fixture
def product(services_with, folder, tmp_path):
    """Services over a folder of articles that nobody has built yet."""
    (tmp_path / "index").mkdir()
    made = services_with(tmp_path / "index")
    return replace(made, config=replace(made.config, articles=folder))


@pytest.fixture
def worker(product):
    return Worker(product)


def _looks(worker, times=2):
    return [worker.look() for _ in range(times)]


def test_articles_are_built_when_they_have_been_still_for_one_look(worker, product):
    assert _looks(worker, 4) == [False, True, False, False]
    assert set(product.library.current().articles) == {"office/printer"}


def test_a_change_is_published_within_two_looks_and_readers_see_it_by_themselves(worker, product, app_of, write, article):
    _looks(worker)
    client = app_of(product).test_client()
    assert client.get("/api/v1/search?q=食堂几点开门").json["verdict"] == "unanswered"
    write({"office/canteen.md": article("食堂十一点半开门。\n", "食堂几点开门", questions=["食堂开门时间"])})
    assert _looks(worker) == [False, True]
    assert client.get("/api/v1/search?q=食堂几点开门").json["verdict"] == "answered"


def test_a_folder_that_is_still_being_written_is_left_alone(worker, product, write, article):
    _looks(worker)
    before = current_id(product.config.index)
    for number in range(4):
        write({f"office/a{number}.md": article(f"第 {number} 步。\n", f"步骤 {number}")})
        assert not worker.look()
    assert current_id(product.config.index) == before
    assert worker.look()
    assert current_id(product.config.index) != before


def test_a_broken_article_leaves_the_live_index_and_stands_on_the_desk_until_it_is_mended(worker, product, app_of, write, article, folder):
    _looks(worker)
    live = current_id(product.config.index)
    with product.db.write() as session:
        user = sign_in.add_user(session, "客服小林", "agent", product.now())
        link = f"/sign-in/{sign_in.new_link(session, user, product.now())}"
    client = app_of(product).test_client()
    client.get("/")
    client.submit(link)

    write({"office/broken.md": BROKEN})
    assert _looks(worker) == [False, True]
    assert current_id(product.config.index) == live
    assert client.get("/a/office/printer").status_code == 200
    assert "office/broken.md:3: error unknown-key" in client.get("/desk").text
    assert client.get("/metrics").text.count("kb_build_ok 0.0") == 1
    assert _looks(worker, 3) == [False] * 3, "the same broken articles are not tried again and again"

    write({"office/broken.md": article("正文。\n", "好了")})
    assert _looks(worker) == [False, True]
    assert client.get("/a/office/broken").status_code == 200
    assert "文章没有发布" not in client.get("/desk").text


def test_a_rollback_stays_until_articles_change(worker, product, write, article):
    _looks(worker)
    first = current_id(product.config.index)
    write({"office/canteen.md": article("食堂十一点半开门。\n", "食堂几点开门")})
    _looks(worker)
    assert rollback(product.config.index) == first
    assert _looks(worker, 4) == [False] * 4
    assert set(product.library.current().articles) == {"office/printer"}
    write({"office/bus.md": article("班车八点发车。\n", "班车几点")})
    assert _looks(worker) == [False, True]
    assert set(product.library.current().articles) == {"office/printer", "office/canteen", "office/bus"}


def test_a_folder_that_went_away_is_told_once_and_built_when_it_is_back(worker, product, folder):
    _looks(worker)
    live = current_id(product.config.index)
    folder.rename(folder.with_name("elsewhere"))
    assert _looks(worker, 4) == [False, True, False, False]
    assert current_id(product.config.index) == live
    assert "KB_ARTICLES" in last_outcome(product.config.index).problems[0]
    folder.with_name("elsewhere").rename(folder)
    assert _looks(worker) == [False, True]
    assert last_outcome(product.config.index).ok


def test_a_file_that_goes_away_during_a_look_does_not_end_the_worker(worker, product, monkeypatch):
    _looks(worker)

    def gone(_):
        raise FileNotFoundError(2, "No such file or directory", "office/.printer.md.swp")

    with monkeypatch.context() as patched:
        patched.setattr(working, "fingerprint", gone)
        assert not worker.look()
    assert _looks(worker) == [False, False]


def test_another_builder_at_work_is_waited_for(worker, product, write, article):
    import fcntl  # noqa: PLC0415 - this test alone plays another builder

    _looks(worker)
    write({"office/canteen.md": article("食堂十一点半开门。\n", "食堂几点开门")})
    with (product.config.index / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert _looks(worker, 3) == [False] * 3
    assert worker.look()


def test_a_disk_that_fails_is_shown_and_tried_again_after_a_rest(worker, product, clock, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(building, "write_build", full)
        assert _looks(worker, 4) == [False, True, False, False]
    assert "No space left" in last_outcome(product.config.index).problems[0]
    clock.at += working.RETRY_AFTER
    assert worker.look()
    assert last_outcome(product.config.index).ok


def test_a_published_answer_closes_the_tickets_that_it_names(worker, product, write, article, app_of):
    _looks(worker)
    client = app_of(product).test_client()
    client.get("/")
    number = client.ask("食堂几点开门").json["ticket"]["number"]
    assert [worker.close_answered(), worker.close_answered()] == [True, False]
    write({"office/canteen.md": article("食堂十一点半开门。\n", "食堂几点开门", questions=["食堂开门时间"], answers=[f"T-{number}"])})
    _looks(worker)
    assert worker.close_answered() is True
    assert "已解决" in client.get("/mine").text


@pytest.fixture
def ticking_anew(product, clock):
    """Start a worker with a clock that can be set, and one that cannot; `pass_(20)` lets seconds pass on both."""

    def start():
        moved = [0.0]

        def pass_(seconds):
            moved[0] += seconds
            clock.forward(seconds=seconds)

        return Worker(replace(product, now=clock), lambda: moved[0]), pass_

    return start


@pytest.fixture
def ticking(ticking_anew):
    return ticking_anew()


def _alarms(product):
    with product.db.read() as session:
        return [ticket.alarm for ticket in session.scalars(select(Ticket))]


def _ask(product, at):
    with product.db.write() as session:
        ticket = history.open_ticket(session, "打印机卡纸", at, priority="urgent")
        shares.join(ticket, "c:1", Wording("打印机卡纸", "key"), at, receipt=True)


def test_what_has_expired_is_swept(ticking, product):
    worker, pass_ = ticking
    with product.db.write() as session:
        user = sign_in.add_user(session, "客服小林", "agent", product.now())
        sign_in.new_link(session, user, product.now())
        sign_in.start_session(session, user, product.now())
        assert sign_in.note_try(session, "客服小林", product.now(), fitted="") is None
        session.add(StoredAnswer(digest="a" * 64, body_digest="b" * 64, status=201, body="{}", at=product.now() - timedelta(days=7)))
    pass_(31 * 60)
    assert worker.sweep()
    with product.db.engine.connect() as connection:
        left = {
            table: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()  # noqa: S608 - four names
            for table in ("staff_sessions", "sign_in_links", "failed_sign_ins", "stored_answers")
        }
    assert left == {"staff_sessions": 0, "sign_in_links": 0, "failed_sign_ins": 0, "stored_answers": 0}


def test_the_sweep_closes_what_nobody_objected_to_and_forgets_what_is_over(ticking, product, clock):
    worker, pass_ = ticking
    with product.db.write() as session:
        made = history.open_ticket(session, "打印机卡纸", clock())
        share = shares.join(made, "asker", Wording("打印机卡纸", "key"), clock(), receipt=True)
        shares.add_details(share, "在三楼", None, clock())
        lifecycle.resolve(made, "小李", clock(), body="重启打印机。")
    for days in (7, 90):
        pass_(days * DAY)
        assert worker.sweep()
    with product.db.read() as session:
        assert session.scalars(select(Ticket.state)).all() == ["closed"]
        assert session.scalars(select(Detail.body)).all() == [""]


@pytest.fixture
def over(product, clock):
    """A ticket whose asker told something of their own, answered at `clock`; return what is left of it: its state and what they told."""
    with product.db.write() as session:
        made = history.open_ticket(session, "打印机卡纸", clock())
        share = shares.join(made, "asker", Wording("打印机卡纸", "key"), clock(), receipt=True)
        shares.add_details(share, "在三楼", "lin@example.com", clock())
        lifecycle.resolve(made, "小李", clock(), body="重启打印机。")

    def left():
        with product.db.read() as session:
            return session.get_one(Ticket, 1001).state, session.scalars(select(Detail.body)).one(), session.get_one(Follower, 1).contact

    return left


WHOLE = ("resolved", "在三楼", "lin@example.com")
ERASED = ("closed", "", "")


def test_a_clock_ten_years_ahead_erases_and_closes_nothing_before_somebody_had_a_day_to_notice(ticking, clock, over):
    worker, pass_ = ticking
    assert worker.sweep()
    clock.forward(days=3652)
    for _ in range(287):
        pass_(300)
        assert not worker.sweep()
    assert over() == WHOLE
    clock.forward(days=-3652)
    pass_(300)
    assert not worker.sweep()
    pass_(DAY)
    assert worker.sweep()
    assert over() == WHOLE


def test_a_worker_that_is_started_under_a_clock_ten_years_ahead_erases_and_tells_nothing_however_often(ticking_anew, clock, over, product):
    _ask(product, clock())
    clock.forward(days=3652)
    for _ in range(3):
        worker, pass_ = ticking_anew()
        with structlog.testing.capture_logs() as logs:
            assert not worker.tell_late()
            assert not worker.sweep()
        assert [(log["event"], log["forgetting_held_for"]) for log in logs] == [("clock_jumped", DAY)]
        pass_(600)
        assert worker.tell_late(), "alarms of the program are no sign of people, who would know what time it is"
        assert not worker.sweep()
    with product.db.read() as session:
        assert session.get_one(Ticket, 1001).state == "resolved"
        assert session.scalars(select(Detail.body)).all() == ["在三楼"]


def test_people_who_come_under_a_clock_ten_years_ahead_do_not_make_it_right_before_a_day_has_passed(ticking_anew, clock, over, product):
    clock.forward(days=3652)
    for _ in range(2):
        _ask(product, clock())
        worker, pass_ = ticking_anew()
        assert not worker.sweep()
        pass_(DAY // 3)
    assert over() == WHOLE
    pass_(DAY)
    worker, pass_ = ticking_anew()
    assert worker.sweep()
    assert over() == ERASED


def test_a_worker_that_is_started_under_a_clock_of_long_ago_ends_no_invitation(ticking_anew, clock, over, product):
    with product.db.write() as session:
        link = sign_in.invitation(session, sign_in.add_user(session, "客服小林", "agent", clock()), clock())
    clock.forward(days=-3652)
    worker, _ = ticking_anew()
    assert not worker.sweep()
    clock.forward(days=3652)
    with product.db.read() as session:
        assert sign_in.open_link(session, link, clock())


def test_a_help_centre_that_rested_for_a_month_forgets_at_once_and_one_that_rested_longer_after_a_day(ticking_anew, clock, over):
    worker, pass_ = ticking_anew()
    clock.forward(days=30)
    assert worker.sweep()
    assert over() == ("closed", *WHOLE[1:])
    worker, pass_ = ticking_anew()
    clock.forward(days=61)
    assert not worker.sweep()
    pass_(DAY)
    assert worker.sweep()
    assert over() == ERASED


def test_a_clock_that_was_set_an_hour_ahead_is_swept_by_once_it_has_stayed_so(ticking, clock):
    worker, pass_ = ticking
    assert worker.sweep()
    clock.forward(hours=1)
    pass_(300)
    assert not worker.sweep()
    pass_(600)
    assert worker.sweep()


def test_what_is_late_is_told_by_the_worker_even_before_anything_was_published(ticking, product, clock):
    worker, pass_ = ticking
    clock.at = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
    _ask(product, clock())
    pass_(360)
    assert worker.tell_late()
    assert _alarms(product) == ["response_late"]


def test_a_clock_that_was_set_tells_nobody_anything_until_it_has_stayed_so(ticking, product, clock):
    worker, pass_ = ticking
    clock.at = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
    _ask(product, clock())
    assert worker.tell_late()
    clock.forward(days=3652)
    with structlog.testing.capture_logs() as logs:
        for _ in range(29):
            pass_(20)
            assert not worker.tell_late()
    assert [log["event"] for log in logs] == ["clock_jumped"], "said once"
    assert _alarms(product) == [""]
    clock.forward(days=-3652)
    for _ in range(30):
        pass_(20)
        assert not worker.tell_late()
    pass_(20)
    assert worker.tell_late()
    assert _alarms(product) == ["response_late"]


def _told(product):
    with product.db.read() as session:
        return [one.data["alarms"] for one in session.scalars(select(Notice).where(Notice.kind == "alarmed", Notice.user_id.is_(None)).order_by(Notice.id))]


@pytest.mark.parametrize("set_right", ["while it runs", "before it is started anew"])
def test_what_was_told_by_a_clock_that_was_ahead_is_told_again_when_it_is_true(ticking_anew, product, clock, set_right):
    clock.at = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
    _ask(product, clock())
    clock.forward(days=3)
    worker, pass_ = ticking_anew()
    assert worker.tell_late()
    assert _told(product) == [["resolution_late"]]
    clock.forward(days=-3)
    if set_right == "before it is started anew":
        worker, pass_ = ticking_anew()
        assert worker.tell_late()
        with product.db.read() as session:
            ticket = session.get_one(Ticket, 1001)
            assert (ticket.alarm, ticket.escalated) == ("", ""), "neither late nor for others to look at by now"
            consistent(session)
    else:
        assert not worker.tell_late()
    pass_(720)
    assert worker.tell_late()
    assert _told(product) == [["resolution_late"], ["response_late"]]
    assert worker.tell_late()
    assert len(_told(product)) == 2


def test_what_an_agent_escalated_stays_whatever_the_clock_said(ticking_anew, product, clock):
    clock.at = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
    _ask(product, clock())
    with product.db.write() as session:
        lifecycle.escalate(history.find(session, 1001), "manager", "客户在等", "王敏", clock() + timedelta(days=3))
    worker, _ = ticking_anew()
    assert worker.tell_late()
    with product.db.read() as session:
        assert session.get_one(Ticket, 1001).escalated == "manager"


def test_a_database_that_cannot_be_written_is_tried_again_at_the_next_look(ticking, product, clock, monkeypatch):
    worker, pass_ = ticking
    clock.at = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
    _ask(product, clock())
    pass_(360)
    sweep = working.alarms.sweep
    monkeypatch.setattr(working.alarms, "sweep", lambda *_: (_ for _ in ()).throw(OperationalError("", {}, Exception("disk full"))))
    assert not worker.tell_late()
    monkeypatch.setattr(working.alarms, "sweep", sweep)
    assert worker.tell_late()
    assert _alarms(product) == ["response_late"]
