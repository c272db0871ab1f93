"""What a person typed, read the way search reads it: weighted terms to look for, and the content words that an answer must cover."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from indexer import ranking
from indexer.backend import Sought, WeightedTerm
from indexer.segment import runs
from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from indexer.segment import Segmenter
    from indexer.vocabulary import Vocabulary

MAX_CHARACTERS = 400
"""Characters of a question that are searched; the rest is cut, and the page says so."""
_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890", "abcdefghijklmnopqrstuvwxyz")
_NOT = "不"
_NEGATIONS = frozenset("不 没 没有 无法 不能 不了 不到 不是 不会 不可以 不行 别".split())  # noqa: SIM905
"""Words that turn a wish around: 能撤回吗 and 不能撤回 are two questions, though both are about 撤回."""
_LACKS = frozenset("没 没有 无 未 没得".split())  # noqa: SIM905
"""Negations that say that something is not there or has not happened."""
EITHER_OR = re.compile(r"([\u4e00-\u9fff])[不没]\1")
"""能不能, 要不要, 有没有: a question, no negation."""
Counts = dict[tuple[ranking.Stream, str], int]
"""In how many sections a term stands."""
_Piece = tuple[str, str, list[str]]
"""A run of the question: han or code, its text, its words."""
_AMOUNT = re.compile(r"(?:\d+(?:\.\d+)?|[一二两三四五六七八九十百千万几]+)多?(?:块钱|块|元)")
"""300块, 五千元: the person's own sum, which no article holds; searched, but no part of what is asked."""
_LONG_NUMBER = 8
"""Digits from which a bare number is somebody's document or invoice, not a question."""


class Denied(NamedTuple):
    """A content word that is turned around: by what says that it is lacking (没, 没有, 无), or by another negation (不)."""

    word: str
    lacking: bool


@dataclass(frozen=True, slots=True)
class Question:
    """A question as search sees it.

    `content` holds its distinct content words in order (stop and question words left out), `synonyms` what else each may be called.
    `denied` are the content words that a small word before them turns around (没票: 票, a lack; 不报), which that word itself, left out, does not show.
    `fillers` are the content words that say nothing of the matter beside the others (这破系统), `aside` they and what else a section may lack and answer
    all the same.
    `terms` are those of the words typed, `alternatives` those that only synonyms add, `characters` the single characters inside its longer Han runs, which
    count only where they are rare.
    `key` is equal for questions that differ only in order, politeness, question words, script or two-way synonyms; "" when nothing is asked.
    `sought` is what an index looks for, `counts` in how many of its sections each term stands; None while no index has read it.
    `text` is what was typed; `corrected` is what it was read as when that is another wording (see `spelling`), and all else follows from it.
    """

    text: str
    cut: bool
    content: tuple[str, ...]
    synonyms: dict[str, tuple[str, ...]]
    terms: tuple[WeightedTerm, ...]
    alternatives: tuple[WeightedTerm, ...]
    characters: tuple[WeightedTerm, ...]
    key: str
    corrected: str | None = None
    denied: tuple[Denied, ...] = ()
    fillers: frozenset[str] = frozenset()
    aside: frozenset[str] = frozenset()
    sought: Sought | None = field(default=None, compare=False, repr=False)
    counts: Counts | None = field(default=None, compare=False, repr=False)

    @property
    def empty(self) -> bool:
        """True when nothing is asked: only stop words, punctuation, keyboard noise or a bare long number."""
        return not self.key

    @property
    def marks(self) -> tuple[str, ...]:
        """The words to mark in a hit."""
        return (*self.content, *(other for others in self.synonyms.values() for other in others))


def read(text: str, vocabulary: Vocabulary, segmenter: Segmenter) -> Question:
    """Return `text` as a question. Only its first 400 characters count."""
    asked = text[:MAX_CHARACTERS]
    normal = normalise(asked).text
    pieces = [(kind, run, segmenter.cut(run)) for kind, run in runs(normal)]
    asking = _AMOUNT.sub(" ", EITHER_OR.sub(" ", normal))
    meant = [words for _, _, words in pieces] if asking == normal else [segmenter.cut(run) for _, run in runs(asking)]
    said = "".join(run for _, run, _ in pieces)
    content = () if _nothing_but(vocabulary, said) else tuple(dict.fromkeys(word for words in meant for word in _content(words, vocabulary.functional)))
    content = _with_phrases(content, normal, vocabulary)
    fillers = _fillers(content, vocabulary.filler)
    synonyms = {word: others for word in (*content, " ".join(normal.split())) if (others := vocabulary.also(word))}
    key = _key(tuple(word for word in content if word not in fillers), vocabulary, denied=any(word in _NEGATIONS for words in meant for word in words))
    terms = _terms(pieces, vocabulary, segmenter)
    alternatives = _alternatives(terms, synonyms, segmenter)
    denied = tuple(_denied(meant, content, vocabulary.functional))
    return Question(
        asked,
        len(text) > MAX_CHARACTERS,
        content,
        synonyms,
        terms,
        alternatives,
        _characters(pieces, vocabulary),
        key,
        denied=denied,
        fillers=fillers,
        aside=_aside(pieces, fillers, vocabulary),
    )


def _key(content: tuple[str, ...], vocabulary: Vocabulary, *, denied: bool) -> str:
    if all(map(is_noise, content)):
        return ""
    return " ".join(sorted({_canonical(word, vocabulary) for word in content} | ({_NOT} if denied else set())))


def _with_phrases(content: tuple[str, ...], normal: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the content words with each name of several Latin words as one: i can't log in → log in."""
    for phrase, place in vocabulary.phrases:
        if place.search(normal):
            parts = phrase.split()
            at = next((at for at, word in enumerate(content) if word in parts), len(content))
            kept = [word for word in content if word not in parts]
            content = (*kept[:at], phrase, *kept[at:])
    return content


def _fillers(content: tuple[str, ...], filler: frozenset[str]) -> frozenset[str]:
    """Return the words that say nothing of the matter (这破系统) where another one does, none where none does."""
    return filler.intersection(content) if not filler.issuperset(content) else frozenset()


def _aside(pieces: list[_Piece], fillers: frozenset[str], vocabulary: Vocabulary) -> frozenset[str]:
    """Return the fillers, and the pairs of characters that lie within fillers, stop and question words."""
    said = vocabulary.functional | fillers
    found = set(fillers)
    for run, words in ((run, words) for kind, run, words in pieces if kind == "han"):
        beside = [word in said for word in words for _ in word]
        found.update(run[at : at + 2] for at in range(len(run) - 1) if beside[at] and beside[at + 1])
    return frozenset(found)


def _denied(runs_of_words: Iterable[list[str]], content: tuple[str, ...], functional: frozenset[str]) -> Iterator[Denied]:
    """Return the content words before which a negation stands that is no content word itself, with other small words between them at most (没能提交)."""
    for words in runs_of_words:
        by = ""
        for word in words:
            if word in functional:
                by = word if word in _NEGATIONS or word in _LACKS else by
            else:
                if by and (meant := next((one for one in content if one.startswith(word)), None)):
                    yield Denied(meant, by in _LACKS)
                by = ""


def _nothing_but(vocabulary: Vocabulary, said: str) -> bool:
    """Tell whether a text without its gaps is stop and question words from end to end, however the dictionary cuts it: 有人吗, 多少钱."""
    reached = {0}
    for at in range(len(said)):
        if at in reached:
            reached.update(at + length for length in range(1, vocabulary.longest + 1) if said[at : at + length] in vocabulary.functional)
        elif at > max(reached):
            return False
    return len(said) in reached


def _content(words: list[str], functional: frozenset[str]) -> list[str]:
    """Return the words of one run that carry meaning. Neighbouring single characters are one word that the dictionary lacks: 年|假 is 年假."""
    found: list[str] = []
    growing = False
    for word in words:
        if word in functional:
            growing = False
        elif len(word) == 1 and not word.isascii():
            if growing:
                found[-1] += word
            else:
                found.append(word)
            growing = True
        else:
            found.append(word)
            growing = False
    return found


def _canonical(word: str, vocabulary: Vocabulary) -> str:
    """Return one name for a word and its two-way synonyms."""
    return min([word, *(other for other in vocabulary.also(word) if word in vocabulary.synonyms.get(other, ()))])


def _terms(pieces: list[_Piece], vocabulary: Vocabulary, segmenter: Segmenter) -> tuple[WeightedTerm, ...]:
    """Return the distinct terms of a question with their weights; the first mention of a term decides."""
    found: dict[tuple[ranking.Stream, str], float] = {}
    stop, question, light = vocabulary.stop, vocabulary.question, vocabulary.light
    whole = (word for kind, run, words in pieces for word in (words if kind == "han" else [run]))
    for part in (part for word in whole for part in segmenter.parts(word)):
        if part not in stop:
            found.setdefault(("words", part), ranking.QUESTION_WORD if part in question else 1.0)
    han = [run for kind, run, _ in pieces if kind == "han"]
    for pair in (run[i : i + 2] for run in han for i in range(len(run) - 1)):
        if pair not in stop:
            found.setdefault(("pairs", pair), ranking.QUESTION_WORD if pair in light else 1.0)
    for run in han:
        if len(run) == 1 and run not in vocabulary.functional:
            found.setdefault(("chars", run), 1.0)
    return tuple(WeightedTerm(stream, term, weight) for (stream, term), weight in found.items())


def _alternatives(terms: tuple[WeightedTerm, ...], synonyms: dict[str, tuple[str, ...]], segmenter: Segmenter) -> tuple[WeightedTerm, ...]:
    """Return the words of synonyms that were not typed themselves."""
    if not synonyms:
        return ()
    typed = {term.text for term in terms if term.stream == "words"}
    others = dict.fromkeys(word for meant in synonyms.values() for other in meant for word in segmenter.terms(other).words)
    return tuple(WeightedTerm("words", word, ranking.SYNONYM) for word in others if word not in typed)


def _characters(pieces: list[_Piece], vocabulary: Vocabulary) -> tuple[WeightedTerm, ...]:
    alone = {run for _, run, _ in pieces if len(run) == 1}
    found = (char for kind, run, _ in pieces if kind == "han" and len(run) > 1 for char in run)
    return tuple(WeightedTerm("chars", char) for char in dict.fromkeys(found) if char not in vocabulary.functional and char not in alone)


def is_noise(word: str) -> bool:
    """Tell whether a word asks nothing: a single letter, one sign repeated, a walk over the keyboard, or a bare long number."""
    if not word.isascii():
        return False
    if len(word) == 1 or len(set(word)) == 1 or (word.isdigit() and len(word) >= _LONG_NUMBER):
        return True
    return len(word) > 2 and any(word in row or word in row[::-1] for row in _KEYBOARD)  # noqa: PLR2004 - two letters are an abbreviation
