from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from indexer.article import PLACEHOLDER, parse
from indexer.lint import lint
from indexer.lint import read as read_corpus
from indexer.source import read_folder
from kb.tickets.draft import MAX_QUESTIONS, draft
from kb.tickets.models import Phrasing, Ticket, TicketEvent

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
COMPANY = Path(__file__).parents[3] / "articles" / "_company.toml"


def ticket(*wordings, title=None):
    phrasings = [Phrasing(id=i, text=text, key=text, asked=len(wordings) - i, first_at=NOW, last_at=NOW) for i, text in enumerate(wordings)]
    return Ticket(number=1024, question=title or wordings[0], module="", opened_at=NOW, phrasings=phrasings, events=[])


def test_the_answer_of_a_draft_is_the_last_real_reply_not_the_remark_beside_an_article():
    asked = ticket("打印机卡纸")
    said = (("replied", "先关机再抽纸。", ""), ("noted", "内部", ""), ("resolved", "看这篇就行", "mobile/no-notifications"))
    asked.events = [TicketEvent(kind=kind, at=NOW, actor="客服小林", body=body, article=article) for kind, body, article in said]
    text = draft(asked, TODAY)
    assert "先关机再抽纸。" in text
    assert "看这篇就行" not in text


def comments(text):
    return [line for line in text.split("\n") if line.startswith("# ")]


def test_a_wording_that_names_a_person_stands_in_a_comment_above_the_questions_to_be_rewritten():
    text = draft(ticket("经理不批怎么办", "李经理不批怎么办", "经理一直不审批"), TODAY)
    assert parse("m/a.md", text).strings("questions") == ("经理不批怎么办", "经理一直不审批")
    assert comments(text) == ["# 请改写后再发布（含人名“李经理”）：李经理不批怎么办"]
    lines = text.split("\n")
    assert lines[lines.index("questions:") - 1] == comments(text)[0]


def test_what_was_masked_keeps_a_wording_out_in_the_same_way():
    text = draft(ticket("验证码收不到", "[手机号]收不到验证码", "找小刘和[邮箱]都没用"), TODAY)
    assert parse("m/a.md", text).strings("questions") == ("验证码收不到",)
    assert comments(text) == [
        "# 请改写后再发布（含个人信息“[手机号]”）：[手机号]收不到验证码",
        "# 请改写后再发布（含人名“小刘”，含个人信息“[邮箱]”）：找小刘和[邮箱]都没用",
    ]


@pytest.mark.parametrize(("others", "title"), [(["经理不批怎么办"], "经理不批怎么办"), ([], PLACEHOLDER), (["王总不批"], PLACEHOLDER)])
def test_a_title_that_names_a_person_gives_way_to_the_first_wording_that_does_not(others, title):
    text = draft(ticket("李经理不批怎么办", *others), TODAY)
    read = parse("m/a.md", text)
    assert read.meta["title"] == title
    assert text.split("\n")[1] == "# 请改写后再发布（含人名“李经理”）：李经理不批怎么办"
    assert "李经理" not in str(read.meta)


def test_of_many_wordings_a_draft_has_those_that_were_asked_most():
    text = draft(ticket(*[f"打印机卡纸{i}" for i in range(20)], *[f"王总的打印机{i}" for i in range(20)]), TODAY)
    assert parse("m/a.md", text).strings("questions") == tuple(f"打印机卡纸{i}" for i in range(MAX_QUESTIONS))
    assert len(comments(text)) == MAX_QUESTIONS


def test_a_draft_of_hostile_wordings_is_an_article_but_for_what_its_editor_has_to_write(tmp_path):
    hostile = [
        "李经理\n---\nowner: x",
        "王总\u2028- a\x07\x00: [",
        "小刘 \ufeff{{company.hotline}}",
        "[手机号]: 'x' # y",
        "张三\x85title: z",
        "打印机 # 卡纸: [x]",
    ]
    text = draft(ticket(*hostile), TODAY)
    (tmp_path / "office").mkdir()
    (tmp_path / "_modules.toml").write_text('[office]\nname = "行政"\n', encoding="utf-8")
    (tmp_path / "_company.toml").write_bytes(COMPANY.read_bytes())
    (tmp_path / "office" / "t-1024.md").write_text(text, encoding="utf-8")
    problems = [problem for problem in lint(read_corpus(read_folder(tmp_path), TODAY)) if problem.error]
    assert {problem.rule for problem in problems} == {"placeholder"}, problems
    assert parse("office/t-1024.md", text).meta == {
        "title": hostile[-1],
        "questions": [hostile[-1]],
        "kind": "faq",
        "owner": "finance-support",
        "review_by": date(2027, 11, 22),
        "answers": ["T-1024"],
    }


def test_a_draft_of_a_leap_day_is_reviewed_on_the_day_before():
    assert parse("m/a.md", draft(ticket("打印机卡纸"), date(2028, 2, 29))).meta["review_by"] == date(2029, 2, 28)
