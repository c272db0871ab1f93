"""The words that a question may be corrected to: what an index can be asked for, by its letters, sounds and initials."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from indexer.pinyin import blurred, initials, spellings
from indexer.segment import runs
from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from indexer.article import Article
    from indexer.segment import Segmenter
    from indexer.vocabulary import Vocabulary

_Key = TypeVar("_Key")

MIN_SECTIONS = 3
"""Sections from which a word that no title, heading, question, tag or editor uses may be corrected to: fewer may be somebody's typing error."""
MAX_WORD = 8
"""Han characters of a word or phrase in the lexicon."""
MIN_LATIN = 4
COMMON = 0.05
"""Share of sections from which a character that stands alone is a word of its own (到, 按, 后), not a piece of a mistyped one."""
PARTICLES = frozenset("吗吧呢啦呀呗")
"""Stop words that are read from pinyin at the end of a question only."""
INTERJECTIONS = frozenset("啊哦噢哎唉嗯哈哇喂么嘛")
"""Stop words that are never read from pinyin: most end another syllable, so that they would make a question of anything; 嘛 is typed like 吗."""
_FUNCTIONAL_PAIRS = frozenset({"不了", "不上", "不开", "不到", "不出", "不进"})
"""Verb endings: no stop words, because they tell a complaint from a name, but nothing that is asked for."""
_PHRASE = 6
"""Han characters of two neighbouring words whose initials are known together (发票查验 → fpcy)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A word. `named`: in how many titles, headings, questions and tags it stands; `sections`: in how many sections; `editors`: it stands in their files."""

    word: str
    named: int
    sections: int
    editors: bool = False

    @property
    def weight(self) -> int:
        """How likely it is to be meant; names count most, because people ask for what articles are about."""
        return 10 * self.named + self.sections

    @property
    def trusted(self) -> bool:
        """True when somebody chose the word as a name; a word of the running text may rest on its frequency only."""
        return self.editors or self.named > 0


@dataclass(frozen=True)
class Lexicon:
    """What can be asked for: Han words of 2-8 characters with their spellings, phrases, single characters and Latin words of names.

    `functional` are stop and question words with the sections they stand in: known, and never what is asked for; `asking` are the question words of them.
    `common` are characters that stand alone so often that they are words.
    """

    words: dict[str, tuple[Entry, tuple[str, ...]]]
    phrases: dict[str, Entry]
    characters: dict[str, int]
    latin: dict[str, Entry]
    functional: dict[str, int]
    asking: frozenset[str]
    common: frozenset[str]

    @classmethod
    def of(cls, articles: Sequence[Article], vocabulary: Vocabulary, cut: Segmenter, frequencies: Mapping[str, int]) -> Lexicon:
        """Gather the words of an index. `frequencies` says in how many sections each word of the index stands."""
        functional = vocabulary.stop | vocabulary.question | _FUNCTIONAL_PAIRS
        sections = sum(len(article.sections) for article in articles)
        named: Counter[str] = Counter()
        phrases: Counter[str] = Counter()
        for name in _names(articles):
            words = [cut.cut(run) if kind == "han" else [run] for kind, run in runs(normalise(name).text)]
            named.update({word for row in words for word in row})
            phrases.update({one + other for row in words for one, other in pairwise(row) if _phrase(one, other, functional)})
        for whole, count in list(named.items()):
            named.update(dict.fromkeys(set(cut.terms(whole).words) - {whole}, count))
        found = {word for word, count in frequencies.items() if count >= MIN_SECTIONS} | set(named)
        editors = {word for word in (*vocabulary.words, *vocabulary.synonyms) if _findable(word, vocabulary, frequencies, cut)}
        entries = {word: Entry(word, named[word], frequencies.get(word, 0), word in editors) for word in (found | editors) - functional}
        return cls(
            words={word: (entry, spellings(word)) for word, entry in sorted(entries.items()) if _han(word) and 1 < len(word) <= MAX_WORD},
            phrases={word: Entry(word, count, 0) for word, count in sorted(phrases.items()) if word not in entries},
            characters={word: named[word] for word in sorted(entries) if _han(word) and len(word) == 1 and named[word]},
            latin={word: entry for word, entry in sorted(entries.items()) if word.isascii() and word.isalpha() and len(word) >= MIN_LATIN},
            functional={word: frequencies.get(word, 0) for word in sorted(functional) if _han(word)},
            asking=vocabulary.question,
            common=frozenset(word for word, count in frequencies.items() if len(word) == 1 and count >= COMMON * sections),
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain lists, sorted, so that the same index is the same bytes."""
        return {
            "words": [[word, entry.named, entry.sections, entry.editors, list(ways)] for word, (entry, ways) in self.words.items()],
            "phrases": {word: entry.named for word, entry in self.phrases.items()},
            "characters": self.characters,
            "latin": [[word, entry.named, entry.sections, entry.editors] for word, entry in self.latin.items()],
            "functional": self.functional,
            "asking": sorted(self.asking),
            "common": sorted(self.common),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Lexicon:
        """Read what `as_json` wrote."""
        return cls(
            words={word: (Entry(word, named, sections, editors), tuple(ways)) for word, named, sections, editors, ways in data["words"]},
            phrases={word: Entry(word, named, 0) for word, named in data["phrases"].items()},
            characters=data["characters"],
            latin={word: Entry(word, named, sections, editors) for word, named, sections, editors in data["latin"]},
            functional=data["functional"],
            asking=frozenset(data["asking"]),
            common=frozenset(data["common"]),
        )

    def warm_up(self) -> None:
        """Make every table now instead of at the first question that needs it."""
        for name, made in vars(Lexicon).items():
            if isinstance(made, cached_property):
                getattr(self, name)

    @cached_property
    def by_sound(self) -> dict[str, list[Entry]]:
        """Pinyin → words that are typed so, the likeliest first."""
        return _grouped((way, entry) for entry, ways in self.words.values() for way in ways)

    @cached_property
    def by_blurred_sound(self) -> dict[str, list[Entry]]:
        """Pinyin without zh-z, ch-c, sh-s and ng-n → trusted words, the likeliest first."""
        return _grouped((blurred(way), entry) for entry, ways in self.words.values() if entry.trusted for way in ways)

    @cached_property
    def by_initials(self) -> dict[str, list[Entry]]:
        """First letters → words and phrases of names and the editors' words, the likeliest first."""
        chosen = [entry for entry, _ in self.words.values() if entry.trusted]
        return _grouped((initials(entry.word), entry) for entry in [*chosen, *self.phrases.values()])

    @cached_property
    def by_beginning(self) -> list[tuple[str, Entry]]:
        """(pinyin, trusted word), in order of the pinyin, so that words are found by how they begin."""
        return sorted(((way, entry) for entry, ways in self.words.values() if entry.trusted for way in ways), key=lambda pair: (pair[0], pair[1].word))

    @cached_property
    def by_first_letters(self) -> list[tuple[str, Entry]]:
        """(initials, word or phrase), in order of the initials."""
        return sorted(((way, entry) for way, entries in self.by_initials.items() for entry in entries), key=lambda pair: (pair[0], pair[1].word))

    @cached_property
    def by_gap(self) -> dict[tuple[str, int, str], list[Entry]]:
        """(before, place, after) → trusted words of three and more characters with any one character at that place."""
        chosen = [entry for entry, _ in self.words.values() if entry.trusted and len(entry.word) > 2]  # noqa: PLR2004 - shorter words are told by sound alone
        return _grouped(((entry.word[:at], at, entry.word[at + 1 :]), entry) for entry in chosen for at in range(len(entry.word)))

    @cached_property
    def functional_by_sound(self) -> dict[str, str]:
        """Pinyin → the stop or question word that is typed so, the one of most sections; no particle and no interjection."""
        return self._likeliest(set(self.functional) - PARTICLES - INTERJECTIONS)

    @cached_property
    def functional_by_blurred_sound(self) -> dict[str, str]:
        """The same by `blurred` pinyin."""
        return {blurred(way): word for way, word in self.functional_by_sound.items()}

    @cached_property
    def particle_by_sound(self) -> dict[str, str]:
        """Pinyin → the particle at the end of a question that is typed so, the one of most sections."""
        return self._likeliest(PARTICLES.intersection(self.functional))

    def _likeliest(self, functional: Collection[str]) -> dict[str, str]:
        by_count = sorted(functional, key=lambda word: (self.functional[word], word))
        return {way: word for word in by_count for way in spellings(word)}

    @cached_property
    def character_by_sound(self) -> dict[str, str]:
        """Syllable → the character that stands alone in most names."""
        by_count = sorted(self.characters, key=lambda char: self.characters[char])
        return {way: char for char in by_count for way in spellings(char)}

    @cached_property
    def latin_by_size(self) -> dict[tuple[str, int], list[Entry]]:
        """(first letter, length) → Latin words."""
        return _grouped(((word[0], len(word)), entry) for word, entry in self.latin.items())

    @cached_property
    def spelt_by_size(self) -> dict[tuple[str, int], list[tuple[str, Entry]]]:
        """(first letter, length) → trusted words with a spelling of that size."""
        found: dict[tuple[str, int], list[tuple[str, Entry]]] = {}
        for entry, ways in self.words.values():
            if entry.trusted:
                for way in ways:
                    found.setdefault((way[0], len(way)), []).append((way, entry))
        return found


def _names(articles: Iterable[Article]) -> Iterable[str]:
    for article in articles:
        yield from (article.title, *article.questions, *article.tags)
        yield from (section.heading for section in article.sections if section.heading)


def _phrase(one: str, other: str, functional: Collection[str]) -> bool:
    """Tell whether two neighbouring words are names, and short enough to be known together by their initials."""
    return len(one) > 1 < len(other) and len(one + other) <= _PHRASE and one not in functional and other not in functional


def _findable(word: str, vocabulary: Vocabulary, frequencies: Mapping[str, int], cut: Segmenter) -> bool:
    """Tell whether an editors' word leads anywhere in this index, by itself or by a synonym."""
    return any(all(frequencies.get(part, 0) for part in cut.cut(name)) for name in (word, *vocabulary.synonyms.get(word, ())))


def _han(word: str) -> bool:
    return all(kind == "han" for kind, _ in runs(word))


def _grouped(pairs: Iterable[tuple[_Key, Entry]]) -> dict[_Key, list[Entry]]:
    """Gather entries by key, the likeliest first and each once."""
    found: dict[_Key, dict[str, Entry]] = {}
    for key, entry in pairs:
        found.setdefault(key, {})[entry.word] = entry
    return {key: sorted(group.values(), key=lambda entry: (-entry.weight, entry.word)) for key, group in found.items()}
