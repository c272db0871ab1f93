import stat
from concurrent.futures import ThreadPoolExecutor

import jieba
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import IndexerError
from indexer.segment import MAX_TERM, Segmenter, runs, segmenter, warm_up


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("K/3", ("k/3", "k", "3")),
        ("U8+", ("u8+", "u8")),
        ("C++", ("c++", "c")),
        ("OFD", ("ofd",)),
        ("ＯＦＤ", ("ofd",)),
        ("BX20261103-0042", ("bx20261103-0042", "bx20261103", "0042")),
        ("13%", ("13%", "13")),
        ("a.b@c.cn", ("a.b@c.cn", "a", "b", "c", "cn")),
        ("上传OFD文件", ("上传", "ofd", "文件")),
        ("- / . ?", ()),
    ],
)
def test_a_code_is_kept_whole_and_in_its_parts(text, words):
    assert segmenter(()).terms(text).words == words


def test_the_editors_words_are_not_cut_apart():
    assert "红字确认单" in segmenter(("红字确认单",)).terms("开红字确认单").words
    assert "红字确认单" not in segmenter(()).terms("开红字确认单").words


def test_the_editors_words_of_one_vocabulary_do_not_leak_into_another():
    Segmenter(("数电票退改签",))
    assert "数电票退改签" not in Segmenter(()).terms("数电票退改签").words


_OWN = ("红字确认单", "发票查", "的", "数电票退改签", "报销")
"""Words that jieba does not know, begins of those that it knows, and words that it knows."""


@pytest.fixture(scope="module")
def plain():
    """jieba itself, with the same words added to its one dictionary."""
    plain = jieba.Tokenizer()
    plain.FREQ, plain.total = plain.gen_pfdict(plain.get_dict_file())
    plain.initialized = True
    for word in _OWN:
        plain.add_word(word)
    return plain


@given(st.lists(st.sampled_from([*_OWN, *"红字确认单发票查验的数电退改签报销上传文件人民币"]), max_size=20).map("".join))
def test_words_above_the_shared_dictionary_are_cut_as_if_they_stood_in_it(plain, text):
    assert segmenter(_OWN).cut(text) == list(plain.cut(text, HMM=False))


def test_a_run_gives_each_neighbouring_pair_and_each_character_once():
    terms = segmenter(()).terms("发票查验,OFD票")
    assert terms.pairs == ("发票", "票查", "查验")
    assert terms.chars == tuple("发票查验票")


def test_no_pair_joins_two_runs():
    assert "票报" not in segmenter(()).terms("发票\n报销,发票、报销").pairs


@pytest.mark.parametrize(
    ("traditional", "simplified"), [("發票報銷", "发票报销"), ("審批流程", "审批流程"), ("差旅費用標準", "差旅费用标准"), ("退\u200b款", "退款")]
)
def test_another_script_and_invisible_characters_give_the_same_terms(traditional, simplified):
    assert segmenter(()).terms(traditional) == segmenter(()).terms(simplified)


@given(st.text(max_size=80))
def test_terms_of_any_text_are_short_and_hold_no_space(text):
    terms = segmenter(()).terms(text)
    for term in (*terms.words, *terms.pairs, *terms.chars):
        assert term
        assert not any(char.isspace() for char in term)
    assert all(len(word) <= MAX_TERM for word in terms.words if word.isascii())


def test_a_monstrous_code_is_cut():
    assert [len(word) for word in segmenter(()).terms("a" * 5000 + "-" + "b" * 5000).words] == [MAX_TERM] * 3
    assert len(segmenter(()).cut("a" * 5000)[0]) == MAX_TERM


def test_a_rare_character_is_a_term_of_its_own():
    assert "𠮷" in segmenter(()).terms("𠮷野").chars
    assert ("han", "𠮷野") in list(runs("𠮷野"))


def test_many_threads_cut_alike():
    texts = ["发票查验失败怎么办", "审批流卡住了", "K/3 凭证导出失败"] * 40
    expected = [segmenter(()).terms(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(segmenter(()).terms, texts)) == expected


def test_a_dictionary_cache_that_others_can_write_is_refused(tmp_path):
    open_to_all = tmp_path / "cache"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    try:
        with pytest.raises(IndexerError, match="chmod 700"):
            warm_up(open_to_all)
        assert not list(open_to_all.iterdir())
    finally:
        warm_up(None)


def test_the_dictionary_cache_is_made_for_us_alone(tmp_path):
    try:
        warm_up(tmp_path / "cache")
        assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
        assert any((tmp_path / "cache").iterdir())
        assert "发票" in Segmenter(("甲乙丙",)).terms("发票").words
    finally:
        warm_up(None)


@pytest.mark.parametrize("damage", [lambda data: data[:0], lambda data: data[:-9], lambda data: data.replace("发票".encode(), "发漂".encode(), 1)])
def test_a_damaged_dictionary_cache_is_made_anew(tmp_path, damage):
    try:
        warm_up(tmp_path)
        (kept,) = tmp_path.iterdir()
        whole = kept.read_bytes()
        kept.write_bytes(damage(whole))
        other = tmp_path / "other"  # the dictionary of a folder is read once a process
        other.mkdir(mode=0o700)
        kept.rename(other / kept.name)
        warm_up(other)
        assert (other / kept.name).read_bytes() == whole
        assert "发票" in Segmenter(("甲乙丙",)).terms("发票").words
    finally:
        warm_up(None)


def test_a_dictionary_from_the_cache_is_the_dictionary(tmp_path):
    text = "数电票查验失败时，先核对发票代码、号码和开票日期，再到税务局网站重新查验"
    expected = Segmenter(("甲乙丙",)).terms(text)
    try:
        warm_up(tmp_path / "first")
        (tmp_path / "second").mkdir(mode=0o700)
        for kept in (tmp_path / "first").iterdir():
            kept.rename(tmp_path / "second" / kept.name)
        warm_up(tmp_path / "second")
        assert Segmenter(("甲乙丙",)).terms(text) == expected
    finally:
        warm_up(None)
