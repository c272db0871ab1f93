import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.question import MAX_CHARACTERS, is_noise, read
from indexer.segment import segmenter
from indexer.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    words=("报销单",),
    synonyms={"验真": ("查验",), "查验": ("验真",), "税务局": ("税务机关",), "log in": ("登录",)},
    stop=frozenset({"下午好", "有人吗", "请问", "的", "了", "吗", "在", "谢谢", "我"}),
    question=frozenset({"怎么", "怎么办", "如何", "什么", "不", "没", "能", "不能"}),
    filler=frozenset({"系统", "破", "垃圾"}),
)


def ask(text):
    return read(text, VOCABULARY, segmenter(VOCABULARY.words))


def weights(text):
    return {(term.stream, term.text): term.weight for term in (*ask(text).terms, *ask(text).alternatives)}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("报销单怎么写", "请问報銷單如何写"),
        ("查验失败", "失败查验"),
        ("查验失败", "验真失败了吗？"),
        ("OFD打不开", "ｏｆｄ 打不开！"),
        ("K/3 凭证导出", "凭证导出 k/3"),
        ("退\u200b款", "退款"),
    ],
)
def test_the_same_question_in_trivially_different_words_has_the_same_key(one, other):
    assert ask(one).key == ask(other).key != ""


@pytest.mark.parametrize(("one", "other"), [("报销单", "发票"), ("查验失败", "查验成功"), ("税务局在哪", "税务机关在哪"), ("U8+", "U9")])
def test_different_questions_have_different_keys(one, other):
    assert ask(one).key != ask(other).key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "???",
        "有人吗",
        "下午好，请问有人吗？",
        "下午好谢谢" * 40,
        "。。。",
        "怎么办",
        "在吗",
        "请问",
        "谢谢了",
        "asdf",
        "qwerty",
        "aaaa",
        "111",
        "12345678901",
        "a",
        "\u200b",
        "\x00",
        "😀",
        "====",
        "\ud800",
    ],
)
def test_who_asks_nothing_is_not_heard_as_a_question(text):
    assert ask(text).empty


@pytest.mark.parametrize("text", ["票", "K/3", "U8+", "OFD", "vpn", "12306", "404", "怎么报销", "asdf报销", "BX20261103-0042", "pdf"])
def test_a_short_question_is_a_question(text):
    assert not ask(text).empty


@pytest.mark.parametrize(
    ("word", "noise"),
    [
        ("asdf", True),
        ("fdsa", True),
        ("aaa", True),
        ("123", True),
        ("20261103", True),
        ("x", True),
        ("ofd", False),
        ("hr", False),
        ("票", False),
        ("票票", False),
    ],
)
def test_keyboard_noise_is_told_from_words(word, noise):
    assert is_noise(word) is noise


def test_only_the_first_characters_of_a_long_question_count_and_it_says_so():
    long = ask("报" * MAX_CHARACTERS + "发票")
    assert long.cut
    assert len(long.text) == MAX_CHARACTERS
    assert "发票" not in long.content
    assert not ask("报" * MAX_CHARACTERS).cut


def test_stop_words_are_dropped_and_question_words_weigh_little():
    found = weights("请问发票的查验怎么做")
    assert ("words", "请问") not in found
    assert ("words", "的") not in found
    assert found["words", "怎么"] < found["words", "发票"] == 1.0
    assert found["pairs", "怎么"] < found["pairs", "发票"]


def test_a_synonym_weighs_less_than_the_word_itself():
    assert weights("验真")["words", "查验"] < weights("查验")["words", "查验"]


def test_a_one_way_synonym_does_not_lead_back():
    assert ("words", "税务机关") in weights("税务局")
    assert ("words", "税务局") not in weights("税务机关")


def test_a_word_that_stands_twice_is_looked_for_once():
    terms = ask("发票发票 发票").terms
    assert len({(term.stream, term.text) for term in terms}) == len(terms)


def test_a_lone_character_is_looked_for_as_a_character():
    assert ("chars", "票") in weights("票")
    assert ("chars", "票") in weights("票 OFD")
    assert ("chars", "票") not in weights("发票")


def test_neighbouring_single_characters_are_one_content_word():
    assert ask("年假").content == ("年假",)
    assert ask("请问报销单呢").content == ("报销单", "呢")


@given(st.text(max_size=500))
def test_any_text_is_read_without_complaint(text):
    asked = ask(text)
    assert asked.empty == (not asked.key)
    assert all(term.text and 0 < term.weight <= 1 for term in asked.terms)


@pytest.mark.parametrize(("wish", "trouble"), [("报销单能撤回吗", "报销单不能撤回"), ("查验成功", "查验没成功")])
def test_a_negation_makes_another_question(wish, trouble):
    assert ask(wish).key != ask(trouble).key


@pytest.mark.parametrize("text", ["300块的发票能报吗", "300.5元的发票能报吗", "五千块钱的发票能报吗", "两万多元的发票能报吗"])
def test_a_sum_of_money_is_no_part_of_what_is_asked(text):
    assert ask(text).content == ask("发票能报吗").content
    assert ask(text).key == ask("发票能报吗").key


def test_a_number_without_a_currency_is_asked():
    assert "403" in ask("提示403").content


def test_scolding_says_nothing_of_the_matter_beside_a_word_that_does():
    plain, scolding = ask("查验失败"), ask("什么破系统，查验失败")
    assert scolding.fillers == {"破", "系统"}
    assert scolding.key == plain.key
    assert {"系统", "破系"} <= scolding.aside
    assert scolding.aside.isdisjoint({"查验", "失败"})


def test_scolding_alone_is_what_is_asked():
    assert ask("垃圾系统").fillers == frozenset()
    assert not ask("垃圾系统").empty


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("没发票", [("发票", True)]),
        ("没能查验", [("查验", True)]),
        ("发票不查验", [("查验", False)]),
        ("发票能查验", []),
        ("能不能查验", []),
        ("不能，怎么查验发票", []),
    ],
)
def test_a_word_is_denied_by_the_small_word_before_it(text, denied):
    assert [tuple(one) for one in ask(text).denied] == denied


def test_several_latin_words_are_one_where_the_editors_know_them_so():
    question = ask("I cannot  log in 了")
    assert "log in" in question.content
    assert question.synonyms["log in"] == ("登录",)
    assert "log in" not in ask("blog in").content
