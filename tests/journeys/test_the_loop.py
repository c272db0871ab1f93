"""The story of the product: a question that nobody can answer becomes an answer for everybody."""

from __future__ import annotations


def test_a_question_without_an_answer_is_answered_for_all_who_asked(asker, second_asker, agent, editor, intruder, read, rows, clock):
    # She asks, nobody has written about it, and she gets a receipt without filling in a form.
    found = asker.submit("/", "/search", q="年假还剩几天").location
    receipt = read(asker.get(found).text)
    assert "还没有答案，已替你记下（T-1001）" in receipt.text
    hers = next(link for link in receipt.links if link.startswith("/t/")).partition("#")[0]
    asker.submit(hers, f"{hers}/details", details="想休到元旦", contact="分机 8001")

    # He asks the same in other words and joins her; neither sees who the other is.
    clock.forward(minutes=5)
    found = second_asker.submit("/", "/search", q="请问年假还剩几天呢？").location
    receipt = read(second_asker.get(found).text)
    assert "已替你记下（T-1001）" in receipt.text
    assert "另有 1 位同事在等" in receipt.text
    his = next(link for link in receipt.links if link.startswith("/t/")).partition("#")[0]
    assert his != hers
    assert "元旦" not in second_asker.get(his).text + second_asker.get(found).text

    # Reload and shared links change nothing; and nobody else sees the desk.
    before = rows()
    for client, path in ((asker, hers), (second_asker, his), (second_asker, found), (second_asker, hers)):
        assert client.get(path).status_code == 200
    assert rows() == before
    assert intruder.get("/desk/1001").status_code == 404

    # The agent sees one ticket with two people, both wordings and what she added, and answers once.
    clock.forward(minutes=5)
    desk = read(agent.get("/desk").text)
    assert {link for link in desk.links if link.startswith("/desk/")} == {"/desk/1001"}
    page = read(agent.get("/desk/1001").text)
    assert all(word in page.text for word in ("2 人在等", "年假还剩几天", "请问年假还剩几天呢？", "想休到元旦", "分机 8001"))
    agent.submit("/desk/1001", "/desk/1001/assign")
    agent.submit("/desk/1001", "/desk/1001/reply", body="年假在人事系统里查，不在报销系统。")

    # Both are told, each at their own address.
    for client, path in ((asker, hers), (second_asker, his)):
        assert "1 条回复" in read(client.get("/").text).text
        assert "年假在人事系统里查" in client.get(path).text
        client.submit(path, f"{path}/seen")
        assert "条回复" not in client.get("/").text

    # For him that is not enough: the ticket is resolved too early and he opens it again, with a reason that only agents read.
    clock.forward(minutes=5)
    agent.submit("/desk/1001", "/desk/1001/resolve", body="请看人事系统。")
    clock.forward(minutes=5)
    second_asker.submit(his, f"{his}/reopen", details="我没有人事系统的账号")
    assert "客服在处理" in second_asker.get(his).text
    assert "我没有人事系统的账号" in agent.get("/desk/1001").text
    assert "我没有人事系统的账号" not in asker.get(hers).text

    # The editor resolves it with an article, and takes the draft home.
    clock.forward(minutes=5)
    editor.submit("/desk/1001", "/desk/1001/resolve", article="permissions/missing-menu", body="按这篇申请账号。")
    draft = editor.get("/desk/1001/draft.md").text
    assert "年假还剩几天" in draft
    assert "T-1001" in draft
    assert "元旦" not in draft

    # Both see the article; she confirms, and the gap is gone from the analytics.
    for client, path in ((asker, hers), (second_asker, his)):
        assert "/a/permissions/missing-menu" in client.page(path).links
    asker.submit(hers, f"{hers}/confirm")
    assert "已确认解决" in asker.get(hers).text
    assert "年假" not in read(agent.get("/analytics").text).text.partition("最近 30 天")[0]
    assert {link.partition("?")[0] for link in read(agent.get("/desk?view=done").text).links if link.startswith("/desk/")} == {"/desk/1001"}

    # Whoever asks later, after the end, opens a new one: the old one is history.
    clock.forward(days=1)
    assert asker.ask("年假还剩几天").json["ticket"]["number"] == 1002


def test_a_wrong_answer_is_no_dead_end(asker, agent, read):
    # The product is sure of itself, and wrong. One quiet button still leads to a person.
    page = asker.page("/search?q=发票查验失败")
    assert any(tag == "article" for tag, _ in page.elements)
    found = asker.submit("/search?q=发票查验失败", "/search", trigger="unsolved").location
    receipt = read(asker.get(found).text)
    assert "已替你记下（T-1001）" in receipt.text
    path = next(link for link in receipt.links if link.startswith("/t/")).partition("#")[0]
    agent.submit("/desk/1001", "/desk/1001/resolve", article="invoices/verify-failed")
    assert "/a/invoices/verify-failed" in asker.page(path).links


def test_correcting_oneself_is_one_wish_and_the_right_words_withdraw_the_ticket(asker, rows, clock):
    # Within half a minute she finds better words: first another open question, then one that is answered.
    first = asker.ask("打印机卡纸").json["ticket"]["number"]
    clock.forward(seconds=10)
    assert asker.ask("打印机卡纸怎么处理").json["ticket"]["number"] == first
    assert [row[1] for row in rows()["tickets"]] == ["打印机卡纸怎么处理"]

    clock.forward(minutes=5)
    second = asker.ask("忘计密码怎办法", intent_id="one").json
    clock.forward(seconds=10)
    answered = asker.ask("忘记密码怎么办", intent_id="one").json
    assert (answered["verdict"], answered["ticket"]) == ("answered", None)
    if second["ticket"]:
        assert "忘计密码" not in asker.get("/mine").text


def test_who_leaves_is_counted_and_becomes_somebody_who_waits_when_they_ask_aloud(asker, agent, rows):
    assert asker.ask("食堂几点开门", "leave", intent_id="one").json["ticket"]["number"] == 1001
    assert "食堂几点开门" in agent.get("/desk?view=silent").text
    assert "食堂几点开门" not in asker.get("/mine").text, "nobody promised her anything yet"
    asker.ask("食堂几点开门", "enter", intent_id="one")
    assert "食堂几点开门" in agent.get("/desk?view=open").text
    assert "食堂几点开门" in asker.get("/mine").text
    assert len(rows()["intents"]) == len(rows()["followers"]) == 1
