"""Is the question answered? A pure decision from evidence that any engine can give; hit counts and engine scores do not say.

Two things must hold. The articles must be about the *subject* of the question, and some section must answer *this* question rather than a neighbouring one:

    subject  = σ(a · ln(share) + b · ln(1 + words) + c)                            share of the attainable score; number of content words
    specific = σ(d · lead + e · coverage + f / words + g · coverage / words + h)   lead over the other articles; coverage of the content words by the section
    score    = subject · √specific

Both are logistic models with coefficients in verdict.toml; the command that fits them stands there. A product, because a question about something else
fails by its subject however far its best hit leads; few features, because they must hold for knowledge bases that nobody has seen.

`answered` asks for more than a score, because a person acts on the first hit: the section must cover the question's words by what editors *named* it
(title, heading, similar question; words in the body alone reach `weak`), and the words must be more than a topic of many articles (发票) or a character (年).
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

VERSION = 4
"""Stored with each intent; raise it whenever the same evidence may lead to another verdict."""

IN_NAME, IN_BODY, SYNONYM_IN_NAME, SYNONYM_IN_BODY, PARTLY = 1.0, 0.8, 0.95, 0.75, 0.4
"""How well a section covers a word that stands in a name (title, heading, similar question) or in its body, itself or by a synonym; or in pieces."""
_NAMED_FOREIGN = 2
_FLOOR = 0.05
"""Added below logarithms: no share is told from one of a twentieth."""


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
    """What is known of a question and its best section.

    `share`: its score as a share of what a section that holds every term would score (about 0-1, more with a similar question).
    `lead`: how far it stands above the next nine articles: 1 - mean of their best scores / its score (0-1).
    `telling`: how much the words say together, as a multiple of what one word says that no article holds. `topic`: nothing else was typed than these words.
    `turned`: the question denies (没票能报吗) what the section only affirms.
    """

    words: tuple[Word, ...]
    share: float = 0.0
    lead: float = 0.0
    telling: float = 1.0
    topic: bool = False
    asks: bool = True
    exact: bool = False
    corrected: bool = False
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its score (0-1) and reason: the words that the section covers and those that it lacks; `factors` name the numbers behind the score."""

    verdict: Verdict
    score: float
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    factors: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """Coefficients and thresholds, as verdict.toml holds them."""

    subject: dict[str, float]
    specific: dict[str, float]
    answered: float
    coverage: float
    telling: float
    weak: float

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read a model. Raises OSError, tomllib.TOMLDecodeError or KeyError for a file that is none."""
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(subject=data["subject"], specific=data["specific"], **data["thresholds"])


MODEL = Model.load(Path(__file__).with_name("verdict.toml"))


def coverage(words: tuple[Word, ...]) -> float:
    """Return the idf-weighted share of the content words that is covered, 0 for no words."""
    total = sum(word.idf for word in words)
    return sum(word.idf * word.degree for word in words) / total if total else 0.0


def subject_features(evidence: Evidence) -> dict[str, float]:
    """Return what tells whether the articles are about the subject at all."""
    return {"share": math.log(evidence.share + _FLOOR), "words": math.log1p(len(evidence.words))}


def specific_features(evidence: Evidence) -> dict[str, float]:
    """Return what tells whether one section answers this very question: of a short one it must cover nearly all."""
    covered, short = coverage(evidence.words), 1 / max(1, len(evidence.words))
    return {"lead": evidence.lead, "coverage": covered, "short": short, "covered_short": covered * short}


def probability(coefficients: dict[str, float], features: dict[str, float]) -> float:
    """Return the logistic model's value: σ(intercept + Σ coefficient · feature)."""
    logit = coefficients["intercept"] + sum(coefficients[name] * value for name, value in features.items())
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def decide(evidence: Evidence, model: Model = MODEL) -> Decision:
    """Return the verdict on a question: `empty` when it asks nothing; an exact similar question is answered; else by the score and the coverage.

    A corrected question is `weak` at best: what was meant is a guess, and a guess may show articles but not promise that they are the answer.
    So is one that denies what its section affirms: 能撤回吗 and 没能撤回 are about the same and ask for different things.
    """
    named = _telling(evidence.words)
    matched = tuple(word.text for word in named if word.degree > PARTLY)
    missing = tuple(word.text for word in named if word.degree <= PARTLY)
    if evidence.exact:
        return Decision(Verdict.ANSWERED, 1.0, tuple(word.text for word in named), ())
    if not evidence.asks:
        return Decision(Verdict.EMPTY, 0.0, (), ())
    subject = probability(model.subject, subject_features(evidence))
    specific = probability(model.specific, specific_features(evidence))
    score, covered = subject * math.sqrt(specific), coverage(evidence.words)
    if score < model.weak:
        verdict = Verdict.UNANSWERED
    elif score >= model.answered and covered >= model.coverage and _is_question(evidence, model) and not (evidence.corrected or evidence.turned):
        verdict = Verdict.ANSWERED
    else:
        verdict = Verdict.WEAK
    factors = (("share", evidence.share), ("lead", evidence.lead), ("coverage", covered), ("subject", subject), ("specific", specific))
    return Decision(verdict, score, matched, missing, factors)


def _is_question(evidence: Evidence, model: Model) -> bool:
    """Tell whether the words are more than a topic that many articles share, and more than single characters."""
    return (evidence.telling >= model.telling or not evidence.topic) and any(len(word.text) > 1 or word.text.isascii() for word in evidence.words)


def _telling(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the words that a reason names: single characters (到, 批) only where there are no longer ones, and of pasted foreign text two words."""
    foreign = [word for word in words if word.text.isascii()][_NAMED_FOREIGN:]
    return tuple(word for word in words if len(word.text) > 1 and word not in foreign) or words
