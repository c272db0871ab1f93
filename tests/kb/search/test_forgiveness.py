"""What people are told when their question was corrected, and what is not promised on a guess."""

from __future__ import annotations

import pytest

from kb.search.answer import answer
from kb.search.answerability import Evidence, Verdict, Word, decide

CERTAIN = {"words": (Word("发票", 3.0, 1.0), Word("查验", 3.0, 1.0)), "share": 0.9, "lead": 0.7}


def test_a_guess_is_never_called_an_answer():
    assert decide(Evidence(**CERTAIN)).verdict is Verdict.ANSWERED
    assert decide(Evidence(**CERTAIN, corrected=True)).verdict is Verdict.WEAK
    assert decide(Evidence((), asks=False, corrected=True)).verdict is Verdict.EMPTY


@pytest.mark.parametrize("typed", ["fapiao chayan shibai", "发漂查验失败", "fpcy"])
def test_a_corrected_question_shows_articles_and_promises_none(shipped, typed):
    said = answer(shipped, typed)
    assert said.question.corrected
    assert said.verdict is Verdict.WEAK
    assert said.best is None
    assert said.hits[0].article.id == "invoices/verify-failed"


def test_the_interface_says_what_it_searched_for(asker):
    said = asker.get("/api/v1/search?q=fapiao").get_json()
    assert (said["query"], said["corrected"], said["verdict"]) == ("fapiao", "发票", "weak")
    assert asker.get("/api/v1/search?q=发票").get_json()["corrected"] is None


def test_the_page_says_what_it_searched_for_and_keeps_what_was_typed(asker, read):
    page = read(asker.get("/search?q=发漂").text)
    assert page.text.count("已按“发票”搜索") == 2, "once to be seen, once in the summary that is read aloud"
    assert "没有完全对得上" not in page.text
    assert page.form("/search", {"q": ""})["fields"]["q"] == "发漂"
    assert "已按" not in read(asker.get("/search?q=发票").text).text


def test_a_correction_is_shown_as_text(asker, read):
    page = read(asker.get("/search", query_string={"q": "发漂 <img src=x onerror=alert(1)>"}).text)
    assert "已按“发票 <img" in page.text
    assert "img" not in {tag for tag, _ in page.elements}


def test_pinyin_that_asks_nothing_gets_a_hint_and_no_ticket(asker, read, rows):
    page = read(asker.get(asker.submit("/", "/search", q="zenmeban").location).text)
    assert "再多说几个字" in page.text
    assert "已按" not in page.text
    assert rows()["tickets"] == []


def test_mixed_languages_are_answered_by_the_editors_synonyms(shipped):
    assert answer(shipped, "invoice 抬头写错了").hits[0].article.id == "invoices/title-wrong"
    assert answer(shipped, "upload 不了 pdf").hits[0].article.id == "invoices/upload-failed"


def test_pasted_numbers_and_errors_do_not_become_other_words(asker):
    for pasted in ("BX20261103-0042 报销单提交不了", "java.lang.NullPointerException: null 上传失败 550e8400-e29b-41d4-a716-446655440000"):
        assert asker.get("/api/v1/search", query_string={"q": pasted}).get_json()["corrected"] is None


def test_two_people_who_ask_in_pinyin_and_in_characters_follow_one_ticket(asker, second_asker, rows):
    asker.ask("bxd zenme chehui", "unsolved")
    second_asker.ask("报销单怎么撤回", "unsolved")
    assert (len(rows()["tickets"]), len(rows()["followers"])) == (1, 2)
