"""A published build, verified and open for reading, and the `Library` that follows the pointer to the newest one."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, get_args

from indexer import picture, ranking
from indexer import question as questions
from indexer.article import WAYS_TO_REACH, Article, Section
from indexer.backend import MAX_LIMIT, MAX_TERMS, Query, SearchHit, Sought, WeightedTerm
from indexer.completion import complete
from indexer.errors import DamagedIndexError, NoIndexError
from indexer.impacts import ImpactsBackend
from indexer.lexicon import Lexicon
from indexer.question import Counts
from indexer.ranking import BODY_WEIGHT, MAX_FOREIGN, MAX_PER_ARTICLE, NUMBER, inverse_document_frequency
from indexer.reply import Reply
from indexer.segment import segmenter
from indexer.source import Module
from indexer.spelling import correct
from indexer.suggest import Wordings
from indexer.text import bare, folded, normalise
from indexer.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from indexer.backend import SearchBackend
    from indexer.completion import Completion
    from indexer.question import Question
    from indexer.text import Normalised

FORMAT = 5
"""Raised when a build of an older version must not be read any more."""
CATALOGUE = "catalogue.json"
LEXICON = "lexicon.json"
MANIFEST = "MANIFEST.json"
IMPACTS = "impacts"
Scorer = Literal["compiled", "whoosh"]
SCORERS: tuple[Scorer, ...] = get_args(Scorer)
CHECK_EVERY = 1.0
"""Seconds between two looks at the pointer."""
_SUGGESTED_OF_ONE = 2
"""Suggestions of one article: its similar questions ask for much the same."""
COMPLETED = 0.5
"""What the likeliest completion of a half-typed word counts."""
_PICTURE = re.compile(r'(?:src|href)="/media/([^"]+)"')


class Audience(NamedTuple):
    """Who reads, as far as it matters to what exists for them: their roles, "*" for all of them, and the modules that they are shown, none for all."""

    roles: frozenset[str]
    modules: frozenset[str] = frozenset()


EVERYONE = Audience(frozenset({"employee"}))
"""What an anonymous person may read."""
ALL = Audience(frozenset({"*"}))
"""Everything."""


@dataclass(frozen=True, eq=False)
class Place:
    """A section with its article: what a hit stands for. Each is itself alone, so that looking one up costs nothing."""

    article: Article
    section: Section

    @cached_property
    def names(self) -> str:
        """What names this section, in normal form: title, heading and, for the lead section, the similar questions."""
        asked = self.article.questions if self.section is self.article.sections[0] else ()
        return folded("\n".join([self.article.title, self.section.heading, *asked]))

    @property
    def heading(self) -> str:
        """What it is called in a list of hits: its heading, the article's title for the lead section."""
        return self.section.heading or self.article.title

    @cached_property
    def normal_heading(self) -> Normalised:
        """The heading in normal form, with the way back."""
        return normalise(self.heading)

    @cached_property
    def body(self) -> Normalised:
        """The section's text in normal form, with the way back."""
        return normalise(self.section.text)


class Published:
    """One build: its articles, its vocabulary and the engine over its sections. Any number of threads may use it."""

    def __init__(self, id_: str, folder: Path, catalogue: dict[str, Any], backend: SearchBackend, lexicon: bytes, damage: str = "") -> None:
        """Take the catalogue and the lexicon as read from disk; the lexicon is parsed when a question needs it.

        `damage` says why a build that should be ranked by the compiled scorer is not; the next build mends it.
        """
        self.id = id_
        self.damage = damage
        self.folder = folder
        self.backend = backend
        self.vocabulary = Vocabulary.from_json(catalogue["vocabulary"])
        self.modules = tuple(Module(**{**module, "owners": tuple(module["owners"])}) for module in catalogue["modules"])
        self.replies = tuple(Reply(**{**reply, "modules": tuple(reply["modules"])}) for reply in catalogue["replies"])
        self.company: dict[str, str] = catalogue["company"]
        self.articles = {article["id"]: _article(article) for article in catalogue["articles"]}
        self.sections = tuple(Place(article, section) for article in self.articles.values() for section in article.sections)
        self._lexicon = lexicon
        self._meanings: dict[str, str] = catalogue["meanings"]
        self._among: dict[tuple[str | None, Audience], Collection[int] | None] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the engine."""
        self.backend.close()

    @property
    def unset(self) -> tuple[str, ...]:
        """The company's values that nobody has written yet, ways to reach somebody first."""
        return tuple(sorted((key for key, value in self.company.items() if not value), key=lambda key: not key.endswith(WAYS_TO_REACH)))

    def warm_up(self) -> None:
        """Make what the first questions would wait for. The engine is asked nothing and opens no searcher, so that this may happen before a fork."""
        segmenter(self.vocabulary.dictionary)
        self.lexicon.warm_up()
        self._suggestions  # noqa: B018 - made by looking at it, and the wordings with it

    @property
    def scorer(self) -> str:
        """What ranks: `compiled (C)`, `compiled (numpy)` or `whoosh`."""
        return self.backend.name

    @property
    def scorer_note(self) -> str:
        """Why nothing faster ranks, with the remedy; "" when there is nothing to say."""
        return self.damage or self.backend.note

    def read(self, text: str, audience: Audience = EVERYONE) -> Question:
        """Return what a person typed as this build's vocabulary reads it, corrected where it knows no such word but one that was meant.

        Nothing is corrected to a word that stands only in what these people may not read.
        """
        cut = segmenter(self.vocabulary.dictionary)
        question = self._with_terms(questions.read(text, self.vocabulary, cut))
        if question.empty or self._familiar(question) or bare(question.text) in self.wordings:
            return question
        meant = correct(question.text, self.lexicon, cut, self.knows)
        if meant is None:
            return question
        found = self._with_terms(questions.read(meant, self.vocabulary, cut))
        if not all(self._readable(word, audience) for word in set(found.content) - set(question.content)):
            return question
        return replace(found, text=question.text, cut=question.cut, corrected=meant)

    def _readable(self, word: str, audience: Audience) -> bool:
        """Tell whether a word, or one of its synonyms, stands in a section that these people may read."""
        among = self._positions(None, audience)
        if among is None:
            return True
        cut = segmenter(self.vocabulary.dictionary)
        names = (tuple(WeightedTerm("words", piece) for piece in cut.cut(name)) for name in (word, *self.vocabulary.also(word)))
        return any(all(self.backend.search(Query(Sought((piece,)), 1, among)) for piece in name) for name in names)

    def looked_up(self, question: Question) -> tuple[Sought, Counts]:
        """Return what to look for and how often each term stands; questions of `read` bring it along, because reading, ranking and judging all ask for it."""
        if question.sought is not None and question.counts is not None:
            return question.sought, question.counts
        terms = (*question.terms, *question.alternatives)
        sought = Sought(terms, question.characters, int(min(ranking.FREQUENT * len(self.sections), ranking.MOST_FREQUENT)))
        found = zip([(stream, text) for stream, text, _ in (*terms, *question.characters)], self.backend.document_frequencies(sought), strict=True)
        counts = _Counts(self.backend, found)
        if len(terms) > MAX_TERMS:
            sought = replace(sought, terms=self._most_telling(terms, counts))
        sought.weights  # noqa: B018 - made now, with the rest of the query
        return sought, counts

    def _with_terms(self, question: Question) -> Question:
        sought, counts = self.looked_up(question)
        return replace(question, sought=sought, counts=counts)

    def _familiar(self, question: Question) -> bool:
        """Tell whether the index knows every content word, and every lone character beside its neighbours: most questions, found out in microseconds."""
        _, counts = self.looked_up(question)
        if not all(self._known(word, counts) for word in question.content):
            return False
        loose = {word for word in question.content if len(word) == 1 and not word.isascii()}
        return not loose or all(self._known(term.text, counts) for term in question.terms if term.stream == "pairs" and not loose.isdisjoint(term.text))

    def knows(self, word: str) -> bool:
        """Tell whether a word in normal form stands in this build, by itself or side by side in longer words, or in its vocabulary."""
        return self._known(word, _Counts(self.backend))

    def _known(self, word: str, counts: Counts) -> bool:
        vocabulary = self.vocabulary
        if counts["words", word] or vocabulary.also(word) or word in vocabulary.functional or word in vocabulary.filler:
            return True
        return len(word) > 1 and not word.isascii() and all(counts["pairs", word[at : at + 2]] for at in range(len(word) - 1))

    def unsaid(self, question: Question, words: Iterable[str], audience: Audience = EVERYONE) -> tuple[str, ...]:
        """Return those of a question's content words that stand in no section that these people may read, nor by a synonym or in pieces."""
        counts = self.looked_up(question)[1]
        named = {word: (word, *question.synonyms.get(word, ())) for word in words}
        return tuple(word for word, others in named.items() if not any(self._stands(other, counts) for other in others) or not self._readable(word, audience))

    def _stands(self, word: str, counts: Counts) -> bool:
        if counts["words", word] or counts["chars", word]:
            return True
        return len(word) > 1 and not word.isascii() and all(counts["pairs", word[at : at + 2]] for at in range(len(word) - 1))

    def completing(self, question: Question) -> Completion | None:
        """Return what a question may become if its last word is still being typed; None when that word is finished or was understood as it is."""
        if question.corrected is not None or question.cut:
            return None
        return complete(question.text, self.lexicon, self._finished, self.backend.completions)

    def _finished(self, word: str) -> bool:
        """Tell whether a Latin word is one that somebody asks for; of, an and do are small words of English, or the beginnings of others."""
        return word not in self.vocabulary.functional and self.knows(word)

    @cached_property
    def lexicon(self) -> Lexicon:
        """The words that a question may be corrected to."""
        return Lexicon.from_json(json.loads(self._lexicon))

    def search(
        self, question: Question, *, limit: int = 10, module: str | None = None, audience: Audience = EVERYONE, completed: Sequence[str] = ()
    ) -> list[SearchHit]:
        """Return the best sections, at most 3 of one article. `completed` is what a last word still being typed may become, the likeliest first."""
        (sought, _), among = self.looked_up(question), self._positions(module, audience)
        if completed:
            sought = replace(sought, terms=(*sought.terms, *self._likely(completed)))
        hits: list[SearchHit] = []
        for depth in (min(limit, MAX_LIMIT), MAX_LIMIT):  # the second only where one article had too many of the first
            found = self.backend.search(Query(sought, depth, among))
            hits = self._some_of_each_article(found, limit)
            if len(hits) >= limit or len(found) < depth:
                return hits
        while len(found) == MAX_LIMIT and len(hits) < limit:  # a long article stands before all others: look for those without it
            full = {article for article, times in Counter(self.sections[hit.position].article.id for hit in hits).items() if times == MAX_PER_ARTICLE}
            allowed = range(len(self.sections)) if among is None else among
            among = frozenset(position for position in allowed if self.sections[position].article.id not in full)
            found = self.backend.search(Query(sought, MAX_LIMIT, among))
            more = self._some_of_each_article([*hits, *(hit for hit in found if hit not in hits)], limit)
            if len(more) == len(hits):
                break
            hits = more
        return hits

    def _some_of_each_article(self, found: Iterable[SearchHit], limit: int) -> list[SearchHit]:
        hits: list[SearchHit] = []
        seen: dict[str, int] = {}
        for hit in found:
            if len(hits) >= limit:
                break
            article = self.sections[hit.position].article.id
            seen[article] = times = seen.get(article, 0) + 1
            if times <= MAX_PER_ARTICLE:
                hits.append(hit)
        return hits

    def _likely(self, words: Sequence[str]) -> Iterator[WeightedTerm]:
        """Return the terms of words that one beginning may become; each counts less than the likelier one before it."""
        cut = segmenter(self.vocabulary.dictionary)
        for at, word in enumerate(words):
            yield from (WeightedTerm("words", piece, COMPLETED / (1 + at)) for piece in cut.cut(word))

    def attainable(self, question: Question) -> float:
        """Return what a section would score that holds every typed term in its body as densely as can be: a hit's share of it says how much was found.

        A word that the index does not know counts like its rarest one, unless synonyms stand in for it or it says nothing of the matter.
        """
        sought, counts = self.looked_up(question)
        telling = self._telling([text for stream, text, _ in question.terms if stream == "words"], counts)
        terms = question.terms if len(sought.terms) < MAX_TERMS else tuple(set(question.terms).intersection(sought.terms))
        total = 0.0
        for stream, text, weight in terms:
            count = counts[stream, text]
            if text not in question.aside and (count or (weight > ranking.QUESTION_WORD and not any(text in word for word in question.synonyms))):
                total += weight * BODY_WEIGHT[stream] * (telling[text] if stream == "words" else self._idf(count))
        rare = [count for count in (counts["chars", char] for _, char, _ in question.characters) if count <= sought.rare]
        return total + BODY_WEIGHT["chars"] * sum(map(self._idf, rare[: MAX_TERMS - len(sought.terms)]))

    def telling(self, question: Question) -> dict[str, float]:
        """Return how telling each content word of a question is: its idf; less for unknown numbers and for pasted foreign text."""
        return self._telling(question.content, self.looked_up(question)[1])

    def tells(self, word: str) -> float:
        """Return how telling one word in normal form is, as a share of what a word tells that stands in no section (0-1)."""
        return min(1.0, self._telling((word,), _Counts(self.backend))[word] / self.most_telling)

    @property
    def most_telling(self) -> float:
        """How telling a word is that stands in no section; greater than 0."""
        return max(self._idf(0), 0.1)

    def _telling(self, words: Iterable[str], counts: Counts) -> dict[str, float]:
        found = {word: self._idf(max(counts["words", word], counts["pairs", word] if len(word) == 2 else 0)) for word in words}  # noqa: PLR2004 - a pair
        unknown = [word for word in found if word.isascii() and not self._known(word, counts)]
        foreign = [word for word in unknown if not word.isdigit()]
        for word in unknown:
            found[word] *= NUMBER if word.isdigit() else min(1.0, MAX_FOREIGN / len(foreign))
        return found

    def _idf(self, count: int) -> float:
        return inverse_document_frequency(len(self.sections), count)

    def _most_telling(self, terms: Sequence[WeightedTerm], counts: Counts) -> tuple[WeightedTerm, ...]:
        """Return as many terms as an engine takes, those that may add most to a score first. What stands in no section adds nothing, however rare it is."""
        return tuple(sorted(terms, key=lambda term: (not counts[term.stream, term.text], -term.weight * self._idf(counts[term.stream, term.text])))[:MAX_TERMS])

    def articles_for(self, text: str, limit: int) -> list[str]:
        """Return the ids of the first `limit` different articles for a question, whoever may read them."""
        found: dict[str, None] = {}
        for hit in self.search(self.read(text), limit=MAX_LIMIT, audience=ALL):
            found[self.sections[hit.position].article.id] = None
        return list(found)[:limit]

    def visible(self, article: Article, audience: Audience) -> bool:
        """Tell whether an article exists for these people: it is of a module that they are shown, and for everyone or for one of their roles."""
        shown = not audience.modules or article.module in audience.modules
        return shown and (not article.audience or "*" in audience.roles or not audience.roles.isdisjoint(article.audience))

    def article(self, id_: str, audience: Audience = EVERYONE) -> Article | None:
        """Return an article, or None when it does not exist for this audience."""
        article = self.articles.get(id_)
        return article if article and self.visible(article, audience) else None

    @cached_property
    def wordings(self) -> dict[str, tuple[tuple[Article, str], ...]]:
        """Every similar question and title by its letters, with the articles that have it and their wording; not those without a letter."""
        found: dict[str, tuple[tuple[Article, str], ...]] = {}
        for article in self.articles.values():
            for wording in filter(bare, (*article.questions, article.title)):
                found[bare(wording)] = (*found.get(bare(wording), ()), (article, wording))
        return found

    @cached_property
    def _meant(self) -> dict[str, tuple[Article, ...]]:
        """The articles whose wordings ask the same, by the key of that question."""
        found: dict[str, tuple[Article, ...]] = {}
        for article in self.articles.values():
            for key in dict.fromkeys(self._meanings.get(wording, "") for wording in (*article.questions, article.title)):
                found[key] = (*found.get(key, ()), article)
        return found

    def suggest(self, text: str, audience: Audience = EVERYONE, limit: int = 6) -> list[str]:
        """Return titles and similar questions for what somebody has typed so far, as far as these people may read them.

        No two say the same, and at most 2 are of one article. First those that begin with it, then those that contain it, then the same for what
        it was meant as or may become, then those with all its words in any order; short ones first each time.
        """
        found: list[str] = []
        said: Counter[str] = Counter()
        for written in self._worded(text):
            article, wording = next(((article, wording) for article, wording in written if self.visible(article, audience)), (None, ""))
            if article is None or said[article.id] >= _SUGGESTED_OF_ONE or said[meaning := self._meanings[wording] or bare(wording)]:
                continue
            found.append(wording)
            said.update((article.id, meaning))
            if len(found) == limit:
                break
        return found

    def _worded(self, text: str) -> Iterator[Sequence[tuple[Article, str]]]:
        """Yield the wordings to suggest for a text, with their articles, the most fitting first."""
        asked = text[: questions.MAX_CHARACTERS]
        yield from self._suggestions.matching(bare(asked))
        question = self.read(asked)
        named = []
        if completion := self.completing(question):
            question = self.read(completion.head)
            named = [completion.words] if completion.words else []
            for word in completion.words:
                yield from self._suggestions.matching(bare((question.corrected or question.text) + word))
        elif question.corrected:
            yield from self._suggestions.matching(bare(question.corrected))
        if question.content:
            named += [(word,) for word in question.content]
            synonyms = self.vocabulary.synonyms
            yield from self._suggestions.holding([{bare(name) for word in words for name in (word, *synonyms.get(word, ()))} for words in named])

    @cached_property
    def _suggestions(self) -> Wordings:
        return Wordings(self.wordings)

    def written_for(self, text: str, audience: Audience) -> Article | None:
        """Return the article whose title or similar question is `text`, as far as these people may read it."""
        return next((article for article, _ in self.wordings.get(bare(text), ()) if self.visible(article, audience)), None)

    def meant_by(self, question: Question, audience: Audience) -> Article | None:
        """Return the one article whose title or similar question asks the same in other words: other order, politeness, question words, synonyms.

        A single content word is a topic, not a question, and what two articles ask is no one's.
        """
        if len(question.content) < 2 or not question.key:  # noqa: PLR2004 - see above
            return None
        found = [article for article in self._meant.get(question.key, ()) if self.visible(article, audience)]
        return found[0] if len(found) == 1 else None

    def wording_of(self, text: str, audience: Audience) -> str | None:
        """Return `text` as an editor wrote it in a title or similar question that these people may read, None when nobody did."""
        return next((wording for article, wording in self.wordings.get(bare(text), ()) if self.visible(article, audience)), None)

    @cached_property
    def _pictured(self) -> dict[str, tuple[Article, ...]]:
        found: dict[str, tuple[Article, ...]] = {}
        for article in self.articles.values():
            for name in {picture.named(address) for section in article.sections for address in _PICTURE.findall(section.html)}:
                found[name] = (*found.get(name, ()), article)
        return found

    def shows(self, name: str, audience: Audience) -> bool:
        """Tell whether these people may see a picture ("module/name"): some article that shows it is theirs to read."""
        return any(self.visible(article, audience) for article in self._pictured.get(name, ()))

    def _positions(self, module: str | None, audience: Audience) -> Collection[int] | None:
        """Return the sections that these people may read in this module, None for all of them."""
        if (module, audience) not in self._among:
            self._among[module, audience] = self._allowed(module, audience)
        return self._among[module, audience]

    def _allowed(self, module: str | None, audience: Audience) -> Collection[int] | None:
        allowed = [
            position
            for position, place in enumerate(self.sections)
            if self.visible(place.article, audience) and (module is None or place.article.module == module)
        ]
        return None if len(allowed) == len(self.sections) else frozenset(allowed)


class _Counts(Counts):
    """Frequencies of terms, asked of the engine where they are not known yet."""

    def __init__(self, backend: SearchBackend, known: Iterable[tuple[tuple[ranking.Stream, str], int]] = ()) -> None:
        super().__init__(known)
        self._backend = backend

    def __missing__(self, term: tuple[ranking.Stream, str]) -> int:
        count = self[term] = self._backend.document_frequencies(Sought((WeightedTerm(*term),)))[0]
        return count


def _article(data: dict[str, Any]) -> Article:
    lists = {key: tuple(data[key]) for key in ("questions", "audience", "contexts", "tags", "answers")}
    return Article(**{**data, **lists, "sections": tuple(Section(**section) for section in data["sections"])})


def current_id(index: Path) -> str | None:
    """Return the id of the published build, or None."""
    try:
        return (index / "CURRENT").read_text(encoding="utf-8", errors="replace").strip() or None
    except FileNotFoundError:
        return None


def verify(folder: Path) -> None:
    """Compare every file of a build with its manifest. Raises DamagedIndexError; nothing is interpreted before this has passed."""
    if damage := _verify_but_for_scorer(folder):
        raise DamagedIndexError(damage)


def _verify_but_for_scorer(folder: Path) -> str:
    """Return what is wrong with the compiled scorer's files, which a search can do without, or ""; raise DamagedIndexError for any other file."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files, format_ = manifest["files"], manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedIndexError(_damage(folder, "has no readable manifest")) from error
    if format_ != FORMAT:
        raise DamagedIndexError(_damage(folder, f"has format {format_}, this version reads {FORMAT}"))
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    damages = {name: f"has other files than its manifest ({name})" for name in sorted(present ^ set(files))}
    for name in present & set(files):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != files[name]:
            damages[name] = f"{name} is not what was written"
    for name, damage in damages.items():
        if not name.startswith(f"{IMPACTS}/"):
            raise DamagedIndexError(_damage(folder, damage))
    return _damage(folder, next(iter(damages.values()))) if damages else ""


def _damage(folder: Path, what: str) -> str:
    return f"the index {folder.name} {what}; run `kb index build` to write it anew"


def open_build(index: Path, id_: str, scorer: Scorer = "compiled") -> Published:
    """Open one build by id after checking it against its manifest. Raises NoIndexError or DamagedIndexError.

    When only the compiled scorer's files are damaged, Whoosh's own searcher ranks instead, and `scorer_note` says so.
    """
    folder = index / "builds" / id_
    if not folder.is_dir():
        raise NoIndexError(f"the index {id_} is missing from {folder.parent}; run `kb index build`")
    damage = _verify_but_for_scorer(folder)
    backend: SearchBackend | None = None
    if scorer == "compiled" and not damage:
        try:
            backend = ImpactsBackend(folder / IMPACTS)
        except DamagedIndexError as error:
            damage = _damage(folder, str(error))
    if backend is None:
        from indexer.whoosh_backend import WhooshBackend  # noqa: PLC0415 - a search that the compiled scorer ranks does without Whoosh

        backend = WhooshBackend(folder / "whoosh")
    catalogue = json.loads((folder / CATALOGUE).read_text(encoding="utf-8"))
    return Published(id_, folder, catalogue, backend, (folder / LEXICON).read_bytes(), damage if scorer == "compiled" else "")


class Library:
    """Follows the pointer: `current()` returns the newest build, opening it when it appears. One per process, for all threads."""

    def __init__(self, index: Path, clock: Callable[[], float] = time.monotonic, scorer: Scorer = "compiled") -> None:
        """Open nothing yet; the first use does."""
        self._index = index
        self._scorer = scorer
        self._manifest: object = None
        self._clock = clock
        self._published: Published | None = None
        self._checked = float("-inf")
        self._lock = threading.Lock()
        self.refusal: str = ""

    def current(self) -> Published:
        """Return the published build. A damaged newer build leaves the one that is open in service and says why in `refusal`.

        Raises NoIndexError when nothing was ever published, DamagedIndexError when the only build is damaged.
        """
        published = self._published
        if published is not None and self._clock() - self._checked < CHECK_EVERY:
            return published
        with self._lock:
            self._checked = self._clock()
            id_ = current_id(self._index)
            if self._published is not None and id_ in {None, self._published.id} and not self._mended(self._published):
                self.refusal = ""
                return self._published
            if id_ is None:
                raise NoIndexError(f"no index has been published in {self._index}; run `kb index build`")
            try:
                manifest = _manifest_mark(self._index / "builds" / id_)
                self._published = open_build(self._index, id_, self._scorer)
                self._manifest = manifest
                self.refusal = ""
            except (NoIndexError, DamagedIndexError, OSError) as error:
                if self._published is None:
                    raise
                self.refusal = str(error)
            return self._published

    def _mended(self, published: Published) -> bool:
        """Tell whether a build that was opened with a damaged scorer has been written anew under the same id."""
        return bool(published.damage) and _manifest_mark(published.folder) not in {None, self._manifest}


def _manifest_mark(folder: Path) -> object:
    try:
        found = (folder / MANIFEST).stat()
    except (OSError, ValueError):  # the pointer may hold anything
        return None
    return found.st_ino, found.st_mtime_ns
