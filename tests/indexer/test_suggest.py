"""Questions suggested while somebody types, on articles made for each rule."""

from __future__ import annotations

import pytest

from indexer.published import Audience

STRANGER, FINANCE = Audience(frozenset({"employee"})), Audience(frozenset({"employee", "finance"}))


@pytest.fixture
def suggest(publish, article):
    """Publish articles (title → similar questions) and return what is suggested for a text."""

    def make(wordings, **more):
        files = {f"m/a{number}.md": article("正文。\n", title, questions=questions) for number, (title, questions) in enumerate(wordings.items())}
        return publish({**files, **more}).suggest

    return make


def test_questions_that_begin_with_what_was_typed_come_before_those_that_contain_it(suggest):
    found = suggest({"电子发票打印": [], "发票抬头写错了怎么改": [], "查发票": []})("发票")
    assert found == ["发票抬头写错了怎么改", "查发票", "电子发票打印"]


def test_shorter_ones_come_first_and_among_equals_the_title(suggest):
    found = suggest({"发票乙丁戊己": ["发票甲丁戊己"], "发票丢了": []})("发票")
    assert found == ["发票丢了", "发票乙丁戊己", "发票甲丁戊己"]


def test_questions_with_all_words_in_another_order_come_last(suggest):
    ask = suggest({"发票丢了怎么补": [], "丢了一张发票": [], "车票丢了": []})
    assert ask("丢了 发票") == ["丢了一张发票", "发票丢了怎么补"]
    assert ask("发票丢") == ["发票丢了怎么补", "丢了一张发票"]


def test_a_word_is_found_under_its_other_names(suggest):
    ask = suggest({"发票丢了怎么补": []}, **{"_synonyms.toml": '[[two_way]]\nwords = ["发票", "invoice"]\n'})
    assert ask("invoice 丢了") == ["发票丢了怎么补"]


@pytest.mark.parametrize("typed", ["fapiao", "fap", "f", "fp", "fapiaodi", "發票", "发漂", "发票d"])
def test_pinyin_initials_traditional_characters_and_homophones_find_what_was_meant(suggest, typed):
    ask = suggest({"发票丢了怎么补": ["发票遗失"], "出差住宿超标": [], "怎么补交附件": []})
    assert "发票丢了怎么补" in ask(typed)
    assert "出差住宿超标" not in ask(typed)


def test_latin_letters_are_looked_for_where_words_begin(suggest):
    ask = suggest({"PDF怎么压缩": [], "费用归属": []})
    assert ask("f") == ["费用归属"]
    assert ask("pd") == ["PDF怎么压缩"]
    assert ask("df") == []


def test_no_two_say_the_same(suggest):
    ask = suggest({"怎么重置密码": ["密码如何重置？"], "请问密码怎么重置": []}, **{"_stopwords.txt": "请问\n[question]\n怎么 如何\n"})
    assert ask("密码") == ["密码如何重置？"]


def test_one_article_has_at_most_two_so_that_there_is_a_choice(suggest):
    ask = suggest({"报销": ["报销单", "报销款", "报销人", "报销流程"], "报销被驳回了是什么原因": []})
    assert ask("报") == ["报销", "报销人", "报销被驳回了是什么原因"]


def test_there_are_at_most_as_many_as_were_asked_for(suggest):
    ask = suggest({f"发票{word}": [] for word in "验真 抬头 税号 丢失 红冲 作废 截图 打印".split()})  # noqa: SIM905
    assert len(ask("发票")) == 6
    assert len(ask("发票", limit=3)) == 3


@pytest.mark.parametrize("nothing", ["", " ", "???", "\x00", "打印机卡纸", "zzqx", "发票打印机", "，" * 9000, "x" * 50_000])
def test_nothing_is_suggested_for_what_no_editor_wrote(suggest, nothing):
    assert suggest({"发票丢了怎么补": []})(nothing) == []


def test_only_what_somebody_may_read_is_suggested(publish, article):
    published = publish(
        {
            "m/open.md": article("正文。\n", "银企直连是什么", questions=["什么叫银企直连"]),
            "m/closed.md": article("正文。\n", "银企直连证书更新", audience=["finance"]),
        }
    )
    for typed in ("银企", "证书 银企", "yinqi", "zhengsh"):
        assert not [one for one in published.suggest(typed, STRANGER) if "证书" in one]
    assert "银企直连证书更新" in published.suggest("银企", FINANCE)


def test_every_title_and_similar_question_of_the_shipped_articles_is_suggested_once_it_is_typed(shipped):
    wordings = [wording for article in shipped.articles.values() for wording in (article.title, *article.questions)]
    assert [wording for wording in wordings if shipped.suggest(wording)[:1] != [wording]] == []
