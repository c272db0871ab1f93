"""The rules of ranking, one test each, on knowledge bases of a few sections: through the product's own reading, segmentation and index."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from opencc import OpenCC

from indexer.article import Article, Section
from indexer.build import write_build
from indexer.published import EVERYONE, Audience, open_build
from indexer.question import read
from indexer.ranking import FREQUENT, MAX_PER_ARTICLE
from indexer.segment import segmenter
from indexer.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    words=("报销单", "红冲"),
    synonyms={"验真": ("查验",), "查验": ("验真",), "jpg": ("jpeg",), "jpeg": ("jpg",), "备用金": ("借款",)},
    stop=frozenset({"的", "了", "吗", "请", "请问"}),
    question=frozenset({"怎么", "怎么办", "如何", "为什么"}),
)
FILLER = tuple(f"想问{place}开会怎样签到，在什么时间，可否借用，条款在哪" for place in ("北京", "上海", "广州", "深圳", "成都", "杭州"))
"""Sections about something else, so that a word of one or two sections is rare, and the characters of 请问, 怎么 and 借款 are not."""


def one(name, body="", title="某事", **meta):
    """Return an article of one section."""
    return Article(id=f"m/{name}", title=title, sections=(Section("", "", 1, "", body),), **meta)


@pytest.fixture
def base(tmp_path):
    """Publish articles after those about something else."""
    opened = []
    numbers = count()

    def base_(*articles, filler=FILLER):
        others = [one(f"other-{number}", body, questions=("几时散会",)) for number, body in enumerate(filler)]
        id_ = f"build-{next(numbers)}"
        write_build(tmp_path, id_, [*others, *articles], VOCABULARY)
        opened.append(open_build(tmp_path, id_))
        return opened[-1]

    yield base_
    for published in opened:
        published.backend.close()


def scores(published, text, **how):
    """Return each section found, best first, as article and score."""
    found = published.search(published.read(text), **{"limit": 50, **how})
    return {published.sections[hit.position].article.id.removeprefix("m/"): hit.score for hit in found}


def ranked(published, text, **how):
    return list(scores(published, text, **how))


def test_a_rarer_word_weighs_more(base):
    published = base(one("common", "ofd"), one("common2", "ofd"), one("common3", "ofd"), one("rare", "xml"))
    assert ranked(published, "ofd xml")[0] == "rare"


def test_a_word_of_every_section_still_adds_and_never_takes_away(base):
    published = base(one("both", "发票借款"), one("one", "发票差旅"), filler=())
    found = scores(published, "发票")
    assert set(found) == {"both", "one"}
    assert min(found.values()) > 0
    assert scores(published, "发票 借款")["both"] > scores(published, "借款")["both"]


def test_a_title_beats_a_mention_in_the_body(base):
    published = base(one("body", "先说开会时间，再说借款，再说开会地点"), one("title", "先说开会时间，再说某事，再说开会地点", title="借款"))
    assert ranked(published, "借款") == ["title", "body"]


def test_a_similar_question_beats_a_title(base):
    body = "先看开会的时间和地点，带好证件，到前台签到，再找会议室坐下"
    published = base(one("title", body, title="借款", questions=("开会地点",)), one("question", body, questions=("借款",)))
    assert ranked(published, "借款") == ["question", "title"]


def test_a_question_word_weighs_little(base):
    found = scores(base(one("how", "怎么，开会签到"), one("what", "借款，开会签到")), "怎么 借款")
    assert list(found) == ["what", "how"]
    assert 0 < found["how"] < found["what"] / 2


@pytest.mark.parametrize("text", ["的 借款 了", "请问 借款", "请 借款 吗"])
def test_a_stop_word_weighs_nothing(base, text):
    published = base(one("stop", "借款的，请问了吗"), one("plain", "借款，某人某事开会"))
    assert scores(published, text) == scores(published, "借款")


def test_at_most_three_sections_of_one_article_are_hits_and_the_next_article_follows(base):
    sections = tuple(Section(f"s{number}", f"借款{number}", 2, "", "借款，借款") for number in range(9))
    published = base(Article(id="m/long", title="借款", sections=sections), one("short", "开会时间地点，最后才说借款"))
    hits = [published.sections[hit.position].article.id for hit in published.search(published.read("借款"), limit=10)]
    assert hits == ["m/long"] * MAX_PER_ARTICLE + ["m/short"]
    assert len(published.search(published.read("借款"), limit=2)) == 2


@pytest.mark.parametrize(("exact", "synonym"), [("验真", "查验"), ("查验", "验真"), ("jpg", "jpeg"), ("jpeg", "jpg")])
def test_a_synonym_finds_below_the_exact_word(base, exact, synonym):
    published = base(one("synonym", f"发票要{synonym}"), one("exact", f"发票要{exact}"))
    found = scores(published, exact)
    assert list(found) == ["exact", "synonym"]
    assert 0 < found["synonym"] < found["exact"]


def test_a_one_way_synonym_does_not_lead_back(base):
    published = base(one("narrow", "先还备用金"), one("wide", "借款要先申请"))
    assert ranked(published, "备用金") == ["narrow", "wide"]
    assert ranked(published, "借款") == ["wide"]


def test_single_characters_of_a_longer_run_count_where_they_are_rare_only(base):
    rare = base(one("loose", "把票给我，不要开"), one("none", "给我，不要开会"))
    assert ranked(rare, "发票") == ["loose"], "no section says 发票; one at least has its 票"
    often = base(*(one(f"loose{number}", "把票给我，不要开") for number in range(6)))
    assert 6 / len(often.sections) > FREQUENT
    assert ranked(often, "发票") == []


def test_a_lone_character_finds_every_section_where_it_stands_however_common(base):
    published = base(*(one(f"a{number}", f"票{number}，给我看") for number in range(8)), filler=())
    assert sorted(ranked(published, "票")) == [f"a{number}" for number in range(8)]
    assert ranked(published, "龘") == []


def test_a_word_is_found_inside_of_a_longer_one_and_across_the_dictionarys_cuts(base):
    published = base(one("long", "增值税专用发票抵扣联"))
    for part in ("增值税", "专用发票", "票抵", "税专用发", "增值税专用发票抵扣联"):
        assert ranked(published, part)[0] == "long", part


HAN_OF_ANY_KIND = "龘靐齉爩鱻麤龗灪吁丂乂㐀㐁𠮷𠀀〇發報銷審批驗證发票报销审批借款差旅预算凭证登录密码的了请问怎么不在开会"
CODES = ("K/3", "U8+", "OFD", "BX20261103-0042", "12306", "Wi-Fi")
TEXTS = st.text(
    st.sampled_from(HAN_OF_ANY_KIND) | st.sampled_from(" ，。\n") | st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=60
)
HAN_RUN = re.compile(r"[\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]{2,}")


@pytest.fixture(scope="module")
def of_any_text(tmp_path_factory):
    """Publish any texts, the same ones once."""
    folder, numbers = tmp_path_factory.mktemp("any"), count()

    def publish(texts):
        id_ = f"any-{next(numbers)}"
        write_build(folder, id_, [one(f"a{number}", text, title="") for number, text in enumerate(texts)], VOCABULARY)
        return open_build(folder, id_)

    return publish


def of_pairs(text):
    """Return a question that looks for its character pairs alone."""
    asked = read(text, VOCABULARY, segmenter(VOCABULARY.dictionary))
    return replace(asked, terms=tuple(term for term in asked.terms if term.stream == "pairs"), alternatives=(), characters=())


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=12), st.data())
def test_every_run_of_two_to_thirty_han_characters_has_its_section_in_its_match_set(of_any_text, texts, data):
    runs = [(number, run) for number, text in enumerate(texts) for run in HAN_RUN.findall(text)]
    assume(runs)
    with of_any_text(texts) as published:
        for _ in range(15):
            number, run = data.draw(st.sampled_from(runs))
            start = data.draw(st.integers(0, len(run) - 2))
            part = run[start : start + data.draw(st.integers(2, 30))]
            question = published.read(part)
            if not question.empty:
                assert question.corrected is None, part
                assert number in {hit.position for hit in published.search(question, limit=50)}, part
                assert number in {hit.position for hit in published.search(of_pairs(part), limit=50)}, f"however the dictionary cuts {part}"


def test_every_latin_run_has_its_section_in_its_match_set(base):
    published = base(*(one(f"a{number}", f"先{code}后") for number, code in enumerate(CODES)))
    for number, code in enumerate(CODES):
        assert ranked(published, code) == [f"a{number}"]
        assert ranked(published, code.lower()) == [f"a{number}"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("K/3", ["codes"]),
        ("k/3", ["codes"]),
        ("U8+", ["codes"]),
        ("U8", ["codes"]),
        ("BX20261103-0042", ["codes"]),
        ("BX20261103", ["codes"]),
        ("0042", ["codes"]),
        ("pdf", ["codes"]),
        ("U9", []),
    ],
)
def test_a_latin_run_is_found_whole_and_by_its_parts(base, typed, found):
    published = base(one("codes", "K/3 和 U8+ 的单据BX20261103-0042用PDF文件"), one("loose", "只有 X 与 7"))
    assert ranked(published, typed) == found


def test_a_code_whole_beats_its_parts_alone(base):
    published = base(one("parts", "有 K 也有 3"), one("whole", "有 K/3 可用"))
    assert ranked(published, "K/3") == ["whole", "parts"]


def test_a_longer_section_does_not_win_by_its_length(base):
    padding = "，".join(f"第{number}次开会的时间与地点" for number in range(40))
    published = base(one("long", f"借款。{padding}，借款"), one("short", "借款要先申请"))
    assert ranked(published, "借款") == ["short", "long"]


def test_a_word_said_again_and_again_adds_less_and_less(base):
    once, twice, often = "借款甲乙丙丁戊己庚辛", "借款借款丙丁戊己庚辛", "借款借款借款借款庚辛"
    found = scores(base(one("once", once), one("twice", twice), one("often", often)), "借款")
    assert found["often"] > found["twice"] > found["once"]
    assert found["often"] - found["twice"] < 2 * (found["twice"] - found["once"])


def test_equal_sections_come_in_the_order_of_the_catalogue(base):
    published = base(*(one(f"a{number}", "借款要先申请") for number in range(20)))
    assert ranked(published, "借款") == [f"a{number}" for number in range(20)]
    assert len(set(scores(published, "借款").values())) == 1


WORDINGS = ["发票查验失败怎么办", "报销单退回", "审批流卡住了", "红冲", "票", "借款 K/3", "验真"]


@pytest.fixture
def mixed(base):
    return base(
        one("verify", "發票查驗失敗先核對票面", title="发票验真"),
        one("claim", "报销单退回后修改", title="報銷單"),
        one("flow", "审批流卡住", questions=("審批流卡住了",)),
        one("loan", "Ｋ／３借款与红冲"),
    )


@pytest.mark.parametrize("text", WORDINGS)
def test_traditional_and_simplified_are_the_same_question(mixed, text):
    traditional = OpenCC("s2t").convert(text)
    assert scores(mixed, text)
    assert scores(mixed, traditional) == scores(mixed, text)


@pytest.mark.parametrize("text", WORDINGS)
def test_full_width_and_half_width_are_the_same_question(mixed, text):
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else "\u3000" if char == " " else char for char in text)
    assert scores(mixed, wide) == scores(mixed, text) == scores(mixed, text.upper())


FINANCE = Audience(frozenset({"finance"}))


@pytest.fixture
def guarded(base):
    """A base where the best sections about 借款 are for finance only."""
    secret = [one(f"secret{number}", "借款借款", title="借款", questions=("借款怎么还",), audience=("finance",)) for number in range(60)]
    return base(*secret, one("open", "开会时间地点，最后才说借款"))


def test_what_somebody_may_not_read_is_no_hit_and_takes_no_place_among_the_hits(guarded):
    assert ranked(guarded, "借款") == ["open"]
    assert ranked(guarded, "借款", limit=1) == ["open"]
    assert len(guarded.search(guarded.read("借款"), limit=10, audience=FINANCE)) == 10
    assert guarded.articles_for("借款", 3)[0].startswith("m/secret"), "an editor's probe sees all"


def test_no_wording_of_what_somebody_may_not_read_is_suggested(guarded):
    assert guarded.wording_of("借款怎么还", EVERYONE) is None
    assert guarded.wording_of("借款怎么还", FINANCE) == "借款怎么还"
    assert guarded.written_for("借款怎么还", EVERYONE) is None
