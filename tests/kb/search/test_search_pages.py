"""The search page: a form and a redirect without JavaScript; only the POST writes."""

from __future__ import annotations

import re

import pytest

UNANSWERED = "打印机卡纸怎么处理"


def test_without_javascript_a_question_is_posted_redirected_and_shown_with_its_receipt(asker, read):
    posted = asker.submit("/", "/search", q=UNANSWERED)
    assert posted.status_code == 303
    page = read(asker.get(posted.location).text)
    assert "已替你记下（T-1001）" in page.text
    assert "预计 11月23日（周一）09:00 前回复。现在是休息时间，客服 11月23日（周一）08:30 上班。有人回复后，这里和“我的提问”会提醒你。" in page.text
    assert [link for link in page.links if link.startswith("/t/")]
    assert page.form("/search", {"q": ""})["fields"]["q"] == UNANSWERED


def test_reload_back_and_shared_links_change_nothing(asker, second_asker, rows):
    address = asker.submit("/", "/search", q=UNANSWERED).location
    before = rows()
    for _ in range(3):
        asker.get(address)
    shared = second_asker.get(address)
    assert rows() == before
    assert "T-1001" not in shared.text, "the receipt is its owner's"
    assert "还没有这个问题的答案" in shared.text


def test_the_same_form_sent_twice_is_one_wish(asker, rows):
    form = asker.page("/").form("/search", {"q": ""})
    for _ in range(2):
        asker.post("/search", data={**form["fields"], "q": UNANSWERED, "i": "one"})
    assert len(rows()["intents"]) == len(rows()["followers"]) == 1


def test_every_result_list_ends_in_a_way_to_leave_the_question(asker, read):
    for query in ("发票查验失败", "会议室怎么预订", "打印机卡纸怎么处理", "审批单一直不动怎么办啊"):
        form = asker.page(f"/search?q={query}").form("/search", {"trigger": "unsolved"})
        assert form["fields"]["q"] == query
    body = asker.submit("/search?q=发票查验失败", "/search", trigger="unsolved")
    assert "已替你记下（T-1001）" in asker.get(body.location).text


def test_a_hint_and_no_ticket_for_noise(asker, read, rows):
    for noise in ("怎么办", "asdf", "((((("):
        page = read(asker.get(asker.submit("/", "/search", q=noise).location).text)
        assert "再多说几个字" in page.text
    assert rows()["tickets"] == []


@pytest.mark.parametrize("nothing", ["", "   ", "\x00"])
def test_an_empty_form_leads_home(asker, nothing, rows):
    answer = asker.submit("/", "/search", q=nothing)
    assert (answer.status_code, answer.location) == (303, "/")
    assert rows()["intents"] == []


def test_an_answer_stands_whole_above_the_hits(asker, read):
    html = asker.get("/search?q=发票查验失败").text
    page = read(html)
    assert html.index('<article class="answer"') < html.index('<ol class="hits"')
    assert [attributes["data-article"] for tag, attributes in page.elements if tag == "article"] == ["invoices/verify-failed"]
    assert page.form("/api/v1/feedback", {"helpful": ""})


def test_hits_are_marked_linked_to_their_sections_and_filtered_by_module(asker, read):
    page = read(asker.get("/search?q=发票查验失败").text)
    assert any(tag == "mark" for tag, _ in page.elements)
    assert [link for link in page.links if link.startswith("/a/") and "#" in link]
    module = next(link for link in page.links if "module=" in link)
    filtered = read(asker.get(module).text)
    hits = [link for link in filtered.links if link.startswith("/a/")]
    assert hits
    assert len({link.split("/")[2] for link in hits}) == 1


def test_a_question_asked_inside_a_module_stays_inside_it(asker):
    assert "module=travel" in asker.submit("/m/travel", "/search", q="住宿超标怎么报").location
    form = asker.page("/m/travel").form("/search", {"q": ""})
    assert "module" not in asker.post("/search", data={**form["fields"], "q": "住宿", "module": "<nothing>"}).location


def test_a_script_gets_the_results_alone(asker, read):
    page = read(asker.get("/search?q=发票&part=results").text)
    assert not {"html", "head", "header", "footer"} & {tag for tag, _ in page.elements}
    assert page.links


def test_what_was_asked_is_shown_as_text(asker, read):
    query = '"><img src=x onerror=alert(1)><script>alert(1)</script>发票'
    page = read(asker.get("/search", query_string={"q": query}).text)
    assert page.form("/search", {"q": ""})["fields"]["q"] == query
    assert "img" not in {tag for tag, _ in page.elements}


def test_a_form_without_its_token_writes_nothing(asker, rows):
    assert asker.post("/search", data={"q": UNANSWERED}).status_code == 400
    assert rows()["intents"] == rows()["tickets"] == []


def test_looking_at_every_page_writes_nothing(asker, agent, ticket, rows, read):
    """Follow every link from the home page, the desk and the asker's pages, as a person and as an agent, and compare all rows."""
    asker.ask("发票查验失败", "unsolved")
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="三楼的打印机", contact="8001")
    agent.submit("/desk/1001", "/desk/1001/reply", body="正在处理")
    before = rows()
    seen: dict[str, int] = {}
    for client, start in (
        (asker, ["/", "/search?q=会议室怎么预订", "/mine", ticket["path"], "/widget/demo", "/sign-in"]),
        (agent, ["/desk", "/analytics", "/desk/1001/draft.md"]),
    ):
        todo = list(start)
        while todo:
            path = todo.pop().partition("#")[0]
            if not path.startswith("/") or path in seen or path.endswith(".csv"):  # that somebody took a list away is noted
                continue
            answer = client.get(path)
            seen[path] = answer.status_code
            if answer.mimetype == "text/html":
                todo += read(answer.text).links
    for path in ("/api/v1/search?q=打印机卡纸", "/api/v1/suggest?q=发票", "/api/v1/suggestions?context=x", f"/api/v1/tickets/{ticket['token']}", "/metrics"):
        seen[path] = asker.get(path).status_code
    assert {path for path, status in seen.items() if status != 200} == set()
    assert len(seen) > 80
    assert {path.split("/")[1].split("?")[0] for path in seen} >= {"a", "m", "search", "t", "mine", "desk", "analytics", "api", "widget", "sign-in", "metrics"}
    assert rows() == before


@pytest.mark.parametrize("typed", ["f", "fap", "fapiaoch", "茶水间 vpnx", "发票 zzqx"])
def test_half_a_word_is_never_told_that_it_has_no_answer(asker, read, typed):
    page = read(asker.get("/search", query_string={"q": typed, "typing": "1", "part": "results"}).text)
    for early in ("还没有这个问题的答案", "没有完全对得上", "没有提到", "再多说几个字"):
        assert early not in page.text
    assert [link for link in page.links if link.startswith("/a/")] or "接着输入试试" in page.text


def test_half_a_word_that_is_submitted_is_a_question_like_any_other(asker, read):
    assert "还没有这个问题的答案" in read(asker.get("/search?q=茶水间 vpnx").text).text
    assert "再多说几个字" in read(asker.get("/search?q=f").text).text


def test_what_asks_nothing_yet_is_shown_questions_that_begin_so(asker, services, read):
    page = read(asker.get("/search?q=怎么").text)
    examples = [attributes["href"] for tag, attributes in page.elements if tag == "a" and "data-example" in attributes]
    wanted = services.library.current().suggest("怎么", limit=3)
    assert len(wanted) == 3
    assert [word in page.text for word in wanted] == [True] * 3
    assert [asker.get(f"/api/v1{link}").json["verdict"] for link in examples] == ["answered"] * 3
    assert "发票查验失败" in read(asker.get("/search?q=???").text).text


@pytest.mark.parametrize("question", ["发票", "打印机卡纸审批怎么处理", "报销"])
def test_the_summary_counts_the_results_that_are_shown(asker, question):
    page = asker.get(f"/search?q={question}&part=results").text
    shown = len(re.findall(r'class="hit"', page)) + page.count('<article class="answer"')
    assert shown
    assert f"共 {shown} 条" in page
