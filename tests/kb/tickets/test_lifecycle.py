from datetime import timedelta

import pytest

from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.tickets import history, lifecycle, queue, shares
from kb.tickets.models import FIRST_NUMBER
from kb.tickets.shares import MAX_TEXT, Wording
from kb.tickets.standing import State

QUESTION = "打印机卡纸怎么处理"


@pytest.fixture
def play(db, now):
    """Play steps on a ticket of two people, a minute apart, and return what `look` sees at the end."""

    def play_(*steps, look=lambda ticket: State(ticket.state)):
        with db.write() as session:
            ticket = history.open_ticket(session, QUESTION, now)
            both = [shares.join(ticket, person, Wording(QUESTION, "key"), now, receipt=True) for person in ("asker", "colleague")]
            for minute, step in enumerate(steps, 1):
                STEPS[step](ticket, both, now + timedelta(minutes=minute))
            return look(ticket)

    return play_


STEPS = {
    "assign": lambda ticket, _, at: lifecycle.assign(ticket, "agent", "agent", at),
    "assign other": lambda ticket, _, at: lifecycle.assign(ticket, "second agent", "agent", at),
    "hand back": lambda ticket, _, at: lifecycle.assign(ticket, "", "agent", at),
    "note": lambda ticket, _, at: lifecycle.note(ticket, "问过行政", "agent", at),
    "reply": lambda ticket, _, at: lifecycle.reply(ticket, "在查", "agent", at),
    "ask": lambda ticket, _, at: lifecycle.ask(ticket, "几楼的打印机", "agent", at),
    "add": lambda _, both, at: shares.add_details(both[0], "三楼", None, at),
    "resolve": lambda ticket, _, at: lifecycle.resolve(ticket, "agent", at, body="重启打印机"),
    "resolve by article": lambda ticket, _, at: lifecycle.resolve(ticket, "agent", at, article="m/a"),
    "confirm": lambda _, both, at: shares.confirm(both[0], at),
    "reopen": lambda _, both, at: shares.reopen(both[0], "还是卡", at),
    "reopen by agent": lambda ticket, _, at: lifecycle.reopen(ticket, "答错了", "agent", at),
    "expire": lambda ticket, _, at: lifecycle.expire(ticket, at),
    "spam": lambda ticket, _, at: lifecycle.spam(ticket, "agent", at),
    "withdraw": lambda ticket, both, at: shares.withdraw(ticket, both[0], at),
    "withdraw other": lambda ticket, both, at: shares.withdraw(ticket, both[1], at),
}


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ("", State.NEW),
        ("assign", State.ASSIGNED),
        ("assign, reply", State.IN_PROGRESS),
        ("reply", State.IN_PROGRESS),
        ("assign, resolve", State.RESOLVED),
        ("reply, assign", State.IN_PROGRESS),
        ("resolve, reply", State.RESOLVED),
        ("resolve, confirm, reply", State.CONFIRMED),
        ("resolve by article", State.RESOLVED),
        ("resolve, confirm", State.CONFIRMED),
        ("resolve, reopen", State.IN_PROGRESS),
        ("resolve, confirm, reopen", State.IN_PROGRESS),
        ("resolve, reopen, resolve, confirm", State.CONFIRMED),
        ("reopen", State.NEW),
        ("confirm", State.NEW),
        ("assign, confirm", State.ASSIGNED),
        ("withdraw", State.NEW),
        ("withdraw, withdraw", State.NEW),
        ("withdraw, withdraw other", State.CLOSED),
        ("assign, withdraw, withdraw other", State.CLOSED),
        ("assign, hand back", State.NEW),
        ("reply, hand back", State.IN_PROGRESS),
        ("note", State.NEW),
        ("ask", State.WAITING),
        ("ask, add", State.IN_PROGRESS),
        ("ask, reply", State.IN_PROGRESS),
        ("ask, reopen", State.IN_PROGRESS),
        ("add", State.NEW),
        ("resolve, add", State.RESOLVED),
        ("resolve, expire", State.CLOSED),
        ("resolve, confirm, expire", State.CONFIRMED),
        ("resolve, reopen, expire", State.IN_PROGRESS),
        ("resolve, expire, reopen", State.IN_PROGRESS),
        ("resolve, reopen by agent", State.IN_PROGRESS),
        ("reopen by agent", State.NEW),
        ("spam", State.CLOSED),
    ],
)
def test_a_state_is_what_the_events_add_up_to(play, steps, state):
    assert play(*filter(None, steps.split(", "))) is state


@pytest.mark.parametrize(
    "steps",
    [
        "reply, withdraw",
        "resolve, withdraw",
        "resolve, resolve",
        "resolve, assign",
        "resolve, confirm, resolve",
        "withdraw, withdraw other, reply",
        "withdraw, withdraw other, assign",
        "withdraw, resolve, confirm",
        "withdraw, resolve, reopen",
        "resolve, ask",
        "spam, reopen",
        "spam, reopen by agent",
        "spam, reply",
        "spam, assign",
        "withdraw, withdraw other, reopen by agent",
    ],
)
def test_what_no_longer_fits_is_refused(play, steps):
    with pytest.raises(ConflictError):
        play(*steps.split(", "))


def test_a_refused_step_leaves_no_event(play):
    def count(ticket):
        before = len(ticket.events)
        with pytest.raises(ConflictError):
            lifecycle.assign(ticket, "agent", "agent", ticket.opened_at)
        return len(ticket.events) - before

    assert play("resolve", look=count) == 0


def test_who_takes_a_ticket_twice_took_it_once_and_the_last_one_has_it(play):
    kinds = play("assign", "assign", "assign other", look=lambda ticket: ([event.kind for event in ticket.events], ticket.assignee))
    assert kinds == (["opened", "assigned", "assigned"], "second agent")


def test_every_event_says_who_and_when(play, now):
    events = play("assign", "reply", "resolve", "confirm", look=lambda ticket: [(event.kind, event.actor, event.at) for event in ticket.events])
    assert events == [
        (kind, actor, now + timedelta(minutes=minute))
        for minute, (kind, actor) in enumerate(
            [("opened", "asker"), ("assigned", "agent"), ("replied", "agent"), ("resolved", "agent"), ("confirmed", "asker")]
        )
    ]


@pytest.mark.parametrize("body", ["", "   ", "\n\t", "x" * (MAX_TEXT + 1)])
def test_a_reply_says_something_and_not_a_book(play, now, body):
    def reply(ticket):
        with pytest.raises(InvalidRequestError):
            lifecycle.reply(ticket, body, "agent", now)
        return len(ticket.events)

    assert play(look=reply) == 1


def test_resolving_needs_an_answer(play, now):
    def resolve(ticket):
        with pytest.raises(InvalidRequestError):
            lifecycle.resolve(ticket, "agent", now, body="  ")
        return State(ticket.state)

    assert play(look=resolve) is State.NEW


def test_numbers_go_up_and_are_never_given_twice(db, now):
    with db.write() as session:
        first = [history.open_ticket(session, QUESTION, now).number for _ in range(3)]
    with db.write() as session:
        first.append(history.open_ticket(session, QUESTION, now).number)
    assert first == [FIRST_NUMBER + i for i in range(4)]


def test_a_ticket_that_is_not_there_is_named(db):
    with db.read() as session, pytest.raises(NotFoundError, match="T-7"):
        history.find(session, 7)


def test_one_loud_person_does_not_lead_the_queue(db, now):
    with db.write() as session:
        loud, asked_by_many, left = (history.open_ticket(session, name, now) for name in ("loud", "many", "left"))
        for _ in range(9):
            shares.join(loud, "asker", Wording("loud", "a"), now, receipt=True)
        for person in ("b", "c"):
            shares.join(asked_by_many, person, Wording("many", "b"), now, receipt=True)
        for person in ("d", "e", "f"):
            shares.join(left, person, Wording("left", "c"), now, receipt=False)
        assert [ticket.question for ticket in queue.open_tickets(session)] == ["many", "loud", "left"]
