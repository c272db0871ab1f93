"""What a person typed, read the way search reads it: weighted terms to look for, and the content words that an answer must cover."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from indexer import ranking
from indexer.backend import Stream, WeightedTerm
from indexer.segment import runs
from indexer.text import folded, normalise

if TYPE_CHECKING:
    from indexer.segment import Segmenter
    from indexer.vocabulary import Vocabulary

MAX_CHARACTERS = 400
"""Characters of a question that are searched; the rest is cut, and the page says so."""
_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890", "abcdefghijklmnopqrstuvwxyz")
_NOT = "不"
_NEGATIONS = frozenset("不 没 没有 无法 不能 不了 不到 不是 不会 不可以 不行 别".split())  # noqa: SIM905
"""Words that turn a wish around: 能撤回吗 and 不能撤回 are two questions, though both are about 撤回."""
_EITHER_OR = re.compile(r"([\u4e00-\u9fff])[不没]\1")
"""能不能, 要不要, 有没有: a question, no negation."""
_LONG_NUMBER = 8
"""Digits from which a bare number is somebody's document or invoice, not a question."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question as search sees it.

    `content` holds its distinct content words in order (stop and question words left out), `synonyms` what else each may be called.
    `key` is equal for questions that differ only in order, politeness, question words, script or two-way synonyms; "" when nothing is asked.
    `text` is what was typed; `corrected` is what it was read as when that is another wording (see `spelling`), and all else follows from it.
    """

    text: str
    cut: bool
    content: tuple[str, ...]
    synonyms: dict[str, tuple[str, ...]]
    terms: tuple[WeightedTerm, ...]
    key: str
    corrected: str | None = None

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
    functional = vocabulary.stop | vocabulary.question
    words = segmenter.cut(_EITHER_OR.sub(" ", normalise(asked).text))
    content = () if _nothing_but(functional, asked) else tuple(dict.fromkeys(_content(words, functional)))
    synonyms = {word: vocabulary.synonyms[word] for word in content if word in vocabulary.synonyms}
    whole = folded(asked)
    if whole in vocabulary.synonyms:
        synonyms[whole] = vocabulary.synonyms[whole]
    meant = [word for word in content if not is_noise(word)]
    denied = {_NOT} if any(word in _NEGATIONS for word in words) else set()
    key = " ".join(sorted({_canonical(word, vocabulary) for word in content} | denied)) if meant else ""
    return Question(asked, len(text) > MAX_CHARACTERS, content, synonyms, _terms(asked, synonyms, vocabulary, segmenter), key)


def _nothing_but(functional: frozenset[str], text: str) -> bool:
    """Tell whether a text is stop and question words from end to end, however the dictionary cuts it: 有人吗, 多少钱."""
    said = "".join(run for _, run in runs(normalise(text).text))
    longest = max(map(len, functional), default=0)
    reached = {0}
    for at in range(len(said)):
        if at in reached:
            reached.update(at + length for length in range(1, longest + 1) if said[at : at + length] in functional)
    return len(said) in reached


def _content(words: list[str], functional: frozenset[str]) -> list[str]:
    """Return the words that carry meaning. Neighbouring single characters are one word that the dictionary lacks: 年|假 is 年假."""
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
    return min([word, *(other for other in vocabulary.synonyms.get(word, ()) if word in vocabulary.synonyms.get(other, ()))])


def _terms(text: str, synonyms: dict[str, tuple[str, ...]], vocabulary: Vocabulary, segmenter: Segmenter) -> tuple[WeightedTerm, ...]:
    """Return the distinct terms of a question with their weights; the first mention of a term decides."""
    found: dict[tuple[Stream, str], float] = {}
    functional = vocabulary.stop | vocabulary.question
    terms = segmenter.terms(text)
    for word in terms.words:
        if word not in vocabulary.stop:
            found.setdefault(("words", word), ranking.QUESTION_WORD if word in vocabulary.question else 1.0)
    light = _light_pairs(functional)
    for pair in terms.pairs:
        if pair not in vocabulary.stop:
            found.setdefault(("pairs", pair), ranking.QUESTION_WORD if pair in light else 1.0)
    for kind, run in runs(normalise(text).text):
        if kind == "han" and len(run) == 1 and run not in functional:
            found.setdefault(("chars", run), 1.0)
    for others in synonyms.values():
        for other in others:
            for word in segmenter.terms(other).words:
                found.setdefault(("words", word), ranking.SYNONYM)
    return tuple(WeightedTerm(stream, term, weight) for (stream, term), weight in found.items())


@lru_cache(maxsize=8)
def _light_pairs(functional: frozenset[str]) -> frozenset[str]:
    """Return the character pairs that stand inside stop and question words."""
    return frozenset(word[i : i + 2] for word in functional for i in range(len(word) - 1))


def is_noise(word: str) -> bool:
    """Tell whether a word asks nothing: a single letter, one sign repeated, a walk over the keyboard, or a bare long number."""
    if not word.isascii():
        return False
    if len(word) == 1 or len(set(word)) == 1 or (word.isdigit() and len(word) >= _LONG_NUMBER):
        return True
    return len(word) > 2 and any(word in row or word in row[::-1] for row in _KEYBOARD)  # noqa: PLR2004 - two letters are an abbreviation
