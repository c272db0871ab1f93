"""The one door to Whoosh: writes an index of sections and searches it.

Rules that measured faults of Whoosh taught (see ARCHITECTURE.md): a searcher belongs to one thread and one build, `Searcher.refresh()` is never called,
user text never reaches a query parser, and nothing is written in place.
"""

from __future__ import annotations

import heapq
import threading
from array import array
from collections import Counter
from functools import cache
from itertools import groupby, islice
from typing import TYPE_CHECKING

from whoosh import fields, index, query, scoring, versionstring
from whoosh.analysis import SpaceSeparatedTokenizer
from whoosh.codec.whoosh3 import W3LeafMatcher
from whoosh.collectors import FilterCollector
from whoosh.system import pack_uint
from whoosh.util.numeric import byte_to_length, length_to_byte
from whoosh.writing import SegmentWriter

from indexer import ranking
from indexer.backend import MAX_LIMIT, MAX_TERMS, FieldPostings, SearchHit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from whoosh.reading import IndexReader
    from whoosh.searching import Searcher

    from indexer.backend import Query, Sought

ENGINE: str = versionstring()
"""The engine's version; whoosh3 and Whoosh are two distributions of one package."""
_BY_NAME = {field.name: field for field in ranking.FIELDS}
_OF_STREAM = {stream: tuple(field for field in ranking.FIELDS if field.stream == stream) for stream in ("words", "pairs", "chars")}


def _schema() -> fields.Schema:
    """Return a schema of space-separated terms; it is pickled into the index, so it names no class of ours."""
    return fields.Schema(**{field.name: fields.TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False) for field in ranking.FIELDS})


def write(folder: Path, documents: Iterable[Mapping[str, Iterable[str]]]) -> int:
    """Write a new index into an empty folder and return its number of documents.

    A document maps field names to terms, or to how often each term stands there; its position is its id.
    """
    return len(write_postings(folder, documents)[0].lengths)


def write_postings(folder: Path, documents: Iterable[Mapping[str, Iterable[str]]]) -> list[FieldPostings]:
    """Write as `write` does and return what `postings` would read from the index, which costs half as much again."""
    writer = _Inverter(index.create_in(str(folder), _schema()))
    try:
        for document in documents:
            writer.add_terms(document)
    except BaseException:
        writer.cancel()
        raise
    writer.commit()
    return [writer.postings(field) for field in ranking.FIELDS]


class _Inverter(SegmentWriter):  # type: ignore[misc]
    """Whoosh's writer for documents that are terms already: inverts them in memory and gives its codec each term once, with all postings.

    Whoosh's own `add_document` takes a text of terms apart again and sorts single postings: four times as long for the same files.
    """

    def __init__(self, opened: index.Index) -> None:
        super().__init__(opened)
        self._inverted: dict[str, dict[str, tuple[array[int], array[float]]]] = {}
        self._lengths: dict[str, dict[int, int]] = {}
        self._totals: Counter[str] = Counter()

    def add_terms(self, document: Mapping[str, Iterable[str]]) -> None:
        """Add a document; `commit` or `cancel` must follow the last one."""
        self.perdocwriter.start_doc(self.docnum)
        for name, terms in sorted(document.items()):
            counts = Counter(terms)
            length = counts.total()
            self.perdocwriter.add_field(name, self.schema[name], None, length)
            self._lengths.setdefault(name, {})[self.docnum] = byte_to_length(length_to_byte(length))
            self._totals[name] += length
            inverted = self._inverted.setdefault(name, {})
            for term, count in counts.items():
                found = inverted.get(term)
                if found is None:
                    found = inverted[term] = (array("I"), array("f"))
                found[0].append(self.docnum)
                found[1].append(count)
        self.perdocwriter.finish_doc()
        self._added = True
        self.docnum += 1

    def _flush_segment(self) -> None:
        """Write every field; `commit` calls this, and closes the files."""
        self.perdocwriter.close()
        write_ = self.fieldwriter
        packed = cache(pack_uint)
        for name, inverted in sorted(self._inverted.items()):
            write_.start_field(name, self.schema[name])
            lengths = self._lengths[name]
            for term in sorted(inverted):
                write_.start_term(term.encode())
                for document, count in zip(*inverted[term], strict=True):
                    write_.add(document, count, packed(int(count)), lengths[document])
                write_.finish_term()
            write_.finish_field()
        write_.close()

    def postings(self, field: ranking.Field) -> FieldPostings:
        """Return a field as readers will see it."""
        inverted, lengths = self._inverted.get(field.name, {}), self._lengths.get(field.name, {})
        terms = sorted(inverted)
        documents, counts = array("I"), array("f")
        for term in terms:
            documents.extend(inverted[term][0])
            counts.extend(inverted[term][1])
        frequencies = array("I", [len(inverted[term][0]) for term in terms])
        return FieldPostings(
            field,
            terms,
            frequencies,
            documents,
            counts,
            array("I", [lengths.get(document, 0) for document in range(self.docnum)]),
            self._totals[field.name] / (self.docnum or 1) or 1.0,
        )


def postings(folder: Path) -> Iterator[FieldPostings]:
    """Yield what a committed index holds, field by field in the order of `ranking.FIELDS`."""
    opened = index.open_dir(str(folder), readonly=True)
    with opened.reader() as reader:
        for field in ranking.FIELDS:
            yield _field_postings(reader, field)


def _field_postings(reader: IndexReader, field: ranking.Field) -> FieldPostings:
    terms, frequencies, documents, counts = [], array("I"), array("I"), array("f")
    for term in list(reader.lexicon(field.name)):
        matcher, before = reader.postings(field.name, term), len(documents)
        while matcher.is_active():
            position, count = matcher.id(), matcher.weight()  # which reads the whole block
            if isinstance(matcher, W3LeafMatcher):  # posting by posting takes half as long again: 3.0 instead of 2.0 s for two million
                documents.extend(matcher._ids)  # noqa: SLF001 - the same in Whoosh 2.7.4 and whoosh3; the contract's scores would tell
                counts.extend(matcher._weights)  # noqa: SLF001
                matcher._next_block()  # noqa: SLF001
            else:
                documents.append(position)
                counts.append(count)
                matcher.next()
        terms.append(term.decode() if isinstance(term, bytes) else str(term))
        frequencies.append(len(documents) - before)
    sections = reader.doc_count_all()
    lengths = array("I", [(reader.doc_field_length(position, field.name, 0) or 0) if terms else 0 for position in range(sections)])
    return FieldPostings(field, terms, frequencies, documents, counts, lengths, _average_length(reader, field))


def _average_length(reader: IndexReader, field: ranking.Field) -> float:
    """Return the average number of terms of a field over all sections; 1 where nobody has any, so that nothing is divided by zero."""
    return reader.field_length(field.name) / (reader.doc_count_all() or 1) or 1.0


class _Bm25(scoring.WeightingModel):  # type: ignore[misc]
    """The additive score of `ranking`, evaluated by Whoosh."""

    use_final = False

    def scorer(self, searcher: Searcher, fieldname: str, text: bytes, qf: float = 1) -> scoring.BaseScorer:
        """Return the scorer of one term in one field; the idf is that of the term in its stream, so that all fields agree."""
        field = _BY_NAME[fieldname]
        frequency = _document_frequency(searcher, field.stream, text)
        weight = ranking.inverse_document_frequency(searcher.doc_count_all(), frequency) * qf
        return _Scorer(searcher, field, text, weight)


class _Scorer(scoring.WeightLengthScorer):  # type: ignore[misc]
    def __init__(self, searcher: Searcher, field: ranking.Field, text: bytes, weight: float) -> None:
        self._field, self._weight = field, weight
        self._average = _average_length(searcher.reader(), field)
        self.setup(searcher, field.name, text)

    def _score(self, weight: float, length: float) -> float:
        return ranking.term_score(self._weight, weight, length / self._average, self._field)


def _document_frequency(searcher: Searcher, stream: ranking.Stream, text: str | bytes) -> int:
    return max(int(searcher.doc_frequency(field.name, text)) for field in _OF_STREAM[stream])


class WhooshBackend:
    """A Whoosh index open for reading. Each thread gets a searcher of its own on the same files."""

    name = "whoosh"
    note = ""

    def __init__(self, folder: Path) -> None:
        """Open the index; nothing else is read until the first search."""
        self._index = index.open_dir(str(folder), readonly=True)
        self._local = threading.local()
        self._open: list[Searcher] = []
        self._lock = threading.Lock()

    def search(self, query_: Query) -> list[SearchHit]:
        """See SearchBackend."""
        sought = query_.sought
        counts = self.document_frequencies(sought)[len(sought.terms) :]
        optional = (term for term, count in zip(sought.optional, counts, strict=True) if count <= sought.rare)
        terms = [*sought.terms[:MAX_TERMS], *optional][:MAX_TERMS]
        parts = [query.Term(field.name, term.text, boost=term.weight) for term in terms if term.weight > 0 for field in _OF_STREAM[term.stream]]
        if not parts or query_.limit < 1 or (query_.among is not None and not query_.among):
            return []  # Whoosh's filter takes an empty set for "all"
        searcher = self._searcher()
        collector = searcher.collector(limit=min(query_.limit, MAX_LIMIT))
        if query_.among is not None:
            collector = FilterCollector(collector, allow=set(query_.among))
        searcher.search_with_collector(query.Or(parts), collector)
        found = [SearchHit(position, score) for score, position in collector.results().top_n]
        return sorted(found, key=lambda hit: (-hit.score, hit.position))

    def document_frequencies(self, sought: Sought) -> list[int]:
        """See SearchBackend."""
        searcher = self._searcher()
        return [_document_frequency(searcher, stream, term) for stream, term, _ in (*sought.terms, *sought.optional)]

    def completions(self, prefix: str, limit: int) -> list[str]:
        """See SearchBackend."""
        reader = self._searcher().reader()
        found = heapq.merge(*(reader.expand_prefix(field.name, prefix) for field in _OF_STREAM["words"]))
        return [term.decode() if isinstance(term, bytes) else str(term) for term, _ in islice(groupby(found), max(0, limit))]

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
