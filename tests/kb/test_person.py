"""Somebody asks what is kept about them, or wants to be forgotten."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from kb import person
from kb.accounts import sign_in
from kb.errors import NotFoundError
from kb.tickets import alarms, history, shares
from kb.tickets.models import Attachment, Detail, Follower, Ticket
from kb.tickets.shares import Wording
from tests.kb.tickets.conftest import consistent

SECRETS = ("五楼的打印机", "分机8001", "还是不行，我急用")


@pytest.fixture
def known(asker, agent, ticket, services, now):
    """An asker who has left traces everywhere; returns their person id."""
    asker.submit(ticket["path"], f"{ticket['path']}/details", details=SECRETS[0], contact=SECRETS[1])
    asker.post("/api/v1/feedback", json={"article": "invoices/verify-failed", "helpful": False, "reason": "看不懂"})
    agent.submit("/desk/1001", "/desk/1001/resolve", body="重启打印机。")
    asker.submit(ticket["path"], f"{ticket['path']}/reopen", details=SECRETS[2])
    kept = services.files.keep(io.BytesIO(b"a,b\n1,2\n"), "清单.csv")
    with services.db.write() as session:
        share = session.scalars(select(Follower)).one()
        session.add(Attachment(follower_id=share.id, name=kept.name, media_type=kept.media_type, size=kept.size, digest=kept.digest, at=now))
        return share.person


def test_a_person_is_found_by_a_ticket_an_account_or_an_id(services, known, ticket, intruder):
    with services.db.read() as session:
        for who in (ticket["url"], ticket["path"], ticket["token"], known):
            assert person.identify(session, who) == known
        assert person.identify(session, "员工小钱").startswith("u:")
        for nobody in ("", "谁", "/t/", "c:0", "https://example.com/t/x"):
            with pytest.raises(NotFoundError, match="nothing is kept"):
                person.identify(session, nobody)


def test_the_export_holds_everything_that_the_person_said_and_was_told_and_nobody_elses_words(services, known, second_asker):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    second_asker.submit(other, f"{other}/details", details="同事的秘密")
    with services.db.read() as session:
        found = json.dumps(person.export(session, known), ensure_ascii=False)
    assert all(text in found for text in (*SECRETS, "打印机卡纸怎么处理", "重启打印机。", "清单.csv", "invoices/verify-failed"))
    assert "同事的秘密" not in found


def test_who_is_forgotten_is_nowhere_any_more_and_still_counted_as_somebody(services, known, asker, ticket, rows, now, log):
    removed = person.forget(services.db, services.files, known, now)
    assert removed == {"questions": 1, "tickets": 1, "details": 2, "files": 1, "messages": 0, "feedback": 1}
    left = repr(rows()) + log()
    gone = (*SECRETS, known, ticket["token"], "看不懂", "打印机卡纸", "清单.csv")
    assert not [text for text in gone if text in left]
    stored = b"".join(file.read_bytes() for file in services.db.path().parent.glob(f"{services.db.path().name}*"))
    assert not [text for text in gone if text.encode() in stored], "what was deleted is overwritten in the file, and in its log, too"
    assert asker.get(ticket["path"]).status_code == 404
    assert "打印机卡纸" not in asker.get("/mine").text
    with services.db.read() as session:
        left_over = session.scalars(select(Ticket)).one()
        assert (left_over.people, left_over.question, left_over.phrasings) == (1, "（提问已按本人要求删除）", [])
        with pytest.raises(NotFoundError):
            person.identify(session, known)


def test_forgetting_one_leaves_the_others_alone(services, known, second_asker, now):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    second_asker.submit(other, f"{other}/details", details="同事的秘密")
    person.forget(services.db, services.files, known, now)
    with services.db.read() as session:
        assert "同事的秘密" in session.scalars(select(Detail.body)).all()


def test_a_question_that_others_ask_too_stays_for_them(services, known, second_asker, now):
    second_asker.ask("打印机卡纸怎么处理")
    person.forget(services.db, services.files, known, now)
    with services.db.read() as session:
        found = session.scalars(select(Ticket)).one()
        assert (found.people, found.question) == (2, "打印机卡纸怎么处理")


@pytest.fixture
def open_ticket(services, now):
    """Let people ask the same, `withdrawn` of them taking it back again; return the ticket's number."""

    def ask(*people, withdrawn=()):
        with services.db.write() as session:
            made = history.open_ticket(session, "登机牌丢了能报吗", now)
            joined = [shares.join(made, one, Wording("登机牌丢了能报吗", "key", ("登机牌",)), now, receipt=True) for one in people]
            for share in joined:
                if share.person in withdrawn:
                    shares.withdraw(made, share, now)
            return made.number

    return ask


def test_the_clock_of_who_is_forgotten_stops_and_nobody_is_told_that_it_is_late(services, open_ticket, now):
    number = open_ticket("c:a")
    person.forget(services.db, services.files, "c:a", now)
    with services.db.read() as session:
        consistent(session)
        found = session.get_one(Ticket, number)
        assert (found.state, found.closed_as, found.waiting, found.people) == ("closed", "withdrawn", 0, 1)
    swept = alarms.sweep(services.db, services.policies, {}, now + timedelta(days=3))
    assert (swept.running, swept.alarmed, swept.escalated) == (0, 0, 0)


def test_a_ticket_goes_on_for_the_others_when_one_who_waited_with_them_is_forgotten(services, open_ticket, now):
    number = open_ticket("c:a", "c:b")
    person.forget(services.db, services.files, "c:a", now)
    with services.db.read() as session:
        consistent(session)
        found = session.get_one(Ticket, number)
        assert (found.state, found.waiting, found.people, found.question) == ("new", 1, 2, "登机牌丢了能报吗")


def test_forgetting_who_took_their_question_back_leaves_the_question_to_the_one_who_still_asks_it(services, open_ticket, now):
    number = open_ticket("c:a", "c:b", withdrawn=("c:a",))
    person.forget(services.db, services.files, "c:a", now)
    with services.db.read() as session:
        found = session.get_one(Ticket, number)
        assert (found.open, found.waiting, found.question) == (True, 1, "登机牌丢了能报吗")


def test_an_account_is_handed_over_with_its_steps_on_tickets_without_what_belongs_to_those_who_asked(services, agent, known, now):
    agent.submit("/desk/1001", "/desk/1001/reply", body="内部：此人常投诉", mode="note")
    with services.db.read() as session:
        steps = person.export(session, person.identify(session, "客服小林"))["steps"]
    assert {"at": now.isoformat(), "ticket": "T-1001", "kind": "resolved", "target": "", "article": "", "text": "重启打印机。"} in steps
    assert "noted" in {step["kind"] for step in steps}
    assert "此人常投诉" not in repr(steps)


def test_what_agents_say_among_themselves_is_not_in_the_export(services, known, agent):
    agent.submit("/desk/1001", "/desk/1001/reply", body="内部：此人常投诉", mode="note")
    with services.db.read() as session:
        found = json.dumps(person.export(session, known), ensure_ascii=False)
    assert "此人常投诉" not in found
    assert "客服小林" not in found


def test_an_account_is_handed_over_with_its_sessions_and_deeds_and_without_a_secret(services, agent, now):
    with services.db.write() as session:
        user = sign_in.find_user(session, "客服小林")
        user.mail = "lin@example.com"
        sign_in.set_password(user, "一句好记的话 2026")
        found = person.export(session, person.identify(session, "客服小林"))
        secrets = (user.password_hash, sign_in.hashed(agent.get_cookie("kb_session").value), agent.get_cookie("kb_session").value)
    account = found["account"]
    assert (account["name"], account["role"], account["mail"], account["created_at"]) == ("客服小林", "agent", "lin@example.com", now.isoformat())
    assert [one["deed"] for one in account["audit"]] == ["signed_in"]
    assert len(account["sessions"]) == 1
    assert not [secret for secret in secrets if secret in json.dumps(found)]


def test_a_forgotten_account_has_no_address_any_more_and_keeps_its_name(services, agent, now, rows):
    with services.db.write() as session:
        sign_in.find_user(session, "客服小林").mail = "lin@example.com"
        who = person.identify(session, "客服小林")
    person.forget(services.db, services.files, who, now)
    assert "lin@example.com" not in repr(rows())
    assert agent.get("/account").status_code == 200


def test_whoever_has_no_account_is_handed_over_without_one(services, known):
    with services.db.read() as session:
        assert person.export(session, known)["account"] is None
