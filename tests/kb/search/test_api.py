"""The contract of /api/v1/search, /suggest, /suggestions and /intents, which scripts and the widget rely on."""

from __future__ import annotations

import json

import pytest

from kb.tickets import lifecycle

HIT_KEYS = {"article", "anchor", "title", "heading", "module", "url", "snippet"}
QUESTIONS = {
    "发票查验失败": "answered",
    "發票查驗失敗": "answered",
    "会议室怎么预订": "unanswered",
    "打印机卡纸怎么处理": "unanswered",
    "怎么办": "empty",
    "???": "empty",
    "asdf": "empty",
    "👍👍": "empty",
    "((((((((": "empty",
    "\x00\x07\x1b": "empty",
    "": "empty",
}
BAD = {
    "limit=0": "bad_field",
    "limit=51": "bad_field",
    "limit=-1": "bad_field",
    "limit=x": "bad_field",
    "limit=１": "bad_field",
    "limit=1e3": "bad_field",
    "limit=9999999999999": "bad_field",
    "module=nothing": "unknown_module",
    "module=../invoices": "unknown_module",
}


@pytest.mark.parametrize("query", QUESTIONS)
def test_every_search_has_the_keys_of_the_contract_and_its_verdict(asker, query):
    answer = asker.get("/api/v1/search", query_string={"q": query})
    body = answer.json
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert set(body) - {"answer"} == {"query", "verdict", "words", "reason", "hits", "corrected"}
    assert body["verdict"] == QUESTIONS[query]
    assert ("answer" in body) == (body["verdict"] == "answered")
    assert body["query"] == query.replace("\0", "")
    assert set(body["reason"]) == {"matched", "missing"}
    assert all(set(hit) == HIT_KEYS and all(isinstance(value, str) for value in hit.values()) for hit in body["hits"])


def test_hits_are_returned_whatever_the_verdict(asker):
    found = {query: asker.get("/api/v1/search", query_string={"q": query}).json for query in ("发票查验失败", "会议室怎么预订", "怎么办")}
    assert [body["verdict"] for body in found.values()] == ["answered", "unanswered", "empty"]
    assert all(body["hits"] for body in found.values())


def test_a_hit_leads_to_its_section(asker, read):
    for hit in asker.get("/api/v1/search?q=发票查验失败").json["hits"]:
        assert hit["url"].startswith(f"http://localhost/a/{hit['article']}")
        assert hit["article"].startswith(f"{hit['module']}/")
        page = read(asker.get(hit["url"]).text)
        assert hit["title"] in page.text
        ids = {attributes.get("id") for _, attributes in page.elements}
        assert hit["url"].partition("#")[2] == hit["anchor"]
        assert not hit["anchor"] or hit["anchor"] in ids


def test_the_answer_is_the_best_section_as_html(asker):
    body = asker.get("/api/v1/search?q=发票查验失败").json
    assert body["hits"][0]["article"] == "invoices/verify-failed"
    assert body["answer"].startswith("<p>")
    assert body["reason"]["missing"] == []
    assert set(body["reason"]["matched"]) >= {"发票", "查验", "失败"}


def test_the_reason_of_an_unanswered_question_names_what_no_article_says(asker):
    assert "会议室" in asker.get("/api/v1/search?q=会议室怎么预订").json["reason"]["missing"]


@pytest.mark.parametrize("query", ["发票查验失败", "<b>发票</b><script>alert(1)</script>", "报销 & 审批", "wxid OFD K/3"])
def test_a_snippet_is_escaped_html_with_marks_only(asker, read, query):
    snippets = [hit["snippet"] for hit in asker.get("/api/v1/search", query_string={"q": query}).json["hits"]]
    assert any("<mark>" in snippet for snippet in snippets)
    for snippet in snippets:
        assert {(tag, *attributes) for tag, attributes in read(snippet).elements} <= {("mark",)}
        assert snippet.count("<mark>") == snippet.count("</mark>")


@pytest.mark.parametrize(("limit", "most"), [("1", 1), ("3", 3), ("50", 50), ("", 10)])
def test_limit_bounds_the_hits(asker, limit, most):
    hits = asker.get("/api/v1/search", query_string={"q": "发票", "limit": limit}).json["hits"]
    assert 1 <= len(hits) <= most
    assert most < 50 or len(hits) > 10


def test_a_module_narrows_the_hits(asker):
    hits = asker.get("/api/v1/search?q=发票&module=travel").json["hits"]
    assert {hit["module"] for hit in hits} == {"travel"}


@pytest.mark.parametrize("query", BAD)
def test_what_cannot_be_searched_is_refused_with_a_remedy(asker, query):
    answer = asker.get(f"/api/v1/search?q=发票&{query}")
    assert (answer.status_code, answer.json["error"]["code"]) == (400, BAD[query])


def test_traditional_words_find_the_same_sections(asker):
    simplified, traditional = (asker.get(f"/api/v1/search?q={query}").json for query in ("发票查验失败", "發票查驗失敗"))
    assert [hit["url"] for hit in simplified["hits"]] == [hit["url"] for hit in traditional["hits"]]


@pytest.mark.parametrize("query", ["OF", "发票查验失", "企微 O", "j", "fap", "fapiaoch", "登录shib", "发票查验失败p", "zzqx"])
def test_typing_changes_hits_at_most_never_the_verdict(asker, query):
    calm, typing = (asker.get("/api/v1/search", query_string={"q": query, "typing": flag}).json for flag in ("0", "1"))
    assert (calm["verdict"], calm["reason"]) == (typing["verdict"], typing["reason"])


@pytest.mark.parametrize(
    ("typed", "article"), [("f", "invoices/"), ("fap", "invoices/"), ("发票chay", "invoices/verify-failed"), ("O", "invoices/"), ("发", "")]
)
def test_results_follow_the_typing_from_the_first_character(asker, typed, article):
    hits = asker.get("/api/v1/search", query_string={"q": typed, "typing": "1"}).json["hits"]
    assert any(hit["article"].startswith(article) for hit in hits[:3])


@pytest.mark.parametrize("typed", ["发票查验失败", "茶水间在几楼", "fapiao", "OFD", ""])
def test_a_verdict_is_too_early_only_while_a_latin_word_is_under_way(asker, typed):
    early = {text: asker.get("/api/v1/search", query_string={"q": text, "typing": flag}).json.get("unfinished") for flag in "01" for text in (typed, "of")}
    assert early == {typed: None, "of": True}
    assert "unfinished" not in asker.get("/api/v1/search?q=of").json


def test_the_words_that_a_beginning_may_become_are_marked(asker):
    hits = asker.get("/api/v1/search?q=fap&typing=1").json["hits"]
    assert any("<mark>发票</mark>" in hit["snippet"] for hit in hits)


def test_a_long_question_is_searched_by_its_first_400_characters(asker):
    short, long = (asker.get("/api/v1/search", query_string={"q": "发票查验失败 " + "，" * times}).json for times in (0, 10_000))
    assert [hit["url"] for hit in short["hits"]] == [hit["url"] for hit in long["hits"]]
    assert len(long["query"]) == 400
    assert "只按前 400 字搜索" in asker.get("/search", query_string={"q": "发票" * 300}).text


def test_suggestions_while_typing_are_wordings_that_find_something(asker):
    found = asker.get("/api/v1/suggest?q=忘记密").json
    assert set(found) == {"suggestions"}
    assert "忘记密码怎么办" in found["suggestions"]
    assert len(asker.get("/api/v1/suggest?q=发票").json["suggestions"]) == 6
    assert asker.get("/api/v1/suggest?q=fapiao").json == asker.get("/api/v1/suggest?q=发票").json
    for nothing in ("", "???", "\x00", "打印机卡纸", "发" * 100_000):
        assert asker.get("/api/v1/suggest", query_string={"q": nothing}).json == {"suggestions": []}


def test_traditional_typing_is_completed_too(asker):
    assert asker.get("/api/v1/suggest?q=發票查").json == asker.get("/api/v1/suggest?q=发票查").json
    assert asker.get("/api/v1/suggest?q=發票查").json["suggestions"]


def test_a_place_in_the_host_app_brings_its_articles(asker):
    body = asker.get("/api/v1/suggestions?context=account.locked").json
    assert body["context"] == "account.locked"
    assert {
        "article": "account/login-failed",
        "title": "登录失败、账号锁定怎么办",
        "module": "account",
        "url": "http://localhost/a/account/login-failed",
    } in body["suggestions"]
    for nowhere in ("", "nowhere", "*", "[a-z]"):
        assert asker.get("/api/v1/suggestions", query_string={"context": nowhere}).json["suggestions"] == []


def test_an_intent_is_created_once_and_then_repeated(asker):
    first = asker.ask("打印机卡纸怎么处理", intent_id="one")
    again = asker.ask("打印机卡纸怎么处理", intent_id="one")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert set(first.json) == {"verdict", "words", "ticket", "expected"}
    assert set(first.json["ticket"]) == {"number", "url", "followers", "others", "answer"}
    assert first.json["ticket"]["url"].startswith("http://localhost/t/")
    assert (first.json["verdict"], first.json["ticket"]["followers"]) == ("unanswered", 1)


def test_a_receipt_counts_those_who_wait_besides_its_person_and_not_those_for_whom_it_is_solved(asker, second_asker, browser, agent_does):
    first = asker.ask("打印机卡纸怎么处理").json["ticket"]
    assert (first["followers"], first["others"], first["answer"]) == (1, 0, None)
    second_asker.ask("打印机卡纸怎么处理")
    agent_does(lifecycle.reply, body="请联系行政。")
    asker.post(f"/api/v1/tickets/{first['url'].rpartition('/')[2]}/settle", json={})
    third = browser().ask("打印机卡纸怎么处理").json["ticket"]
    assert (third["followers"], third["others"]) == (3, 1)


def test_what_was_found_and_what_became_of_it_is_said_in_words(asker, second_asker, agent_does):
    def above(query, **more):
        return asker.get("/api/v1/search", query_string={"q": query, **more}).json["words"]

    assert above("发票查验失败") == ""
    assert above("怎么办").startswith("再多说几个字")
    assert above("会议室怎么预订").startswith("没有找到答案")
    assert above("会议室怎么预订").endswith("，下面的内容可能有关")
    assert above("xqzwv", typing=1) == "还没有对得上的，接着输入试试"
    assert above("fapiao chayan shibai") == "已按“发票查验失败”搜索"
    assert asker.ask("打印机卡纸怎么处理").json["words"] == "还没有答案，已替你记下（T-1001）"
    assert second_asker.ask("打印机卡纸怎么处理").json["words"] == "还没有答案，已替你记下（T-1001），另有 1 位同事在等"
    agent_does(lifecycle.reply, body="请联系行政。")
    assert asker.ask("打印机卡纸怎么处理", intent_id="again").json["words"].startswith("客服已有答复（T-1001）")
    assert asker.ask("发票查验失败", "unsolved").json["words"].startswith("已替你记下（T-")


def test_who_comes_after_an_answer_gets_it_with_the_receipt(asker, second_asker, browser, agent_does, ticket):
    agent_does(lifecycle.reply, body="只给你：换一台。", to=ticket["token"])
    assert second_asker.ask("打印机卡纸怎么处理").json["ticket"]["answer"] is None, "what was said to one person is theirs"
    agent_does(lifecycle.resolve, article="mobile/no-notifications", body="重启打印机。")
    asker.post(f"/api/v1/tickets/{ticket['token']}/reopen", json={})
    agent_does(lifecycle.ask, body="哪一台？")
    third = browser()
    answer = third.ask("打印机卡纸怎么处理").json["ticket"]["answer"]
    assert {name: answer[name] for name in ("words", "text", "article", "url")} == {
        "words": "客服已有答复",
        "text": "重启打印机。",
        "article": "mobile/no-notifications",
        "url": "http://localhost/a/mobile/no-notifications",
    }
    assert third.post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}).json["ticket"]["answer"] == answer


def test_whoever_is_given_a_receipt_is_told_what_to_expect_in_the_words_of_their_page(asker):
    asked = asker.ask("打印机卡纸怎么处理", intent_id="one").json
    token = asked["ticket"]["url"].rpartition("/")[2]
    assert asked["expected"] == asker.get(f"/api/v1/tickets/{token}").json["expected"]
    assert asked["expected"]["words"].startswith("预计 11月23日（周一）09:00 前回复。")
    assert "expected" not in asker.ask("会议室的投影仪不亮", "leave").json, "who saw no receipt waits for nothing"


@pytest.mark.parametrize("trigger", ["enter", "open", "unsolved", "leave", "idle", "next"])
def test_every_trigger_of_the_contract_is_taken(asker, trigger):
    answer = asker.ask("发票查验失败", trigger)
    assert answer.status_code == 201
    assert (answer.json["ticket"] is None) == (trigger != "unsolved")


NOISE = ("怎么办", "???", "asdf", "，。！", "👍", "在吗", "\u200b\u202e", "1111111111")


@pytest.mark.parametrize("trigger", ["enter", "unsolved", "leave"])
def test_noise_never_becomes_a_ticket(asker, rows, trigger):
    for noise in NOISE:
        assert asker.ask(noise, trigger).json == {"verdict": "empty", "words": "再多说几个字，比如“发票查验失败”", "ticket": None}, noise
    assert rows()["tickets"] == []


BAD_INTENTS = {
    "no id": {"intent_id": None},
    "an empty id": {"intent_id": " "},
    "an id of nothing that can be kept": {"intent_id": "\0"},
    "a lone surrogate for an id": {"intent_id": "\ud800"},
    "a long id": {"intent_id": "a" * 65},
    "no query": {"query": None},
    "a blank query": {"query": " \n"},
    "a query that is a list": {"query": ["发票"]},
    "a huge query": {"query": "a" * 50_001},
    "no trigger": {"trigger": None},
    "an unknown trigger": {"trigger": "click"},
    "a trigger that is a list": {"trigger": ["enter"]},
    "a trigger that is an object": {"trigger": {}},
    "a rank of zero": {"rank": 0},
    "a rank that is true": {"rank": True},
    "a rank that is a word": {"rank": "1"},
    "a rank beyond all numbers": {"rank": float("inf")},
    "a visitor that is a number": {"visitor": 7},
    "a long visitor": {"visitor": "v" * 101},
    "an opened that is a list": {"opened": ["invoices/verify-failed"]},
}


@pytest.mark.parametrize("case", BAD_INTENTS)
def test_an_intent_that_breaks_the_contract_is_refused_and_not_stored(app, rows, case):
    body = json.dumps({"intent_id": "one", "query": "打印机卡纸", "trigger": "enter", **BAD_INTENTS[case]})
    answer = app.test_client().post("/api/v1/intents", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["error"]["code"] in {"bad_field", "too_long", "bad_visitor"}
    assert rows()["intents"] == []


def test_the_widgets_visitor_is_one_person_without_any_cookie(app):
    def ask(visitor, query):
        return app.test_client().ask(query, visitor=visitor).json["ticket"]["followers"]

    assert ask("w1", "打印机卡纸怎么处理") == 1
    assert ask("w1", "请问打印机卡纸怎么处理") == 1
    assert ask("w2", "打印机卡纸 怎么处理") == 2


def test_somebody_elses_intent_cannot_be_taken_over(asker, second_asker, rows):
    asker.ask("打印机卡纸怎么处理", intent_id="one")
    before = rows()
    answer = second_asker.ask("打印机卡纸怎么处理", intent_id="one")
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "conflict")
    assert rows() == before


def test_which_article_was_opened_is_kept_and_anything_else_is_not(asker, rows):
    for opened in ("invoices/verify-failed", "invoices/verify-failed#x", "13800138000", "<script>"):
        assert asker.ask("发票查验失败", "open", opened=opened, rank=1, visitor=opened).status_code in {200, 201}
    stored = str(rows()["intents"])
    assert "invoices/verify-failed" in stored
    assert not [free for free in ("#x", "13800138000", "<script>") if free in stored]


def test_whoever_asks_too_much_is_counted_and_told_so_but_not_ticketed(services_with, app_of):
    client = app_of(services_with(tickets_per_hour=2)).test_client()
    client.get("/")
    answers = [client.ask(query).json for query in ("打印机卡纸怎么处理", "食堂几点开门", "班车时刻表在哪里")]
    assert [bool(body["ticket"]) for body in answers] == [True, True, False]
    assert [body.get("limited", False) for body in answers] == [False, False, True]


def test_staff_are_counted_but_not_ticketed(agent, rows):
    body = agent.ask("打印机卡纸怎么处理").json
    assert body == {"verdict": "unanswered", "words": "这一小时记下的问题太多了，请稍后再试", "ticket": None, "limited": True}
    assert (len(rows()["intents"]), rows()["tickets"]) == (1, [])
