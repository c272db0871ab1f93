"""`python -m bench.build DIR`: what building costs above its unavoidable parts, what a change costs, and how long a new process needs to answer.

The unavoidable parts are jieba cutting the same texts and Whoosh's ordinary writer writing the same postings; each part runs in a fresh process.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click
import jieba
from whoosh import fields, index
from whoosh.analysis import SpaceSeparatedTokenizer

from bench.corpus import read_corpus
from bench.figures import machine, table
from bench.server import run, served, settings
from indexer import build as building
from indexer import segment, vocabulary, whoosh_backend
from indexer.build import write_build
from indexer.published import current_id
from kb.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.corpus import Corpus

ARTICLES = Path(__file__).parents[1] / "articles"
QUESTION = "发票抬头开错了怎么办"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Parts:
    """Seconds on a retrieval set. `segmented` counts the sections that the rebuild cut anew."""

    jieba: float
    whoosh: float
    full: float
    rebuild: float
    segmented: int


@dataclass(frozen=True, slots=True)
class Base:
    """Seconds on a folder of articles: builds with the dictionary in memory and by `kb index build`, and `kb search` and `kb serve` from start to answer."""

    full: float
    rebuild: float
    command_full: float
    command_rebuild: float
    cold_start: float
    served: float


def measure_parts(corpus: Corpus, work: Path, rounds: int) -> Parts:
    """Measure building a corpus, the parts in turn; medians over the rounds."""
    found = []
    for number in range(rounds):
        folder = work / str(number)
        folder.mkdir()
        full, rebuild, segmented = _fresh(_build_and_change, corpus, folder / "index")
        alone = _fresh(_jieba_alone, corpus)
        found.append(Parts(alone, _fresh(_whoosh_alone, folder / "index" / "builds" / "full" / "whoosh", folder), full, rebuild, segmented))
        shutil.rmtree(folder)
    medians = {name: statistics.median(getattr(one, name) for one in found) for name in ("jieba", "whoosh", "full", "rebuild")}
    return Parts(**medians, segmented=found[0].segmented)


def measure_base(articles: Path, work: Path, rounds: int) -> Base:
    """Measure building and asking a copy of an articles folder; medians over the rounds."""
    found = []
    for number in range(rounds):
        copy = work / f"articles-{number}"
        shutil.copytree(articles, copy)
        full, rebuild = _fresh(_base_in_process, copy, work / f"in-process-{number}")
        environment = settings(work / f"data-{number}", copy)
        command_full, _ = _seconds(partial(run, environment, "index", "build"))
        _change(copy, "第二次修改。")
        command_rebuild, _ = _seconds(partial(run, environment, "index", "build"))
        cold, _ = _seconds(partial(run, environment, "search", QUESTION, "--json"))
        run(environment, "db", "upgrade")
        found.append(Base(full, rebuild, command_full, command_rebuild, cold, _served(environment)))
    return Base(**{name: statistics.median(getattr(one, name) for one in found) for name in Base.__dataclass_fields__})


def _served(environment: dict[str, str]) -> float:
    """Return the seconds from starting `kb serve` to the answer to a first question."""
    started = time.perf_counter()
    with served(environment) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", f"/api/v1/search?q={quote(QUESTION)}")
        answer = connection.getresponse()
        answer.read()
        seconds = time.perf_counter() - started
        connection.close()
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise RuntimeError("the first question got no answer")
    return seconds


def _fresh(work: Callable[..., _T], *arguments: Any) -> _T:
    """Do something in a process of its own and return what it returned."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def _seconds(work: Callable[[], _T]) -> tuple[float, _T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _build_and_change(corpus: Corpus, folder: Path) -> tuple[float, float, int]:
    """Return the seconds of a full build and of one after a change of the middle article, and how many sections that one cut."""
    words = vocabulary.load(corpus.editors_files)
    segment.segmenter(words.dictionary)
    documents = list(corpus.documents)
    full, _ = _seconds(lambda: write_build(folder, "full", [document.as_article() for document in documents], words))
    middle = len(documents) // 2
    documents[middle] = replace(documents[middle], text=f"{documents[middle].text}\n这一句是新写的。")
    rebuild, segmented = _seconds(lambda: write_build(folder, "changed", [document.as_article() for document in documents], words))
    return full, rebuild, segmented


def _jieba_alone(corpus: Corpus) -> float:
    """Return the seconds that jieba takes for the texts that a build cuts: of each section its title, and its title with its text."""
    cutter = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    for word in vocabulary.load(corpus.editors_files).dictionary:
        cutter.add_word(word)
    texts = [text for document in corpus.documents for text in (document.title, f"{document.title}\n{document.text}")]
    return _seconds(lambda: [list(cutter.cut_for_search(text, HMM=False)) for text in texts])[0]


def _whoosh_alone(written: Path, work: Path) -> float:
    """Return the seconds that Whoosh's ordinary writer takes for the postings of an index that was written."""
    documents: list[dict[str, list[str]]] = []
    names = []
    for postings in whoosh_backend.postings(written):
        name = postings.field.name
        names.append(name)
        documents = documents or [{} for _ in postings.lengths]
        at = 0
        for term, frequency in zip(postings.terms, postings.frequencies, strict=True):
            for position, count in zip(postings.documents[at : at + frequency], postings.counts[at : at + frequency], strict=True):
                documents[position].setdefault(name, []).extend([term] * int(count))
            at += frequency
    texts = [{name: " ".join(terms) for name, terms in document.items()} for document in documents]
    folder = work / "ordinary"
    folder.mkdir()
    schema = fields.Schema(**{name: fields.TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False) for name in names})

    def write() -> None:
        writer = index.create_in(str(folder), schema).writer(limitmb=256)
        for text in texts:
            writer.add_document(**text)
        writer.commit(optimize=True)

    return _seconds(write)[0]


def _base_in_process(articles: Path, data: Path) -> tuple[float, float]:
    segment.warm_up(data / "jieba")
    full, _ = _seconds(lambda: building.build(articles, data / "index", utc_now()))
    before = current_id(data / "index")
    _change(articles, "第一次修改。")
    rebuild, _ = _seconds(lambda: building.build(articles, data / "index", utc_now()))
    if current_id(data / "index") == before:
        raise RuntimeError("the changed article gave no other build")
    return full, rebuild


def _change(articles: Path, sentence: str) -> None:
    """Add a paragraph to the first article of a folder."""
    path = next(path for path in sorted(articles.glob("*/*.md")) if path.name != "README.md")
    path.write_text(f"{path.read_text(encoding='utf-8').rstrip()}\n\n{sentence}\n", encoding="utf-8")


def report(parts: Parts, base: Base) -> str:
    """Return the table with each figure and what it is held against."""
    unavoidable = parts.jieba + parts.whoosh
    rows: Sequence[tuple[str, float, str]] = (
        ("jieba alone", parts.jieba, ""),
        ("Whoosh's ordinary writer, same postings", parts.whoosh, ""),
        ("full build", parts.full, f"{parts.full / unavoidable:.2f} × (jieba + Whoosh)"),
        (f"rebuild after one changed article ({parts.segmented} section cut)", parts.rebuild, f"{parts.rebuild / parts.full:.2f} × full"),
        ("shipped articles: full build", base.full, ""),
        ("shipped articles: rebuild after one change", base.rebuild, f"{base.rebuild / base.full:.2f} × full"),
        ("shipped articles: full build, `kb index build`", base.command_full, ""),
        ("shipped articles: rebuild, `kb index build`", base.command_rebuild, f"{base.command_rebuild / base.command_full:.2f} × full"),
        ("cold start to first answer, `kb search`", base.cold_start, ""),
        ("cold start to first answer, `kb serve`", base.served, ""),
    )
    return table(("what", "s", "in relation"), [(what, f"{seconds:.2f}", relation) for what, seconds, relation in rows])


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Turns of everything; figures are medians over them.")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file too.")
def main(folder: Path, rounds: int, to: Path | None) -> None:
    """Measure building the retrieval set in FOLDER (BEIR layout) and the shipped articles."""
    corpus = read_corpus(folder, ARTICLES)
    with TemporaryDirectory(prefix="bench-") as work:
        parts = measure_parts(corpus, Path(work), rounds)
        base = measure_base(ARTICLES, Path(work), rounds)
    told = machine("jieba", "whoosh3", "numpy")
    click.echo(f"{told}\n\n{folder.resolve().name}: {len(corpus.documents):,} documents; medians of {rounds} rounds\n\n{report(parts, base)}")
    if to is not None:
        figures = {"machine": told, "set": folder.resolve().name, "rounds": rounds, "parts_s": asdict(parts), "shipped_s": asdict(base)}
        to.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
