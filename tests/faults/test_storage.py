"""A disk that takes nothing: an error with a remedy, never a success without the row, and the next request works once there is room."""

from __future__ import annotations

import fcntl
import resource
import sys
import threading
import time
from multiprocessing import get_context

import pytest
from sqlalchemy import event, select, text

from kb import db as database
from kb import logs
from kb.search.models import Intent

KEY = "2f9c1c1e-7d1b-4f6e-"
PAGE = 4096


def ask(app, name, **headers):
    """Send a question of a new person."""
    body = {"intent_id": name, "query": "打印机卡纸怎么处理", "trigger": "enter", "visitor": name}
    return app.test_client().post("/api/v1/intents", json=body, headers=headers)


def stored(services):
    with services.db.read() as session:
        return set(session.scalars(select(Intent.id)))


def refused(answer):
    """Tell whether an answer says that nothing was stored and what to do."""
    told = answer.json["error"]
    return (answer.status_code, told["code"], answer.headers["Retry-After"]) == (503, "cannot_store", "60") and "一分钟后再提交" in told["message"]


def _with_ever_more_room(app, services, log, pipe):
    """Answer questions while files may grow to so many bytes and no further, a page more each time, until one is stored."""
    services.db.disconnect()
    sys.stderr = log.open("w", encoding="utf-8")
    logs.configure()
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    room, found = 0, []
    while not found or found[-1][1] != 201:
        name = f"intent-{room}"
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        answer, search = ask(app, name, **{"Idempotency-Key": f"{KEY}{room:09}"}), app.test_client().get("/api/v1/search?q=发票查验失败")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        found.append((name, answer.status_code, answer.status_code == 201 or refused(answer), search.status_code, name in stored(services)))
        room += PAGE
    later = ask(app, "intent-0", **{"Idempotency-Key": f"{KEY}{0:09}"})
    pipe.send((found, later.status_code, stored(services)))
    pipe.close()


def test_wherever_the_disk_is_full_during_a_commit_nothing_is_acknowledged_that_is_not_stored_and_search_goes_on(app, services, tmp_path):
    assert ask(app, "before").status_code == 201
    services.db.disconnect()
    here, there = get_context("fork").Pipe()
    child = get_context("fork").Process(target=_with_ever_more_room, args=(app, services, tmp_path / "log", there))
    child.start()
    there.close()
    found, later, names = here.recv()
    child.join()
    here.close()
    assert len(found) > 5, "there was too little room at several places"
    assert all(right for _, _, right, _, _ in found), found
    assert {search for _, _, _, search, _ in found} == {200}
    assert [(name, is_stored) for name, _, _, _, is_stored in found[:-1] if is_stored] == []
    assert found[-1][4]
    assert later == 201, "the same request, sent again when there is room"
    assert names == {"before", "intent-0", found[-1][0]}


@pytest.fixture
def read_only(services):
    """Let the database refuse every write, as one on a read-only file system does, as long as the switch is on."""
    services.db.disconnect()
    event.listen(services.db.engine, "checkout", lambda connection, *_: connection.execute(f"PRAGMA query_only={'ON' if switch.is_set() else 'OFF'}"))
    switch = threading.Event()
    return switch


def test_a_read_only_database_refuses_with_a_remedy_and_takes_questions_again_afterwards(app, services, read_only):
    read_only.set()
    answer = ask(app, "intent-a")
    assert refused(answer)
    page = app.test_client().post("/t/nobody/confirm")
    assert (page.status_code, page.mimetype) == (400, "text/html"), "what needs no writing is answered as always"
    assert app.test_client().get("/search?q=发票").status_code == 200
    read_only.clear()
    assert stored(services) == set()
    assert ask(app, "intent-a").status_code == 201


def test_a_person_is_told_on_a_page_to_keep_what_they_wrote(app, read_only):
    browser = app.test_client()
    token = browser.token()
    read_only.set()
    answer = browser.post("/search", data={"q": "打印机卡纸怎么处理", "csrf_token": token})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "请复制你写的内容" in answer.text


def test_a_mistake_in_a_statement_is_no_full_disk(app, services, log):
    with services.db.write() as session:
        session.execute(text("ALTER TABLE intents RENAME TO lost"))
    answer = ask(app, "intent-a")
    assert (answer.status_code, answer.json["error"]["code"]) == (500, "internal")
    assert "cannot_store" not in log()


def test_who_waits_too_long_for_the_database_is_told_to_come_again(app, services, monkeypatch):
    monkeypatch.setattr(database, "QUEUE_SECONDS", 0.01)
    services.db.disconnect()
    event.listen(services.db.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=10"))
    other = database.Database(services.config.database_url)
    with other.write() as session:
        session.execute(text("DELETE FROM replays"))
        answer = ask(app, "intent-a")
    other.disconnect()
    assert refused(answer)
    assert "locked" not in answer.text
    assert ask(app, "intent-a").status_code == 201


def test_writers_wait_for_who_came_before_them_in_whatever_process(db, tmp_path):
    order = []

    def write():
        with db.write():
            order.append("later")

    with (tmp_path / "kb.sqlite3.queue").open("ab") as queue:
        fcntl.flock(queue, fcntl.LOCK_EX)
        later = threading.Thread(target=write)
        later.start()
        later.join(0.05)
        order.append("first")
    later.join()
    assert order == ["first", "later"]


def test_a_queue_that_does_not_move_keeps_nobody_from_writing(db, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "QUEUE_SECONDS", 0.02)
    with (tmp_path / "kb.sqlite3.queue").open("ab") as queue:
        fcntl.flock(queue, fcntl.LOCK_EX)
        started = time.monotonic()
        with db.write() as session:
            assert session.scalar(text("SELECT 1")) == 1
        assert 0.02 <= time.monotonic() - started < 5
