"""`python -m bench.memory [DIR]`: what a worker of the product weighs above a bare Flask + SQLAlchemy worker.

PSS of /proc/<pid>/smaps_rollup: private memory plus a fair share of what is shared. Both servers run with two preloaded workers, one after the
other, and each worker has answered 200 requests when it is weighed.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import time
from html import escape
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
from flask import Flask
from sqlalchemy import create_engine, text

from bench.corpus import read_corpus, spread
from bench.figures import machine, table
from bench.server import START, BenchError, gunicorn, run, settings
from indexer import vocabulary
from indexer.article import Article, Section
from indexer.build import open_published, publish, write_build

if TYPE_CHECKING:
    from flask import Response

    from bench.corpus import Corpus

ARTICLES = Path(__file__).parents[1] / "articles"
SECTIONS = 3_000
WORKERS = 2
SEARCHES = 200
"""Requests that each worker has answered when it is weighed."""
_PID = "X-Bench-Pid"
BARE = ("--workers", str(WORKERS), "--worker-class", "gthread", "--threads", "4", "--preload", "--keep-alive", "5", "--log-level", "warning")
"""Options that run the bare server as the product's settings run ours."""
_CROWD = 8
"""Connections that are opened at once, so that every worker gets one."""


def app() -> Flask:
    """Return the product's application, whose answers tell their worker; called by gunicorn."""
    from kb.gunicorn import application  # noqa: PLC0415 - that module reads the server's settings when it is imported

    return _telling(application())


def bare() -> Flask:
    """Return an application with one route that asks SQLite something through SQLAlchemy; called by gunicorn."""
    import pysqlite3  # noqa: PLC0415 - in the server only

    flask = Flask("bare")
    engine = create_engine("sqlite://", module=pysqlite3)

    @flask.get("/<path:_>")
    def ask(_: str) -> dict[str, int]:
        with engine.connect() as connection:
            return {"one": connection.execute(text("SELECT 1")).scalar_one()}

    return _telling(flask)


def _telling(flask: Flask) -> Flask:
    @flask.after_request
    def tell(response: Response) -> Response:
        response.headers[_PID] = str(os.getpid())
        return response

    return flask


def weigh(application: str, environment: dict[str, str], paths: list[str], *options: str) -> list[int]:
    """Serve an application and return the PSS of each worker in kB, after it has answered `SEARCHES` of `paths`."""
    with gunicorn(application, environment, **({"options": options} if options else {})) as port:
        workers = _connections(port)
        for number in range(SEARCHES):
            for connection in workers.values():  # in turn: none is idle for so long that the server closes it
                path = paths[number % len(paths)]
                connection.request("GET", path)
                _worker(connection, path)
        weights = [pss(pid) for pid in workers]
        for connection in workers.values():
            connection.close()
        return weights


def pss(pid: int) -> int:
    """Return the proportional set size of a process in kB. Raises OSError when there is no such process of ours."""
    found = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.MULTILINE)
    if found is None:
        raise BenchError(f"/proc/{pid}/smaps_rollup has no Pss line; this needs Linux 4.14 or newer")
    return int(found[1])


def _connections(port: int) -> dict[int, HTTPConnection]:
    """Return one kept-alive connection to each worker, by its process id. Raises BenchError when a worker takes none within a minute."""
    end = time.monotonic() + START
    found: dict[int, HTTPConnection] = {}
    while time.monotonic() < end:
        crowd = [HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(_CROWD)]
        for connection in crowd:  # all at once: a single one always goes to the worker that is awake already
            connection.request("GET", "/healthz")
        found = {_worker(connection, "/healthz"): connection for connection in crowd}
        for connection in crowd:
            if len(found) < WORKERS or connection not in found.values():
                connection.close()
        if len(found) == WORKERS:
            return found
        time.sleep(0.1)
    raise BenchError(f"only {len(found)} of {WORKERS} workers took a connection")


def _worker(connection: HTTPConnection, path: str) -> int:
    """Read the answer to a request for `path` and return the process that gave it."""
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:  # noqa: PLR2004 - OK
        raise BenchError(f"GET {path} gave {answer.status}")
    return int(answer.getheader(_PID, "0"))


def index_of(corpus: Corpus, index: Path, sections: int) -> int:
    """Publish the first documents of a corpus as articles with their HTML, as a base of that many sections; return their number."""
    documents = corpus.documents[:sections]
    articles = [
        Article(id=one.id, title=one.title, sections=(Section("", "", 1, "".join(f"<p>{escape(line)}</p>" for line in one.text.splitlines()), one.text),))
        for one in documents
    ]
    write_build(index, "bench", articles, vocabulary.load(corpus.editors_files))
    publish(index, "bench")
    return len(articles)


def shipped_again(index: Path, articles: Path, data: Path, sections: int) -> int:
    """Publish the shipped articles over and over under new names until there are that many sections; return their number."""
    run(settings(data, articles), "index", "build")
    with open_published(data / "index") as published:
        shipped = list(published.articles.values())
    made: list[Article] = []
    count = 0
    while count < sections:
        one = shipped[len(made) % len(shipped)]
        made.append(Article(**{name: getattr(one, name) for name in one.__dataclass_fields__} | {"id": f"{one.id}-{len(made)}"}))
        count += len(one.sections)
    write_build(index, "bench", made, vocabulary.load(articles))
    publish(index, "bench")
    return count


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--sections", type=click.IntRange(1), default=SECTIONS, show_default=True, help="Sections of the base.")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file too.")
def main(folder: Path | None, sections: int, to: Path | None) -> None:
    """Weigh a worker over the first documents of FOLDER (BEIR layout); without it over the shipped articles, repeated."""
    with TemporaryDirectory(prefix="bench-") as temporary:
        data = Path(temporary)
        environment = settings(data, ARTICLES, KB_WORKERS=str(WORKERS))
        run(environment, "db", "upgrade")
        if folder is None:
            count = shipped_again(data / "index", ARTICLES, data / "shipped", sections)
            with open_published(data / "index") as published:
                asked = [question for article in published.articles.values() for question in article.questions]
        else:
            corpus = read_corpus(folder, ARTICLES)
            count = index_of(corpus, data / "index", sections)
            asked = [query.text for query in corpus.queries]
        paths = [f"/api/v1/search?q={quote(question)}" for question in spread(tuple(asked), SEARCHES)]
        product = weigh("bench.memory:app()", environment, paths)
        nothing = weigh("bench.memory:bare()", environment, ["/one"], *BARE)
    told = machine("Flask", "SQLAlchemy", "gunicorn", "numpy")
    click.echo(f"{told}\n\n{count:,} sections, {WORKERS} workers, {SEARCHES} requests each\n")
    rows = [(name, *(f"{weight / 1024:.1f}" for weight in weights)) for name, weights in (("ours", product), ("bare Flask + SQLAlchemy", nothing))]
    above = (statistics.mean(product) - statistics.mean(nothing)) / 1024
    click.echo(table(("worker's PSS in MB", *(f"worker {number + 1}" for number in range(WORKERS))), rows))
    click.echo(f"\nabove a bare worker: {above:.1f} MB")
    if to is not None:
        figures: dict[str, Any] = {"machine": told, "sections": count, "pss_kb": {"ours": product, "bare": nothing}, "above_mb": round(above, 1)}
        to.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
