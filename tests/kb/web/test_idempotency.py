"""A POST that is sent again with its key is answered again and written once, whatever happened to the first answer."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context

import pytest

from kb.db import Database
from kb.web.idempotency import once
from kb.web.models import forget
from kb.web.visitor import person_named

KEY = "2f9c1c1e-7d1b-4f6e"
BODY = {"intent_id": "intent-a", "query": "打印机卡纸怎么处理", "trigger": "enter", "visitor": "小林的电脑"}


def post(app, key=KEY, path="/api/v1/intents", **changed):
    """Send the question of one person from a client without cookies."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return app.test_client().post(path, json={**BODY, **changed}, headers=headers)


@pytest.fixture
def written(rows):
    """How many rows stand in the tables that a question writes."""
    return lambda: {name: len(found) for name, found in rows().items() if name in {"intents", "tickets", "followers", "stored_answers"}}


ONE = {"intents": 1, "tickets": 1, "followers": 1, "stored_answers": 1}


def test_the_same_key_and_body_give_the_same_answer_and_one_ticket(app, written):
    first, again = post(app), post(app)
    assert (first.status_code, first.mimetype, first.json["ticket"]["number"]) == (201, "application/json", 1001)
    assert (again.status_code, again.mimetype, again.data) == (201, "application/json", first.data)
    assert written() == ONE


def test_the_answer_is_that_of_then_even_when_others_came_since(app):
    first = post(app)
    assert post(app, key=None, intent_id="intent-b", visitor="小王").json["ticket"]["followers"] == 2
    assert post(app).data == first.data


def test_without_a_key_nothing_is_stored_and_all_is_as_before(app, services, written):
    assert [post(app, key=None).status_code for _ in range(2)] == [201, 200]
    assert written() == ONE | {"stored_answers": 0}
    assert not (services.config.data / "idempotency.lock").exists()


@pytest.mark.parametrize(
    "changed", [{"query": "会议室怎么预订"}, {"trigger": "unsolved"}, {"opened": "invoices/verify-failed"}, {"path": "/api/v1/intents?x=1"}]
)
def test_the_key_of_another_request_is_refused(app, written, changed):
    first = post(app)
    answer = post(app, **changed)
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "key_reused")
    assert written() == ONE
    assert post(app).data == first.data


@pytest.mark.parametrize("path", ["/api/v1/intents?lang=en", "/api/v1/intents?lang=zh-TW", "/api/v1/intents?"])
def test_who_asks_again_in_another_language_gets_the_answer_of_then(app, written, path):
    first = post(app)
    assert (post(app, path=path).status_code, post(app, path=path).data) == (201, first.data)
    assert written() == ONE


def test_the_site_may_be_named_in_the_address_or_in_a_header(app, embedded, written):
    embedded("search")
    body, headers = BODY | {"visitor": None}, {"Idempotency-Key": KEY, "X-Zhida-Visitor": "a" * 32}
    first = app.test_client().post("/api/v1/intents?site=travel", json=body, headers=headers)
    again = app.test_client().post("/api/v1/intents?lang=en", json=body, headers=headers | {"X-Zhida-Site": "travel"})
    assert (first.status_code, again.status_code, again.data) == (201, 201, first.data)
    assert written() == ONE
    other = app.test_client().post("/api/v1/intents?x=1", json=body, headers=headers | {"X-Zhida-Site": "travel"})
    assert other.json["error"]["code"] == "key_reused"


def test_a_key_belongs_to_who_sent_it(app, written):
    assert [post(app, visitor=visitor, intent_id=visitor).json["ticket"]["followers"] for visitor in ("小林", "小王")] == [1, 2]
    assert written() == {"intents": 2, "tickets": 1, "followers": 2, "stored_answers": 2}


@pytest.mark.parametrize("key", ["", "x" * 15, "x" * 129, "x" * 15 + " x", "x" * 16 + "\t", "密" * 16, "\xe9" * 16])
def test_what_is_no_key_is_refused_and_writes_nothing(app, written, key):
    answer = app.test_client().post("/api/v1/intents", json=BODY, environ_base={"HTTP_IDEMPOTENCY_KEY": key})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_key")
    assert set(written().values()) == {0}


@pytest.mark.parametrize("key", ["x" * 16, "x" * 128, "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"])
def test_every_visible_sign_may_stand_in_a_key(app, key):
    assert [post(app, key=key).status_code for _ in range(2)] == [201, 201]


def test_a_request_in_flight_is_told_to_wait_a_second_and_then_gets_its_answer(app, services, written):
    request = {"path": "/api/v1/intents", "method": "POST", "json": BODY, "headers": {"Idempotency-Key": KEY}}
    with app.test_request_context(**request), once(services, person_named(BODY["visitor"])):
        answer = post(app)
        assert post(app, visitor="小王", intent_id="intent-b").status_code == 201, "the same key of somebody else"
    assert (answer.status_code, answer.json["error"]["code"], answer.headers["Retry-After"]) == (409, "in_flight", "1")
    assert post(app).status_code == 201
    assert written() == {"intents": 2, "tickets": 1, "followers": 2, "stored_answers": 2}


def _until_answered(app):
    """Send the request again as long as it is in flight; return every status, and the answer."""
    said = [post(app)]
    while said[-1].status_code == 409:
        said.append(post(app))
    return {answer.status_code for answer in said}, said[-1].data


def test_threads_that_send_the_same_at_once_write_one_ticket(app, written):
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda _: _until_answered(app), range(8)))
    assert set().union(*(statuses for statuses, _ in said)) <= {201, 409}
    assert len({body for _, body in said}) == 1
    assert written() == ONE


def _send(app, pipe):
    pipe.send(_until_answered(app))
    os._exit(0)


def test_processes_that_send_the_same_at_once_write_one_ticket(app, services, written):
    services.db.disconnect()
    context = get_context("fork")
    pipes = [context.Pipe() for _ in range(4)]
    children = [context.Process(target=_send, args=(app, there)) for _, there in pipes]
    for child in children:
        child.start()
    said = [here.recv() for here, _ in pipes]
    for child, pipe in zip(children, pipes, strict=True):
        child.join()
        for end in pipe:
            end.close()
    assert set().union(*(statuses for statuses, _ in said)) <= {201, 409}
    assert len({body for _, body in said}) == 1
    assert written() == ONE


class Dying(Database):
    """A database whose process is killed as its first write ends: before the commit, or after it."""

    after_commit = False

    @contextmanager
    def write(self):
        with super().write() as session:
            yield session
            session.flush()
            if not self.after_commit:
                os.kill(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


class DyingLate(Dying):
    after_commit = True


@pytest.mark.parametrize(("database", "left"), [(Dying, 0), (DyingLate, 1)])
def test_who_sends_again_after_a_worker_was_killed_gets_the_answer_at_once_and_one_ticket(app_of, services, written, database, left):
    services.db.disconnect()
    dying = app_of(replace(services, db=database(services.config.database_url)))
    child = get_context("fork").Process(target=post, args=(dying,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert written()["stored_answers"] == written()["tickets"] == left
    app = app_of(services)
    again = [post(app) for _ in range(2)]
    assert [answer.status_code for answer in again] == [201, 201], "a repeat of what was not stored would be a 200"
    assert again[0].data == again[1].data
    assert written() == ONE


def test_an_action_on_a_ticket_is_done_once_per_key(asker, ticket, rows):
    path, headers = f"/api/v1/tickets/{ticket['token']}", {"Idempotency-Key": KEY}
    first = asker.post(f"{path}/details", json={"details": "三楼东侧"}, headers=headers)
    before = rows()
    again = asker.post(f"{path}/details", json={"details": "三楼东侧"}, headers=headers)
    assert (again.status_code, again.data) == (first.status_code, first.data) == (200, first.data)
    assert rows() == before
    assert asker.post(f"{path}/details", json={"details": "五楼"}, headers=headers).status_code == 422
    assert asker.post(f"{path}/withdraw", json={"details": "三楼东侧"}, headers=headers).status_code == 422
    assert rows() == before


def test_a_refusal_is_not_kept_so_that_the_request_may_succeed_later(app, asker, agent, ticket, written):
    assert post(app, trigger="nothing").status_code == 400
    assert post(app).status_code == 201
    unknown = asker.post("/api/v1/tickets/nobody/confirm", json={}, headers={"Idempotency-Key": KEY})
    assert unknown.status_code == 404
    assert written()["stored_answers"] == 1


def test_a_question_that_is_not_finished_yet_is_answered_again_all_the_same(app, written):
    assert [post(app, query="发", trigger="idle").status_code for _ in range(2)] == [200, 200]
    assert written() == {"intents": 0, "tickets": 0, "followers": 0, "stored_answers": 1}
    assert post(app).status_code == 422


def test_an_answer_is_kept_for_seven_days(app, services, clock, written):
    post(app)
    for seconds, left in ((7 * 86400, 1), (1, 0)):
        clock.forward(seconds=seconds)
        with services.db.write() as session:
            forget(session, clock())
        assert written()["stored_answers"] == left
    assert post(app).status_code == 200, "the intent's own id still tells that it is a repeat"


def test_what_is_stored_tells_neither_the_question_nor_the_person_nor_the_key(app, rows):
    post(app)
    told = repr(rows()["stored_answers"])
    assert not [word for word in ("打印机", "小林", KEY) if word in told]


def test_a_form_with_a_part_that_has_no_name_is_refused_like_any_other_without_a_file(asker, ticket):
    form = b"--form\r\nContent-Disposition: form-data\r\n\r\nx\r\n--form--\r\n"
    headers = {"Idempotency-Key": KEY, "Content-Type": "multipart/form-data; boundary=form"}
    assert asker.post(f"/api/v1/tickets/{ticket['token']}/files", data=form, headers=headers).status_code == 400
