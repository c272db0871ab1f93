"""Is the question answered? A pure decision from evidence that any engine can give; hit counts and engine scores do not say.

The score is the share of the question's meaning that the best section covers:
score = Σ idf(w) · degree(w) / Σ idf(w) over the content words w, with degree 1 for a word in the title, a heading or a similar question, less for the body,
a synonym, or a part of the word. Unknown words have the highest idf, so a question about something else fails by its own key word.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

VERSION = 2
"""Stored with each intent; raise it whenever the same evidence may lead to another verdict."""

ANSWERED = 0.82
"""Above what body words alone can reach: an answer is named by a title, a heading or a similar question."""
WEAK = 0.55
IN_TITLE, IN_BODY, SYNONYM_IN_TITLE, SYNONYM_IN_BODY, PARTLY = 1.0, 0.8, 0.95, 0.75, 0.4


class Verdict(StrEnum):
    """What search says of its own answer. `empty` means that nothing was asked."""

    ANSWERED = "answered"
    WEAK = "weak"
    UNANSWERED = "unanswered"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Word:
    """One content word of the question, how telling it is, and how well the section covers it (0-1)."""

    text: str
    idf: float
    degree: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a question and its best section."""

    words: tuple[Word, ...]
    asks: bool = True
    exact: bool = False
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its score (0-1) and reason."""

    verdict: Verdict
    score: float
    matched: tuple[str, ...]
    missing: tuple[str, ...]


def coverage(words: tuple[Word, ...]) -> float:
    """Return the idf-weighted share of the content words that is covered, 0 for no words."""
    total = sum(word.idf for word in words)
    return sum(word.idf * word.degree for word in words) / total if total else 0.0


def degree(*, title: bool, body: bool, synonym_title: bool, synonym_body: bool, part: float) -> float:
    """Return how well a section covers a word: where it stands, under which name, or which share of it (`part`, 0-1) stands there."""
    if title:
        return IN_TITLE
    if synonym_title:
        return SYNONYM_IN_TITLE
    if body:
        return IN_BODY
    return SYNONYM_IN_BODY if synonym_body else PARTLY * part


def decide(evidence: Evidence) -> Decision:
    """Return the verdict on a question: `empty` when it asks nothing, else by the coverage of its best section; an exact similar question is answered.

    A corrected question is `weak` at best: what was meant is a guess, and a guess may show articles but not promise that they are the answer.
    """
    matched = tuple(word.text for word in evidence.words if word.degree > PARTLY)
    missing = tuple(word.text for word in evidence.words if word.degree <= PARTLY)
    if evidence.exact:
        return Decision(Verdict.ANSWERED, 1.0, tuple(word.text for word in evidence.words), ())
    if not evidence.asks:
        return Decision(Verdict.EMPTY, 0.0, (), ())
    score = coverage(evidence.words)
    verdict = Verdict.ANSWERED if score >= ANSWERED and not evidence.corrected else Verdict.WEAK if score >= WEAK else Verdict.UNANSWERED
    return Decision(verdict, score, matched, missing)
