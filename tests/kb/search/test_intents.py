from datetime import timedelta

import pytest

from kb.search.answerability import Verdict
from kb.search.intents import MAX_QUERY, Asked, Effect, Trigger, effect, finishes, revises, stronger


def after(now, seconds, query):
    return Asked(query, now + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("query", "quietly"),
    [
        ("票", False),
        ("a", False),
        ("", False),
        ("?", False),
        ("。票。", False),
        ("fapiao", False),
        ("fa piao", False),
        ("fa'piao", False),
        ("FAPIAO", False),
        ("xian", False),
        ("zhuangtai", False),
        ("发票", True),
        ("K3", True),
        ("vpn", True),
        ("ofd", True),
        ("发piao", True),
        ("404", True),
    ],
)
def test_rest_and_leaving_do_not_finish_what_is_half_typed(query, quietly):
    for trigger in (Trigger.LEAVE, Trigger.IDLE, Trigger.NEXT):
        assert finishes(query, trigger) is quietly
    for trigger in (Trigger.ENTER, Trigger.OPEN, Trigger.UNSOLVED):
        assert finishes(query, trigger)


@pytest.mark.parametrize("query", ["ao" * 1000 + "b", "nge" * 600 + "q", "a'" * 1000 + "!", "iang" * 500 + "x"])
def test_letters_that_can_be_cut_into_syllables_in_countless_ways_are_read_at_once(query):
    assert finishes(query, Trigger.LEAVE) in {True, False}  # with a backtracking pattern this never returns


@pytest.mark.parametrize(
    ("before", "then", "seconds", "same"),
    [
        ("发票", "发票查验", 5, True),
        ("发票查验失败", "发票", 5, True),
        ("查验", "发票查验", 5, True),
        ("发票查验失败了", "发票查验失败", 30, True),
        ("发票查验失败了", "发票查验失败", 30.1, False),
        ("发票", "发票", 10, True),
        ("发票", "发票", -1, False),
        ("fapiao", "发票", 3, True),
        ("發票查驗", "发票查验!", 3, True),
        ("发票查验失敗", "发票查验是败", 3, True),
        ("差旅标准", "差旅补贴", 3, False),
        ("发票", "借款", 3, False),
        ("", "发票", 3, False),
        ("发票", "???", 3, False),
    ],
)
def test_a_wording_that_continues_shortens_or_corrects_the_last_one_is_the_same_wish(now, before, then, seconds, same):
    assert revises(Asked(before, now), after(now, seconds, then)) is same


@pytest.mark.parametrize(("then", "same"), [("发票", False), ("发票查验失败了怎么办", True), ("发票查验失败", True)])
def test_after_a_receipt_fewer_words_are_another_search_and_the_promise_stands(now, then, same):
    assert revises(Asked("发票查验失败", now), after(now, 5, then), promised=True) is same


def test_two_endless_questions_are_compared_by_what_is_searched(now):
    one, other = "ab" * MAX_QUERY, "ba" * MAX_QUERY
    assert revises(Asked(one, now), after(now, 1, other))
    assert not revises(Asked("甲" * 400 + "乙" * 1600, now), after(now, 1, "丙" * 400 + "乙" * 1600))


@pytest.mark.parametrize(
    ("verdict", "trigger", "expected"),
    [
        *((Verdict.UNANSWERED, trigger, Effect.TICKET) for trigger in Trigger),
        *((Verdict.EMPTY, trigger, Effect.COUNTED) for trigger in Trigger),
        (Verdict.ANSWERED, Trigger.UNSOLVED, Effect.TICKET),
        (Verdict.WEAK, Trigger.UNSOLVED, Effect.TICKET),
        *((verdict, trigger, Effect.COUNTED) for verdict in (Verdict.ANSWERED, Verdict.WEAK) for trigger in Trigger if trigger is not Trigger.UNSOLVED),
    ],
)
def test_what_a_finished_question_leads_to(verdict, trigger, expected):
    assert effect(verdict, trigger) is expected


def test_a_person_waits_only_for_what_they_saw():
    assert {trigger for trigger in Trigger if trigger.receipt} == {Trigger.ENTER, Trigger.UNSOLVED}


@pytest.mark.parametrize(
    ("new", "old", "says_more"),
    [
        ("unsolved", "enter", True),
        ("unsolved", "leave", True),
        ("enter", "idle", True),
        ("enter", "enter", False),
        ("leave", "enter", False),
        ("enter", "unsolved", False),
        ("open", "idle", False),
    ],
)
def test_a_repeated_question_counts_again_only_when_it_says_more(new, old, says_more):
    assert stronger(Trigger(new), Trigger(old)) is says_more
