"""Search and decide: from a person's words to hits with snippets and a verdict with its reason. Reads the index only; writes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from indexer.published import EVERYONE
from indexer.question import EITHER_OR
from indexer.ranking import MAX_PER_ARTICLE
from indexer.snippet import marked, snippet
from indexer.text import bare, folded
from kb.search.answerability import IN_BODY, IN_NAME, PARTLY, SYNONYM_IN_BODY, SYNONYM_IN_NAME, Decision, Evidence, Verdict, Word, coverage, decide

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from indexer.article import Article, Section
    from indexer.backend import SearchHit
    from indexer.published import Audience, Place, Published
    from indexer.question import Denied, Question

LIMIT = 10
_BEST_OF = 3
"""Hits among which the section that covers the question best is looked for."""
_RIVALS = 9
_WEIGHED = (_RIVALS + 1) * MAX_PER_ARTICLE
"""Hits that are enough to hold the best one's rivals, however many sections of one article are among them."""
_CLEARLY = 0.05
"""Coverage by which a later hit must be better to be taken for the answer."""
_LEAST = 0.1
"""Least attainable score: what holds nothing but stop words has none."""


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
    unless these are of one module and it is of another. `unfinished`: the last word is still being typed, so that the verdict
    is too early to be told; the hits are those of the words that it may become.
    """

    question: Question
    decision: Decision
    best: Hit | None
    hits: tuple[Hit, ...]
    build: str
    unfinished: bool = False

    @property
    def verdict(self) -> Verdict:
        """The decision's verdict."""
        return self.decision.verdict

    @property
    def others(self) -> tuple[Hit, ...]:
        """The hits below the best one."""
        return self.hits[1:] if self.best is not None and self.hits[:1] == (self.best,) else self.hits


def answer(published: Published, text: str, *, limit: int = LIMIT, module: str | None = None, audience: Audience = EVERYONE, typing: bool = False) -> Answer:
    """Search `text` and decide whether the best section answers it.

    `module` narrows the hits and with `typing` they are also those of the words that a last Latin word may become, in letters or in
    pinyin. The verdict depends on neither, so that a search and its intent agree.
    """
    question = published.read(text, audience)
    hits = published.search(question, limit=max(limit, _WEIGHED), audience=audience)
    places = [published.sections[hit.position] for hit in hits]
    exact = None if question.corrected is not None else published.written_for(question.text, audience) or published.meant_by(question, audience)
    first: Place | None
    if exact is not None:
        first = _section_of(exact, places, published)
        decision = decide(Evidence(_words(question, published.telling(question), first), exact=True))
    else:
        evidence, first = weigh(published, question, hits)
        decision = decide(evidence)
    decision = replace(decision, missing=published.unsaid(question, decision.missing, audience))
    best = first if decision.verdict is Verdict.ANSWERED else None
    completion = published.completing(question) if typing else None
    asked, completed = (question, ()) if completion is None else (published.read(completion.head, audience), completion.words)
    if module is not None or completion is not None:
        narrowed = published.search(asked, limit=limit, module=module, audience=audience, completed=completed)
        places = [published.sections[hit.position] for hit in narrowed]
    if best is not None and module in {None, best.article.module}:
        places = [best, *(place for place in places if place is not best)]
    marks = (*asked.marks, *completed)
    listed = tuple(_hits(places[:limit], marks))
    shown = None if best is None else next((hit for hit in listed if hit.section is best.section), None) or next(_hits([best], marks))
    return Answer(question, decision, shown, listed, published.id, unfinished=completion is not None and completion.unfinished)


def as_json(said: Answer, base_url: str) -> dict[str, Any]:
    """Return an answer in the form of the contract; hits whatever the verdict, the best section's HTML only when it is answered.

    `unfinished` is there, and true, only while the verdict is too early.
    """
    body: dict[str, Any] = {
        "query": said.question.text,
        "verdict": said.verdict.value,
        "reason": {"matched": list(said.decision.matched), "missing": list(said.decision.missing)},
        "hits": [
            {
                "article": hit.article.id,
                "anchor": hit.section.anchor,
                "title": hit.article.title,
                "heading": hit.section.heading,
                "module": hit.article.module,
                "url": f"{base_url}{hit.path}",
                "snippet": hit.snippet,
            }
            for hit in said.hits
        ],
        "corrected": said.question.corrected,
    }
    if said.best is not None and said.hits[:1] == (said.best,):
        body["answer"] = said.best.section.html
    return body | {"unfinished": True} if said.unfinished else body


def _section_of(article: Article, places: list[Place], published: Published) -> Place:
    """Return the article's section that was found first; its lead section when none was."""
    own = next((place for place in places if place.article is article), None)
    return own or next(place for place in published.sections if place.article is article)


def weigh(published: Published, question: Question, hits: Sequence[SearchHit]) -> tuple[Evidence, Place | None]:
    """Return the evidence for the one of the first three hits that covers the question best, and its place; earlier ones win near ties.

    Where the question denies something (没发票能报吗), one that denies it too comes before all that only affirm it. Its fillers help to choose; the evidence
    leaves them out.
    """
    telling = published.telling(question)
    best, words, turned = None, tuple(Word(word, idf, 0.0) for word, idf in telling.items()), False
    for hit in hits[:_BEST_OF]:
        place = published.sections[hit.position]
        found, affirms = _words(question, telling, place), not all(_denies(place, denied, question) for denied in question.denied)
        if best is None or (turned and not affirms) or (turned == affirms and coverage(found) > coverage(words) + _CLEARLY):
            best, words, turned = place, found, affirms
    share = hits[0].score / max(published.attainable(question), _LEAST) if hits else 0.0
    words = tuple(word for word in words if word.text not in question.fillers)
    said = sum(word.idf for word in words) / published.most_telling
    topic = bare(question.text) == bare("".join(question.content))
    evidence = Evidence(words, share, _lead(published, hits), said, topic, asks=not question.empty, corrected=question.corrected is not None, turned=turned)
    return evidence, best


def _denies(place: Place, denied: Denied, question: Question) -> bool:
    """Tell whether a section, or what names its article, denies a word too: a negation stands just before it or just after it in a clause."""
    text = EITHER_OR.sub(" ", "\n".join([place.names, *map(folded, place.article.questions), place.body.text]))
    return any(_denying(name, lacking=denied.lacking).search(text) for name in (denied.word, *question.synonyms.get(denied.word, ())))


@lru_cache(maxsize=4096)
def _denying(word: str, *, lacking: bool) -> re.Pattern[str]:
    no, word = ("[没无未缺丢空]" if lacking else "[不没无未失错]"), re.escape(word)
    return re.compile(rf"{no}[^，。；：！？\s]{{0,3}}{word}|{word}[^，。；：！？\s]{{0,2}}{no}")


def _lead(published: Published, hits: Sequence[SearchHit]) -> float:
    """Return how far the best hit stands above the best hits of the next nine articles; missing ones score 0."""
    scores: dict[str, float] = {}
    for hit in hits:
        scores.setdefault(published.sections[hit.position].article.id, hit.score)
    first, *rivals = list(scores.values())[: _RIVALS + 1] or [0.0]
    return 1 - sum(rivals) / _RIVALS / first if first else 0.0


def _words(question: Question, telling: Mapping[str, float], place: Place) -> tuple[Word, ...]:
    """Return the evidence of one section: how well it covers each content word."""
    return tuple(Word(word, idf, _degree(word, question.synonyms.get(word, ()), place.names, place.body.text)) for word, idf in telling.items())


def _degree(word: str, others: Collection[str], names: str, body: str) -> float:
    """Return how well a section covers a word: where it stands, under which name, or which share of it."""
    if _stands(word, names):
        return IN_NAME
    if any(_stands(other, names) for other in others):
        return SYNONYM_IN_NAME
    if _stands(word, body):
        return IN_BODY
    if any(_stands(other, body) for other in others):
        return SYNONYM_IN_BODY
    return PARTLY * _part(word, names, body)


def _stands(word: str, text: str) -> bool:
    if not word.isascii():
        return word in text
    return re.search(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text) is not None


def _part(word: str, names: str, body: str) -> float:
    """Return which share of a Han word's character pairs stands in a section."""
    pairs = [word[i : i + 2] for i in range(len(word) - 1)]
    return sum(pair in names or pair in body for pair in pairs) / len(pairs) if pairs and not word.isascii() else 0.0


def _hits(places: Sequence[Place], marks: Sequence[str]) -> Iterator[Hit]:
    visible = _visible_marks(marks)
    for place in places:
        heading = marked(place.heading, marks, place.normal_heading)
        yield Hit(place.article, place.section, heading, snippet(place.section.text, visible, normal=place.body))


def _visible_marks(words: Sequence[str]) -> Sequence[str]:
    """Leave single characters unmarked when there are longer words: marks on 传 or 到 alone only distract."""
    longer = tuple(word for word in words if len(word) > 1)
    return longer or words
