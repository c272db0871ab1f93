import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.published import Audience
from kb.search.answer import answer
from kb.search.answerability import Verdict

FINANCE = Audience(frozenset({"finance"}))


@pytest.fixture
def small(publish, article):
    return publish(
        {
            "invoices/verify.md": article("先核对票面，再重试。\n\n## 查无此票\n\n隔一天再查验。", title="发票查验失败", questions=["验真不通过怎么办"]),
            "invoices/ofd.md": article("上传 OFD 原文件。", title="OFD 打不开"),
            "loans/apply.md": article("借款先申请。", title="怎么借款", audience=["finance"]),
            "_stopwords.txt": "[stop]\n请问\n的\n吗\n[question]\n怎么\n怎么办\n",
            "_synonyms.toml": '[[two_way]]\nwords = ["验真", "查验"]\n',
        }
    )


def test_each_similar_question_of_the_articles_is_answered_by_its_article(shipped):
    for article in shipped.articles.values():
        for question in article.questions:
            said = answer(shipped, question)
            assert said.verdict is Verdict.ANSWERED, question
            assert said.best.article.id == article.id, question


@pytest.mark.parametrize("text", ["验真不通过怎么办", "驗真不通過怎麼辦？", " 验真、不通过、怎么办!!"])
def test_a_similar_question_is_answered_whatever_its_script_and_punctuation(small, text):
    said = answer(small, text)
    assert said.verdict is Verdict.ANSWERED
    assert said.best.path == "/a/invoices/verify"


@pytest.mark.parametrize("text", ["火星基地的补给船几点到", "宠物医院挂号", "量子纠缠实验室预约"])
def test_a_question_about_something_else_is_unanswered(small, shipped, text):
    assert answer(small, text).verdict is Verdict.UNANSWERED
    assert answer(shipped, text).verdict is Verdict.UNANSWERED


@pytest.mark.parametrize("text", ["", "???", "怎么办", "请问", "asdf", "\x00", "12345678901"])
def test_who_asks_nothing_gets_an_empty_verdict(small, text):
    said = answer(small, text)
    assert said.verdict is Verdict.EMPTY
    assert said.best is None


@pytest.mark.parametrize("text", ["有人吗", "下午好", "帮我", "多少钱", "怎么搞", "在吗", "您好，请问一下怎么弄呢"])
def test_politeness_alone_is_no_question_for_the_shipped_articles(shipped, text):
    assert answer(shipped, text).verdict is Verdict.EMPTY


def test_the_hits_come_whatever_the_verdict(small):
    said = answer(small, "查验火星飞船发动机点火")
    assert said.verdict is not Verdict.ANSWERED
    assert said.hits
    assert said.best is None


def test_a_synonym_is_an_answer_too(small):
    assert answer(small, "发票验真失败").verdict is Verdict.ANSWERED


def test_a_hit_leads_to_its_section_and_shows_why(small):
    said = answer(small, "查无此票")
    assert said.hits[0].path == "/a/invoices/verify#查无此票"
    assert re.sub("</?mark>", "", said.hits[0].heading) == "查无此票" != said.hits[0].heading
    assert "隔一天" in said.hits[0].snippet


def test_the_first_word_of_a_text_that_begins_with_its_heading_is_shown(publish, article):
    published = publish({"m/a.md": article("先说。\n\n## 报销\n\n报销单先提交。")})
    (hit,) = [hit for hit in answer(published, "报销单提交").hits if hit.section.heading]
    assert re.sub("</?mark>", "", hit.snippet) == "报销单先提交。"


def test_a_restricted_article_is_neither_hit_nor_answer_nor_reason(small):
    said = answer(small, "怎么借款")
    assert "loans/apply" not in {hit.article.id for hit in said.hits}
    assert said.verdict is Verdict.UNANSWERED
    assert said.decision.matched == ()
    assert answer(small, "怎么借款", audience=FINANCE).best.article.id == "loans/apply"


def test_a_module_narrows_the_hits_and_never_the_verdict(small):
    assert {hit.article.module for hit in answer(small, "打不开", module="invoices").hits} == {"invoices"}
    assert answer(small, "打不开", module="loans").hits == ()
    elsewhere = answer(small, "验真不通过怎么办", module="loans")
    assert (elsewhere.verdict, elsewhere.best.article.id) == (Verdict.ANSWERED, "invoices/verify")


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (0, 0)])
def test_no_more_hits_are_shown_than_asked_for(small, limit, count):
    assert len(answer(small, "发票 OFD 查验", limit=limit).hits) == count


def test_typing_finds_more_but_decides_nothing(publish, article):
    others = {f"m/other{i}.md": article(f"别的事情{i}。", title=f"其他{i}") for i in range(20)}
    crowd = {f"m/ofd{i}.md": article("OFD 文件。", title=f"OFD 文件{i}", questions=[f"OFD 第{i}种"]) for i in range(4)}
    published = publish({**others, **crowd, "m/a.md": article("开红冲单先确认金额。" + "说明文字。" * 20, title="办理")})
    for text in ("红冲 of", "确认金额of", "of"):
        still, typing = answer(published, text), answer(published, text, typing=True)
        assert typing.decision == still.decision, text
        assert {hit.article.id for hit in typing.hits} >= {"m/ofd0", "m/ofd1", "m/ofd2", "m/ofd3"}
        assert len(typing.hits) > len(still.hits)
    assert answer(published, "红冲 of").decision.matched == ("红冲",)


def test_a_decision_is_the_same_however_many_hits_are_shown(shipped):
    for text in ("发票", "发票查验", "审批卡住了怎么催", "退款流程"):
        assert len({(answer(shipped, text, limit=limit).verdict, answer(shipped, text, limit=limit).decision.score) for limit in (1, 3, 10, 50)}) == 1


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60) | st.text(st.sampled_from("发票查验报销<>&\"' \u200bOFDk/3"), max_size=30))
def test_what_is_shown_of_a_hit_is_escaped_text_with_marks(shipped, text):
    for hit in answer(shipped, text).hits:
        for shown in (hit.heading, hit.snippet):
            assert not re.search(r"<(?!/?mark>)", shown)
            assert "&" not in html.unescape(shown) or "&amp;" in shown


@pytest.fixture
def denying(publish, article):
    """Return two articles that differ by a negation."""
    return publish(
        {
            "m/late.md": article("可以报。", title="跨年发票能报销吗", questions=["发票能报销吗 去年的"]),
            "m/none.md": article("先补开。", title="没有发票能报销吗"),
            "n/other.md": article("打电话。", title="前台在哪"),
            "_stopwords.txt": "[stop]\n吗\n[question]\n没\n没有\n能\n",
        }
    )


def test_who_denies_something_is_answered_by_what_denies_it_too(denying):
    assert answer(denying, "没发票能报销吗").best.article.id == "m/none"
    assert answer(denying, "发票能报销吗").best.article.id == "m/late"


def test_who_denies_something_is_not_answered_by_what_only_affirms_it(publish, article):
    alone = publish({"m/late.md": article("可以报。", title="跨年发票能报销吗"), "_stopwords.txt": "[stop]\n吗\n[question]\n没\n能\n"})
    assert answer(alone, "跨年发票报销").verdict is Verdict.ANSWERED
    assert answer(alone, "没跨年发票能报销吗").verdict is not Verdict.ANSWERED


def test_only_what_no_section_says_is_named_as_missing(shipped):
    said = answer(shipped, "VPN连不上打印机")
    assert said.decision.missing == ("打印机",)
    assert answer(shipped, "what is the laptop").decision.missing == ("laptop",)


def test_what_stands_only_where_one_may_not_read_is_missing(publish, article):
    published = publish({"m/a.md": article("发票。", title="发票怎么开"), "m/b.md": article("绩效。", title="绩效", audience=["finance"])})
    assert "绩效" in answer(published, "发票和绩效").decision.missing
    assert "绩效" not in answer(published, "发票和绩效", audience=FINANCE).decision.missing
