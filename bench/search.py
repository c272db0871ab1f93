"""`python -m bench.search DIR`: ours against other engines on the same corpus and the same terms, in one run.

Each engine lives in a process of its own. They build one after another, then take turns: in every round each ranks all queries while the others
wait, and the figures are medians over the rounds. See bench/README.md for what each figure means.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from bench.corpus import read_corpus, spread, terms_of
from bench.engines import BASELINE, ENGINES, OURS, K, Ours
from bench.figures import Spread, machine, median_of, spread_of, table
from kb.search.answer import answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from bench.corpus import Corpus, Terms

ARTICLES = Path(__file__).parents[1] / "articles"
TRIAL = 5
"""Queries that are asked first, to see how many an engine can be asked."""
ROUND_SECONDS = 20.0
"""An engine whose round would take longer is asked evenly spread queries only."""


@dataclass(slots=True)
class Measured:
    """What came out for one engine. Times in µs, ranking figures None when only some queries were asked."""

    engine: str
    detail: str
    queries: int
    build_s: float | None
    rank: Spread
    query_us: float
    answer: Spread | None
    mrr: float | None
    r1: float | None


@dataclass(slots=True)
class _Contestant:
    """A process with an engine in it. `ask` waits for its reply; nothing else runs meanwhile."""

    name: str
    process: SpawnProcess
    pipe: Connection
    build_s: float | None = None
    detail: str = ""
    numbers: tuple[int, ...] = ()
    found: list[list[int]] = field(default_factory=list)
    query_us: float = 0.0
    rank: list[Spread] = field(default_factory=list)
    answer: list[Spread] = field(default_factory=list)

    def ask(self, what: str, numbers: tuple[int, ...] = ()) -> Any:
        self.pipe.send((what, numbers))
        return self.hear()

    def hear(self) -> Any:
        try:
            return self.pipe.recv()
        except EOFError as error:
            raise click.ClickException(f"{self.name} ended by itself; its last lines above say why") from error


def measure(corpus: Corpus, work: Path, *, rounds: int, engines: tuple[str, ...], say: Callable[[str], None] = lambda _: None) -> list[Measured]:
    """Measure the installed ones of `engines` on a corpus; indexes go into the empty folder `work`. At least one query and one round are needed."""
    say(f"cutting {len(corpus.documents)} documents into terms")
    terms = terms_of(corpus)
    contestants: list[_Contestant] = []
    try:
        for name in (name for name in engines if ENGINES[name].installed):
            say(f"{name}: building")
            contestants.append(_started(name, corpus, terms, work))
        for one in contestants:
            _warm_up(one, len(corpus.queries))
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for one in contestants:
                one.rank.append(spread_of(one.ask("rank", one.numbers)[1]))
                if one.name == OURS:
                    one.answer.append(spread_of(one.ask("answer", one.numbers)))
    finally:
        for one in contestants:
            one.pipe.close()
            one.process.join(10)
    return [_measured(one, corpus, terms) for one in contestants]


def _started(name: str, corpus: Corpus, terms: Terms, work: Path) -> _Contestant:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(name, corpus, terms, work, theirs), daemon=True)
    process.start()
    theirs.close()
    contestant = _Contestant(name, process, ours)
    contestant.build_s, contestant.detail = contestant.hear()
    return contestant


def _warm_up(one: _Contestant, queries: int) -> None:
    """Ask everything once untimed, which gives the ranking; an engine that would take too long is asked a part of it."""
    everything = tuple(range(queries))
    one.ask("rank", spread(everything, TRIAL))
    trial = one.ask("rank", spread(everything, TRIAL))[1]
    one.numbers = spread(everything, max(TRIAL, int(ROUND_SECONDS * 1e6 / statistics.mean(trial))))
    preparing, _, one.found = one.ask("rank", one.numbers)
    one.query_us = statistics.median(preparing)
    if one.name == OURS:
        one.ask("answer", one.numbers)


def _serve(name: str, corpus: Corpus, terms: Terms, work: Path, pipe: Connection) -> None:
    """Hold an engine and do what the other end of the pipe says until it is closed."""
    engine = ENGINES[name].make(corpus, terms, work)
    pipe.send((engine.build_s, engine.detail))
    while True:
        try:
            what, numbers = pipe.recv()
        except EOFError:
            return
        if what == "answer" and isinstance(engine, Ours):
            texts = [corpus.queries[number].text for number in numbers]
            pipe.send([_timed(lambda text: answer(engine.published, text, limit=K), text)[0] for text in texts])
            continue
        prepared = [_timed(engine.query, number) for number in numbers]
        ranked = [_timed(engine.rank, query) for _, query in prepared]
        pipe.send(([taken for taken, _ in prepared], [taken for taken, _ in ranked], [engine.positions(result) for _, result in ranked]))


def _timed(work: Callable[[Any], Any], on: Any) -> tuple[float, Any]:
    """Return the µs that `work` took and what it gave."""
    started = time.perf_counter_ns()
    result = work(on)
    return (time.perf_counter_ns() - started) / 1000, result


def _measured(one: _Contestant, corpus: Corpus, terms: Terms) -> Measured:
    whole = len(one.numbers) == len(corpus.queries)
    firsts = [_first_relevant(corpus, number, found) for number, found in zip(one.numbers, one.found, strict=True)]
    segmenting = 0.0 if one.name.startswith(OURS) else terms.seconds
    return Measured(
        engine=one.name,
        detail=one.detail,
        queries=len(one.numbers),
        build_s=None if one.build_s is None else round(one.build_s + segmenting, 2),
        rank=median_of(one.rank),
        query_us=one.query_us,
        answer=median_of(one.answer) if one.answer else None,
        mrr=round(statistics.mean(1 / first if first else 0 for first in firsts), 4) if whole else None,
        r1=round(statistics.mean(first == 1 for first in firsts), 4) if whole else None,
    )


def _first_relevant(corpus: Corpus, number: int, found: list[int]) -> int:
    """Return the rank of the first relevant document among the different documents that were found, 0 for none."""
    sources = dict.fromkeys(corpus.documents[position].source for position in found)
    return next((rank for rank, source in enumerate(sources, 1) if source in corpus.queries[number].relevant), 0)


def report(measured: list[Measured]) -> str:
    """Return the table: speed, ranking and build time side by side, with what each is in relation to tantivy."""
    baseline = next((one.rank for one in measured if one.engine == BASELINE), None)
    header = ("engine", "rank p50 µs", "p95 µs", "p50 / tantivy", "p95 / tantivy", "MRR@10", "r@1", "build s", "queries")
    rows = []
    for one in measured:
        lines = [(one.engine, one.rank)] if one.answer is None else [(one.engine, one.rank), (f"{one.engine}, `answer`", one.answer)]
        for at, (name, times) in enumerate(lines):
            ranking = ("", "", "") if at else (_decimal(one.mrr), _decimal(one.r1), _seconds(one.build_s))
            ratios = (_ratio(times.p50, baseline.p50 if baseline else None), _ratio(times.p95, baseline.p95 if baseline else None))
            rows.append((name, f"{times.p50:,.0f}", f"{times.p95:,.0f}", *ratios, *ranking, str(one.queries)))
    return table(header, rows)


def _ratio(value: float, to: float | None) -> str:
    return "-" if to is None else f"{value / to:.2f}"


def _decimal(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Turns of each engine; figures are medians over them.")
@click.option("--limit-queries", type=click.IntRange(1), help="Ask that many queries, evenly spread, instead of all.")
@click.option("--sentences/--no-sentences", default=True, show_default=True, help="Measure a second time with every sentence as a document.")
@click.option("--engine", "engines", multiple=True, type=click.Choice(list(ENGINES)), help="Only these engines (may be repeated).")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write all figures to this file too.")
def main(folder: Path, rounds: int, limit_queries: int | None, sentences: bool, engines: tuple[str, ...], to: Path | None) -> None:  # noqa: FBT001 - click passes flags by name
    """Compare ours with tantivy, bm25s, SQLite FTS5 and Whoosh's own searcher on the retrieval set in FOLDER (BEIR layout)."""
    corpus = read_corpus(folder, ARTICLES, limit_queries)
    told = machine("numpy", "whoosh3", "tantivy", "bm25s", "numba", "pysqlite3")
    click.echo(told)
    figures: dict[str, Any] = {"machine": told, "set": folder.resolve().name, "rounds": rounds}
    for name, kind in (("documents", corpus), ("sentences", corpus.as_sentences())) if sentences else (("documents", corpus),):
        with TemporaryDirectory(prefix="bench-") as work:
            found = measure(kind, Path(work), rounds=rounds, engines=engines or tuple(ENGINES), say=lambda text: click.echo(text, err=True))
        click.echo(f"\n{folder.resolve().name}: {len(kind.documents):,} {name}, {len(kind.queries)} queries, medians of {rounds} rounds\n")
        click.echo(report(found))
        click.echo(f"\n{'; '.join(f'{one.engine}: {one.detail}' for one in found)}")
        for missing in (engine for engine in engines or tuple(ENGINES) if not ENGINES[engine].installed):
            click.echo(f"not installed: {missing} (make bench-setup)")
        if baseline := next((measured for measured in found if measured.engine == BASELINE), None):
            click.echo(f"making tantivy's query from terms takes {baseline.query_us:.0f} µs (p50) and is not counted")
        figures[name] = {"count": len(kind.documents), "engines": [asdict(measured) for measured in found]}
    if to is not None:
        to.write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
