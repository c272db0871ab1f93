"""What a question may become whose last word is still being typed."""

from __future__ import annotations

import pytest

from indexer.completion import MOST


@pytest.fixture
def become(shipped):
    """Complete a text by the shipped articles."""

    def complete(text):
        return shipped.completing(shipped.read(text))

    return complete


@pytest.mark.parametrize(
    ("typed", "word"),
    [
        ("f", "发票"),
        ("fap", "发票"),
        ("fa'p", "发票"),
        ("Fap", "发票"),
        ("ｆａｐ", "发票"),
        ("shenp", "审批"),
        ("fpc", "发票查验"),
        ("of", "ofd"),
        ("O", "ofd"),
        ("20", "2026"),
    ],
)
def test_a_beginning_becomes_words_of_the_articles_in_letters_pinyin_or_initials(become, typed, word):
    assert word in become(typed).words


@pytest.mark.parametrize(("typed", "head"), [("发票chay", "发票"), ("fapiaochay", "发票"), ("fapiao zenmech", "fapiao 怎么"), ("上传 pd", "上传 ")])
def test_what_stands_before_the_last_word_is_kept_or_read_as_pinyin(become, typed, head):
    assert become(typed).head == head


def test_the_likeliest_words_come_first_and_there_are_few(become):
    assert become("fap").words[0] == "发票"
    assert become("查验shib").words[0] == "失败"
    assert len(become("s").words) == MOST


@pytest.mark.parametrize("text", ["", "发票", "发票查验失败", "fap ", "fap？", "ofd 文件", "???", "\x00", "fapiao", "bxd"])
def test_nothing_is_completed_that_is_no_word_under_way_or_is_understood_as_it_is(become, text):
    assert become(text) is None


@pytest.mark.parametrize(("text", "unfinished"), [("OFD", False), ("上传 pdf", False), ("pdf怎么压su", True), ("zzqx", True), ("vpnx", True)])
def test_only_a_word_that_the_index_lacks_is_unfinished(become, text, unfinished):
    assert become(text).unfinished is unfinished


def test_pinyin_is_read_as_far_as_it_goes(become):
    assert become("fapiaozzq").head == "发票"
    assert become("fapiaozzq").words == ()


def test_what_nothing_begins_with_becomes_nothing(become):
    assert become("发票 zzqx").words == ()
    assert become("发票 zzqx").head == "发票 "
    assert become("x" * 400).words == ()


def test_the_head_is_cut_from_the_text_as_it_was_typed(become):
    assert become("發票 ㎡ of").head == "發票 ㎡ "
