"""A retrieval set in BEIR layout as every engine gets it: the same documents and the same terms."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from indexer import vocabulary
from indexer.article import Article, Section
from indexer.question import read
from indexer.segment import segmenter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_T = TypeVar("_T")
_SENTENCE_END = re.compile(r"[。！？；\n]")


@dataclass(frozen=True, slots=True)
class Document:
    """A document or one sentence of it. `source` is the id that judgements name; `id` is its own."""

    id: str
    source: str
    title: str
    text: str

    def as_article(self) -> Article:
        """Return it as an article of one section, as `kb eval` does."""
        return Article(id=self.id, title=self.title, sections=(Section("", "", 1, "", self.text),))


@dataclass(frozen=True, slots=True)
class Asked:
    """A judged query: its text and the ids of the documents that answer it."""

    text: str
    relevant: frozenset[str]


@dataclass(frozen=True)
class Corpus:
    """Documents in the order of their positions, the queries, and the folder with the editors' files."""

    documents: tuple[Document, ...]
    queries: tuple[Asked, ...]
    editors_files: Path

    def as_sentences(self) -> Corpus:
        """Return the same set with every sentence as a document of its own, the title kept with each."""
        return replace(self, documents=tuple(sentence for document in self.documents for sentence in _sentences(document)))


@dataclass(frozen=True)
class Terms:
    """Words and character pairs of each document, and of each query as ours searches it (distinct, stop words left out); `seconds` for the documents."""

    documents: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    queries: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    seconds: float


def read_corpus(folder: Path, editors_files: Path, limit_queries: int | None = None) -> Corpus:
    """Read a set; `limit_queries` keeps that many judged queries, evenly spread. Raises OSError or ValueError for what is no such set."""
    documents = (Document(line["_id"], line["_id"], line.get("title", ""), line["text"]) for line in _lines(folder / "corpus.jsonl"))
    relevant: dict[str, set[str]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query, set()).add(document)
    queries = tuple(Asked(line["text"], frozenset(relevant[line["_id"]])) for line in _lines(folder / "queries.jsonl") if line["_id"] in relevant)
    return Corpus(tuple(documents), spread(queries, limit_queries or len(queries)), editors_files)


def spread(items: tuple[_T, ...], count: int) -> tuple[_T, ...]:
    """Return `count` items, evenly spread over all of them."""
    count = min(count, len(items))
    return tuple(items[at * len(items) // count] for at in range(count))


def terms_of(corpus: Corpus) -> Terms:
    """Cut every document and query by the product's own segmentation; `seconds` is what the documents took, the dictionary being in memory."""
    words = vocabulary.load(corpus.editors_files)
    cut = segmenter(words.dictionary)
    started = time.perf_counter()
    cuts = (cut.terms(f"{document.title}\n{document.text}") for document in corpus.documents)
    documents = tuple((terms.words, terms.pairs) for terms in cuts)
    seconds = time.perf_counter() - started
    questions = [read(query.text, words, cut).terms for query in corpus.queries]
    streams = [tuple(tuple(term.text for term in terms if term.stream == stream) for stream in ("words", "pairs")) for terms in questions]
    return Terms(documents, tuple((found[0], found[1]) for found in streams), seconds)


def _sentences(document: Document) -> Iterator[Document]:
    sentences = [sentence.strip() for sentence in _SENTENCE_END.split(document.text) if sentence.strip()] or [""]
    for number, sentence in enumerate(sentences):
        yield replace(document, id=f"{document.id}#{number}", text=sentence)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)
