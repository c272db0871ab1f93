"""One public reply answers everybody who asks the like, until it expires, is taken down, or an article says it better."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kb.tickets import history, lifecycle
from kb.tickets.clusters import reader_of
from kb.tickets.public import PublicReplies

QUESTION = "打印机卡纸怎么处理"
BODY = "三楼的打印机坏了，已经报修，今天下午修好前请用二楼的。"


@pytest.fixture
def reply(services, ticket, now):
    """Say something to everybody who asks what the ticket asks; it is on everybody's screen at once."""

    def reply_(kind="known", body=BODY, days=3):
        with services.db.write() as session:
            lifecycle.publish(history.find(session, ticket["number"]), kind, body, "客服小林", "agent", services.now(), services.now() + timedelta(days=days))
        services.public_replies._looked = float("-inf")  # noqa: SLF001 - a second has passed

    return reply_


def look(client, query=QUESTION):
    return client.get("/search", query_string={"q": query}).text


@pytest.mark.parametrize("words", [QUESTION, "請問打印機卡紙怎麼處理？", "打印机卡纸"])
def test_it_stands_above_the_hits_of_every_question_alike(second_asker, reply, words):
    assert BODY not in look(second_asker, words)
    reply()
    page = look(second_asker, words)
    assert BODY in page
    assert "已知问题·处理中" in page
    assert "客服" in page
    assert page.index(BODY) < page.index("data-unsolved")
    found = second_asker.get("/api/v1/search", query_string={"q": words}).json["reply"]
    assert (found["kind"], found["text"], found["role"], found["open"]) == ("known", BODY, "客服", True)


def test_other_questions_do_not_see_it(second_asker, reply):
    reply()
    for words in ("打印机在哪里领", "食堂几点开门", "发票查验失败", "怎么办"):
        assert BODY not in look(second_asker, words), words


def test_who_reads_it_opens_no_ticket_and_who_says_that_it_did_not_help_joins_the_one_there_is(second_asker, reply, ticket, rows):
    reply()
    said = second_asker.ask(QUESTION, intent_id="one").json
    assert (said["verdict"], said["ticket"]) == ("unanswered", None)
    assert len(rows()["tickets"]) == 1
    joined = second_asker.ask(QUESTION, "unsolved", intent_id="one").json["ticket"]
    assert (joined["number"], joined["followers"]) == (ticket["number"], 2)


def test_the_button_without_javascript_joins_too(second_asker, reply, ticket, read):
    reply()
    found = second_asker.submit(f"/search?q={QUESTION}", "/search", trigger="unsolved").location
    page = read(second_asker.get(found).text)
    assert f"已加入 T-{ticket['number']}" in page.text
    assert "另有 1 位同事在等同一个答案。预计" in page.text
    assert "处理好了" in page.text
    assert "我也遇到" not in page.text


def test_the_reply_to_a_solved_ticket_still_stands_and_who_needs_more_opens_a_new_one(second_asker, reply, ticket, services):
    reply("elsewhere", "打印机归行政管，请找行政。")
    with services.db.write() as session:
        lifecycle.resolve(history.find(session, ticket["number"]), "客服小林", services.now(), body="请找行政。")
    services.public_replies._looked = float("-inf")  # noqa: SLF001 - a second has passed
    page = look(second_asker)
    assert "不归本系统" in page
    assert "仍未解决，记下我的问题" in page
    assert second_asker.ask(QUESTION, "unsolved").json["ticket"]["number"] != ticket["number"]


def test_it_is_gone_when_it_has_expired_or_was_taken_down(second_asker, reply, ticket, services, clock):
    reply(days=1)
    clock.forward(days=1, seconds=1)
    assert BODY not in look(second_asker)
    reply()
    assert BODY in look(second_asker)
    with services.db.write() as session:
        lifecycle.retire(history.find(session, ticket["number"]), "客服小林", services.now())
    services.public_replies._looked = float("-inf")  # noqa: SLF001 - a second has passed
    assert BODY not in look(second_asker)


def test_a_second_reply_takes_the_place_of_the_first(second_asker, reply):
    reply()
    reply("answer", "已经修好了，可以用了。")
    page = look(second_asker)
    assert "已经修好了" in page
    assert BODY not in page


def test_markup_in_it_is_text(second_asker, reply):
    reply(body="<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)" in look(second_asker)


def test_the_database_is_looked_at_once_a_second_however_much_is_asked(services, reply, statements):
    reply()
    ticks = [0.0]
    replies = PublicReplies(services.db, services.now, lambda: ticks[0])
    published = services.library.current()
    with statements() as first:
        assert replies.matching(published, QUESTION).body == BODY
    with statements() as more:
        ticks[0] = 0.9
        assert replies.matching(published, QUESTION).body == BODY
    with statements() as later:
        ticks[0] = 1.1
        assert replies.matching(published, QUESTION).body == BODY
    assert (len(more), len(later)) == (0, len(first) - 1), "their wordings are read again only when these are other replies"


def test_what_the_replies_say_is_read_once_however_many_there_are_and_however_much_is_asked(services, reply, monkeypatch):
    reply()
    published, replies = services.library.current(), services.public_replies
    assert replies.matching(published, QUESTION) is not None
    reader = reader_of(published)
    asked = []
    monkeypatch.setattr(reader, "read", lambda text, read=reader.read: asked.append(text) or read(text))
    for _ in range(3):
        replies.matching(published, "食堂几点开门")
    assert set(asked) == {"食堂几点开门"}
