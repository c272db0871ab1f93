"""Search and decide: from a person's words to hits with snippets and a verdict with its reason. Reads the index only; writes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from indexer.published import EVERYONE
from indexer.snippet import marked, snippet
from indexer.text import folded
from kb.search.answerability import Decision, Evidence, Verdict, Word, decide, degree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from indexer.article import Article, Section
    from indexer.published import Place, Published
    from indexer.question import Question

LIMIT = 10
_BEST_OF = 3
"""Hits among which the section that covers the question best is looked for."""
_LAST_LATIN = re.compile(r"[a-z0-9]{2,}$")


@dataclass(frozen=True, slots=True)
class Hit:
    """A section that was found, ready to show: `heading` and `snippet` are escaped HTML with `<mark>`."""

    article: Article
    section: Section
    score: float
    heading: str
    snippet: str

    @property
    def path(self) -> str:
        """Where it is read: /a/module/slug#anchor."""
        return f"/a/{self.article.id}{'#' if self.section.anchor else ''}{self.section.anchor}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question by one build. `best` is the section that answers it, only when the verdict is `answered`."""

    question: Question
    decision: Decision
    hits: tuple[Hit, ...]
    build: str

    @property
    def verdict(self) -> Verdict:
        """The decision's verdict."""
        return self.decision.verdict

    @property
    def best(self) -> Hit | None:
        """The first hit when it answers the question."""
        return self.hits[0] if self.hits and self.verdict is Verdict.ANSWERED else None


def answer(
    published: Published, text: str, *, limit: int = LIMIT, module: str | None = None, audience: frozenset[str] = EVERYONE, typing: bool = False
) -> Answer:
    """Search `text` and decide whether the best section answers it.

    `typing` adds completions of the last Latin word to the hits; the verdict never depends on it, so that a search and its intent agree.
    """
    question = published.read(text)
    ranked = published.search(question, limit=max(limit, _BEST_OF), module=module, audience=audience)
    places = [published.sections[hit.position] for hit in ranked]
    exact = published.written_for(question.text, module, audience)
    if exact is not None:
        places = _with_first(places, exact, published)
        decision = decide(Evidence(_words(published, question, places[0]), exact=True))
    else:
        decision, best = _best_of(published, question, places[:_BEST_OF])
        if decision.verdict is Verdict.ANSWERED:
            places.insert(0, places.pop(best))
    if typing and (prefix := _LAST_LATIN.search(folded(question.text))):
        ranked = published.search(question, limit=limit, module=module, audience=audience, prefix=prefix.group())
        first = places[:1] if decision.verdict is Verdict.ANSWERED else []
        places = [*first, *(place for hit in ranked if (place := published.sections[hit.position]) not in first)]
    scores = {published.sections[hit.position]: hit.score for hit in ranked} if places else {}
    hits = tuple(_hit(place, question, scores.get(place, 0.0)) for place in places[:limit])
    return Answer(question, decision, hits, published.id)


def _with_first(places: list[Place], article: Article, published: Published) -> list[Place]:
    """Put the asked-for article's best section first; its lead section when no section of it was found."""
    own = next((place for place in places if place.article is article), None)
    first = own or next(place for place in published.sections if place.article is article)
    return [first, *(place for place in places if place is not first)]


def _best_of(published: Published, question: Question, places: list[Place]) -> tuple[Decision, int]:
    """Return the decision on the place that covers the question best, and its rank; earlier ones win ties."""
    best, at = decide(Evidence((), asks=not question.empty)), 0
    for rank, place in enumerate(places):
        decision = decide(Evidence(_words(published, question, place), asks=not question.empty))
        if rank == 0 or decision.score > best.score + 0.05:
            best, at = decision, rank
    if not places and not question.empty:
        best = decide(Evidence(tuple(Word(word, published.idf(word), 0.0) for word in question.content)))
    return best, at


def _words(published: Published, question: Question, place: Place) -> tuple[Word, ...]:
    """Return the evidence of one section: how well it covers each content word."""
    title, body = _surface(place.article, place.section)
    found = []
    for word in question.content:
        others = question.synonyms.get(word, ())
        value = degree(
            title=_stands(word, title),
            body=_stands(word, body),
            synonym_title=any(_stands(other, title) for other in others),
            synonym_body=any(_stands(other, body) for other in others),
            part=_part(word, f"{title}\n{body}"),
        )
        found.append(Word(word, published.idf(word), value))
    return tuple(found)


@lru_cache(maxsize=4096)
def _surface(article: Article, section: Section) -> tuple[str, str]:
    """Return the normalised text that names what a section answers (title, heading, similar questions) and the text of its body."""
    asked = article.questions if section is article.sections[0] else ()
    return folded("\n".join([article.title, section.heading, *asked])), folded(section.text)


def _stands(word: str, text: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text) is not None


def _part(word: str, text: str) -> float:
    """Return which share of a Han word's character pairs stands in a text."""
    pairs = [word[i : i + 2] for i in range(len(word) - 1)]
    return sum(pair in text for pair in pairs) / len(pairs) if pairs and not word.isascii() else 0.0


def _hit(place: Place, question: Question, score: float) -> Hit:
    section = place.section
    heading = section.heading or place.article.title
    text = section.text
    return Hit(place.article, section, score, marked(heading, question.marks), snippet(text, _visible_marks(question.marks)))


def _visible_marks(marks: Iterable[str]) -> tuple[str, ...]:
    """Leave single characters unmarked when there are longer words: marks on 传 or 到 alone only distract."""
    words = tuple(marks)
    longer = tuple(word for word in words if len(word) > 1)
    return longer or words
