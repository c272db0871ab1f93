"""Messages are among what is kept about a person: handed over with the rest, and gone with it."""

from __future__ import annotations

import json

import pytest

from kb import person
from kb.notifications import messages
from kb.notifications.channels import DeliveryError
from kb.notifications.courier import Courier
from kb.tickets import lifecycle


@pytest.fixture
def told(question, happens, courier, said, account):
    """Two people and an account that were told something, and one message that waits."""
    account("员工小孙", "asker")
    number, _ = question({"c:1": "lin@example.com", "c:2": "bo@example.com", "u:1": ""})
    happens(number, lifecycle.reply, "第一句", "王敏")
    courier.work()
    said.fails["lin@example.com"] = DeliveryError("450 busy")
    happens(number, lifecycle.reply, "第二句", "王敏")
    courier.work()
    return number


def test_the_export_says_what_was_sent_where_and_when_and_only_to_this_person(told, services):
    with services.db.read() as session:
        found = person.export(session, "c:1")["messages"]
        assert [(one["topic"], one["address"], one["ended"]) for one in found] == [
            ("received", "lin@example.com", "sent"),
            ("replied", "lin@example.com", "sent"),
            ("replied", "lin@example.com", "waiting"),
        ]
        assert "sun@example.com" in json.dumps(person.export(session, "u:1")["messages"])


def test_who_is_forgotten_gets_nothing_more_and_their_address_is_nowhere(told, services, courier, said, happens, rows, now):
    removed = person.forget(services.db, services.files, "c:1", services.now())
    assert removed["messages"] == 3
    assert "lin@example.com" not in repr(rows())
    assert "bo@example.com" in repr(rows())
    said.fails.clear()
    said.sent.clear()
    happens(told, lifecycle.reply, "第三句", "王敏")
    services.now.forward(hours=2)
    courier.work()
    assert {one.address for one in said.sent} == {"bo@example.com", "sun@example.com"}


def test_the_files_of_mails_go_with_their_messages_and_no_other_does(question, services, do):
    folder = services.config.data / "mail"
    assert messages.tidy_files(services.db, services.config.data) == 0, "no mail was written yet"
    question({"c:1": "lin@example.com", "c:2": "bo@example.com"})
    services.now.forward(minutes=2)
    Courier(services).work()
    (folder / ".20261120T093000Z-torn.1").write_text("lin@example.com", encoding="utf-8")
    person.forget(services.db, services.files, "c:1", services.now())
    assert messages.tidy_files(services.db, services.config.data) == 2
    (left,) = folder.iterdir()
    assert "To: bo@example.com" in left.read_text(encoding="utf-8")
    services.now.forward(days=31)
    do(lambda session: messages.forget_old(session, services.now()))
    messages.tidy_files(services.db, services.config.data)
    assert list(folder.iterdir()) == []


def test_a_notice_for_somebody_who_is_forgotten_before_it_was_spread_tells_nobody(question, services, courier, said, rows):
    question({"c:1": "lin@example.com"})
    person.forget(services.db, services.files, "c:1", services.now())
    services.now.forward(minutes=5)
    courier.work()
    assert said.tried == []
    assert "lin@example.com" not in repr(rows())
