"""有帮助吗: one voice per person and section, by form and by script."""

from __future__ import annotations

import pytest

ARTICLE = "invoices/verify-failed"


def _words(rows):
    return [row[2:6] for row in rows()["feedback"]]


def test_a_reader_says_by_form_that_it_helped_and_comes_back_to_the_article(asker, rows):
    answer = asker.submit(f"/a/{ARTICLE}", "/api/v1/feedback", helpful="yes")
    assert (answer.status_code, answer.location) == (303, f"/a/{ARTICLE}?helpful=yes#feedback")
    assert asker.get(answer.location).status_code == 200
    assert _words(rows) == [(ARTICLE, "", True, "")]


def test_the_last_word_of_a_person_counts_once(asker, second_asker, rows):
    for helpful in (True, False):
        assert asker.post("/api/v1/feedback", json={"article": ARTICLE, "helpful": helpful, "reason": "没说清"}).status_code == 201
    second_asker.post("/api/v1/feedback", json={"article": ARTICLE, "helpful": True})
    assert sorted(_words(rows)) == [(ARTICLE, "", False, "没说清"), (ARTICLE, "", True, "")]


def test_a_section_has_a_voice_of_its_own_and_an_anchor_that_is_none_means_the_article(asker, rows, services):
    anchor = services.library.current().articles[ARTICLE].sections[1].anchor
    for given in (anchor, "no-such-anchor", "13800138000"):
        asker.post("/api/v1/feedback", json={"article": ARTICLE, "anchor": given, "helpful": True})
    assert sorted(word[1] for word in _words(rows)) == ["", anchor]


def test_the_widgets_visitor_has_one_voice(app, rows):
    for helpful in (True, False):
        answer = app.test_client().post("/api/v1/feedback", json={"article": ARTICLE, "helpful": helpful, "visitor": "w1"})
        assert answer.status_code == 201
    assert _words(rows) == [(ARTICLE, "", False, "")]


def test_a_reason_is_masked(asker, rows):
    asker.post("/api/v1/feedback", json={"article": ARTICLE, "helpful": False, "reason": "打我电话 13800138000"})
    assert _words(rows)[0][3] == "打我电话 [手机号]"


BAD = {
    "no such article": ({"article": "invoices/nothing", "helpful": True}, 404, "not_found"),
    "no article": ({"helpful": True}, 400, "bad_field"),
    "an article that is a list": ({"article": [ARTICLE], "helpful": True}, 400, "bad_field"),
    "no word": ({"article": ARTICLE}, 400, "bad_field"),
    "yes as a text": ({"article": ARTICLE, "helpful": "yes"}, 400, "bad_field"),
    "one as a number": ({"article": ARTICLE, "helpful": 1}, 400, "bad_field"),
    "too long a reason": ({"article": ARTICLE, "helpful": True, "reason": "长" * 1001}, 400, "too_long"),
    "a reason that is an object": ({"article": ARTICLE, "helpful": True, "reason": {}}, 400, "bad_field"),
    "no object": ([], 400, "bad_json"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_breaks_the_contract_is_refused_and_not_stored(asker, rows, case):
    body, status, code = BAD[case]
    answer = asker.post("/api/v1/feedback", json=body)
    assert (answer.status_code, answer.json["error"]["code"]) == (status, code)
    assert rows()["feedback"] == []


def test_a_form_with_another_word_than_yes_or_no_is_refused(asker, rows):
    for helpful in ("", "true", "YES"):
        assert asker.post("/api/v1/feedback", data={"article": ARTICLE, "helpful": helpful}).status_code == 400
    assert rows()["feedback"] == []


def test_nobody_in_particular_has_no_voice(app, rows):
    answer = app.test_client().post("/api/v1/feedback", json={"article": ARTICLE, "helpful": True})
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "no_visitor")
    assert rows()["feedback"] == []


def test_a_foreign_pages_form_cannot_speak_for_its_visitor(asker, rows):
    answer = asker.post("/api/v1/feedback", data={"article": ARTICLE, "helpful": "no"}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert rows()["feedback"] == []
