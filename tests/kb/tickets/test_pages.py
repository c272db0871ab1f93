"""The asker's page and 我的提问, by forms."""

from __future__ import annotations


def test_my_questions_lists_mine_and_says_when_there_is_a_reply(asker, second_asker, agent, ticket, read, clock):
    assert "打印机卡纸怎么处理" in asker.get("/mine").text
    assert "有回复" not in asker.get("/mine").text
    assert "还没有记下过问题" in second_asker.get("/mine").text
    clock.forward(minutes=5)
    agent.submit("/desk/1001", "/desk/1001/reply", body="正在处理")
    assert "有回复" in asker.get("/mine").text
    assert "1 条回复" in read(asker.get("/").text).text, "the badge stands on every page"
    assert "条回复" not in second_asker.get("/").text


def test_a_reply_stays_news_until_it_is_seen_and_looking_alone_does_not_count(asker, agent, ticket, clock):
    clock.forward(minutes=5)
    agent.submit("/desk/1001", "/desk/1001/reply", body="正在处理")
    for _ in range(2):
        assert "正在处理" in asker.get(ticket["path"]).text
    assert "有回复" in asker.get("/mine").text
    asker.submit(ticket["path"], f"{ticket['path']}/seen")
    assert "有回复" not in asker.get("/mine").text


def test_an_asker_adds_details_as_written_for_the_agents(asker, agent, ticket, rows):
    answer = asker.submit(ticket["path"], f"{ticket['path']}/details", details=" 三楼 \n的打印机", contact="8001")
    assert (answer.status_code, answer.location) == (303, f"{ticket['path']}?done=details")
    assert "已保存" in asker.get(answer.location).text
    assert [row[3] for row in rows()["details"]] == ["三楼 \n的打印机"]
    assert asker.page(ticket["path"]).form(f"{ticket['path']}/details", {"details": ""})["fields"]["contact"] == "8001"
    assert "三楼" in agent.get("/desk/1001").text


def test_too_much_of_a_detail_is_refused_with_the_limit(asker, ticket, read):
    answer = asker.submit(ticket["path"], f"{ticket['path']}/details", details="长" * 20_001)
    assert answer.status_code == 400
    assert "20000" in read(answer.text).text


def test_the_receipt_offers_undo_and_undo_ends_the_waiting(asker, read):
    receipt = asker.submit("/", "/search", q="打印机卡纸怎么处理").location
    path = next(link for link in asker.page(receipt).links if link.startswith("/t/")).partition("#")[0]
    asker.submit(receipt, f"{path}/withdraw")
    assert "你已撤销这个提问" in asker.get(path).text
    assert "打印机" not in asker.get("/mine").text
    assert "T-1001" not in asker.get(receipt).text


def test_a_resolved_question_is_confirmed_or_reopened_by_its_asker(asker, agent, ticket, clock):
    agent.submit("/desk/1001", "/desk/1001/resolve", body="换一台打印机")
    page = asker.get(ticket["path"]).text
    assert "解决了吗" in page
    assert "换一台打印机" in page
    clock.forward(minutes=5)
    asker.submit(ticket["path"], f"{ticket['path']}/reopen", details="还是卡纸")
    assert "处理中" in asker.get(ticket["path"]).text
    assert "还是卡纸" in agent.get("/desk/1001").text
    agent.submit("/desk/1001", "/desk/1001/resolve", body="已换新机")
    asker.submit(ticket["path"], f"{ticket['path']}/confirm")
    assert "已确认解决" in asker.get(ticket["path"]).text


def test_an_article_that_was_withdrawn_leaves_a_way_on(asker, agent, ticket, services, monkeypatch):
    agent.submit("/desk/1001", "/desk/1001/resolve", article="mobile/no-notifications")
    assert "/a/mobile/no-notifications" in asker.get(ticket["path"]).text
    monkeypatch.delitem(services.library.current().articles, "mobile/no-notifications")
    page = asker.get(ticket["path"]).text
    assert "/a/mobile/no-notifications" not in page
    assert "仍未解决" in page


def test_the_page_shows_how_many_others_wait_and_nothing_of_them(asker, second_asker, ticket, read):
    second_asker.ask("打印机卡纸 怎么处理")
    text = read(asker.get(ticket["path"]).text).text
    assert "另有 1 位同事在等" in text
    assert "打印机卡纸 怎么处理" not in text


def test_a_form_without_its_token_changes_nothing(asker, ticket, rows):
    before = rows()
    for action in ("details", "withdraw", "confirm", "reopen", "seen"):
        assert asker.post(f"{ticket['path']}/{action}", data={"details": "x"}).status_code == 400
        assert asker.post(f"{ticket['path']}/{action}", data={"details": "x", "csrf_token": "made-up"}).status_code == 400
    assert rows() == before


def test_an_unknown_action_is_not_found(asker, ticket):
    assert asker.post(f"{ticket['path']}/resolve", data={"csrf_token": asker.token(), "body": "x"}).status_code == 404
