"""How much each field and term counts: the additive score of a section, in one place.

score(section) = Σ over fields f, terms t of  weight(f) · weight(t) · idf(t) · tf / (tf + k1 · (1 − b + b · length / average length))
with Lucene's idf(t) = ln(1 + (N − df + ½) / (df + ½)); BM25 as in Robertson and Zaragoza (2009), fields added rather than merged.

The weights are fitted with `python -m bench.weights ../shared/eval/lecoqa ../shared/eval/d365_faq` (last on 2026-11-21), which shows what each of them does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Stream = Literal["words", "pairs", "chars"]
"""What a text is cut into: words, pairs of characters, and single ones."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the index: the stream whose terms it holds, its weight, and BM25's k1 and b."""

    name: str
    stream: Stream
    weight: float
    k1: float = 1.2
    b: float = 0.75


FIELDS = (
    Field("body_words", "words", 1.0, b=0.95),
    Field("body_pairs", "pairs", 0.5, b=0.95),
    Field("body_chars", "chars", 1.0, b=0.95),
    Field("title_words", "words", 0.8, k1=2.5, b=1.0),
    Field("title_pairs", "pairs", 0.28, k1=2.5, b=1.0),
    Field("question_words", "words", 2.5, b=0.3),
    Field("question_pairs", "pairs", 0.875, k1=1.68, b=0.3),
)
BODY_WEIGHT: dict[Stream, float] = {field.stream: field.weight for field in FIELDS if field.name.startswith("body_")}
"""What a term adds to the score of a section whose body is full of it, as a multiple of its idf."""
QUESTION_WORD = 0.3
"""Weight of 怎么, 如何, 为什么 …: they tell a how-to from a why, and little else."""
SYNONYM = 0.6
"""Weight of a word that only the editors' synonyms put into the query: below the exact word."""
FREQUENT = 0.42
"""Share of the sections from which on a single character inside a longer run tells nothing and is not searched: its list is long and decides nothing."""
MOST_FREQUENT = 5000
"""Sections from which on it is not searched however many others there are: twenty such characters cost as much as all the words of a question."""
NUMBER = 0.2
"""How much a number counts that stands in no article: an amount, a date or a document's number is the person's own, not the subject."""
MAX_FOREIGN = 2
"""Unknown Latin words that count in full; more are one pasted text (an error message, a stack trace)."""
MAX_PER_ARTICLE = 3
"""Sections of one article among the hits."""


def inverse_document_frequency(documents: int, frequency: int) -> float:
    """Return Lucene's idf: never negative, ln(1 + 2N) or so for an unknown term."""
    return math.log1p((documents - frequency + 0.5) / (frequency + 0.5))


def term_score(weight: float, frequency: float, relative_length: float, field: Field) -> float:
    """Return one posting's share of the score; `weight` already holds the idf, `relative_length` is length / average length."""
    return field.weight * weight * frequency / (frequency + field.k1 * (1 - field.b + field.b * relative_length))
