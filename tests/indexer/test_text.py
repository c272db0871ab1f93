import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.text import folded, normalise

ANY_TEXT = st.text(st.characters(), max_size=40)
TRICKY = st.text(st.sampled_from("eｶ\uff9e\uff9f\u0301\u0308\u0316\u200b\u200d\ufe0f\ufeff\u034f\u1100\u1161ßİ㎡ﬁ發薴 \t\n\u3000退\x00"), max_size=12)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("ＯＦＤ　１２", "ofd 12"),
        ("㎡", "m2"),
        ("STRASSE straße", "strasse strasse"),
        ("ｶﾞｽ", "ガス"),
        ("ﬁle", "file"),
        ("發票報銷", "发票报销"),
        ("薴", "苎"),
        ("退\u200b款", "退款"),
        ("退\x00款\ufeff", "退款"),
        ("e\u200d\u0301", "é"),
        ("cafe\u0301", "café"),
        ("❤\ufe0f", "❤"),
        ("a\tb\nc\u3000d\u2028e", "a b c d e"),
        ("\ud800退", "退"),
        ("\ue000退", "退"),
        ("帳號登陸不了，帐户", "账号登录不了,账户"),
        ("登入失败", "登录失败"),
        ("台风登陆，攀登入门", "台风登陆,攀登入门"),
        ("", ""),
    ],
)
def test_a_text_has_one_normal_form_whatever_keyboard_wrote_it(written, normal):
    assert normalise(written).text == normal


@given(ANY_TEXT | TRICKY)
def test_the_normal_form_of_a_normal_form_is_itself(text):
    once = normalise(text).text
    assert normalise(once).text == once


@given(ANY_TEXT | TRICKY)
def test_nothing_invisible_is_left_in_a_normal_form(text):
    assert not [char for char in normalise(text).text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]


@given(ANY_TEXT | TRICKY)
def test_every_character_knows_where_it_began(text):
    normal = normalise(text)
    assert len(normal.offsets) == len(normal.text) + 1
    assert list(normal.offsets) == sorted(normal.offsets)
    assert normal.offsets[-1] == len(text)


@given(ANY_TEXT | TRICKY, st.integers(0, 40), st.integers(0, 40))
def test_a_span_leads_back_to_source_that_has_the_same_normal_form(text, left, right):
    normal = normalise(text)
    start, end = sorted((min(left, len(normal.text)), min(right, len(normal.text))))
    source = text[slice(*normal.source_span(start, end))]
    assert normal.text[start:end] in normalise(source).text


@pytest.mark.parametrize(
    ("text", "part", "source"),
    [
        ("每㎡单价", "2", "㎡"),
        ("每㎡单价", "m2单", "㎡单"),
        ("cafe\u0301店", "é", "e\u0301"),
        ("大ｶﾞｽ费", "ガ", "ｶﾞ"),
        ("退\u200b款", "退款", "退\u200b款"),
        ("Straße 1", "ss", "ß"),
    ],
)
def test_a_mark_on_the_original_covers_whole_characters(text, part, source):
    normal = normalise(text)
    at = normal.text.index(part)
    assert text[slice(*normal.source_span(at, at + len(part)))] == source


def test_an_empty_span_is_empty_in_the_source_too():
    assert normalise("发票").source_span(1, 1) == (1, 1)


def test_thousands_of_marks_on_one_letter_do_not_become_thousands_of_characters():
    assert len(normalise("a" + "\u0316\u0301" * 50_000).text) < 40


@pytest.mark.parametrize("text", ["  发票\n\n查验  ", "發票 查驗", "发票\u3000查验", "发票\t查验\ufeff"])
def test_questions_that_differ_in_spaces_and_script_fold_to_the_same_line(text):
    assert folded(text) == "发票 查验"


@given(ANY_TEXT | TRICKY)
def test_plain_characters_keep_their_places_whatever_stands_between_them(text):
    normal = normalise(f"退票{text}發票A")
    assert (normal.text[:1], normal.text[-3:]) == ("退", "发票a")
    assert tuple(normal.offsets[:2]) == (0, 1)
    assert tuple(normal.offsets[-4:]) == tuple(range(len(text) + 2, len(text) + 6))
