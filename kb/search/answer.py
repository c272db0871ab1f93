"""Search and decide: from a person's words to hits with snippets and a verdict with its reason. Reads the index only; writes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    heading: str
    snippet: str

    @property
    def path(self) -> str:
        """Where it is read: /a/module/slug#anchor."""
        return f"/a/{self.article.id}{'#' if self.section.anchor else ''}{self.section.anchor}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question by one build.

    `best` is the section that answers it, only when the verdict is `answered`. It stands first among the hits,
    unless these are of one module and it is of another.
    """

    question: Question
    decision: Decision
    best: Hit | None
    hits: tuple[Hit, ...]
    build: str

    @property
    def verdict(self) -> Verdict:
        """The decision's verdict."""
        return self.decision.verdict

    @property
    def others(self) -> tuple[Hit, ...]:
        """The hits below the best one."""
        return self.hits[1:] if self.best is not None and self.hits[:1] == (self.best,) else self.hits


def answer(
    published: Published, text: str, *, limit: int = LIMIT, module: str | None = None, audience: frozenset[str] = EVERYONE, typing: bool = False
) -> Answer:
    """Search `text` and decide whether the best section answers it.

    `module` narrows the hits and `typing` adds completions of the last Latin word to them. The verdict depends on neither,
    so that a search and its intent agree.
    """
    question = published.read(text)
    places = [published.sections[hit.position] for hit in published.search(question, limit=max(limit, _BEST_OF), audience=audience)]
    exact = published.written_for(question.text, audience) if question.corrected is None else None
    first: Place | None
    if exact is not None:
        first = _section_of(exact, places, published)
        decision = decide(Evidence(_words(published, question, first), exact=True))
    else:
        decision, rank = _best_of(published, question, places[:_BEST_OF])
        first = places[rank] if places else None
    best = first if decision.verdict is Verdict.ANSWERED else None
    prefix = _LAST_LATIN.search(folded(question.text)) if typing else None
    if module is not None or prefix is not None:
        narrowed = published.search(question, limit=limit, module=module, audience=audience, prefix=prefix.group() if prefix else "")
        places = [published.sections[hit.position] for hit in narrowed]
    if best is not None and module in {None, best.article.module}:
        places = [best, *(place for place in places if place is not best)]
    hits = tuple(_hit(place, question) for place in places[:limit])
    shown = None if best is None else next((hit for hit in hits if hit.section is best.section), None) or _hit(best, question)
    return Answer(question, decision, shown, hits, published.id)


def _section_of(article: Article, places: list[Place], published: Published) -> Place:
    """Return the article's section that was found first; its lead section when none was."""
    own = next((place for place in places if place.article is article), None)
    return own or next(place for place in published.sections if place.article is article)


def _best_of(published: Published, question: Question, places: list[Place]) -> tuple[Decision, int]:
    """Return the decision on the place that covers the question best, and its rank; earlier ones win ties."""
    best, at = decide(Evidence((), asks=not question.empty)), 0
    for rank, place in enumerate(places):
        decision = decide(Evidence(_words(published, question, place), asks=not question.empty, corrected=question.corrected is not None))
        if rank == 0 or decision.score > best.score + 0.05:
            best, at = decision, rank
    if not places and not question.empty:
        best = decide(Evidence(tuple(Word(word, published.idf(word), 0.0) for word in question.content)))
    return best, at


def _words(published: Published, question: Question, place: Place) -> tuple[Word, ...]:
    """Return the evidence of one section: how well it covers each content word."""
    title, body = place.names, place.text
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


def _stands(word: str, text: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text) is not None


def _part(word: str, text: str) -> float:
    """Return which share of a Han word's character pairs stands in a text."""
    pairs = [word[i : i + 2] for i in range(len(word) - 1)]
    return sum(pair in text for pair in pairs) / len(pairs) if pairs and not word.isascii() else 0.0


def _hit(place: Place, question: Question) -> Hit:
    section = place.section
    heading = section.heading or place.article.title
    text = section.text
    return Hit(place.article, section, marked(heading, question.marks), snippet(text, _visible_marks(question.marks)))


def _visible_marks(marks: Iterable[str]) -> tuple[str, ...]:
    """Leave single characters unmarked when there are longer words: marks on 传 or 到 alone only distract."""
    words = tuple(marks)
    longer = tuple(word for word in words if len(word) > 1)
    return longer or words
