"""The one door to Whoosh: writes an index of sections and searches it.

Rules that measured faults of Whoosh taught (see ARCHITECTURE.md): a searcher belongs to one thread and one build, `Searcher.refresh()` is never called,
user text never reaches a query parser, and nothing is written in place.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from whoosh import fields, index, query, scoring
from whoosh.analysis import SpaceSeparatedTokenizer
from whoosh.collectors import FilterCollector

from indexer import ranking
from indexer.backend import MAX_LIMIT, MAX_TERMS, SearchHit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from whoosh.searching import Searcher

    from indexer.backend import Query, Stream

_BY_NAME = {field.name: field for field in ranking.FIELDS}
_OF_STREAM = {stream: tuple(field for field in ranking.FIELDS if field.stream == stream) for stream in ("words", "pairs", "chars")}
_BODY: dict[str, str] = {"words": "body_words", "pairs": "body_pairs", "chars": "body_chars"}


def _schema() -> fields.Schema:
    """Return a schema of space-separated terms; it is pickled into the index, so it names no class of ours."""
    return fields.Schema(**{field.name: fields.TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False) for field in ranking.FIELDS})


def write(folder: Path, documents: Iterable[Mapping[str, Iterable[str]]]) -> int:
    """Write a new index into an empty folder and return its number of documents. A document maps field names to terms; its position is its id."""
    writer = index.create_in(str(folder), _schema()).writer(limitmb=256)
    count = 0
    try:
        for document in documents:
            writer.add_document(**{name: " ".join(terms) for name, terms in document.items()})
            count += 1
    except BaseException:
        writer.cancel()
        raise
    writer.commit(optimize=True)
    return count


class _Bm25(scoring.WeightingModel):  # type: ignore[misc]
    """The additive score of `ranking`, evaluated by Whoosh."""

    use_final = False

    def scorer(self, searcher: Searcher, fieldname: str, text: bytes, qf: float = 1) -> scoring.BaseScorer:
        """Return the scorer of one term in one field; the idf is that of the term in the body, so that all fields agree."""
        field = _BY_NAME[fieldname]
        frequency = searcher.doc_frequency(_BODY[field.stream], text)
        weight = ranking.inverse_document_frequency(searcher.doc_count_all(), frequency) * qf
        return _Scorer(searcher, field, text, weight)


class _Scorer(scoring.WeightLengthScorer):  # type: ignore[misc]
    def __init__(self, searcher: Searcher, field: ranking.Field, text: bytes, weight: float) -> None:
        self._field, self._weight = field, weight
        self._average = searcher.avg_field_length(field.name) or 1.0
        self.setup(searcher, field.name, text)

    def _score(self, weight: float, length: float) -> float:
        return ranking.term_score(self._weight, weight, length / self._average, self._field)


class WhooshBackend:
    """A Whoosh index open for reading. Each thread gets a searcher of its own on the same files."""

    def __init__(self, folder: Path) -> None:
        """Open the index; nothing else is read until the first search."""
        self._index = index.open_dir(str(folder), readonly=True)
        self._local = threading.local()
        self._open: list[Searcher] = []
        self._lock = threading.Lock()

    def search(self, query_: Query) -> list[SearchHit]:
        """See SearchBackend."""
        terms = query_.terms[:MAX_TERMS]
        parts = [query.Term(field.name, term.text, boost=term.weight) for term in terms for field in _OF_STREAM[term.stream]]
        if not parts or query_.limit < 1 or (query_.among is not None and not query_.among):
            return []  # Whoosh's filter takes an empty set for "all"
        searcher = self._searcher()
        collector = searcher.collector(limit=min(query_.limit, MAX_LIMIT))
        if query_.among is not None:
            collector = FilterCollector(collector, allow=set(query_.among))
        searcher.search_with_collector(query.Or(parts), collector)
        found = [SearchHit(position, score) for score, position in collector.results().top_n]
        return sorted(found, key=lambda hit: (-hit.score, hit.position))

    def document_frequency(self, stream: Stream, term: str) -> int:
        """See SearchBackend."""
        return int(self._searcher().doc_frequency(_BODY[stream], term))

    def completions(self, prefix: str, limit: int) -> list[str]:
        """See SearchBackend."""
        found = self._searcher().reader().expand_prefix("body_words", prefix)
        return [term.decode() if isinstance(term, bytes) else str(term) for _, term in zip(range(limit), found, strict=False)]

    def documents(self) -> int:
        """Return how many sections the index holds."""
        return int(self._index.doc_count_all())

    def close(self) -> None:
        """See SearchBackend."""
        with self._lock:
            for searcher in self._open:
                searcher.close()
            self._open.clear()
        self._index.close()

    def _searcher(self) -> Searcher:
        searcher: Searcher | None = getattr(self._local, "searcher", None)
        if searcher is None:
            searcher = self._local.searcher = self._index.searcher(weighting=_Bm25())
            with self._lock:
                self._open.append(searcher)
        return searcher
