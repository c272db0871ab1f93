"""What agents said to the people of one site is read on no other by asking the same words: not in a receipt, a thread or a list."""

from __future__ import annotations

import json

import pytest

from kb.tickets import history, lifecycle

WORDS, SECRET, FOR_ALL = "会议室的蓝色投影遥控器在哪里领取", "密码柜 4 号", "都在前台领"
STRANGER = {"X-Zhida-Site": "suppliers", "Origin": "https://app.example.com", "X-Zhida-Visitor": "ab" * 16}


@pytest.fixture
def signs(services, register, vouch):
    """Two sites: `finance` vouches for people with roles, `suppliers` shows one module and takes anybody."""
    register(services, "finance", audience=("finance",))
    register(services, "suppliers", modules=("invoices",))
    return vouch(services, "finance")


@pytest.fixture
def ask(app, clock):
    """Ask over the API, a minute after the one before; return the receipt and how its person reads on."""
    client = app.test_client()

    def ask_(headers, by="tickets"):
        clock.forward(minutes=1)
        body = {"intent_id": "i" * 12, "query": WORDS, "trigger": "enter"} if by == "intents" else {"question": WORDS, "contact": "a@example.com"}
        receipt = client.post(f"/api/v1/{by}", json=body, headers=headers).json["ticket"]

        def read(path=""):
            return client.get(f"/api/v1/tickets{path or '/' + receipt['url'].rpartition('/')[2]}", headers=headers).json

        return receipt, read

    return ask_


@pytest.fixture
def told(ask, signs, agent_does, clock):
    """One of finance has asked and was told a secret; how they read it."""
    receipt, read = ask(signs())
    clock.forward(minutes=1)
    agent_does(lifecycle.reply, receipt["number"], body=SECRET)
    return read


@pytest.fixture
def kinds_of(services):
    def read_(number):
        with services.db.read() as session:
            return [event.kind for event in history.find(session, number).events if event.kind in {"replied", "resolved"}]

    return read_


@pytest.mark.parametrize("by", ["tickets", "intents"])
def test_the_receipt_and_the_thread_of_who_joins_on_another_site_hold_nothing_of_it(told, ask, by):
    receipt, read = ask(STRANGER, by)
    assert (receipt["number"], receipt["followers"], receipt["answer"]) == (1001, 2, None)
    thread = read()
    assert (thread["thread"], thread["replies"], thread["news"], thread["asked"]) == ([], [], False, None)
    (line,) = read("?limit=1")["tickets"]
    assert (line["news"], SECRET in json.dumps([receipt, thread, line], ensure_ascii=False)) == (False, False)
    assert [reply["text"] for reply in told()["replies"]] == [SECRET]


def test_their_own_colleagues_read_it_with_the_receipt(told, ask, signs):
    receipt, read = ask(signs(sub="e-8"))
    assert (receipt["answer"]["text"], [reply["text"] for reply in read()["replies"]]) == (SECRET, [SECRET])


def test_who_is_not_vouched_for_on_the_same_site_reads_nothing_of_it(told, ask):
    receipt, read = ask(STRANGER | {"X-Zhida-Site": "finance"})
    assert (receipt["answer"], read()["thread"]) == (None, [])


def test_the_page_and_the_list_of_who_joins_in_the_help_centre_hold_nothing_of_it(told, asker, agent_does, clock):
    clock.forward(minutes=1)
    asker.ask(WORDS, "unsolved")
    page = next(link for link in asker.page("/mine").links if link.startswith("/t/"))
    for path in (page, "/mine", f"/search?q={WORDS}"):
        text = asker.get(path).text
        assert (SECRET in text, "客服已有答复" in text) == (False, False), path
    clock.forward(minutes=1)
    agent_does(lifecycle.reply, body=FOR_ALL)
    assert (FOR_ALL in asker.get(page).text, SECRET in asker.get(page).text) == (True, False)


def test_agents_read_where_what_they_write_is_read_and_who_has_not_read_what_they_wrote(told, ask, agent, agent_does, asker, read):
    assert "的人看到：不要写" not in read(agent.get("/desk/1001").text).text
    ask(STRANGER)
    asker.ask(WORDS, "unsolved")
    desk = " ".join(agent.page("/desk/1001").text.split())
    assert "的人看到：不要写" in desk
    assert {name in desk.partition("的人看到：不要写")[0].rpartition("会被")[2] for name in ("finance", "suppliers", "帮助中心")} == {True}
    assert "suppliers、帮助中心 的人看不到之前的答复" in desk
    agent_does(lifecycle.reply, body=FOR_ALL)
    assert "看不到之前的答复" not in agent.page("/desk/1001").text


@pytest.mark.parametrize("step", ["reply", "resolve"])
def test_an_agent_who_has_not_seen_that_another_site_reads_it_too_is_asked_once_more(told, ask, asker, agent, step, read, kinds_of):
    page = agent.page("/desk/1001")
    (form,) = [one for one in page.forms if one["fields"].get("sites") and one["action"] == "/desk/1001/reply"]
    ask(STRANGER)
    asker.ask(WORDS, "unsolved")
    before = kinds_of(1001)
    refused = agent.post(f"/desk/1001/{step}", data={**form["fields"], "body": SECRET, "mode": "reply"})
    assert refused.status_code == 409
    assert "你打开这一页以后，帮助中心、suppliers 也有人来问同样的问题，会看到这条回复" in read(refused.text).text
    assert (kinds_of(1001), SECRET in refused.text) == (before, True)
    (again,) = [one for one in read(refused.text).forms if one["fields"].get("sites") and one["action"] == "/desk/1001/reply"]
    assert agent.post(f"/desk/1001/{step}", data={**again["fields"], "body": FOR_ALL, "mode": "reply"}).status_code == 303


def test_to_one_person_it_is_said_whoever_came_since(told, ask, agent):
    fields = next(one["fields"] for one in agent.page("/desk/1001").forms if one["fields"].get("sites"))
    ask(STRANGER)
    assert agent.post("/desk/1001/reply", data={**fields, "body": SECRET, "mode": "reply", "to": "1"}).status_code == 303
