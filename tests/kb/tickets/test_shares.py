"""The asker's side of a ticket."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kb.errors import InvalidRequestError, NotFoundError
from kb.tickets import history, lifecycle, shares
from kb.tickets.shares import MAX_CONTACT, MAX_TEXT, Wording

QUESTION = Wording("打印机卡纸怎么处理", "key")
MINUTE = timedelta(minutes=1)


def test_each_person_has_a_page_of_their_own_that_cannot_be_guessed(two, db):
    tokens = two(lambda _, hers, his: [hers.token, his.token])
    assert len(set(tokens)) == 2
    assert all(len(token) >= 22 for token in tokens)
    with db.read() as session:
        assert shares.share(session, tokens[1]).person == "colleague"
        for wrong in ("", tokens[0][:-1], tokens[0].swapcase(), "' OR 1=1 --"):
            with pytest.raises(NotFoundError):
                shares.share(session, wrong)


def test_who_joins_twice_keeps_their_page_and_starts_to_wait_at_the_first_receipt(db, now):
    with db.write() as session:
        ticket = history.open_ticket(session, QUESTION.text, now)
        first = shares.join(ticket, "asker", QUESTION, now, receipt=False)
        assert ticket.waiting == 0
        assert shares.join(ticket, "asker", QUESTION, now, receipt=True) is first
        shares.join(ticket, "asker", QUESTION, now, receipt=False)
        assert (ticket.waiting, ticket.people, len(ticket.followers), ticket.phrasings[0].asked) == (1, 1, 1, 3)


def test_who_withdrew_and_joins_again_is_there_once(two, now):
    def withdraw_and_join(ticket, hers, _):
        shares.withdraw(ticket, hers, now)
        assert [one.person for one in shares.followers(ticket)] == ["colleague"]
        assert shares.join(ticket, "asker", Wording("卡纸", "key"), now, receipt=True) is hers
        assert (ticket.people, ticket.waiting) == (2, 2)
        return {phrasing.text: phrasing.asked for phrasing in ticket.phrasings}

    assert two(withdraw_and_join) == {QUESTION.text: 1, "卡纸": 1}


def test_a_reworded_ticket_has_the_new_words_only_and_remembers_the_old_ones(db, now):
    with db.write() as session:
        ticket = history.open_ticket(session, QUESTION.text, now)
        mine = shares.join(ticket, "asker", QUESTION, now, receipt=True)
        shares.reword(ticket, mine, Wording("复印机卡纸", "other key"), now)
        assert (ticket.question, mine.wording, [phrasing.text for phrasing in ticket.phrasings]) == ("复印机卡纸", "复印机卡纸", ["复印机卡纸"])
        assert [(event.kind, event.body) for event in ticket.events] == [("opened", QUESTION.text), ("reworded", "复印机卡纸")]


@pytest.mark.parametrize(
    ("step", "touched", "told"),
    [("", False, False), ("assign", True, False), ("note", True, False), ("reply", True, True), ("resolve", True, True), ("withdraw", False, False)],
)
def test_a_ticket_knows_what_an_agent_did(two, now, step, touched, told):
    def look(ticket, hers, his):
        match step:
            case "assign":
                lifecycle.assign(ticket, "agent", "agent", now)
            case "note":
                lifecycle.note(ticket, "问过行政", "agent", now)
            case "reply":
                lifecycle.reply(ticket, "在查", "agent", now)
            case "resolve":
                lifecycle.resolve(ticket, "agent", now, body="重启打印机")
            case "withdraw":
                shares.withdraw(ticket, his, now)
        return shares.touched(ticket), shares.told(hers)

    assert two(look) == (touched, told)


def test_details_are_added_as_written_and_none_replaces_another(two, now):
    def add(ticket, hers, his):
        shares.add_details(hers, " 打印机在三楼 ", " a@example.com ", now)
        shares.add_details(hers, "打我13800138000", None, now)
        shares.add_details(hers, "打我13800138000", None, now)
        shares.add_details(his, "", "8002", now)
        return [detail.body for detail in hers.details], hers.contact, [event.body for event in ticket.events], (list(his.details), his.contact)

    assert two(add) == (["打印机在三楼", "打我13800138000"], "a@example.com", [QUESTION.text, "", ""], ([], "8002"))


def test_why_somebody_reopens_is_masked_for_the_history_and_kept_as_written_apart(two, now):
    def reopen(ticket, hers, _):
        lifecycle.resolve(ticket, "agent", now, body="重启打印机")
        shares.reopen(hers, "打我13800138000", now)
        return ticket.events[-1].body, hers.details[-1].body

    assert two(reopen) == ("打我[手机号]", "打我13800138000")


@pytest.mark.parametrize(("details", "contact"), [("x" * (MAX_TEXT + 1), ""), ("", "x" * (MAX_CONTACT + 1))])
def test_details_have_a_limit_and_what_was_there_stays(two, now, details, contact):
    def add(_, hers, __):
        shares.add_details(hers, "原来的", "8001", now)
        with pytest.raises(InvalidRequestError):
            shares.add_details(hers, details, contact, now)
        return [detail.body for detail in hers.details], hers.contact

    assert two(add) == (["原来的"], "8001")


def test_an_answer_is_news_until_it_was_seen(two, now):
    def news(ticket, hers, his):
        lifecycle.assign(ticket, "agent", "agent", now)
        assert not shares.has_news(hers)
        lifecycle.reply(ticket, "在查", "agent", now + MINUTE)
        hers.seen_at = shares.last_news(hers)
        return shares.has_news(hers), shares.has_news(his)

    assert two(news) == (False, True)


def test_mine_are_the_ones_i_wait_for(db, now):
    with db.write() as session:
        tickets = [history.open_ticket(session, name, now) for name in ("waiting", "withdrawn", "never seen", "other")]
        mine = [shares.join(ticket, "asker", Wording(ticket.question, ""), now, receipt=ticket.question != "never seen") for ticket in tickets[:3]]
        shares.join(tickets[3], "colleague", Wording("other", ""), now, receipt=True)
        shares.withdraw(tickets[1], mine[1], now)
        assert [share.ticket.question for share in shares.of_person(session, "asker")] == ["waiting"]
