"""The desk: who waits for what, one answer for all who asked, and from an answer to an article."""

from __future__ import annotations

import pytest

from indexer.article import PLACEHOLDER, parse
from indexer.build import build
from indexer.lint import lint
from indexer.lint import read as read_corpus
from indexer.source import read_folder
from tests.kb.conftest import ROOT


def _queue(client, view="open"):
    return [link for link in client.page(f"/desk?view={view}").links if link.startswith("/desk/")]


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
