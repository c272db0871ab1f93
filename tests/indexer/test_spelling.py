"""Forgiveness: what was meant is found, and what is right, strange or somebody's name is left alone."""

import json
import time
import tomllib
from pathlib import Path

import pytest

from indexer.evaluate import judged
from indexer.lexicon import INTERJECTIONS, PARTICLES, Lexicon
from indexer.pinyin import blurred, initials, spellings
from indexer.spelling import distance

ROOT = Path(__file__).parents[2]


def test_a_question_in_pinyin_is_read_in_characters(shipped):
    assert shipped.read("fapiao").corrected == "发票"
    assert shipped.read("fapiao zenme shangchuan").corrected == "发票怎么上传"
    assert shipped.read("fapiaozenmeshangchuan").corrected == "发票怎么上传"
    assert shipped.read("wo de baoxiaodan bei dahui le zenme ban").corrected == "我的报销单被打回了怎么办"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("baoxiaodan tijiao buliao", "报销单提交不了"),
        ("baoxiaodan tijiao bule", "报销单提交不了"),
        ("fapiao diu le zenme ban ne", "发票丢了怎么办呢"),
        ("baoxiaodan keyi tijiao ba", "报销单可以提交吧"),
        ("keyi baoxiao ma", "可以报销吗"),
    ],
)
def test_a_question_in_pinyin_may_end_as_people_speak(shipped, typed, meant):
    assert shipped.read(typed).corrected == meant


@pytest.mark.parametrize("typed", ["fapiao tijiao liaoa", "fapiao a", "fapiao ma baoxiao", "baoxiaodan o tijiao", "fapiao en shangchuan", "fapiaoma 报销"])
def test_no_particle_is_made_of_letters_inside_a_question(shipped, typed):
    assert not set(shipped.read(typed).corrected or "") & (PARTICLES | INTERJECTIONS)


@pytest.mark.parametrize("typed", ["fapiao", "FaPiao", "fa piao", "fa'piao", "ｆａｐｉａｏ", "fapaio"])
def test_pinyin_is_read_however_it_is_spaced_and_written(shipped, typed):
    assert shipped.read(typed).corrected == "发票"


@pytest.mark.parametrize(
    ("typed", "meant"), [("chailv", "差旅"), ("chailü", "差旅"), ("chailu", "差旅"), ("chalv", "差旅"), ("shengpi", "审批"), ("yanzenma", "验证码")]
)
def test_pinyin_may_have_another_reading_another_u_or_a_southern_accent(shipped, typed, meant):
    assert shipped.read(typed).corrected == meant


@pytest.mark.parametrize(("typed", "meant"), [("bxd", "报销单"), ("BXD", "报销单"), ("fpcy", "发票查验"), ("bxd怎么撤回", "报销单怎么撤回")])
def test_initials_of_a_name_are_read_as_the_name(shipped, typed, meant):
    assert shipped.read(typed).corrected == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("发漂", "发票"),
        ("發漂", "发票"),
        ("报消", "报销"),
        ("报消单怎么写", "报销单怎么写"),
        ("审批刘", "审批流"),
        ("审批留", "审批流"),
        ("电子发漂丢了", "电子发票丢了"),
        ("收款帐虎填错", "收款账户填错"),
        ("登路不上", "登录不上"),
        ("验证马收不到", "验证码收不到"),
        ("报单销", "报销单"),
    ],
)
def test_a_homophone_or_near_typo_of_a_word_is_read_as_the_word(shipped, typed, meant):
    assert shipped.read(typed).corrected == meant


def test_the_rest_of_a_corrected_question_stays_as_it_was_typed(shipped):
    assert shipped.read("K/3 里的發漂，OFD 打不开？").corrected == "K/3 里的发票，OFD 打不开？"
    assert shipped.read("上传fapiao失败").corrected == "上传发票失败"


@pytest.mark.parametrize(
    ("typed", "meant"), [("invioce", "invoice"), ("pasword", "password"), ("Uplaod 失败", "upload 失败"), ("reimbursment", "reimbursement")]
)
def test_a_typing_error_in_a_latin_word_is_read_as_the_word(shipped, typed, meant):
    assert shipped.read(typed).corrected == meant


def test_what_follows_from_a_question_follows_from_what_was_meant(shipped):
    typed, meant = shipped.read("fapiao zenme shangchuan"), shipped.read("发票怎么上传")
    assert (typed.text, typed.corrected, meant.corrected) == ("fapiao zenme shangchuan", "发票怎么上传", None)
    assert (typed.key, typed.content, typed.terms) == (meant.key, meant.content, meant.terms)
    assert shipped.search(typed) == shipped.search(meant)


def test_a_question_word_in_pinyin_asks_nothing_by_itself(shipped):
    assert shipped.read("zenmeban").empty
    assert not shipped.read("bxd").empty


@pytest.mark.parametrize(
    "typed",
    [
        *("can", "hang", "main", "china", "women", "name", "hello world", "what is this", "crm", "gps", "vip"),
        *("asdf", "qwer", "aaaa", "test", "asdf fapiao"),
        *("pdf", "ofd", "jpg", "ocr", "K/3", "U8+", "12306"),
        *("BX20261103-0042", "单据号BX20261103-0042", "550e8400-e29b-41d4-a716-446655440000", "https://example.com/fapiao"),
        'Exception in thread "main" java.lang.NullPointerException at com.example.invoce.Uplod(Uplod.java:12)',
        "nianjia zenme shenqing",
    ],
)
def test_english_noise_codes_and_pasted_errors_stay_as_they_are(shipped, typed):
    assert shipped.read(typed).corrected is None


@pytest.mark.parametrize(
    "typed",
    ["刘总什么时候批", "王莉的报销单", "陈工", "年假怎么申请", "食堂饭卡怎么充值", "打印机卡纸怎么处理", "三亚的住宿标准", "借款怎么还", "导凭证到用友"],
)
def test_names_places_and_other_matters_stay_as_they_are(shipped, typed):
    assert shipped.read(typed).corrected is None


def test_no_question_of_the_editors_and_none_of_the_golden_ones_is_corrected(shipped):
    golden = tomllib.loads((ROOT / "tests" / "golden" / "questions.toml").read_text(encoding="utf-8"))
    own = [wording for article in shipped.articles.values() for wording in (article.title, *article.questions)]
    corrected = {text: meant for text in [*golden["answered"], *golden["unanswered"], *own] if (meant := shipped.read(text).corrected)}
    assert corrected == {}


@pytest.mark.parametrize(
    ("names", "typed"),
    [
        (["微信", "群众"], "在微信群中辱骂别人"),  # 中 is a word of its own
        (["大气"], "未成年人以大欺小"),  # 大 stands before anything
    ],
)
def test_a_right_word_beside_a_strange_one_is_left_alone(publish, article, names, typed):
    assert publish({"m/a.md": article("别人。", tags=names)}).read(typed).corrected is None


@pytest.mark.parametrize(("body", "meant"), [("借款。", "驿栈录"), ("借款，译栈。", None)])
def test_only_a_character_that_stands_strangely_is_corrected(publish, article, body, meant):
    synonyms = '[[one_way]]\nfrom = "驿栈录"\nto = ["借款"]\n'
    assert publish({"_synonyms.toml": synonyms, "m/a.md": article(body)}).read("译栈录").corrected == meant


def test_a_wrong_character_is_corrected_beside_common_ones(shipped):
    assert shipped.read("发票上穿失败").corrected == "发票上传失败"


def test_one_correct_question_in_two_hundred_is_changed_at_most(public_set):
    folder, published = public_set("lecoqa")
    asked = [text for text, _ in judged(folder)]
    corrected = [text for text in asked if published.read(text).corrected]
    assert len(corrected) <= len(asked) / 200, corrected


def test_only_what_stands_in_names_or_in_some_sections_is_corrected_to(publish, article):
    body = "漂流的事。\n\n## 二\n\n航线。"
    published = publish(
        {"m/a.md": article(body, title="驿站", tags=["仓储"]), "m/b.md": article("航线。", title="乙"), "m/c.md": article("航线。", title="丙")}
    )
    assert published.read("仓楚").corrected == "仓储"
    assert published.read("yizhan").corrected == "驿站"
    assert published.read("hangxian").corrected == "航线"
    assert published.read("piaoliu").corrected is None


def test_a_synonym_of_the_editors_is_known_and_is_corrected_to_when_it_leads_somewhere(publish, article):
    synonyms = '[[one_way]]\nfrom = "预支"\nto = ["借款"]\n[[one_way]]\nfrom = "password"\nto = ["密码"]\n'
    published = publish({"_synonyms.toml": synonyms, "m/a.md": article("借款。")})
    assert published.read("预支").corrected is None
    assert published.read("yuzhi").corrected == "预支"
    assert published.read("pasword").corrected is None


def test_a_question_that_an_editor_wrote_is_never_corrected(publish, article):
    published = publish({"m/a.md": article("发票。", title="发票", questions=["发漂"])})
    assert published.read("发漂").corrected is None


def test_a_reader_corrects_after_its_build_was_pruned(publish, article):
    published = publish({"m/a.md": article("发票。", title="发票")})
    (published.folder / "lexicon.json").unlink()
    assert published.read("fapiao").corrected == "发票"


def test_a_lexicon_is_read_as_it_was_written(shipped):
    assert Lexicon.from_json(json.loads(json.dumps(shipped.lexicon.as_json()))) == shipped.lexicon


@pytest.mark.parametrize(
    "unit", ["fapiao", "a", "fa", "shi", "zh", "xian'", "fa ", "漂", "发漂", "审批刘", "漂 a ", "ü", "invioce ", "iiii", "發", "v'", "行长重调", "发漂fapiao"]
)
def test_no_question_takes_long_to_forgive(shipped, unit):
    shipped.read("fapiao 发漂 invioce")
    started = time.thread_time()
    shipped.read((unit * 400)[:400])
    assert time.thread_time() - started < 0.3


@pytest.mark.parametrize(
    ("one", "other", "most", "expected"),
    [
        ("invioce", "invoice", 1, 1),
        ("pasword", "password", 1, 1),
        ("a", "a", 1, 0),
        ("abc", "acb", 2, 1),
        ("abcd", "dcba", 2, 3),
        ("", "ab", 2, 2),
        ("ab", "abcde", 2, 3),
    ],
)
def test_exchanging_neighbours_is_one_error(one, other, most, expected):
    assert distance(one, other, most) == distance(other, one, most) == expected


def test_a_word_is_typed_in_few_ways():
    assert spellings("差旅") == ("chalv", "chalu", "chailv", "chailu")
    assert len(spellings("行长重调差传还")) <= 12
    assert spellings("发a") == ()
    assert (initials("报销单"), initials("报a")) == ("bxd", "")
    assert blurred("zhengchang") == blurred("zencan")
