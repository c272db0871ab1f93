"""What a question was meant to say: pinyin, initials, homophones and typing errors of words that the index does not know.

Forgiveness never touches what is known. It looks, in this order,
- at Latin words in a row that the index does not know: as pinyin (fapiao zenme shangchuan), as the initials of a name (bxd), as a typing error (pasword);
- at Han characters that no dictionary joins into a word and that stand nowhere side by side: as homophones of a word (发漂, 审批刘), then as near-homophones,
  then as a word of three and more characters with one wrong (similar in sound), two exchanged or, in long words, one missing.
A name that sounds like no word of the index, a document number, an address or a stack trace stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from indexer.pinyin import blurred, readings, spellings
from indexer.question import is_noise
from indexer.segment import runs
from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from indexer.lexicon import Entry, Lexicon
    from indexer.segment import Segmenter

_LETTERS = re.compile(r"[a-zü]+(?:'[a-zü]+)*")
_BETWEEN = re.compile(r"[\s'’]*")
_MAX_LETTERS = 100
"""Letters in a row that are read as pinyin; a question in pinyin is shorter."""
_MAX_SPELT = 40
_MAX_TYPING_ERRORS = 3
"""Unknown Latin words of one question up to which they may be typing errors; more are an error message or another language."""
_LONG_LATIN = 8
"""Letters from which a Latin word may have two errors."""
_MIN_TYPO = 5
_MIN_SPELT_TYPO = 6
_WINDOW = 8
_FIRM = 3
"""Characters from which a word is told by its sound alone; two must share one of them with what was typed."""
_PLACES = frozenset("中里上下内外前后时间旁")
"""They end what a person says of a thing (群中, 报销时) and are a word of their own there, not the last character of a mistyped one."""
_MEASURES = frozenset("大小多少高低长短新旧好坏")
"""They stand before and after anything, so that sharing one tells nothing of which word of two characters was meant."""
_LONG = 5
"""Characters from which a word is known with one of them missing."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What replaces `normal[start:end]`."""

    start: int
    end: int
    words: str


def correct(text: str, lexicon: Lexicon, cut: Segmenter, known: Callable[[str], bool]) -> str | None:
    """Return the question as it was meant, or None when nothing can be corrected with confidence.

    `known` tells whether the index knows a word, or Han characters side by side. What is not corrected stays as it was typed.
    """
    normal = normalise(text)
    changes = [*_latin(normal.text, lexicon, known), *_han(normal.text, lexicon, cut, known)]
    if not changes:
        return None
    pieces, at = [], 0
    for change in sorted(changes, key=lambda change: change.start):
        start, end = normal.source_span(change.start, change.end)
        pieces += [text[at:start], change.words]
        at = end
    return "".join([*pieces, text[at:]]).strip()


def _latin(normal: str, lexicon: Lexicon, known: Callable[[str], bool]) -> Iterator[_Change]:
    """Return the changes of Latin words."""
    rows = _unknown_rows(normal, known)
    alone = sum(1 for _ in runs(normal)) == 1
    typos = sum(map(len, rows)) <= _MAX_TYPING_ERRORS
    for row in rows:
        last = next(runs(normal[row[-1].end() :]), None) is None
        if meant := _from_pinyin("".join(word.group() for word in row), lexicon, last=last):
            yield _Change(row[0].start(), row[-1].end(), meant)
            continue
        found = {
            word: _from_pinyin(word.group(), lexicon, last=last and word is row[-1]) or _from_initials(word.group(), lexicon, editors_only=not alone)
            for word in row
        }
        if normal.isascii() and not all(found.values()):
            found = {}  # a sentence in pinyin is understood as a whole or not at all
        for word in row:
            if meant := found.get(word) or (_from_typing_error(word.group(), lexicon, spelt=len(row) == 1) if typos else None):
                yield _Change(word.start(), word.end(), meant)


def _unknown_rows(normal: str, known: Callable[[str], bool]) -> list[list[re.Match[str]]]:
    """Return the rows of unknown Latin words, each with nothing but space between them; a row with keyboard noise is none."""
    rows: list[list[re.Match[str]]] = []
    at = 0
    for kind, run in runs(normal):
        start = normal.index(run, at)
        at = start + len(run)
        word = _LETTERS.fullmatch(normal, start, at)
        if kind != "code" or word is None or (len(run) > 1 and known(run)):
            continue
        if rows and _BETWEEN.fullmatch(normal, rows[-1][-1].end(), start):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [row for row in rows if not any(len(word.group()) > 1 and is_noise(word.group()) for word in row)]


def _from_pinyin(typed: str, lexicon: Lexicon, *, last: bool) -> str | None:
    """Return the words that letters spell from end to end, None unless they ask for something. `last`: nothing follows, so that a particle may end them."""
    letters = typed.replace("'", "").replace("ü", "v")
    if not 2 < len(letters) <= _MAX_LETTERS:  # noqa: PLR2004 - two letters are an abbreviation
        return None
    words = _readings_up_to(letters, lexicon, last=last)[-1]
    return "".join(words) if _asks(words, lexicon) else None


def beginnings(letters: str, lexicon: Lexicon) -> list[tuple[str, str]]:
    """Return the words that the first letters of pinyin spell and the letters that are left, most left first: fapiaoch → 发票, ch."""
    found = enumerate(_readings_up_to(letters[:_MAX_LETTERS], lexicon, last=False))
    return [("".join(words), letters[end:]) for end, words in found if words and _asks(words, lexicon)]


def _readings_up_to(letters: str, lexicon: Lexicon, *, last: bool) -> list[tuple[str, ...]]:
    """Return for each number of first letters, from 0, the likeliest words that they spell; () where they spell none."""
    best: list[tuple[float, tuple[str, ...]] | None] = [(0.0, ())] + [None] * len(letters)
    for end in range(1, len(letters) + 1):
        for start in range(max(0, end - _MAX_SPELT), end):
            before = best[start]
            if before is None or letters[start] in "iuv":
                continue
            for word, cost in _ways(letters[start:end], lexicon, last=last and end == len(letters)):
                current = best[end]
                if current is None or before[0] + cost < current[0]:
                    best[end] = (before[0] + cost, (*before[1], word))
    return [() if way is None else way[1] for way in best]


def _asks(words: tuple[str, ...], lexicon: Lexicon) -> bool:
    """Tell whether words that letters spell are a question: names or question words, with few single characters between them."""
    filling = [len(word) == 1 and word not in lexicon.functional for word in words]
    if any(one and other for one, other in pairwise(filling)):
        return False
    content = sum(len(word) > 1 and word not in lexicon.functional for word in words)
    return sum(filling) <= content and (content > 0 or any(len(word) > 1 and word in lexicon.asking for word in words))


def _ways(way: str, lexicon: Lexicon, *, last: bool) -> Iterator[tuple[str, float]]:
    """Return the words that a stretch of letters may be, with costs that prefer few words, names and exact sounds; single characters only join words."""
    if last and (particle := lexicon.particle_by_sound.get(way)):
        yield particle, 1.4
    blur = blurred(way)
    for functional, cost in ((lexicon.functional_by_sound.get(way), 1.0), (lexicon.functional_by_blurred_sound.get(blur), 1.3)):
        if functional:
            yield functional, cost if len(functional) > 1 else cost + 0.5
    for entries, cost in ((lexicon.by_sound.get(way), 1.0), (lexicon.by_blurred_sound.get(blur), 1.2)):
        if entries:
            yield entries[0].word, cost + (0 if entries[0].trusted else 0.4) + 0.2 / (1 + entries[0].weight)
    if char := lexicon.character_by_sound.get(way):
        yield char, 2.5


def _from_initials(typed: str, lexicon: Lexicon, *, editors_only: bool) -> str | None:
    """Return the name that letters abbreviate. Among other words only an editors' word of three and more letters without a vowel is meant."""
    if editors_only and (len(typed) < _FIRM or set(typed) & set("aeiou")):
        return None
    found = [entry for entry in lexicon.by_initials.get(typed, []) if entry.editors or not editors_only]
    if not found or (len(typed) < _FIRM and len(found) > 1 and found[0].weight < 2 * found[1].weight):
        return None
    return found[0].word


def _from_typing_error(typed: str, lexicon: Lexicon, *, spelt: bool) -> str | None:
    """Return the Latin word or, with `spelt`, the Han word whose pinyin is next to what was typed."""
    if len(typed) < _MIN_TYPO:
        return None
    sizes = range(len(typed) - 2, len(typed) + 3)
    most = 2 if len(typed) >= _LONG_LATIN else 1
    near = [
        (away, -entry.weight, entry.word)
        for size in sizes
        for entry in lexicon.latin_by_size.get((typed[0], size), [])
        if (away := distance(typed, entry.word, most)) <= most
    ]
    if near:
        return min(near)[2]
    if not spelt or len(typed) < _MIN_SPELT_TYPO:
        return None
    sounding = [
        (-entry.weight, entry.word) for size in sizes[1:-1] for way, entry in lexicon.spelt_by_size.get((typed[0], size), []) if distance(typed, way, 1) <= 1
    ]
    return min(sounding)[1] if sounding else None


def distance(one: str, other: str, most: int) -> int:
    """Return how many letters were missed, added, changed or exchanged with their neighbour (optimal string alignment); `most` + 1 for more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, against in enumerate(other, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (char != against))
            if i > 1 and j > 1 and char == other[j - 2] and one[i - 2] == against:
                least = min(least, earlier[j - 2] + 1)
            row.append(least)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


@dataclass(frozen=True, slots=True)
class _Run:
    """A Han run by its characters: which word each belongs to, and which word is loose, functional or known."""

    text: str
    word_at: tuple[int, ...]
    words: tuple[str, ...]
    loose: tuple[bool, ...]
    functional: tuple[bool, ...]
    strange: tuple[bool, ...]
    """strange[i]: characters i and i + 1 stand nowhere side by side."""


def _han(normal: str, lexicon: Lexicon, cut: Segmenter, known: Callable[[str], bool]) -> Iterator[_Change]:
    """Return the changes of Han runs."""
    at = 0
    for kind, text in runs(normal):
        start = normal.index(text, at)
        at = start + len(text)
        if kind == "han" and len(text) > 1:
            run = _read(text, lexicon, cut, known)
            taken = 0
            for change in sorted(_windows(run, lexicon, known), key=lambda change: (change.start, -change.end)):
                if change.start >= taken:
                    taken = change.end
                    yield _Change(start + change.start, start + change.end, change.words)


def _read(text: str, lexicon: Lexicon, cut: Segmenter, known: Callable[[str], bool]) -> _Run:
    words = tuple(cut.cut(text))
    functional = tuple(word in lexicon.functional for word in words)
    loose = tuple(len(word) == 1 and word not in lexicon.functional and word not in lexicon.common for word in words)
    word_at = tuple(at for at, word in enumerate(words) for _ in word)
    strange = tuple(word_at[i] != word_at[i + 1] and not known(text[i : i + 2]) for i in range(len(text) - 1)) if any(loose) else ()
    return _Run(text, word_at, words, loose, functional, strange)


def _windows(run: _Run, lexicon: Lexicon, known: Callable[[str], bool]) -> Iterator[_Change]:
    """Return the changes of windows that hold a loose character in a strange place, for the longest window at each place."""
    text = run.text
    if not any(run.strange):
        return
    for start in range(len(text) - 1):
        if start and run.word_at[start - 1] == run.word_at[start]:
            continue
        for end in range(min(len(text), start + _WINDOW), start + 1, -1):
            if end < len(text) and run.word_at[end] == run.word_at[end - 1]:
                continue
            inside = set(run.word_at[start:end])
            if not any(run.strange[start : end - 1]) or not any(run.loose[word] for word in inside) or any(run.functional[word] for word in inside):
                continue
            if known(text[start:end]):
                continue
            meant = _meant(text[start:end], lexicon, apart=len(inside) == end - start)
            if meant and _mends(text[start:end], meant, run.strange[start : end - 1], lexicon.common):
                yield _Change(start, end, meant)
                break


def _meant(typed: str, lexicon: Lexicon, *, apart: bool) -> str | None:
    """Return the word that a window was meant to be. `apart`: no two of its characters are a word."""
    for sound, by_sound in ((str, lexicon.by_sound), (blurred, lexicon.by_blurred_sound)):
        for way in spellings(typed):
            for entry in by_sound.get(sound(way), []):
                if len(entry.word) == len(typed) and (len(typed) >= _FIRM or (apart and _shared(typed, entry.word))):
                    return entry.word
    if len(typed) < _FIRM:
        return None
    found = {entry.word: entry for entry in _with_one_wrong(typed, lexicon)}
    found |= {word: lexicon.words[word][0] for word in _rearranged(typed) if word in lexicon.words and lexicon.words[word][0].trusted}
    if len(typed) >= _LONG - 1:
        found |= {entry.word: entry for at in range(1, len(typed)) for entry in lexicon.by_gap.get((typed[:at], at, typed[at:]), [])}
    return next(iter(found)) if len(found) == 1 else None


def _mends(typed: str, meant: str, strange: Sequence[bool], common: Collection[str]) -> bool:
    """Tell whether a change touches a place where two characters stand nowhere side by side, and leaves alone what is a word of its own at the edge."""
    if len(typed) < len(meant):
        gap = next(at for at, char in enumerate(meant) if typed[at : at + 1] != char)
        return any(strange[max(0, gap - 1) : gap])
    altered = [at for at, (char, against) in enumerate(zip(typed, meant, strict=True)) if char != against]
    if typed[0] != meant[0] and typed[0] in common:
        return False
    if typed[-1] != meant[-1] and (typed[-1] in common or typed[-1] in _PLACES):
        return False
    return any(any(strange[max(0, at - 1) : at + 1]) for at in altered)


def _shared(one: str, other: str) -> bool:
    return any(char == against and char not in _MEASURES for char, against in zip(one, other, strict=True))


def _with_one_wrong(typed: str, lexicon: Lexicon) -> Iterator[Entry]:
    """Return the words of four and more characters that differ in one which sounds nearly the same: one letter more, less or other."""
    if len(typed) <= _FIRM:
        return
    for at, char in enumerate(typed):
        for entry in lexicon.by_gap.get((typed[:at], at, typed[at + 1 :]), []):
            if any(distance(one, other, 1) <= 1 for one in readings(char) for other in readings(entry.word[at])):
                yield entry


def _rearranged(typed: str) -> Iterator[str]:
    """Return the word with two neighbours exchanged."""
    return (typed[:at] + typed[at + 1] + typed[at] + typed[at + 2 :] for at in range(len(typed) - 1))
