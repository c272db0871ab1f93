import html
import re
import time
from collections import UserList

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.snippet import LENGTH, marked, snippet
from indexer.text import Normalised, normalise

LONG = "前言。" * 60 + "发票查验失败时先核对票面。" + "后记。" * 60


def plain(snippet_):
    return html.unescape(re.sub(r"</?mark>", "", snippet_))


@pytest.mark.parametrize(
    ("text", "terms", "expected"),
    [
        ("发票查验失败", ["查验"], "发票<mark>查验</mark>失败"),
        ("發票查驗", ["查验"], "發票<mark>查驗</mark>"),
        ("每㎡单价", ["m2"], "每<mark>㎡</mark>单价"),
        ("每㎡单价", ["2"], "每㎡单价"),
        ("cafe\u0301店", ["café"], "<mark>cafe\u0301</mark>店"),
        ("退\u200b款", ["退款"], "<mark>退\u200b款</mark>"),
        ("ＯＦＤ文件", ["ofd"], "<mark>ＯＦＤ</mark>文件"),
        ("happy app", ["app"], "happy <mark>app</mark>"),
        ("K/3凭证", ["k/3"], "<mark>K/3</mark>凭证"),
        ("发票查验", ["发票", "查验"], "<mark>发票查验</mark>"),
        ("发票票据", ["发票", "票票", "票据"], "<mark>发票票据</mark>"),
        ("a < b & c", ["b"], "a &lt; <mark>b</mark> &amp; c"),
        ("<script>", ["script"], "&lt;<mark>script</mark>&gt;"),
        ("发票", [], "发票"),
        ("发票", [""], "发票"),
        ("", ["发票"], ""),
    ],
)
def test_marks_stand_on_the_original_words(text, terms, expected):
    assert marked(text, terms) == expected


def test_an_excerpt_shows_where_the_words_stand():
    shown = snippet(LONG, ["查验", "失败"])
    assert "<mark>查验失败</mark>" in shown
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(plain(shown)) <= LENGTH + 2


def test_an_excerpt_without_a_match_is_the_beginning():
    assert plain(snippet(LONG, ["没有"])) == LONG[:LENGTH] + "…"


def test_a_short_text_is_shown_whole_and_on_one_line():
    assert snippet("发票\n查验", ["查验"]) == "发票 <mark>查验</mark>"


def test_the_place_with_more_marks_is_preferred_to_the_first_one():
    assert "<mark>查验失败</mark>" in snippet("发票。" + "无关。" * 80 + "发票查验失败了。" + "无关。" * 80, ["查验", "失败"])


def test_a_megabyte_of_one_letter_is_one_word_that_others_do_not_stand_in():
    started = time.perf_counter()
    assert "<mark>" not in snippet("a" * 1_000_000, ["a" * 64])
    assert snippet("a" * 1_000_000 + " aaa", ["aaa"]).endswith("<mark>aaa</mark>")
    assert time.perf_counter() - started < 0.5


def test_a_word_that_stands_fifty_thousand_times_is_marked_all_the_same():
    assert snippet("发票 " * 50_000, ["发票"]).count("<mark>") > 20


class Asked(str):
    """A text that counts how often it is searched."""

    __slots__ = ("times",)

    def find(self, *sought):
        self.times = getattr(self, "times", 0) + 1
        return super().find(*sought)


class Offsets(UserList):
    """Offsets that count how often one is looked up."""

    times = 0

    def __getitem__(self, at):
        self.times += 1
        return super().__getitem__(at)


@pytest.mark.parametrize(("unit", "terms"), [("e\u0301 票\u0301", ["é", "票\u0301"]), ("票", ["票"]), ("appx ", ["app"]), ("㎡ ", ["m", "2", "m2"])])
def test_an_excerpt_of_a_long_text_costs_no_more_however_often_the_words_stand_there(unit, terms):
    text = unit * (200_000 // len(unit))
    normal = normalise(text)
    asked, offsets = Asked(normal.text), Offsets(normal.offsets)
    shown = snippet(text, terms, normal=Normalised(asked, offsets))
    assert shown == snippet(text, terms)
    assert asked.times <= 2001 * len(terms)
    assert offsets.times < 10 * LENGTH


def test_a_text_is_marked_two_thousand_times_at_most():
    assert marked("票 " * 3000, ["票"]).count("<mark>") == 2000


@given(st.text(max_size=300), st.lists(st.text(min_size=1, max_size=3), max_size=5), st.integers(1, 120))
def test_an_excerpt_of_anything_is_escaped_text_of_the_source_with_marks_only(text, terms, length):
    shown = snippet(text, [normalise(term).text for term in terms], length)
    assert not re.search(r"<(?!/?mark>)", shown)
    assert shown.count("<mark>") == shown.count("</mark>")
    assert plain(shown).strip("…").strip() in text.replace("\n", " ") or "…" in text
