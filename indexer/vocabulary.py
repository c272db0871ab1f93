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


class VocabularyError(IndexerError):
    """A line of an editors' file cannot be used. `path`, `line` and `message` say where and why."""

    def __init__(self, path: str, line: int, message: str) -> None:
        """Keep the place apart from the message."""
        super().__init__(f"{path}:{line}: {message}")
        self.path, self.line, self.message = path, line, message


@dataclass(frozen=True)
class Vocabulary:
    """Editors' words, synonyms (word → words that it also finds), stop words and question words, all normalised."""

    words: tuple[str, ...] = ()
    synonyms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stop: frozenset[str] = frozenset()
    question: frozenset[str] = frozenset()

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
        """The words that segmentation must know: the editors' words, and stop and question words, which would else be cut apart (咋|整)."""
        functional = sorted(word for word in self.functional if _HAN_WORD.fullmatch(word))
        return tuple(dict.fromkeys([*self.words, *functional]))

    def as_json(self) -> dict[str, Any]:
        """Return plain lists, sorted, so that the same vocabulary is the same bytes."""
        data = asdict(self)
        return data | {"stop": sorted(self.stop), "question": sorted(self.question)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Vocabulary:
        """Read what `as_json` wrote."""
        return cls(
            words=tuple(data["words"]),
            synonyms={word: tuple(others) for word, others in data["synonyms"].items()},
            stop=frozenset(data["stop"]),
            question=frozenset(data["question"]),
        )


def load(folder: Path) -> Vocabulary:
    """Read the editors' files of an articles folder; a missing file is an empty one.

    Raises VocabularyError for the first line that cannot be used.
    """
    stop, question = _stop_words(_read(folder, STOP_WORDS))
    return Vocabulary(words=_words(_read(folder, WORDS)), synonyms=_synonyms(_read(folder, SYNONYMS)), stop=stop, question=question)


def _read(folder: Path, name: str) -> str:
    path = folder / name
    if not path.exists():
        return ""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise VocabularyError(name, 1, f"not UTF-8 (byte {error.start}); save it as UTF-8") from error


def _lines(text: str) -> list[tuple[int, str]]:
    """Return the numbered lines that say something: no blank ones, no comments."""
    stripped = ((number, line.split("#", 1)[0].strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in stripped if line]


def _words(text: str) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for number, line in _lines(text):
        word = folded(line)
        if not _HAN_WORD.fullmatch(word):
            raise VocabularyError(WORDS, number, f"{line!r} is not a word of 2-12 Han characters; Latin words and codes are kept whole anyway")
        found[word] = None
    return tuple(found)


def _stop_words(text: str) -> tuple[frozenset[str], frozenset[str]]:
    sections: dict[str, set[str]] = {"[stop]": set(), "[question]": set()}
    current = "[stop]"
    for number, line in _lines(text):
        if line.startswith("["):
            if line not in sections:
                raise VocabularyError(STOP_WORDS, number, f"unknown section {line}; use [stop] or [question]")
            current = line
        else:
            sections[current].update(folded(word) for word in line.split())
    return frozenset(sections["[stop]"]), frozenset(sections["[question]"])


def _line_of(text: str, word: str) -> int:
    before, found, _ = text.partition(word)
    return before.count("\n") + 1 if found else 1


def _string_list(entry: dict[str, Any], key: str) -> list[str]:
    value = entry.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word.strip() for word in value):
        raise VocabularyError(SYNONYMS, 1, f'an entry lacks `{key} = ["…", "…"]`')
    return value


def _synonyms(text: str) -> dict[str, tuple[str, ...]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise VocabularyError(SYNONYMS, int(line[1]) if line else 1, f"not TOML: {error}") from error
    if unknown := set(data) - {"two_way", "one_way"}:
        raise VocabularyError(SYNONYMS, 1, f"unknown table {min(unknown)!r}; use [[two_way]] or [[one_way]]")
    for table, entries in data.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise VocabularyError(SYNONYMS, _line_of(text, f"[{table}]"), f"{table} is not a list of tables; write [[{table}]] with two brackets")
    found: dict[str, dict[str, None]] = {}
    grouped: set[str] = set()
    for entry in data.get("two_way", []):
        words = _string_list(entry, "words")
        for word in words:
            if folded(word) in grouped:
                raise VocabularyError(SYNONYMS, _line_of(text, f'"{word}"'), f"{word} stands in two two_way groups; join them")
        normal = [folded(word) for word in words]
        grouped.update(normal)
        for word in normal:
            found.setdefault(word, {}).update((other, None) for other in normal if other != word)
    for entry in data.get("one_way", []):
        if not isinstance(entry.get("from"), str):
            raise VocabularyError(SYNONYMS, 1, 'a one_way entry lacks `from = "…"`')
        targets = [folded(word) for word in _string_list(entry, "to")]
        found.setdefault(folded(entry["from"]), {}).update((word, None) for word in targets)
    return {word: tuple(others) for word, others in found.items()}
