"""Measure an answering function on a retrieval set in BEIR layout, through the product's own pipeline."""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from indexer import vocabulary
from indexer.article import Article, Section
from indexer.build import write_build
from indexer.errors import IndexerError
from indexer.published import Published, open_build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from indexer.published import Scorer

DEPTH = 10
ANSWERABLE = "answerable"
"""What the judged queries are counted as among the verdicts."""
RANK_SAMPLE = 200
"""About how many queries, evenly spread, are ranked once more to time ranking alone."""
_GRADE = re.compile(r"[+-]?[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the product said to one question: article ids best first, its verdict, and its answerability score (0-1)."""

    articles: tuple[str, ...]
    verdict: str
    score: float


def evaluate(
    folder: Path,
    editors_files: Path,
    ask: Callable[[Published, str], Asked],
    progress: Callable[[str], None] = lambda _: None,
    *,
    scorer: Scorer = "compiled",
) -> dict[str, Any]:
    """Index a BEIR-layout folder in a temporary folder, ask every query, and return the figures of the contract.

    Each document is an article of one section. `queries` counts the judged ones; figures without data are 0.0, never NaN.
    Raises IndexerError when the folder lacks a file or a line cannot be used; it names file, line and remedy. A judgement of a query that the set
    does not hold is passed over, and `progress` is told.
    """
    corpus, queries, others = documents(folder), judged(folder), unanswerable(folder)
    if unasked := _unasked(folder, corpus, len(queries)):
        progress(f"qrels.tsv judges {unasked} queries that queries.jsonl does not hold; they do not count")
    with TemporaryDirectory(prefix="kb-eval-") as temporary:
        progress(f"indexing {len(corpus)} documents")
        started = time.perf_counter()
        write_build(Path(temporary), "eval", corpus, vocabulary.load(editors_files))
        published = open_build(Path(temporary), "eval", scorer)
        built = time.perf_counter() - started
        with published:
            progress(f"asking {len(queries) + len(others)} questions")
            timings: list[int] = []
            answers = [(relevant, _timed(ask, published, text, timings)) for text, relevant in queries]
            rank = [_rank_time(published, text) for text, _ in queries[:: max(1, len(queries) // RANK_SAMPLE)]]
            unanswered = [(kind, _timed(ask, published, text, [])) for kind, text in others]
    return {
        "dataset": folder.resolve().name,
        "docs": len(corpus),
        "queries": len(queries),
        "build_s": round(built, 3),
        "latency_us": {"answer": _percentiles(timings), "rank": _percentiles(rank)},
        **_ranking_figures(answers),
        "verdicts": _verdicts(answers, unanswered),
        "auroc": _aurocs([asked.score for _, asked in answers], unanswered),
    }


def documents(folder: Path) -> list[Article]:
    """Return the documents of a set, each as an article of one section, shown and searched as plain text. Raises IndexerError as `evaluate` does."""
    path = folder / "corpus.jsonl"
    found = [_article(path, number, line) for number, line in _jsonl(path)]
    if not found:
        raise IndexerError(f'{path}:1 holds no document; write one a line, as in {{"_id": "d1", "title": "…", "text": "…"}}')
    return found


def judged(folder: Path) -> list[tuple[str, dict[str, int]]]:
    """Return each judged query of a set as its text and {document id: grade > 0}. Raises IndexerError as `evaluate` does."""
    relevant: dict[str, dict[str, int]] = defaultdict(dict)
    for _, query, document, grade in _judgements(folder / "qrels.tsv"):
        relevant[query][document] = grade
    path = folder / "queries.jsonl"
    return [(_text(path, number, line, "text"), relevant[line["_id"]]) for number, line in _jsonl(path) if line["_id"] in relevant]


def unanswerable(folder: Path) -> list[tuple[str, str]]:
    """Return each query of a set that no document answers as its kind and its text, none for a set without such. Raises IndexerError as `evaluate` does."""
    path = folder / "queries_unanswerable.jsonl"
    if not path.exists():
        return []
    found = [(number, _text(path, number, {"kind": "unanswerable", **line}, "kind"), _text(path, number, line, "text")) for number, line in _jsonl(path)]
    if mixed := next((number for number, kind, _ in found if kind == ANSWERABLE), None):
        raise IndexerError(f"{path}:{mixed} is of the kind {ANSWERABLE!r}, under which the judged queries are counted; name it otherwise")
    return [(kind, text) for _, kind, text in found]


def _unasked(folder: Path, corpus: Sequence[Article], asked: int) -> int:
    """Return how many judged queries the set lacks. Raises IndexerError for a judged document that it lacks: its query could never be answered."""
    path = folder / "qrels.tsv"
    known, queries = {document.id for document in corpus}, set()
    for number, query, document, _ in _judgements(path):
        queries.add(query)
        if document not in known:
            raise IndexerError(f"{path}:{number} judges the document {document[:80]!r}, which corpus.jsonl does not hold; add it there or take the line out")
    return len(queries) - asked


def _article(path: Path, number: int, line: dict[str, Any]) -> Article:
    title, text = ("" if line.get(name) is None else _text(path, number, line, name) for name in ("title", "text"))
    return Article(id=line["_id"], title=title, sections=(Section("", "", 1, "", text),))


def _text(path: Path, number: int, line: dict[str, Any], name: str) -> str:
    if not isinstance(value := line.get(name), str):
        raise IndexerError(f'{path}:{number} has no text as its "{name}"; write "{name}": "…"')
    return _whole(value)


def _whole(text: str) -> str:
    """Return `text` with a question mark for half a character (JSON may hold a lone surrogate), which no file takes."""
    return text.encode("utf-8", "replace").decode()


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Return the lines of a file that say something, with their numbers."""
    if not path.is_file():
        raise IndexerError(f"{path} is missing; a set has corpus.jsonl, queries.jsonl and qrels.tsv")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise IndexerError(f"{path}:{number} is not UTF-8 (byte {error.start} of the line); save the file as UTF-8") from error
            if text.strip():
                yield number, text


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Return the objects of a file with their lines; each has an "_id" of its own, as text."""
    first: dict[str, int] = {}
    for number, text in _lines(path):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise IndexerError(f"{path}:{number} is not JSON: {error}; write one object a line") from error
        id_ = found.get("_id") if isinstance(found, dict) else None
        if not isinstance(id_, str | int) or isinstance(id_, bool) or id_ == "":
            raise IndexerError(f'{path}:{number} is no object with a text as its "_id"; write {{"_id": "…", …}}')
        id_ = found["_id"] = _whole(str(id_))
        if id_ in first:
            raise IndexerError(f"{path}:{number} has the _id {id_[:80]!r} of line {first[id_]}; give each line its own")
        first[id_] = number
        yield number, found


def _judgements(path: Path) -> Iterator[tuple[int, str, str, int]]:
    """Return line, query id, document id and grade of every judgement above 0. A header line is passed over."""
    for number, text in _lines(path):
        columns = text.split("\t")
        whole = len(columns) == 3  # noqa: PLR2004 - query, document, grade
        if not whole or not _GRADE.fullmatch(columns[2].strip()):
            if whole and number == 1:
                continue
            raise IndexerError(f"{path}:{number} is no judgement; write query id, document id and a whole number of at most 4 digits, with tabs between")
        if (grade := int(columns[2])) > 0:
            yield number, columns[0], columns[1], grade


def _timed(ask: Callable[[Published, str], Asked], published: Published, text: str, timings: list[int]) -> Asked:
    started = time.perf_counter_ns()
    asked = ask(published, text)
    timings.append((time.perf_counter_ns() - started) // 1000)
    return asked


def _rank_time(published: Published, text: str) -> int:
    question = published.read(text)
    started = time.perf_counter_ns()
    published.search(question, limit=DEPTH)
    return (time.perf_counter_ns() - started) // 1000


def _percentiles(values: Sequence[int]) -> dict[str, int]:
    if not values:
        return {"p50": 0, "p95": 0}
    ordered = sorted(values)
    return {"p50": int(statistics.median(ordered)), "p95": ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)]}


def _ranking_figures(answers: Sequence[tuple[dict[str, int], Asked]]) -> dict[str, float]:
    """Return r@1, hit@10, MRR@10 and nDCG@10 (gain = grade, discount log2(rank + 1)), means over the judged queries."""
    sums = dict.fromkeys(("r@1", "hit@10", "mrr@10", "ndcg@10"), 0.0)
    for relevant, asked in answers:
        gains = [relevant.get(article, 0) for article in asked.articles[:DEPTH]]
        first = next((rank for rank, gain in enumerate(gains, 1) if gain), 0)
        sums["r@1"] += first == 1
        sums["hit@10"] += first > 0
        sums["mrr@10"] += 1 / first if first else 0
        ideal = _dcg(sorted(relevant.values(), reverse=True)[:DEPTH])
        sums["ndcg@10"] += _dcg(gains) / ideal if ideal else 0
    return {name: round(value / len(answers), 4) if answers else 0.0 for name, value in sums.items()}


def _dcg(gains: Iterable[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _verdicts(answers: Sequence[tuple[object, Asked]], unanswered: Sequence[tuple[str, Asked]]) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    counted[ANSWERABLE].update(asked.verdict for _, asked in answers)
    for kind, asked in unanswered:
        counted[kind][asked.verdict] += 1
    return {kind: dict(sorted(counter.items())) for kind, counter in counted.items()}


def _aurocs(answerable: Sequence[float], unanswered: Sequence[tuple[str, Asked]]) -> dict[str, float]:
    by_kind: dict[str, list[float]] = defaultdict(list)
    for kind, asked in unanswered:
        by_kind[kind].append(asked.score)
    return {kind: round(auroc(answerable, scores), 4) for kind, scores in by_kind.items() if answerable}


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Return the chance that a positive scores above a negative, ties counting half (Mann-Whitney U / n·m)."""
    ordered = sorted([(score, 1) for score in positive] + [(score, 0) for score in negative])
    total, at = 0.0, 0
    while at < len(ordered):
        end = at
        while end < len(ordered) and ordered[end][0] == ordered[at][0]:
            end += 1
        mean_rank = (at + 1 + end) / 2
        total += mean_rank * sum(label for _, label in ordered[at:end])
        at = end
    count = len(positive)
    return (total - count * (count + 1) / 2) / (count * len(negative))
