"""The desk: who waits for what, one answer for all who asked, and from an answer to an article."""

from __future__ import annotations

import ast
import re
from datetime import timedelta

import pytest

from indexer.article import PLACEHOLDER, parse
from indexer.build import build
from indexer.lint import lint
from indexer.lint import read as read_corpus
from indexer.source import read_folder
from kb.tickets import history, lifecycle, shares
from kb.tickets.alarms import sweep
from kb.tickets.desk import RULES
from kb.tickets.shares import Wording
from tests.kb.conftest import ROOT


def _queue(client, view="open"):
    return _shown(client.page(f"/desk?view={view}"))


def _shown(page):
    """Return the addresses of the tickets in the rows of a page."""
    return [f"/desk/{given['data-row']}" for tag, given in page.elements if tag == "tr" and "data-row" in given]


def test_strangers_are_asked_to_sign_in_and_come_back_to_where_they_were(asker, ticket):
    answer = asker.get("/desk/1001?done=reply")
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/desk/1001%3Fdone%3Dreply")
    assert asker.page(answer.location).form("/sign-in", {"name": ""})["fields"]["next"] == "/desk/1001?done=reply"


def test_an_agent_whose_session_ended_comes_back_to_the_page_of_the_form(agent, asker, ticket, clock):
    form = agent.page("/desk/1001").form("/desk/1001/reply", {"body": ""})
    clock.forward(hours=1)
    answer = agent.post("/desk/1001/reply", data={**form["fields"], "body": "正在处理"})
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/desk/1001")


def test_an_account_without_rights_sees_no_desk_at_all(intruder, ticket):
    assert intruder.get("/desk").status_code == 404
    assert "/desk" not in intruder.page("/").links


def test_the_queue_is_ordered_by_people_who_wait_and_keeps_those_apart_whom_nobody_told(asker, second_asker, agent):
    asker.ask("食堂几点开门")
    asker.ask("打印机卡纸怎么处理")
    second_asker.ask("打印机卡纸怎么处理")
    second_asker.ask("班车时刻表在哪里", "leave")
    assert _queue(agent) == ["/desk/1002", "/desk/1001"]
    assert _queue(agent, "silent") == ["/desk/1003"]
    assert _queue(agent, "done") == []
    assert len(_queue(agent, "all")) == 3
    assert agent.get("/desk?view=nothing").status_code == 404


def test_a_ticket_shows_its_wordings_and_what_its_followers_added(asker, second_asker, agent, ticket, read):
    second_asker.ask("请问打印机卡纸怎么处理呢")
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="三楼的打印机", contact="8001")
    text = read(agent.get("/desk/1001").text).text
    for word in ("打印机卡纸怎么处理", "请问打印机卡纸怎么处理呢", "三楼的打印机", "8001", "2 人在等"):
        assert word in text


def test_taking_replying_and_resolving_are_told_with_who_did_it(agent, ticket, rows):
    agent.submit("/desk/1001", "/desk/1001/assign")
    agent.submit("/desk/1001", "/desk/1001/reply", body="正在处理")
    answer = agent.submit("/desk/1001", "/desk/1001/resolve", body="换一台")
    assert (answer.status_code, answer.location) == (303, "/desk/1001?done=resolve")
    assert "所有提问的人都会看到答案" in agent.get(answer.location).text
    assert [event[2:5:2] for event in rows()["ticket_events"]] == [
        ("opened", "asker"),
        ("awaited", "system"),
        ("assigned", "客服小林"),
        ("replied", "客服小林"),
        ("resolved", "客服小林"),
    ]


def test_one_answer_reaches_everybody_who_asked(asker, second_asker, agent, ticket):
    other = second_asker.ask("打印机卡纸怎么处理").json["ticket"]["url"].removeprefix("http://localhost")
    agent.submit("/desk/1001", "/desk/1001/resolve", article="mobile/no-notifications")
    for client, path in ((asker, ticket["path"]), (second_asker, other)):
        assert "/a/mobile/no-notifications" in client.page(path).links


def test_articles_that_may_answer_are_offered_with_one_button(asker, agent):
    asker.ask("发票查验失败", "unsolved")
    form = agent.page("/desk/1001").form("/desk/1001/resolve", {"article": ""})
    assert form["fields"]["article"] == "invoices/verify-failed"


@pytest.mark.parametrize(
    ("action", "fields", "status"),
    [
        ("reply", {"body": "   "}, 400),
        ("reply", {"body": "长" * 20_001}, 400),
        ("resolve", {"body": ""}, 400),
        ("resolve", {"article": "invoices/nothing", "body": ""}, 400),
        ("resolve", {"article": "../../etc/passwd", "body": ""}, 400),
        ("nothing", {"body": "x"}, 404),
    ],
)
def test_what_would_tell_nobody_anything_is_refused(agent, ticket, rows, action, fields, status):
    before = rows()
    assert agent.post(f"/desk/1001/{action}", data={"csrf_token": agent.token(), **fields}).status_code == status
    assert rows() == before


def test_a_resolved_ticket_is_not_resolved_twice(agent, ticket):
    token = agent.token()
    assert agent.post("/desk/1001/resolve", data={"csrf_token": token, "body": "换一台"}).status_code == 303
    assert agent.post("/desk/1001/resolve", data={"csrf_token": token, "body": "再换一台"}).status_code == 409
    assert agent.post("/desk/1001/assign", data={"csrf_token": token}).status_code == 409


def test_forms_without_their_token_change_nothing(agent, ticket, rows):
    before = rows()
    for action in ("assign", "reply", "resolve"):
        for fields in ({"body": "x"}, {"body": "x", "csrf_token": ""}, {"body": "x", "csrf_token": "made-up"}):
            assert agent.post(f"/desk/1001/{action}", data=fields).status_code == 400
    assert rows() == before


def test_another_browsers_token_is_refused(agent, editor, ticket, rows):
    before = rows()
    assert agent.post("/desk/1001/reply", data={"csrf_token": editor.token(), "body": "x"}).status_code == 400
    assert rows() == before


@pytest.mark.parametrize("number", ["999", "0", "9223372036854775808", "9" * 400, "-1", "1e3"])
def test_a_number_that_no_ticket_has_is_not_found(agent, number):
    assert agent.get(f"/desk/{number}").status_code == 404
    assert agent.get(f"/desk/{number}/draft.md").status_code == 404
    assert agent.post(f"/desk/{number}/assign", data={"csrf_token": agent.token()}).status_code == 404


QUESTIONS = [
    "打印机卡纸怎么处理",
    "yes: [打印机",
    "食堂 # 几点 'or' \"开门\"?",
    "- *班车* &时刻表",
    "{{7*7}} 班车 ---",
    "2026-11-01 班车",
    "@班车!时刻表 | >",
    "班车\n---\n时刻表",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_draft_is_an_article_that_the_linter_and_the_builder_take(asker, second_asker, agent, tmp_path, question, now):
    asker.ask(question)
    second_asker.ask(f"请问{question}")
    agent.submit("/desk/1001", "/desk/1001/reply", body="打电话给行政，说清楼层和提示。")
    answer = agent.get("/desk/1001/draft.md")
    assert answer.mimetype == "text/markdown"
    assert answer.headers["Content-Disposition"] == "attachment; filename=t-1001.md"
    front = parse("office/t-1001.md", answer.text).meta
    assert front["questions"] == [question, f"请问{question}"]
    assert front["answers"] == ["T-1001"]
    assert "打电话给行政" in answer.text

    folder = tmp_path / "articles"
    (folder / "office").mkdir(parents=True)
    (folder / "_modules.toml").write_text('[office]\nname = "行政"\n', encoding="utf-8")
    (folder / "_company.toml").write_bytes((ROOT / "articles" / "_company.toml").read_bytes())
    draft = folder / "office" / "t-1001.md"
    draft.write_text(answer.text, encoding="utf-8")

    def problems():
        return [problem.rule for problem in lint(read_corpus(read_folder(folder), now.date())) if problem.error]

    assert problems() == ["placeholder"], "what its editor has not written yet is not published"
    draft.write_text(answer.text.replace(PLACEHOLDER, "打开前盖，取出卡住的纸。"), encoding="utf-8")
    assert problems() == []
    assert build(folder, tmp_path / "index", now).articles == 1


def test_a_failed_build_stands_on_the_desk_with_file_line_and_remedy(services_with, app_of, write, tmp_path, now, article, link_for, services):
    folder, index = write({"open/pay.md": article("付款由财务做。", "谁付款")}), tmp_path / "index"
    build(folder, index, now)
    write({"open/broken.md": "---\ntitle: 坏了\nkinds: faq\n---\n正文"})
    with pytest.raises(Exception, match="unknown-key"):
        build(folder, index, now)
    broken = services_with(index)
    object.__setattr__(broken, "db", services.db)
    client = app_of(broken).test_client()
    client.submit(link_for("客服小林", "agent"))
    page = client.get("/desk").text
    assert "文章没有发布" in page
    assert "open/broken.md:3: error unknown-key" in page
    assert "did you mean kind?" in page
    assert "open/broken.md 第 3 行：开头有不认识的项目。" in page
    assert "<details><summary><strong>文章没有发布" in page
    assert client.get("/a/open/pay").status_code == 200, "readers keep the last good index"


def test_a_wrong_article_leaves_the_agent_on_the_ticket_with_what_was_typed(agent, ticket):
    token = agent.token("/desk/1001")
    answer = agent.post("/desk/1001/resolve", data={"csrf_token": token, "article": "差旅的标准", "body": "先看这篇"})
    assert answer.status_code == 400
    assert "没有文章“差旅的标准”" in answer.text
    assert "先看这篇" in answer.text


def test_an_article_may_be_named_by_its_title(agent, asker, ticket):
    agent.submit("/desk/1001", "/desk/1001/resolve", article="忘记密码怎么办")
    assert "account/forgot-password" in agent.get("/desk/1001").text


@pytest.fixture
def queue_of(services, agent, clock, link_for):
    """Open tickets for these questions, each with one person who waits, and return the agent's browser. There is another agent, 王敏."""
    link_for("王敏", "agent")

    def make(*questions, before=timedelta(), **filed):
        with services.db.write() as session:
            for question in questions:
                ticket = history.open_ticket(session, question, clock() - before, **filed)
                shares.join(ticket, f"c:{ticket.number}", Wording(question, question), clock(), receipt=True)
        return agent

    return make


def _choose(client, page, *numbers, **fields):
    """Tick tickets on a page and press a button of the bar below them; return the page that follows."""
    opened = client.page(page)
    form = opened.form("/desk/bulk", {"ticket": ""})
    ticked = [given["value"] for _, given in opened.elements if given.get("name") == "ticket" and int(given["value"].split(".")[0]) in numbers]
    answer = client.post("/desk/bulk", data={**form["fields"], **fields, "ticket": ticked})
    assert (answer.status_code, answer.location.split("?")[0]) == (303, "/desk")
    return answer.location


def test_a_row_says_what_is_asked_who_waits_on_whom_and_how_it_is_filed(queue_of, services, clock):
    client = queue_of("发票" * 60, before=timedelta(hours=3), module="invoices", category="fault", priority="urgent")
    with services.db.write() as session:
        lifecycle.assign(history.find(session, 1001), "王敏", "王敏", clock() - timedelta(minutes=5))
    page = client.page("/desk")
    row = page.text.split("变化")[1].split("改成…")[0]
    for word in ("紧急", "发票" * 60, "T-1001", "1 /1 人", "已有人接手", "周一 08:35 前回复", "王敏", "发票", "系统故障", "3 小时"):
        assert word in row, word
    assert ("a", {"href": "/desk/1001", "title": "发票" * 60}) in page.elements
    assert "/desk/1001" in page.links[: page.links.index("/desk?view=open")], "the first ticket is one key away"


def test_a_row_says_until_when_and_who_else_looks_and_what_is_late_stands_in_a_view_of_its_own(queue_of, services, clock):
    clock.forward(minutes=-45)
    client = queue_of("打印机卡纸", "食堂几点开门", "班车时刻表")
    with services.db.write() as session:
        lifecycle.ask(history.find(session, 1002), "哪个食堂", "王敏", clock())
        lifecycle.escalate(history.find(session, 1003), "manager", "", "王敏", clock())
        lifecycle.reply(history.find(session, 1003), "在查", "王敏", clock())
    clock.forward(minutes=45)
    sweep(services.db, services.policies, {}, clock())
    page = client.page("/desk?view=all")
    for words in ("回复已超 15 分钟", "等提问人，暂停计时", "周一 16:45 前解决", "已升级·主管", "快到或已超时 1"):
        assert words in page.text, words
    assert ("time", {"datetime": "2026-11-20T09:15:00+00:00", "title": "11月20日 17:15 到期"}) in page.elements
    late = [given["class"] for tag, given in page.elements if tag == "td" and given.get("class", "").startswith("turn")]
    assert sorted(late) == ["turn", "turn late", "turn paused"]
    near = client.page("/desk?view=near")
    assert _shown(near) == ["/desk/1001"]
    assert ("option", {"value": "due", "selected": ""}) in near.elements, "what is due first stands first"
    assert client.get("/desk/counts?view=near&since=0").json["counts"]["near"] == 1
    assert "next" not in {given.get("rel") for _, given in client.page("/desk/1001?from=view%3Dnear").elements}, "it is the only one of that view"
    assert "next" in {given.get("rel") for _, given in client.page("/desk/1001?from=view%3Dall").elements}


def test_views_have_their_counts_and_say_what_to_do_when_they_are_empty(agent, ticket):
    for view, next_step in (
        ("near", "没有快到时限的工单"),
        ("mine", "/desk?view=unassigned"),
        ("suggested", "没有这样的工单"),
        ("asked", "追问"),
        ("silent", "/analytics"),
        ("done", "解决一张以后"),
    ):
        assert next_step in agent.get(f"/desk?view={view}").text, view
    text = agent.page("/desk").text
    assert "待处理 1 快到或已超时 0 我的 0 未分配 1 等待用户 0 可能已回答 0 无人等待 0 已结束 0 全部 1" in text


def test_the_address_says_which_tickets_are_shown_and_each_filter_can_be_taken_off(queue_of):
    client = queue_of("打印机卡纸", "打印机没墨", module="travel", category="fault")
    queue_of("打印机坏了", category="inquiry")
    page = client.page("/desk?q=打印机&category=fault&module=travel&sort=newest")
    assert _shown(page) == ["/desk/1002", "/desk/1001"]
    assert "“打印机” × 差旅 × 系统故障 ×" in page.text
    assert len(_shown(client.page("/desk?q=打印机&module=travel"))) == 2
    assert [link for link in page.links if "module=travel" in link and "category" not in link and "view" not in link and "/desk?" in link] == [
        "/desk?sort=newest&module=travel&q=%E6%89%93%E5%8D%B0%E6%9C%BA"
    ]
    nothing = client.page("/desk?q=打印机&priority=urgent")
    assert "没有符合的工单" in nothing.text
    assert "/desk?view=all&q=%E6%89%93%E5%8D%B0%E6%9C%BA" in nothing.links


def test_a_tickets_number_leads_to_the_ticket(agent, ticket):
    for words in ("T-1001", "t1001", "Ｔ－1001", " T 1001 "):
        assert agent.get("/desk", query_string={"q": words}).location == "/desk/1001", words
    assert agent.get("/desk?q=T-9999").status_code == 404
    assert agent.get("/desk?q=1001").status_code == 200, "a bare number may be an amount"


@pytest.mark.parametrize("address", ["view=nothing", "sort=x", "category=x", "priority=x", "state=x"])
def test_a_list_that_there_is_none_of_is_not_found(agent, address):
    assert agent.get(f"/desk?{address}").status_code == 404


@pytest.mark.parametrize("address", ["after=x", "before=1-1", "step=x", "step=1-x", f"q={'词 ' * 9}"])
def test_an_address_that_no_page_makes_is_refused_with_a_remedy(agent, address):
    answer = agent.get(f"/desk?{address}")
    assert answer.status_code == 400
    assert "请" in answer.text or "可以" in answer.text


def test_fifty_tickets_stand_on_a_page_and_the_next_begins_after_the_last(queue_of):
    client = queue_of(*(f"打印机{at}卡纸" for at in range(60)))
    first = client.page("/desk")
    assert (len(_shown(first)), _shown(first)[-1]) == (50, "/desk/1050")
    following = client.page(next(link for link in first.links if "after=" in link))
    assert (len(_shown(following)), _shown(following)[0]) == (10, "/desk/1051")
    back = client.page(next(link for link in following.links if "before=" in link))
    assert _shown(back) == _shown(first)
    assert "回到第一页" in client.get("/desk?after=1-0-0-1").text


def test_a_page_costs_the_same_few_statements_however_many_tickets_there_are(queue_of, services, asked):
    client = queue_of("打印机卡纸")
    few = asked(services.db, lambda: client.get("/desk")).sql
    queue_of(*(f"打印机{at}卡纸" for at in range(60)))
    many = asked(services.db, lambda: client.get("/desk")).sql
    assert [sql for sql, _ in many] == [sql for sql, _ in few]
    assert len(many) <= 8, (
        "the session, news for the agent, the page, the counts, the agents, the sites, what could not be sent, whether anybody can be reminded"
    )
    assert len(asked(services.db, lambda: client.get("/desk/counts")).sql) == 2
    assert not any(table in sql for sql, _ in many for table in ("phrasings", "ticket_events.body"))


def test_chosen_tickets_are_given_to_somebody_and_the_notice_takes_it_back(queue_of, rows):
    client = queue_of("打印机卡纸", "食堂几点开门", "班车时刻")
    after = _choose(client, "/desk?sort=newest", 1001, 1003, deed="assign:王敏")
    page = client.page(after)
    assert "2 张工单已交给王敏。" in page.text
    assert _shown(page) == ["/desk/1003", "/desk/1002", "/desk/1001"], "the same list as before"
    assert [row[6] for row in rows()["tickets"]] == ["王敏", "", "王敏"]
    undone = client.submit(after, "/desk/bulk", undo=page.form("/desk/bulk", {"undo": ""})["buttons"]["undo"][0])
    page = client.page(undone.location)
    assert "已撤销 2 张工单上的这一步。" in page.text
    assert not any("undo" in form["buttons"] for form in page.forms)
    assert [row[6] for row in rows()["tickets"]] == ["", "", ""]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"now": "assign:客服小林"}, "2 张工单已交给客服小林。"),
        ({"deed": "category:complaint"}, "2 张工单已改类别为“投诉”。"),
        ({"deed": "priority:urgent"}, "2 张工单已改优先级为“紧急”。"),
        ({"deed": "merge"}, "1 张工单已并入 T-1001。"),
        ({"deed": "spam"}, "2 张工单已标为垃圾。"),
        ({"deed": "assign:"}, "没有要改的。"),
    ],
)
def test_every_step_for_many_is_told_in_words(queue_of, fields, told):
    client = queue_of("打印机卡纸", "食堂几点开门")
    assert told in client.page(_choose(client, "/desk", 1001, 1002, **fields)).text


def test_refused_tickets_are_listed_with_the_reason(queue_of, services, clock):
    client = queue_of("打印机卡纸", "食堂几点开门", "班车时刻")
    with services.db.write() as session:
        lifecycle.resolve(history.find(session, 1001), "王敏", clock(), body="换一台")
    stale = client.page("/desk?view=all")
    with services.db.write() as session:
        lifecycle.assign(history.find(session, 1002), "王敏", "王敏", clock())
    form = stale.form("/desk/bulk", {"ticket": ""})
    ticked = [given["value"] for _, given in stale.elements if given.get("name") == "ticket"]
    answer = client.post("/desk/bulk", data={**form["fields"], "deed": "assign:客服小林", "ticket": ticked})
    text = client.page(answer.location).text
    assert "1 张工单已交给客服小林。" in text
    assert "T-1001 没有改：已经解决或关闭。" in text
    assert "T-1002 没有改：你打开列表以后，王敏改了处理人；要改就再点一次。" in text


def test_a_refused_step_keeps_its_ticks_and_never_says_that_there_was_nothing_to_change(queue_of, services, clock):
    client = queue_of("打印机卡纸")
    stale = client.page("/desk?view=all")
    with services.db.write() as session:
        lifecycle.assign(history.find(session, 1001), "王敏", "王敏", clock())
    form = stale.form("/desk/bulk", {"ticket": ""})
    ticked = [given["value"] for _, given in stale.elements if given.get("name") == "ticket"]
    answer = client.post("/desk/bulk", data={**form["fields"], "deed": "priority:urgent", "ticket": ticked})
    page = client.page(answer.location)
    assert "没有要改的" not in page.text
    assert "王敏改了处理人" in page.text
    assert [given["value"].split(".")[0] for _, given in page.elements if given.get("name") == "ticket" and "checked" in given] == ["1001"]


def test_a_notice_is_for_the_agent_who_took_the_step(queue_of, editor):
    client = queue_of("打印机卡纸")
    text = editor.page(_choose(client, "/desk", 1001, deed="spam")).text
    assert "标为垃圾。" not in text
    assert "撤销" not in text


@pytest.mark.parametrize("fields", [{}, {"ticket": "x"}, {"ticket": "1001.x"}, {"ticket": "1001"}, {"undo": "x"}, {"undo": "1-99999999"}])
def test_a_step_without_tickets_or_without_sense_is_refused(agent, ticket, rows, fields):
    before = rows()
    answer = agent.post("/desk/bulk", data={"csrf_token": agent.token(), "deed": "resolve:1", **fields})
    assert answer.status_code == 400
    assert rows() == before


def test_a_step_leads_back_to_the_desk_and_nowhere_else(queue_of):
    client = queue_of("打印机卡纸")
    token = client.token("/desk")
    for back in ("//evil.example", "https://evil.example", "view=all\r\nSet-Cookie: a=b", "step=1-9&view=all"):
        answer = client.post("/desk/bulk", data={"csrf_token": token, "ticket": "1001", "deed": "spam", "back": back})
        assert answer.location.startswith("/desk?")
        assert "\n" not in answer.location
        assert client.get(answer.location).status_code in {200, 404}


def test_counts_are_answered_with_304_while_nothing_changes_and_tell_what_is_new(queue_of, asker):
    client = queue_of("打印机卡纸")
    first = client.get("/desk/counts?since=1001&view=open")
    assert first.json == {"counts": {"all": 1, "asked": 0, "done": 0, "mine": 0, "near": 0, "open": 1, "silent": 0, "suggested": 0, "unassigned": 1}, "new": 0}
    again = client.get("/desk/counts?since=1001&view=open", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    asker.ask("食堂几点开门")
    changed = client.get("/desk/counts?since=1001&view=open", headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.json["new"], changed.json["counts"]["open"]) == (200, 1, 2)
    assert client.get("/desk/counts?since=1001&view=mine").json["new"] == 0


def test_a_desk_that_nobody_touches_does_not_keep_its_session_alive(queue_of, clock):
    client = queue_of("打印机卡纸")
    for _ in range(8):
        clock.forward(minutes=5)
        answer = client.get("/desk/counts")
    assert (answer.status_code, answer.location[:8]) == (303, "/sign-in")


def test_every_rule_of_the_linter_has_words_for_who_reads_no_english():
    rules = set()
    for path in (ROOT / "indexer").glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        named = [call for call in calls if getattr(call.func, "id", "") in {"Problem", "Flaw", "Unreadable"}]
        texts = [[part.value for part in call.args if isinstance(part, ast.Constant) and isinstance(part.value, str)] for call in named]
        rules |= {text for row in texts for text in row if re.fullmatch(r"[a-z]+(?:-[a-z]+)*", text)}
    assert len(rules) > 25
    assert rules <= set(RULES)
