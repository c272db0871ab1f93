import json

import pytest

from indexer.errors import IndexerError
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
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", " "]', 1),
        ("_synonyms.toml", '[[one_way]]\nto = ["a"]', 1),
        ("_synonyms.toml", '[[one_way]]\nfrom = "a"', 1),
        ("_synonyms.toml", '[[two_way]]\nwords = ["a", "b"]\n[[two_way]]\nwords = ["c", "A"]', 4),
    ],
)
def test_a_line_that_cannot_be_used_is_named(write, name, text, line):
    with pytest.raises(VocabularyError) as raised:
        load(write({name: text}))
    assert (raised.value.path, raised.value.line) == (name, line)
    assert isinstance(raised.value, IndexerError)


def test_a_vocabulary_survives_the_disk():
    words = Vocabulary(("报销单",), {"验真": ("查验",)}, frozenset({"的", "了"}), frozenset({"怎么"}))
    assert Vocabulary.from_json(json.loads(json.dumps(words.as_json()))) == words


def test_the_same_vocabulary_is_the_same_bytes():
    one, other = (Vocabulary(stop=frozenset(words)) for words in (["的", "了", "吗"], ["吗", "的", "了"]))
    assert json.dumps(one.as_json()) == json.dumps(other.as_json())
