"""What a wording wants, read so that two of them can be compared: its content words and their sounds, what is asked about them, what excludes another wish.

Pure: general language (wish.toml), the editors' vocabulary, and how telling a word is by whoever knows. Fifty wordings are read in some milliseconds.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.pinyin import sound_of, syllables_of
from indexer.question import MAX_CHARACTERS, is_noise
from indexer.segment import MAX_TERM, runs, segmenter
from indexer.text import folded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from indexer.vocabulary import Vocabulary

_FULL, _SINGLE, _LIGHT, _OWN_NUMBER = 1.0, 0.6, 0.3, 0.3
"""What a word weighs: one that names the subject, a single character, a general verb, the number of somebody's own document."""
_TELLING = 0.7
"""Share of the weight that depends on how telling a word is; the rest is the same for all, because half of what is asked has no article yet."""
_REMEMBERED_WORDS, _REMEMBERED = 16384, 1024
"""Words whose weight, and wordings whose wish, one process remembers (some 5 MB)."""
MAX_TERMS = 24
"""Terms by which one wording is found."""
_FAILS = "✗"
"""Stands for all ways of saying that something does not work."""
_EITHER_OR = re.compile(r"([\u4e00-\u9fff])[不没]\1")
_AMOUNT = re.compile(r"\d+(?:\.\d+)?(?=多?(?:块|元|万))")
_COUNTED = re.compile(r"(?<![零〇一二两三四五六七八九十百千万第])(\d+|[二两三四五六七八九十])(号楼|楼|层|晚|天|次|年|月|日|小时|分钟|级|份|人|班|倍|周|期)")
_DIGITS = {char: str(value) for value, char in enumerate("二三四五六七八九十", 2)} | {"两": "2"}
_OWN = re.compile(r"[a-z]{0,4}[-]?\d[\d-]{7,}")
_PRONOUNS = frozenset({"我", "我们", "公司", "自己", "别人", "他们"})
"""Words without content that take part when two things change places."""
_PARTICLES = frozenset({"le", "ma", "ne"})


@dataclass(frozen=True, slots=True)
class Word:
    """A content word: `weight` is how much it tells, `names` what it is called (itself, its synonyms), `first` to `end` which units it is made of."""

    text: str
    weight: float
    names: frozenset[str]
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A Han character, a syllable of pinyin, or a code. `sound` is how the first two are typed, "" for codes. `joined`: the unit before stands beside it."""

    text: str
    sound: str
    joined: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What a wording wants.

    `words` are its distinct content words in order, `units` what they are made of; `chars`, `pairs`, `sounds` and `names` are the units, their pairs,
    the sounds of these pairs and the words' names, for looking up. `loose` are the sounds that are not those of a word in the dictionary, which
    nobody mistyped: 工时 and 公式 sound alike and are two things. `asks` is what is asked about them in question words, `aspects` by nouns:
    `how`, `where` … of wish.toml. `named` holds, by line of wish.toml's `opposed`, which of its alternatives stand in it; `counted` its numbers by
    what they count; `codes` its codes with digits. `spots` are words with their places in `text`, for telling 甲请乙 from 乙请甲.
    """

    text: str
    words: tuple[Word, ...]
    units: tuple[Unit, ...]
    chars: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    sounds: frozenset[tuple[str, str]]
    loose: frozenset[tuple[str, str]]
    names: frozenset[str]
    asks: frozenset[str]
    aspects: frozenset[str]
    named: dict[int, frozenset[int]]
    counted: dict[str, frozenset[str]]
    codes: frozenset[str]
    spots: tuple[tuple[str, int], ...]

    @property
    def weight(self) -> float:
        """What all its words weigh."""
        return sum(word.weight for word in self.words)

    @property
    def terms(self) -> tuple[str, ...]:
        """What it is found by, at most 24: pairs of sounds (so that 年假, 年价 and nianjia meet), codes, and lines of synonyms; of its heaviest words first."""
        found: dict[str, None] = {}
        for word in sorted(self.words, key=lambda word: -word.weight):
            found.update(dict.fromkeys(sorted(name for name in word.names if name.startswith("="))))
            for at in range(word.first, word.end):
                unit, before = self.units[at], self.units[at - 1]
                if not unit.sound:
                    found[unit.text] = None
                elif unit.joined and before.sound:
                    found[f"{before.sound} {unit.sound}"] = None
        return tuple(term[:MAX_TERM] for term in found)[:MAX_TERMS]


class _General:
    """The general words of wish.toml."""

    def __init__(self, data: dict[str, Any]) -> None:
        words = data["words"]
        self.asks = {word: kind for kind, listed in data["questions"].items() for word in listed.split()}
        self.aspects = {word: kind for kind, listed in data["aspects"].items() for word in listed.split()}
        self.together = frozenset(frozenset(pair.split()) for pair in words["together"])
        self.figures = frozenset(words["figures"].split())
        self.padding = frozenset(words["padding"].split())
        self.light = frozenset(words["light"].split())
        self.failing = re.compile(words["failing"])
        self.undoing = re.compile(words["undoing"])
        self.turning = re.compile(words["turning"])
        self.people = frozenset(words["people"].split())
        self.alike: dict[str, frozenset[str]] = {}
        for listed in words["alike"]:
            for word in listed.split():
                self.alike[word] = self.alike.get(word, frozenset()) | {f"={listed.split()[0]}"}
        self._opposed: dict[str, list[tuple[int, int]]] = {}
        self._patterns: list[tuple[re.Pattern[str], int, int]] = []
        for line, alternatives in enumerate(words["opposed"]):
            for at, listed in enumerate(alternatives):
                for word in listed.split():
                    if "(" in word:
                        self._patterns.append((re.compile(word), line, at))
                    else:
                        self._opposed.setdefault(word, []).append((line, at))
        self._sizes: dict[str, list[int]] = {}
        for first, size in sorted({(word[0], len(word)) for word in self._opposed}):
            self._sizes.setdefault(first, []).append(size)

    def named(self, text: str) -> dict[int, frozenset[int]]:
        """Return which alternatives of which line of `opposed` stand in a text."""
        found: dict[int, set[int]] = {}
        for start, first in enumerate(text):
            for size in self._sizes.get(first, ()):
                for line, at in self._opposed.get(text[start : start + size], ()):
                    found.setdefault(line, set()).add(at)
        for pattern, line, at in self._patterns:
            if pattern.search(text):
                found.setdefault(line, set()).add(at)
        return {line: frozenset(at) for line, at in found.items()}


GENERAL = _General(tomllib.loads(Path(__file__).with_name("wish.toml").read_text(encoding="utf-8")))


class Reader:
    """Reads wordings by one build's vocabulary. Any number of threads may share one."""

    def __init__(self, vocabulary: Vocabulary, telling: Callable[[str], float], meant: Callable[[str], str] = str) -> None:
        """Take the words of a vocabulary, who knows how telling a word is (0-1), and who knows what a misspelt wording was meant as."""
        self._meant = meant
        self._vocabulary = vocabulary
        self._telling = lru_cache(_REMEMBERED_WORDS)(telling)
        self.read = lru_cache(_REMEMBERED)(self._read)
        self._cut = segmenter(vocabulary.dictionary)
        self._empty = vocabulary.functional | GENERAL.padding | set(GENERAL.asks)
        self._spoken = {tuple(sound_of(char) for char in word): word for word in sorted(self._empty) if not word.isascii()}

    def _read(self, text: str) -> Wish:
        """Return what a wording wants, as far as its first 400 characters say."""
        text = folded(self._meant(text))[:MAX_CHARACTERS]
        found = _Reading(text)
        typed = not any("\u4e00" <= char <= "\u9fff" for char in text)
        place = 0
        for kind, run in runs(_AMOUNT.sub(lambda amount: " " * len(amount[0]), text)):
            place = text.index(run, place)
            found.part()
            if kind == "han":
                for word in self._cut.cut(run):
                    self._take(found, word, place)
                    place += len(word)
            elif typed and (syllables := syllables_of(run)):
                self._take_spoken(found, syllables)
            else:
                self._take_code(found, run, place)
        if GENERAL.failing.search(_EITHER_OR.sub(" ", text)):
            found.add(_FAILS, _SINGLE, frozenset({_FAILS}), (), -1)
        if text.endswith("不"):
            found.asks.add("may")
        return found.wish()

    def _take(self, found: _Reading, word: str, place: int) -> None:
        if word in GENERAL.asks:
            found.asks.add(GENERAL.asks[word])
        if word in GENERAL.aspects:
            found.aspects.add(GENERAL.aspects[word])
        if (who := word.removesuffix("的")) in _PRONOUNS or who in GENERAL.people:
            found.spots.append((who, place))
        if word in self._empty or GENERAL.failing.fullmatch(word):
            found.part()
            return
        weight = _LIGHT if word in GENERAL.light else _SINGLE if len(word) == 1 or word in GENERAL.aspects else _FULL
        found.add(word, weight * self._tells(word), self._names(word), [(char, sound_of(char)) for char in word], place, known=len(word) > 1)

    def _take_code(self, found: _Reading, run: str, place: int) -> None:
        if run in self._empty:
            return
        if any(map(str.isdigit, run)) and not is_noise(run):
            found.codes.add(run)
        own = is_noise(run) or _OWN.fullmatch(run) is not None
        syllables = syllables_of(run) if run not in self._vocabulary.synonyms else ()
        units = [(one, one) for one in syllables] or [(run, "")]
        found.add(run, (_OWN_NUMBER if own else _FULL) * self._tells(run), self._names(run), units, place)
        found.part()

    def _take_spoken(self, found: _Reading, syllables: tuple[str, ...]) -> None:
        """Take a word typed in pinyin, without the question words and particles in it."""
        start = at = 0
        while at < len(syllables):
            size = next((size for size in range(min(5, len(syllables) - at), 0, -1) if self._is_spoken(syllables, at, size)), 0)
            if not size:
                at += 1
                continue
            self._add_spoken(found, syllables[start:at])
            if word := self._spoken.get(syllables[at : at + size]):
                self._take(found, word, -1)
            start = at = at + size
        self._add_spoken(found, syllables[start:])

    def _is_spoken(self, syllables: tuple[str, ...], at: int, size: int) -> bool:
        """Tell whether a word without content is spelt there; one of a single syllable only by itself, or as a particle at the end."""
        if size == 1 and len(syllables) > 1:
            return at == len(syllables) - 1 and syllables[at] in _PARTICLES
        return syllables[at : at + size] in self._spoken

    def _add_spoken(self, found: _Reading, syllables: tuple[str, ...]) -> None:
        if syllables:
            word = "".join(syllables)
            found.add(word, _FULL if len(syllables) > 1 else _SINGLE, self._names(word), [(one, one) for one in syllables], -1)

    def _tells(self, word: str) -> float:
        return 1 - _TELLING + _TELLING * self._telling(word)

    def _names(self, word: str) -> frozenset[str]:
        """Return a word with what editors say that it also finds, and for each line of synonyms that it stands in a name that begins with "="."""
        synonyms = self._vocabulary.synonyms
        others = synonyms.get(word, ())
        same = [other for other in others if word in synonyms.get(other, ())]
        lines = [f"={min(word, *same)}"] if same else []
        return frozenset((word, *others, *lines)).union(*(GENERAL.alike.get(name, ()) for name in (word, *same)))


class _Reading:
    """A wish in the making."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asks: set[str] = set()
        self.aspects: set[str] = set()
        self.codes: set[str] = set()
        self.spots: list[tuple[str, int]] = []
        self._words: dict[str, Word] = {}
        self._spelt: set[int] = set()
        self._units: list[Unit] = []
        self._parted = True

    def part(self) -> None:
        """Keep what comes next apart from what came before."""
        self._parted = True

    def add(self, word: str, weight: float, names: frozenset[str], units: Iterable[tuple[str, str]], place: int, *, known: bool = False) -> None:
        """Add a content word that is made of these characters or syllables; a known one stands in the dictionary as it is spelt."""
        first = len(self._units)
        for text, sound in units:
            self._units.append(Unit(text, sound, joined=not self._parted))
            self._parted = False
        if known:
            self._spelt.update(range(first + 1, len(self._units)))
        self._words.setdefault(word, Word(word, weight, names, first, len(self._units)))
        if place >= 0:
            self.spots.append((word, place))

    def wish(self) -> Wish:
        """Return what was read."""
        beside = [(self._units[at - 1], unit) for at, unit in enumerate(self._units) if unit.joined]
        loose = [(self._units[at - 1], unit) for at, unit in enumerate(self._units) if unit.joined and at not in self._spelt]
        counted: dict[str, set[str]] = {}
        for number, counts in _COUNTED.findall(self.text):
            counted.setdefault(counts, set()).add(_DIGITS.get(number, number))
        return Wish(
            text=self.text,
            words=tuple(self._words.values()),
            units=tuple(self._units),
            chars=frozenset(unit.text for unit in self._units),
            pairs=frozenset((one.text, other.text) for one, other in beside),
            sounds=frozenset((one.sound, other.sound) for one, other in beside if one.sound and other.sound),
            loose=frozenset((one.sound, other.sound) for one, other in loose if one.sound and other.sound),
            names=frozenset(name for word in self._words.values() for name in word.names),
            asks=frozenset(self.asks),
            aspects=frozenset(self.aspects),
            named=GENERAL.named(self.text),
            counted={counts: frozenset(numbers) for counts, numbers in counted.items()},
            codes=frozenset(self.codes),
            spots=tuple(self.spots),
        )
