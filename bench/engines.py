"""One class per engine: build an index of the corpus, make a query from terms, rank. All are asked for the ten best and are given the same terms.

Only `rank` is timed. What it does is the engine's fastest documented way to ten positions with their scores from a query that is ready:
no text is parsed where the engine has another way, nothing is counted or fetched besides.
"""

from __future__ import annotations

import time
from collections.abc import Callable  # noqa: TC003 - a field of a dataclass
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from indexer import vocabulary
from indexer.build import write_build
from indexer.impacts import ImpactsBackend
from indexer.published import IMPACTS, open_build

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.corpus import Corpus, Terms
    from indexer.published import Published

K = 10
BUILD = "bench"

Streams = tuple[tuple[str, ...], tuple[str, ...]]
"""Words and character pairs of one text."""


class Engine(Protocol):
    """An index under measurement, in a process of its own."""

    @property
    def build_s(self) -> float | None:
        """Seconds from terms (ours: from documents) to an index that answers; None when another engine has written it."""
        ...

    @property
    def detail(self) -> str:
        """What the figures depend on besides the package's version."""
        ...

    def query(self, number: int) -> Any:
        """Return the query of this number, ready to be ranked."""
        ...

    def rank(self, query: Any) -> Any:
        """Return the engine's own result for the ten best."""
        ...

    def positions(self, result: Any) -> list[int]:
        """Return the positions of the documents in a result, best first."""
        ...


class Ours:
    """The product: `rank` is `Published.search` of a question that has been read."""

    def __init__(self, corpus: Corpus, index: Path, open_: Callable[[Path], Published], *, builds: bool) -> None:
        """Write the build when `builds`, then open it."""
        self._texts = [query.text for query in corpus.queries]
        self.build_s: float | None = None
        if builds:
            started = time.perf_counter()
            write_build(index, BUILD, [document.as_article() for document in corpus.documents], vocabulary.load(corpus.editors_files))
            self.build_s = time.perf_counter() - started
        self.published = open_(index)
        self.detail = self.published.scorer

    def query(self, number: int) -> Any:
        """See Engine."""
        return self.published.read(self._texts[number])

    def rank(self, query: Any) -> Any:
        """See Engine."""
        return self.published.search(query, limit=K)

    def positions(self, result: Any) -> list[int]:
        """See Engine."""
        return [hit.position for hit in result]


class Tantivy:
    """tantivy with BM25 over whitespace-separated terms.

    `tuned`: one segment, frequencies only, hits not counted, which is what it is fastest with; else as its README uses it: a writer with its own number of
    threads, positions, `search(query, 10)`.
    """

    def __init__(self, terms: Terms, fields: Sequence[str], *, tuned: bool = True) -> None:
        """Index the fields: `both` holds words and pairs as one text, `words` and `pairs` one stream each."""
        import tantivy  # noqa: PLC0415 - a peer is imported in its own process only

        self._tantivy, self._queries = tantivy, [_of_fields(streams, fields) for streams in terms.queries]
        builder = tantivy.SchemaBuilder()
        self._option, self._tuned = "freq" if tuned else "position", tuned
        for name in fields:
            builder.add_text_field(name, tokenizer_name="whitespace", index_option=self._option)
        builder.add_integer_field("position", fast=True)
        self._schema = builder.build()
        started = time.perf_counter()
        index = tantivy.Index(self._schema)
        writer = index.writer(1_000_000_000, 1) if tuned else index.writer()
        for position, streams in enumerate(terms.documents):
            texts = {name: [" ".join(found)] for name, found in _of_fields(streams, fields).items()}
            writer.add_document(tantivy.Document(position=[position], **texts))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._searcher = index.searcher()
        self.build_s = time.perf_counter() - started
        self.detail = f"{self._searcher.num_segments} segment(s)"

    def query(self, number: int) -> Any:
        """See Engine."""
        query, should = self._tantivy.Query, self._tantivy.Occur.Should
        found = self._queries[number].items()
        return query.boolean_query([(should, query.term_query(self._schema, name, term, "freq")) for name, terms in found for term in dict.fromkeys(terms)])

    def rank(self, query: Any) -> Any:
        """See Engine."""
        return self._searcher.search(query, K, count=False) if self._tuned else self._searcher.search(query, K)

    def positions(self, result: Any) -> list[int]:
        """See Engine."""
        return [int(position) for position in self._searcher.fast_field_values("position", [address for _, address in result.hits])]


class Bm25s:
    """bm25s over tokens, by either of its backends; the compiled one is its fastest for one query at a time."""

    def __init__(self, terms: Terms, fields: Sequence[str], backend: str) -> None:
        """Index one list of tokens a document."""
        import bm25s  # noqa: PLC0415 - a peer is imported in its own process only

        tokens = [_flat(streams, fields) for streams in terms.documents]
        self._queries = [_flat(streams, fields) for streams in terms.queries]
        self._k = min(K, len(tokens))
        self.detail = f"backend {backend}"
        started = time.perf_counter()
        self._index = bm25s.BM25(backend=backend)
        self._index.index(tokens, show_progress=False)
        self.build_s = time.perf_counter() - started
        self._known = self._index.vocab_dict

    def query(self, number: int) -> Any:
        """See Engine."""
        return [[token for token in dict.fromkeys(self._queries[number]) if token in self._known]]

    def rank(self, query: Any) -> Any:
        """See Engine."""
        return self._index.retrieve(query, k=self._k, show_progress=False) if query[0] else None

    def positions(self, result: Any) -> list[int]:
        """See Engine."""
        if result is None:
            return []
        return [int(position) for position, score in zip(result.documents[0], result.scores[0], strict=True) if score > 0]


class Fts5:
    """SQLite's FTS5. Terms are numbered, so that its tokenizer neither splits nor folds what ours kept whole."""

    def __init__(self, terms: Terms, fields: Sequence[str]) -> None:
        """Index one text a document, in memory."""
        import pysqlite3  # noqa: PLC0415 - a peer is imported in its own process only

        numbers: dict[str, str] = {}
        texts = [" ".join(numbers.setdefault(term, f"t{len(numbers)}") for term in _flat(streams, fields)) for streams in terms.documents]
        self._queries = [[numbers[term] for term in dict.fromkeys(_flat(streams, fields)) if term in numbers] for streams in terms.queries]
        self.detail = f"SQLite {pysqlite3.sqlite_version}"
        started = time.perf_counter()
        self._connection = pysqlite3.connect(":memory:")
        self._connection.execute("CREATE VIRTUAL TABLE documents USING fts5(terms, content='', tokenize='ascii')")
        self._connection.executemany("INSERT INTO documents(rowid, terms) VALUES (?, ?)", enumerate(texts))
        self._connection.execute("INSERT INTO documents(documents) VALUES ('optimize')")
        self._connection.commit()
        self.build_s = time.perf_counter() - started

    def query(self, number: int) -> Any:
        """See Engine."""
        return " OR ".join(self._queries[number])

    def rank(self, query: Any) -> Any:
        """See Engine."""
        if not query:
            return []
        return self._connection.execute("SELECT rowid FROM documents WHERE documents MATCH ? ORDER BY rank LIMIT ?", (query, K)).fetchall()

    def positions(self, result: Any) -> list[int]:
        """See Engine."""
        return [row[0] for row in result]


def _flat(streams: Streams, fields: Sequence[str]) -> list[str]:
    return [term for found in _of_fields(streams, fields).values() for term in found]


def _of_fields(streams: Streams, fields: Sequence[str]) -> dict[str, tuple[str, ...]]:
    words, pairs = streams
    texts = {"words": words, "pairs": pairs, "both": (*words, *pairs)}
    return {name: texts[name] for name in fields}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the table: the package it needs besides ours, and how to make it. Engines of ours share one index; the first writes it."""

    package: str | None
    make: Callable[[Corpus, Terms, Path], Engine]

    @property
    def installed(self) -> bool:
        """Tell whether the package can be imported."""
        return self.package is None or find_spec(self.package) is not None


BASELINE = "tantivy, words + pairs"
OURS = "ours"
ENGINES: dict[str, Entry] = {
    OURS: Entry(None, lambda corpus, _, work: Ours(corpus, work, _compiled, builds=True)),
    "ours, numpy kernel": Entry(None, lambda corpus, _, work: Ours(corpus, work, _with_numpy, builds=False)),
    "ours, Whoosh's searcher": Entry(None, lambda corpus, _, work: Ours(corpus, work, _with_whoosh, builds=False)),
    BASELINE: Entry("tantivy", lambda _, terms, __: Tantivy(terms, ("both",))),
    "tantivy, words + pairs, as documented": Entry("tantivy", lambda _, terms, __: Tantivy(terms, ("both",), tuned=False)),
    "tantivy, words + pairs, two fields": Entry("tantivy", lambda _, terms, __: Tantivy(terms, ("words", "pairs"))),
    "tantivy, words": Entry("tantivy", lambda _, terms, __: Tantivy(terms, ("words",))),
    "bm25s (numba), words + pairs": Entry("numba", lambda _, terms, __: Bm25s(terms, ("both",), "numba")),
    "bm25s (numpy), words + pairs": Entry("bm25s", lambda _, terms, __: Bm25s(terms, ("both",), "numpy")),
    "bm25s (numba), words": Entry("numba", lambda _, terms, __: Bm25s(terms, ("words",), "numba")),
    "FTS5, words + pairs": Entry("pysqlite3", lambda _, terms, __: Fts5(terms, ("both",))),
    "FTS5, words": Entry("pysqlite3", lambda _, terms, __: Fts5(terms, ("words",))),
}


def _compiled(index: Path) -> Published:
    return open_build(index, BUILD)


def _with_numpy(index: Path) -> Published:
    published = open_build(index, BUILD)
    published.backend.close()
    published.backend = ImpactsBackend(published.folder / IMPACTS, compiled=False)
    return published


def _with_whoosh(index: Path) -> Published:
    return open_build(index, BUILD, "whoosh")
