"""The starter golden queries of the product's research, on the shipped articles: what each finds among the first three articles, and what finds none."""

from __future__ import annotations

import pytest

from kb.search.answer import answer
from kb.search.answerability import Verdict

FIRST = 3
ABOUT_INVOICES = "invoices/"
STARTERS = {
    "票": ABOUT_INVOICES,  # one character: anything about invoices is a fair guess
    "发票": ABOUT_INVOICES,
    "fapiao": ABOUT_INVOICES,
    "传发票": "invoices/upload-failed",
    "发票传不上去": "invoices/upload-failed",
    "发票上传不了": "invoices/upload-failed",
    "发票怎么上传呢？": "invoices/upload-failed",
    "jpg": "invoices/upload-failed",
    "發票驗真": "invoices/verify-failed",
    "验真": "invoices/verify-failed",
    "发票号": "invoices/verify-failed",
    "请问发票验真不通过怎么办": "invoices/verify-failed",
    "专票": "invoices/special-invoice",
    "報銷": "reimbursement/first-claim",
    "baoxiao": "reimbursement/first-claim",
    "报销单": "reimbursement/first-claim",
    "差旅报销": "travel/first-trip",
    "出差怎么报": "travel/first-trip",
    "差旅费报销单提交": "travel/first-trip",
    "审批卡": "reimbursement/stuck",
    "审批卡住怎么处理": "reimbursement/stuck",
    "审批流": "approvals/wrong-approver",
    "登不上": "account/login-failed",
    "密码忘了": "account/forgot-password",
    "登录密码": "account/forgot-password",
    "导凭证": "integration/first-export",
    "用友": "integration/first-export",
    "金蝶": "integration/first-export",
    "U8+": "integration/first-export",
    "K/3": "integration/first-export",
    # without an answer when they were collected, covered by an article since
    "预算超了怎么办": "budget/over-budget",
    "怎么开通企业微信": "mobile/open-in-apps",
    "对公付款多久到账": "reimbursement/payment-status",
}
UNANSWERED = [
    "年假怎么申请",
    "工资条在哪看",
    "汇率怎么设置",
    "会议室预定",
    "信用卡还款",
]
EMPTY = ["怎么办", "请问", "asdf"]


@pytest.mark.parametrize("question", STARTERS)
def test_what_an_article_is_about_finds_it_among_the_first_three(shipped, question):
    found = list(dict.fromkeys(hit.article.id for hit in answer(shipped, question, limit=50).hits))[:FIRST]
    assert any(article.startswith(STARTERS[question]) for article in found), found


@pytest.mark.parametrize("question", STARTERS)
def test_what_an_article_is_about_becomes_no_ticket(shipped, question):
    assert answer(shipped, question).verdict in {Verdict.ANSWERED, Verdict.WEAK}


@pytest.mark.parametrize("question", UNANSWERED)
def test_what_no_article_is_about_is_unanswered(shipped, question):
    said = answer(shipped, question)
    assert said.verdict is Verdict.UNANSWERED
    assert said.best is None


@pytest.mark.parametrize("question", EMPTY)
def test_what_asks_nothing_is_empty_and_never_a_ticket(asker, rows, shipped, question):
    assert answer(shipped, question).verdict is Verdict.EMPTY
    said = asker.ask(question, "unsolved").json
    assert (said["verdict"], said["ticket"]) == ("empty", None)
    assert rows()["tickets"] == []


def test_a_complaint_is_heard_and_not_swallowed(asker):
    said = asker.ask("我要投诉", "enter").json
    assert said["verdict"] == "unanswered"
    assert said["ticket"]["number"]
