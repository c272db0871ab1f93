import json

import pytest

from indexer.build import build, last_outcome
from indexer.errors import ArticlesRejectedError, IndexerError
from indexer.published import Library
from indexer.text import folded
from indexer.vocabulary import Vocabulary, VocabularyError, load


def test_missing_files_are_empty_ones(tmp_path):
    assert load(tmp_path) == Vocabulary()


def test_words_are_normalised_and_counted_once(write):
    assert load(write({"_words.txt": "# 词\n數電票\n数电票  # 同一个\n\n红字确认单\n"})).words == ("数电票", "红字确认单")


def test_a_file_saved_on_windows_reads_the_same(write):
    plain = {"_words.txt": "数电票\n", "_stopwords.txt": "[question]\n怎么\n[stop]\n的 了\n", "_synonyms.toml": '[[two_way]]\nwords = ["验真", "查验"]\n'}
    expected = load(write(plain))
    assert load(write({name: f"\ufeff{text}".replace("\n", "\r\n") for name, text in plain.items()})) == expected
    assert expected.question == {"怎么"}
    assert expected.stop == {"的", "了"}


def test_two_way_synonyms_lead_to_each_other_and_one_way_only_there(write):
    text = '[[two_way]]\nwords = ["验真", "查驗", "OFD"]\n[[one_way]]\nfrom = "税务局"\nto = ["税务机关"]\n'
    assert load(write({"_synonyms.toml": text})).synonyms == {
        "验真": ("查验", "ofd"),
        "查验": ("验真", "ofd"),
        "ofd": ("验真", "查验"),
        "税务局": ("税务机关",),
    }


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("_words.txt", "报销单\nOFD", 2),
        ("_words.txt", "票", 1),
        ("_words.txt", "报销 单", 1),
        ("_words.txt", "一" * 13, 1),
        ("_words.txt", "报销单".encode("gb18030"), 1),
        ("_stopwords.txt", "的\n[verbs]\n做", 2),
        ("_synonyms.toml", "[[two_way]]\nwords = [", 1),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a"]\nx = ?', 3),
        ("_synonyms.toml", '[[both]]\nwords = ["a", "b"]', 1),
        ("_synonyms.toml", '\n[two_way]\nwords = ["a", "b"]', 2),
        ("_synonyms.toml", 'two_way = ["a", "b"]', 1),
        ("_synonyms.toml", 'two_way = "a"', 1),
        ("_synonyms.toml", "one_way = 1", 1),
        ("_synonyms.toml", '[[two_way]]\nwords = "a"', 1),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", 1]', 1),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", " "]', 2),
        ("_synonyms.toml", '[[one_way]]\nto = ["a"]', 1),
        ("_synonyms.toml", '[[one_way]]\nfrom = "a"', 1),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "b"]\n[[two_way]]\nwords = ["c", "A"]', 4),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "b"]\n\n[[both]]\nwords = ["c", "d"]', 4),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "b"]\n\n[[two_way]]\nwords = [\n  "c",\n  "a",\n]', 7),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "b"]\n[[two_way]]\nwords = ["c", ""]', 4),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "\u200b"]', 2),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "？！"]', 2),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "\\u0000"]', 1),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "\x00"]', 2),
        ("_synonyms.toml", f'[[two_way]]\nwords = ["a", "{"长" * 1_000_000}"]', 2),
        ("_synonyms.toml", "[[two_way]]\nwords = " + "[" * 100_000, 1),
        ("_synonyms.toml", "[[two_way]]\nwords = " + "9" * 100_000, 1),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "b"]\n# \u94f6'.encode("gb18030"), 3),
        ("_synonyms.toml", '\n[[one_way]]\nfrom = ""\nto = ["a"]', 2),
        ("_synonyms.toml", '\n[[one_way]]\nfrom = "a"\nto = ["b", "A"]', 4),
        ("_synonyms.toml", '[[one_way]]\nfrom = "a"\nto = ["b"]\n[[one_way]]\nfrom = "b"\nto = ["c", "a"]', 6),
        ("_synonyms.toml", '[[one_way]]\nfrom = "a"\nto = [""]', 3),
        ("_stopwords.txt", "的\n了 \u200b 吗", 2),
        ("_stopwords.txt", "的\n" + "长" * 1_000_000, 2),
        ("_stopwords.txt", "[" * 1_000_000, 1),
        ("_stopwords.txt", "的\n了\n".encode() + b"\xff\xfe", 3),
        ("_words.txt", "报销单\n\n" + "长" * 1_000_000, 3),
        ("_words.txt", "报销单\n\x1c\n票", 3),
        ("_words.txt", "报销单\n".encode("utf-16"), 1),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_line_that_cannot_be_used_is_named(write, name, text, line):
    with pytest.raises(VocabularyError) as raised:
        load(write({name: text}))
    assert (raised.value.path, raised.value.line) == (name, line)
    assert isinstance(raised.value, IndexerError)
    assert "\n" not in raised.value.message
    assert 10 < len(raised.value.message) < 300, "place, reason and remedy on one line"


def test_a_folder_in_the_place_of_a_file_is_named(write):
    folder = write({"_words.txt/a": ""})
    with pytest.raises(VocabularyError, match=r"_words\.txt:1: not a file"):
        load(folder)


def test_a_word_may_come_again_and_holds_no_invisible_characters(write):
    text = '[[two_way]]\nwords = ["验真", "驗真", "查\u200b验"]\n'
    assert load(write({"_synonyms.toml": text})).synonyms == {"验真": ("查验",), "查验": ("验真",)}


def test_ways_that_meet_in_a_circle_are_followed_for_one_step(write):
    steps = "".join(f'[[one_way]]\nfrom = "{one}"\nto = ["{other}"]\n' for one, other in ("ab", "bc", "ca"))
    assert load(write({"_synonyms.toml": steps})).synonyms == {"a": ("b",), "b": ("c",), "c": ("a",)}


def test_a_megabyte_of_right_words_is_taken(write):
    characters = [char for char in map(chr, range(0x4E00, 0x5000)) if folded(char) == char][:300]
    words = [one + other for one in characters for other in characters]
    found = load(write({"_words.txt": "\n".join(words), "_stopwords.txt": " ".join(words)}))
    assert (len(found.words), len(found.stop), found.longest) == (90_000, 90_000, 2)


BAD_FILES = {
    "_synonyms.toml": '[[both]]\nwords = ["验真", "查验"]',
    "_words.txt": b"\xff\xfe\x00",
    "_stopwords.txt": "[verbs]\n做",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_stops_the_build_and_the_words_of_the_last_build_stay_in_use(write, article, tmp_path, now, name):
    index = tmp_path / "index"
    good = {"_synonyms.toml": '[[two_way]]\nwords = ["验真", "查验"]', "_words.txt": "红字确认单", "_stopwords.txt": "请问"}
    build(write({"m/a.md": article("发票查验，红字确认单。"), **good}), index, now)
    with pytest.raises(ArticlesRejectedError) as raised:
        build(write({name: BAD_FILES[name]}), index, now)
    assert [(problem.path, problem.line, problem.rule) for problem in raised.value.problems] == [(name, 1, "vocabulary")]
    assert last_outcome(index).problems[0].startswith(f"{name}:1: error")
    with Library(index).current() as published:
        assert published.vocabulary.synonyms == {"验真": ("查验",), "查验": ("验真",)}
        assert (published.vocabulary.words, published.vocabulary.stop) == (("红字确认单",), {"请问"})
        assert published.articles_for("请问 验真", 3) == ["m/a"]


def test_a_vocabulary_survives_the_disk():
    words = Vocabulary(("报销单",), {"验真": ("查验",)}, frozenset({"的", "了"}), frozenset({"怎么"}))
    assert Vocabulary.from_json(json.loads(json.dumps(words.as_json()))) == words


def test_the_same_vocabulary_is_the_same_bytes():
    one, other = (Vocabulary(stop=frozenset(words)) for words in (["的", "了", "吗"], ["吗", "的", "了"]))
    assert json.dumps(one.as_json()) == json.dumps(other.as_json())


def test_fillers_are_a_section_of_their_own(write):
    found = load(write({"_stopwords.txt": "的\n[filler]\n系统\n垃圾\n[question]\n怎么\n"}))
    assert (found.stop, found.question, found.filler) == ({"的"}, {"怎么"}, {"系统", "垃圾"})
    assert {"系统", "垃圾"} <= set(found.dictionary)
    assert found.functional == {"的", "怎么"}


@pytest.mark.parametrize(
    ("typed", "also"),
    [
        ("invoice", "发票"),
        ("invoices", "发票"),
        ("submitted", "提交"),
        ("submitting", "提交"),
        ("expenses", "报销"),
        ("duplicated", "重复"),
        ("policies", "标准"),
    ],
)
def test_an_english_word_finds_in_any_form_what_its_plain_form_finds(typed, also):
    words = {"invoice": "发票", "submit": "提交", "expense": "报销", "duplicate": "重复", "policy": "标准"}
    vocabulary = Vocabulary(synonyms={word: (other,) for word, other in words.items()})
    assert vocabulary.also(typed) == (also,)


@pytest.mark.parametrize("typed", ["in", "ins", "voice", "发票s", "expensive", ""])
def test_what_only_looks_like_another_form_finds_nothing(typed):
    assert Vocabulary(synonyms={"in": ("内",), "invoice": ("发票",), "expense": ("报销",)}).also(typed) in {(), ("内",)[: typed == "in"]}
