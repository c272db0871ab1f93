from datetime import timedelta

import pytest

from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.tickets import lifecycle
from kb.tickets.lifecycle import MAX_TEXT, State
from kb.tickets.models import FIRST_NUMBER

QUESTION = "打印机卡纸怎么处理"


@pytest.fixture
def play(db, now):
    """Play steps on a ticket of two people, a minute apart, and return what `look` sees at the end."""

    def play_(*steps, look=lifecycle.state):
        with db.write() as session:
            ticket = lifecycle.open_ticket(session, QUESTION, "", now)
            shares = [lifecycle.join(ticket, person, QUESTION, "key", now, receipt=True) for person in ("asker", "colleague")]
            session.flush()
            for minute, step in enumerate(steps, 1):
                STEPS[step](ticket, shares, now + timedelta(minutes=minute))
            session.flush()
            return look(ticket)

    return play_


STEPS = {
    "assign": lambda ticket, _, at: lifecycle.assign(ticket, "agent", at),
    "assign other": lambda ticket, _, at: lifecycle.assign(ticket, "second agent", at),
    "reply": lambda ticket, _, at: lifecycle.reply(ticket, "agent", "在查", at),
    "resolve": lambda ticket, _, at: lifecycle.resolve(ticket, "agent", at, body="重启打印机"),
    "resolve by article": lambda ticket, _, at: lifecycle.resolve(ticket, "agent", at, article="m/a"),
    "confirm": lambda ticket, shares, at: lifecycle.confirm(ticket, shares[0], at),
    "reopen": lambda ticket, shares, at: lifecycle.reopen(ticket, shares[0], "还是卡", at),
    "withdraw": lambda ticket, shares, at: lifecycle.withdraw(ticket, shares[0], at),
    "withdraw other": lambda ticket, shares, at: lifecycle.withdraw(ticket, shares[1], at),
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
    ],
)
def test_what_no_longer_fits_is_refused(play, steps):
    with pytest.raises(ConflictError):
        play(*steps.split(", "))


def test_a_refused_step_leaves_no_event(play):
    def count(ticket):
        before = len(ticket.events)
        with pytest.raises(ConflictError):
            lifecycle.assign(ticket, "agent", ticket.opened_at)
        return len(ticket.events) - before

    assert play("resolve", look=count) == 0


def test_who_takes_a_ticket_twice_took_it_once_and_the_last_one_has_it(play):
    kinds = play("assign", "assign", "assign other", look=lambda ticket: ([event.kind for event in ticket.events], lifecycle.assignee(ticket)))
    assert kinds == (["opened", "assigned", "assigned"], "second agent")


def test_every_event_says_who_and_when(play, now):
    events = play("assign", "reply", "resolve", "confirm", look=lambda ticket: [(event.kind, event.actor, event.at) for event in ticket.events])
    assert events == [
        (kind, actor, now + timedelta(minutes=minute))
        for minute, (kind, actor) in enumerate(
            [("opened", "asker"), ("assigned", "agent"), ("replied", "agent"), ("resolved", "agent"), ("confirmed", "asker")]
        )
    ]


@pytest.mark.parametrize(
    ("steps", "touched", "replied"), [("", False, False), ("assign", True, False), ("reply", True, True), ("resolve", True, True), ("withdraw", False, False)]
)
def test_a_ticket_knows_what_an_agent_did(play, steps, touched, replied):
    assert play(*filter(None, [steps]), look=lambda ticket: (lifecycle.touched(ticket), lifecycle.replied(ticket))) == (touched, replied)


@pytest.mark.parametrize("body", ["", "   ", "\n\t", "x" * (MAX_TEXT + 1)])
def test_a_reply_says_something_and_not_a_book(play, now, body):
    def reply(ticket):
        with pytest.raises(InvalidRequestError):
            lifecycle.reply(ticket, "agent", body, now)
        return len(ticket.events)

    assert play(look=reply) == 1


def test_resolving_needs_an_answer(play, now):
    def resolve(ticket):
        with pytest.raises(InvalidRequestError):
            lifecycle.resolve(ticket, "agent", now, body="  ")
        return lifecycle.state(ticket)

    assert play(look=resolve) is State.NEW


def test_each_person_has_a_page_of_their_own_that_cannot_be_guessed(play, db):
    tokens = play(look=lambda ticket: [share.token for share in ticket.followers])
    assert len(set(tokens)) == 2
    assert all(len(token) >= 22 for token in tokens)
    with db.read() as session:
        assert lifecycle.share(session, tokens[1]).person == "colleague"
        for wrong in ("", tokens[0][:-1], tokens[0].swapcase(), "' OR 1=1 --"):
            with pytest.raises(NotFoundError):
                lifecycle.share(session, wrong)


def test_who_joins_twice_keeps_their_page_and_starts_to_wait_at_the_first_receipt(db, now):
    with db.write() as session:
        ticket = lifecycle.open_ticket(session, QUESTION, "", now)
        first = lifecycle.join(ticket, "asker", QUESTION, "key", now, receipt=False)
        assert lifecycle.waiting(ticket) == 0
        assert lifecycle.join(ticket, "asker", QUESTION, "key", now, receipt=True) is first
        lifecycle.join(ticket, "asker", QUESTION, "key", now, receipt=False)
        assert (lifecycle.waiting(ticket), len(ticket.followers), ticket.phrasings[0].asked) == (1, 1, 3)


def test_who_withdrew_and_joins_again_is_there_once(db, now):
    with db.write() as session:
        ticket = lifecycle.open_ticket(session, QUESTION, "", now)
        share = lifecycle.join(ticket, "asker", QUESTION, "key", now, receipt=True)
        lifecycle.join(ticket, "colleague", QUESTION, "key", now, receipt=True)
        lifecycle.withdraw(ticket, share, now)
        assert [one.person for one in lifecycle.followers(ticket)] == ["colleague"]
        assert lifecycle.join(ticket, "asker", "卡纸", "key", now, receipt=True) is share
        assert {one.person for one in lifecycle.followers(ticket)} == {"asker", "colleague"}
        assert {phrasing.text: phrasing.asked for phrasing in ticket.phrasings} == {QUESTION: 1, "卡纸": 1}


def test_a_reworded_ticket_has_the_new_words_only_and_remembers_the_old_ones(db, now):
    with db.write() as session:
        ticket = lifecycle.open_ticket(session, QUESTION, "", now)
        share = lifecycle.join(ticket, "asker", QUESTION, "key", now, receipt=True)
        session.flush()
        lifecycle.reword(ticket, lifecycle.followers(ticket)[0], "复印机卡纸", "other key", now)
        session.flush()
        assert (ticket.question, share.wording, [phrasing.text for phrasing in ticket.phrasings]) == ("复印机卡纸", "复印机卡纸", ["复印机卡纸"])
        assert [(event.kind, event.body) for event in ticket.events] == [("opened", QUESTION), ("reworded", "复印机卡纸")]


def test_details_are_kept_as_written_and_the_agents_history_is_masked(play):
    def reopen(ticket):
        share = ticket.followers[0]
        lifecycle.add_details(share, " 打印机在三楼 ", " a@example.com ")
        lifecycle.reopen(ticket, share, "打我13800138000", ticket.opened_at)
        return share.details, share.contact, ticket.events[-1].body

    assert play("resolve", look=reopen) == ("打印机在三楼\n打我13800138000", "a@example.com", "打我[手机号]")


@pytest.mark.parametrize(("details", "contact"), [("x" * (MAX_TEXT + 1), ""), ("", "x" * 201)])
def test_details_have_a_limit_and_what_was_there_stays(play, details, contact):
    def add(ticket):
        share = ticket.followers[0]
        lifecycle.add_details(share, "原来的", "")
        with pytest.raises(InvalidRequestError):
            lifecycle.add_details(share, details, contact)
        return share.details

    assert play(look=add) == "原来的"


def test_an_answer_is_news_until_it_was_seen(play):
    def news(ticket):
        seen_by_one, by_none = ticket.followers
        seen_by_one.seen_at = lifecycle.last_news(ticket)
        return lifecycle.has_news(seen_by_one), lifecycle.has_news(by_none)

    assert play("assign", look=lambda ticket: lifecycle.has_news(ticket.followers[0])) is False
    assert play("assign", "reply", look=news) == (False, True)


def test_numbers_go_up_and_are_never_given_twice(db, now):
    with db.write() as session:
        first = [lifecycle.open_ticket(session, QUESTION, "", now).number for _ in range(3)]
    with db.write() as session:
        first.append(lifecycle.open_ticket(session, QUESTION, "", now).number)
    assert first == [FIRST_NUMBER + i for i in range(4)]


def test_a_ticket_that_is_not_there_is_named(db):
    with db.read() as session, pytest.raises(NotFoundError, match="T-7"):
        lifecycle.find(session, 7)


def test_one_loud_person_does_not_lead_the_queue(db, now):
    with db.write() as session:
        loud, asked_by_many, left = (lifecycle.open_ticket(session, name, "", now) for name in ("loud", "many", "left"))
        for _ in range(9):
            lifecycle.join(loud, "asker", "loud", "a", now, receipt=True)
        for person in ("b", "c"):
            lifecycle.join(asked_by_many, person, "many", "b", now, receipt=True)
        for person in ("d", "e", "f"):
            lifecycle.join(left, person, "left", "c", now, receipt=False)
        assert [ticket.question for ticket in lifecycle.by_demand([left, loud, asked_by_many])] == ["many", "loud", "left"]


def test_mine_are_the_ones_i_wait_for(db, now):
    with db.write() as session:
        tickets = [lifecycle.open_ticket(session, name, "", now) for name in ("waiting", "withdrawn", "never seen", "other")]
        shares = [lifecycle.join(ticket, "asker", ticket.question, "", now, receipt=ticket.question != "never seen") for ticket in tickets[:3]]
        lifecycle.join(tickets[3], "colleague", "other", "", now, receipt=True)
        lifecycle.withdraw(tickets[1], shares[1], now)
        session.flush()
        assert [share.ticket.question for share in lifecycle.of_person(session, "asker")] == ["waiting"]
