"""The asker's side of a ticket."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.tickets import history, lifecycle, regroup, shares, undoing
from kb.tickets.shares import MAX_CONTACT, MAX_TEXT, Wording
from kb.tickets.standing import SYSTEM
from tests.kb.tickets.conftest import consistent, happened

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


def test_numbers_of_cards_are_masked_in_what_a_person_adds_and_numbers_that_agents_need_are_not(two, later):
    typed = "身份证11010519491231002X，卡号4111 1111 1111 1111，手机13800138000，单号 202611200000000017"
    kept = "身份证[身份证号]，卡号[银行卡号]，手机13800138000，单号 202611200000000017"  # as an identity card its check digit would be right

    def say(ticket, hers, _):
        shares.add_details(hers, typed, "13800138000", later())
        lifecycle.resolve(ticket, "lin", later(), body="好了")
        shares.rate(hers, 1, typed, later())
        shares.reopen(hers, typed, later())
        return [event.text for event in ticket.events if event.actor == "asker" and event.detail is not None], hers.contact

    assert two(say) == ([kept, kept, kept], "13800138000")


def test_a_reworded_ticket_has_the_new_words_only_and_remembers_the_old_ones(db, now):
    with db.write() as session:
        ticket = history.open_ticket(session, QUESTION.text, now)
        mine = shares.join(ticket, "asker", QUESTION, now, receipt=True)
        shares.reword(ticket, mine, Wording("复印机卡纸", "other key"), now)
        assert (ticket.question, mine.wording, [phrasing.text for phrasing in ticket.phrasings]) == ("复印机卡纸", "复印机卡纸", ["复印机卡纸"])
        assert [(event.kind, event.body) for event in happened(ticket)] == [("opened", QUESTION.text), ("reworded", "复印机卡纸")]


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
        return [detail.body for detail in hers.details], hers.contact, [event.body for event in happened(ticket)], (list(his.details), his.contact)

    assert two(add) == (["打印机在三楼", "打我13800138000"], "a@example.com", [QUESTION.text, "", ""], ([], "8002"))


def test_why_somebody_reopens_is_kept_as_written_apart_from_the_history(two, now):
    def reopen(ticket, hers, _):
        lifecycle.resolve(ticket, "agent", now, body="重启打印机")
        shares.reopen(hers, "打我13800138000", now)
        return happened(ticket)[-1].body, hers.details[-1].body

    assert two(reopen) == ("", "打我13800138000")


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


def test_a_ticket_that_waits_for_an_answer_moves_on_when_anybody_gives_one(two, later):
    def ask_and_add(ticket, hers, his):
        lifecycle.ask(ticket, "几楼的打印机", "agent", later())
        assert ticket.state == "waiting"
        shares.add_details(hers, "三楼", None, later())
        return ticket.state

    assert two(ask_and_add) == "in_progress"


def test_what_is_said_to_one_person_is_read_by_that_one_only_and_kept_apart_from_the_events(two, later):
    def reply_to_one(ticket, hers, his):
        lifecycle.reply(ticket, "所有人都看", "agent", later())
        his.seen_at = later()
        lifecycle.reply(ticket, "你的单号是 42", "agent", later(), hers)
        lifecycle.ask(ticket, "你在几楼", "agent", later(), hers)
        assert [event.text for event in shares.seen_by(hers)] == ["所有人都看", "你的单号是 42", "你在几楼"]
        assert [event.text for event in shares.seen_by(his)] == ["所有人都看"]
        assert (shares.has_news(hers), shares.has_news(his)) == (True, False)
        session = history.session_of(ticket)
        assert (shares.with_news(session, "asker"), shares.with_news(session, "colleague")) == ({hers.id}, set())
        return [event.body for event in happened(ticket)[-2:]]

    assert two(reply_to_one) == ["", ""]


def test_what_an_agent_took_back_is_neither_read_nor_news_and_the_share_can_be_taken_back_again(two, later):
    def resolve_and_undo(ticket, hers, his):
        lifecycle.resolve(ticket, "agent", later(), body="重启打印机")
        assert shares.has_news(hers)
        with pytest.raises(ConflictError):
            shares.withdraw(ticket, hers, later())
        undoing.undo(history.session_of(ticket), ticket, ticket.version, "agent", later())
        assert not shares.has_news(hers)
        assert shares.with_news(history.session_of(ticket), "asker") == set()
        assert shares.seen_by(hers) == []
        shares.withdraw(ticket, hers, later())
        return [one.person for one in shares.followers(ticket)], his.withdrawn_at

    assert two(resolve_and_undo) == (["colleague"], None)


def test_a_person_rates_what_was_answered_and_a_second_rating_replaces_the_first(two, later):
    def rate(ticket, hers, _):
        with pytest.raises(ConflictError):
            shares.rate(hers, 5, "", later())
        lifecycle.resolve(ticket, "agent", later(), body="重启打印机")
        for wrong in (0, 6, -1):
            with pytest.raises(InvalidRequestError):
                shares.rate(hers, wrong, "", later())
        with pytest.raises(InvalidRequestError):
            shares.rate(hers, 5, "好" * 1001, later())
        shares.rate(hers, 2, "等太久", later())
        shares.confirm(hers, later())
        shares.rate(hers, 4, "", later())
        return hers.satisfaction, ticket.state, [(event.target, event.text) for event in happened(ticket) if event.kind == "rated"]

    assert two(rate) == (4, "confirmed", [("2", "等太久"), ("4", "")])


def test_each_says_for_themselves_that_it_is_solved_and_one_who_reopens_takes_that_back(two, later):
    def confirm(ticket, hers, his):
        shares.confirm(hers, later())
        assert (ticket.state, hers.confirmed_at) == ("new", None), "there is nothing to confirm yet"
        lifecycle.resolve(ticket, "agent", later(), body="重启打印机")
        shares.confirm(hers, later())
        assert (ticket.state, his.confirmed_at) == ("confirmed", None)
        shares.confirm(his, later())
        shares.reopen(his, "还是卡", later())
        return ticket.state, hers.confirmed_at is not None, his.confirmed_at, ticket.resolved_at

    assert two(confirm) == ("in_progress", True, None, None)


@pytest.mark.parametrize("closed", ["spam", "merged"])
def test_what_was_closed_by_agents_is_reopened_by_nobody(two, later, closed):
    def close(ticket, hers, _):
        session = history.session_of(ticket)
        if closed == "spam":
            lifecycle.spam(ticket, "agent", later())
            with pytest.raises(ConflictError):
                shares.reopen(hers, "不是垃圾", later())
            return ticket.closed_as
        other = history.open_ticket(session, "卡纸", later())
        shares.join(other, "third", Wording("卡纸", "k"), later(), receipt=True)
        regroup.merge(session, ticket, other, "agent", later())
        onward = shares.share(session, hers.token)
        shares.reopen(onward, "还在等", later())
        assert onward.ticket is other
        return ticket.closed_as

    assert two(close) == closed


def test_who_takes_back_a_share_by_hand_may_have_it_again_and_the_ticket_with_it(db, later):
    with db.write() as session:
        ticket = history.open_ticket(session, QUESTION.text, later())
        mine = shares.join(ticket, "asker", QUESTION, later(), receipt=True)
        shares.withdraw(ticket, mine, later())
        assert (ticket.state, ticket.phrasings[0].asked) == ("closed", 0)
        shares.rejoin(mine, later())
        shares.rejoin(mine, later())
        assert (ticket.state, ticket.people, ticket.waiting, ticket.phrasings[0].asked) == ("new", 1, 1, 1)
        consistent(session)


def test_an_article_that_resolved_a_ticket_by_itself_is_an_answer_like_any_other(two, later):
    def resolve(ticket, hers, _):
        lifecycle.resolve(ticket, SYSTEM, later(), article="m/a")
        return shares.touched(ticket), shares.told(hers)

    assert two(resolve) == (True, True)


def test_who_says_that_a_reply_is_enough_waits_no_longer_and_with_the_last_the_ticket_is_confirmed(two, later):
    def do(ticket, hers, his):
        with pytest.raises(ConflictError, match="还没有回复"):
            shares.settle(hers, later())
        lifecycle.reply(ticket, "关机再开", "lin", later())
        told = []
        for share in (hers, hers, his):
            shares.settle(share, later())
            told.append((ticket.state, ticket.waiting, ticket.people, shares.done(share)))
        shares.reopen(his, "又卡了", later())
        return [*told, (ticket.state, ticket.waiting, shares.done(hers), shares.done(his))]

    assert two(do) == [("in_progress", 1, 2, True), ("in_progress", 1, 2, True), ("confirmed", 0, 2, True), ("in_progress", 1, True, False)]


def test_a_page_marks_only_what_it_showed_as_read(two, later):
    def do(ticket, hers, _):
        lifecycle.reply(ticket, "在查", "lin", later())
        shown = ticket.version
        lifecycle.reply(ticket, "查到了", "lin", later())
        shares.see(hers, shown, later())
        early = shares.has_news(hers)
        shares.see(hers, ticket.version, later())
        return early, shares.has_news(hers)

    assert two(do) == (True, False)


def test_how_to_be_reached_answers_a_question_back(two, later):
    def answer(ticket, hers, _):
        shares.add_details(hers, "", "8001", later())
        lifecycle.ask(ticket, "怎么联系你？", "王敏", later(), hers)
        shares.add_details(hers, "", "8001", later())
        assert happened(ticket)[-1].kind == "asked", "that was known before"
        shares.add_details(hers, "", "13800000000", later())
        return ticket.state, happened(ticket)[-1].body, happened(ticket)[-1].text

    assert two(answer) == ("in_progress", "", "联系方式：13800000000")
