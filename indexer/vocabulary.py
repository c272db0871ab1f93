"""What the editors tell search about words: `_synonyms.toml`, `_words.txt` and `_stopwords.txt` beside the articles."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from indexer.errors import IndexerError
from indexer.text import folded

if TYPE_CHECKING:
    from pathlib import Path

SYNONYMS = "_synonyms.toml"
WORDS = "_words.txt"
STOP_WORDS = "_stopwords.txt"
_HAN_WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]{2,12}")
_MIN_INFLECTED = 4
_ENDINGS = (("ies", ("y",)), ("es", ("", "e")), ("s", ("",)), ("ied", ("y",)), ("ed", ("", "e")), ("ing", ("", "e")))
"""How English words end where they stand in another form, and what stood there instead."""
_MAX_WORD = 40
"""Characters of one word of the editors' files: more is a pasted text, and every question would be compared with it."""


class VocabularyError(IndexerError):
    """A line of an editors' file cannot be used. `path`, `line` and `message` say where and why."""

    def __init__(self, path: str, line: int, message: str) -> None:
        """Keep the place apart from the message."""
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


@dataclass(frozen=True)
class Vocabulary:
    """Editors' words, synonyms (word → words that it also finds), stop words, question words and fillers, all normalised."""

    words: tuple[str, ...] = ()
    synonyms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stop: frozenset[str] = frozenset()
    question: frozenset[str] = frozenset()
    filler: frozenset[str] = frozenset()

    def also(self, word: str) -> tuple[str, ...]:
        """Return what a word also finds; an English one in another form (expenses, submitted) what its plain form does."""
        return self.synonyms.get(word) or next((self.synonyms[plain] for plain in _plain_forms(word) if plain in self.synonyms), ())

    @cached_property
    def phrases(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """The names of several Latin words (log in) that have synonyms, with what finds them in a normalised text."""
        spaced = (name for name in self.synonyms if " " in name and name.isascii())
        return tuple((name, re.compile(rf"(?<![a-z0-9]){re.escape(name).replace(chr(92) + ' ', ' +')}(?![a-z0-9])")) for name in spaced)

    @cached_property
    def functional(self) -> frozenset[str]:
        """Stop and question words: what carries no content."""
        return self.stop | self.question

    @cached_property
    def longest(self) -> int:
        """Characters of the longest functional word."""
        return max(map(len, self.functional), default=0)

    @cached_property
    def light(self) -> frozenset[str]:
        """The character pairs that stand inside functional words."""
        return frozenset(word[i : i + 2] for word in self.functional for i in range(len(word) - 1))

    @cached_property
    def dictionary(self) -> tuple[str, ...]:
        """The words that segmentation must know: the editors' words, and stop words, question words and fillers, which would else be cut apart (咋|整)."""
        functional = sorted(word for word in self.functional | self.filler if _HAN_WORD.fullmatch(word))
        return tuple(dict.fromkeys([*self.words, *functional]))

    def as_json(self) -> dict[str, Any]:
        """Return plain lists, sorted, so that the same vocabulary is the same bytes."""
        data = asdict(self)
        return data | {"stop": sorted(self.stop), "question": sorted(self.question), "filler": sorted(self.filler)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Vocabulary:
        """Read what `as_json` wrote."""
        return cls(
            words=tuple(data["words"]),
            synonyms={word: tuple(others) for word, others in data["synonyms"].items()},
            stop=frozenset(data["stop"]),
            question=frozenset(data["question"]),
            filler=frozenset(data["filler"]),
        )


def load(folder: Path) -> Vocabulary:
    """Read the editors' files of an articles folder; a missing file is an empty one.

    Raises VocabularyError for the first line that cannot be used.
    """
    stop, question, filler = _stop_words(_read(folder, STOP_WORDS))
    return Vocabulary(words=_words(_read(folder, WORDS)), synonyms=_synonyms(_read(folder, SYNONYMS)), stop=stop, question=question, filler=filler)


def _plain_forms(word: str) -> list[str]:
    """Return what an English word may be a form of: expenses → expens, expense; submitted → submitt, submitte, submit. Most are no words; others are none."""
    if not (word.isascii() and word.isalpha() and len(word) >= _MIN_INFLECTED):
        return []
    found = []
    for ending, others in _ENDINGS:
        if word.endswith(ending):
            stem = word.removesuffix(ending)
            found += [stem + other for other in others]
            if len(stem) > 1 and stem[-1] == stem[-2]:
                found.append(stem[:-1])
    return found


def _read(folder: Path, name: str) -> str:
    path = folder / name
    if not path.exists():
        return ""
    if not path.is_file():
        raise VocabularyError(name, 1, "not a file; write the words into a text file of this name, or remove it")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VocabularyError(name, data[: error.start].count(b"\n") + 1, f"not UTF-8 (byte {error.start}); save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _lines(text: str) -> list[tuple[int, str]]:
    """Return the numbered lines that say something: no blank ones, no comments."""
    stripped = ((number, line.split("#", 1)[0].strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in stripped if line]


def _word(written: str, name: str, line: int) -> str:
    """Return a word in normal form. Raises VocabularyError for one that nobody can type: no letter, digit or Han character, or too long."""
    word = folded(written)
    if not any(map(str.isalnum, word)):
        raise VocabularyError(name, line, f"{_short(written)} holds no letter, digit or Han character; take it out")
    if len(word) > _MAX_WORD:
        raise VocabularyError(name, line, f"{_short(written)} has {len(word)} characters; a word has at most {_MAX_WORD}: write one a line")
    return word


def _short(written: str) -> str:
    """Return what was written as a message shows it: escaped, on one line, not a megabyte long."""
    return repr(written if len(written) <= _MAX_WORD else f"{written[:_MAX_WORD]}…")


def _words(text: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for number, line in _lines(text):
        word = folded(line)
        if not _HAN_WORD.fullmatch(word):
            raise VocabularyError(WORDS, number, f"{_short(line)} is not a word of 2-12 Han characters; Latin words and codes are kept whole anyway")
        found[word] = None
    return tuple(found)


def _stop_words(text: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    sections: dict[str, set[str]] = {"[stop]": set(), "[question]": set(), "[filler]": set()}
    current = "[stop]"
    for number, line in _lines(text):
        if line.startswith("["):
            if line not in sections:
                raise VocabularyError(STOP_WORDS, number, f"unknown section {_short(line)}; use [stop], [question] or [filler]")
            current = line
        else:
            sections[current].update(_word(word, STOP_WORDS, number) for word in line.split())
    return frozenset(sections["[stop]"]), frozenset(sections["[question]"]), frozenset(sections["[filler]"])


def _table_lines(text: str, table: str) -> list[int]:
    """Return the lines on which the entries of a table begin; TOML's parser does not keep them."""
    begins = re.compile(rf"\s*(?:\[\[?\s*)?[\"']?{re.escape(table)}[\"']?\s*[\]=]")
    return [number for number, line in enumerate(text.split("\n"), 1) if begins.match(line)]


def _line_of(text: str, written: str, first: int) -> int:
    """Return the line from `first` on that holds a quoted word, `first` itself for one that is written with escapes."""
    later = enumerate(text.split("\n")[first - 1 :], first)
    return next((number for number, line in later if f'"{written}"' in line or f"'{written}'" in line), first)


def _entries(text: str, data: dict[str, Any], table: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the entries of a table with their lines."""
    lines, entries = _table_lines(text, table), data.get(table, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise VocabularyError(SYNONYMS, (lines or [1])[0], f"{table} is not a list of tables; write [[{table}]] with two brackets")
    return list(zip(lines if len(lines) == len(entries) else [1] * len(entries), entries, strict=True))


def _word_lines(text: str, entry: dict[str, Any], key: str, line: int) -> dict[str, int]:
    """Return the words of an entry in normal form, each with its line."""
    value = entry.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise VocabularyError(SYNONYMS, line, f'an entry lacks `{key} = ["…", "…"]`')
    lines = [_line_of(text, word, line) for word in value]
    return {_word(word, SYNONYMS, number): number for word, number in zip(value, lines, strict=True)}


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and what its parser lets through: a number of 5,000 digits
        line = re.search(r"line (\d+)", str(error))
        raise VocabularyError(SYNONYMS, int(line[1]) if line else 1, f"not TOML: {error}") from error
    except RecursionError as error:
        raise VocabularyError(SYNONYMS, 1, "brackets are nested too deeply; an entry is a flat list of words") from error


def _synonyms(text: str) -> dict[str, tuple[str, ...]]:
    data = _toml(text)
    if unknown := set(data) - {"two_way", "one_way"}:
        table = min(unknown, key=lambda name: (_table_lines(text, name) or [0])[0])
        raise VocabularyError(SYNONYMS, (_table_lines(text, table) or [1])[0], f"unknown table {_short(table)}; use [[two_way]] or [[one_way]]")
    found: dict[str, dict[str, None]] = {}
    grouped: dict[str, int] = {}
    for line, entry in _entries(text, data, "two_way"):
        words = _word_lines(text, entry, "words", line)
        for word, number in words.items():
            if word in grouped:
                raise VocabularyError(SYNONYMS, number, f"{word} stands in two two_way groups, the other one in line {grouped[word]}; join them")
        grouped.update(words)
        for word in words:
            found.setdefault(word, {}).update((other, None) for other in words if other != word)
    led: dict[tuple[str, str], int] = {}
    for line, entry in _entries(text, data, "one_way"):
        if not isinstance(entry.get("from"), str):
            raise VocabularyError(SYNONYMS, line, 'a one_way entry lacks `from = "…"`')
        source = _word(entry["from"], SYNONYMS, line)
        for word, number in _word_lines(text, entry, "to", line).items():
            if word == source:
                raise VocabularyError(SYNONYMS, number, f"{word} leads to itself; take it out")
            if (word, source) in led:
                back = f"{source} and {word} lead to each other, the other way in line {led[word, source]}; write one [[two_way]] entry"
                raise VocabularyError(SYNONYMS, number, back)
            led[source, word] = number
            found.setdefault(source, {})[word] = None
    return {word: tuple(others) for word, others in found.items()}
