"""`python -m bench.http`: what `GET /api/v1/search` costs above a no-op JSON route of the same server and the same application.

One worker, one connection that is kept alive, the shipped articles; every search is preceded by a no-op, so that both see the same machine.
"""

from __future__ import annotations

import json
import time
import tomllib
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from bench.corpus import spread
from bench.figures import Spread, machine, median_of, spread_of, table
from bench.server import BenchError, gunicorn, run, settings
from indexer.build import open_published

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue

ROOT = Path(__file__).parents[1]
ARTICLES = ROOT / "articles"
GOLDEN = ROOT / "tests" / "golden" / "questions.toml"
NO_OP = "/api/v1/bench-no-op"


def app() -> Flask:
    """Return the product's application with the no-op route; called by gunicorn."""
    from kb.gunicorn import application  # noqa: PLC0415 - that module reads the server's settings when it is imported
    from kb.web.authorisation import NEEDS, Gate  # noqa: PLC0415 - the same

    flask = application()
    NEEDS["no_op"] = Gate.PUBLIC  # without a row it would be denied

    @flask.get(NO_OP)
    def no_op() -> ResponseReturnValue:
        return {"ok": True}

    return flask


def questions(index: Path, golden: Path = GOLDEN) -> tuple[str, ...]:
    """Return what people ask: every similar question of the published articles, and the golden questions."""
    with open_published(index) as published:
        written = [question for article in published.articles.values() for question in article.questions]
    return (*written, *(question for listed in tomllib.loads(golden.read_text(encoding="utf-8")).values() for question in listed))


def prepare(data: Path, articles: Path) -> dict[str, str]:
    """Make database and index in the empty folder `data`; return the server's settings."""
    environment = settings(data, articles, KB_WORKERS="1")
    run(environment, "db", "upgrade")
    run(environment, "index", "build")
    return environment


def measure(environment: dict[str, str], asked: tuple[str, ...], rounds: int) -> dict[str, Spread]:
    """Return the µs of both routes from sending a request to having its body: medians of the rounds' p50 and p95."""
    taken: dict[str, list[Spread]] = {"no-op": [], "search": []}
    with gunicorn("bench.http:app()", environment) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        for number in range(rounds + 1):
            times: dict[str, list[float]] = {"no-op": [], "search": []}
            for question in asked:
                times["no-op"].append(get(connection, NO_OP))
                times["search"].append(get(connection, f"/api/v1/search?q={quote(question)}"))
            if number:  # the first round warms up
                for name, found in times.items():
                    taken[name].append(spread_of(found))
        connection.close()
    return {name: median_of(found) for name, found in taken.items()}


def get(connection: HTTPConnection, path: str) -> float:
    """Return the µs of one request. Raises BenchError for another status than 200 and for a connection that is not kept."""
    started = time.perf_counter_ns()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    taken = (time.perf_counter_ns() - started) / 1000
    if answer.status != 200 or answer.will_close:  # noqa: PLR2004 - OK
        raise BenchError(f"GET {path} gave {answer.status}{' and closed the connection' if answer.will_close else ''}: {body[:200]!r}")
    return taken


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Passes over all questions after one to warm up.")
@click.option("--limit-queries", type=click.IntRange(1), help="Ask that many questions, evenly spread, instead of all.")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file too.")
def main(rounds: int, limit_queries: int | None, to: Path | None) -> None:
    """Measure GET /api/v1/search against a no-op route, 1 worker, keep-alive."""
    with TemporaryDirectory(prefix="bench-") as data:
        environment = prepare(Path(data), ARTICLES)
        everything = questions(Path(data) / "index")
        asked = spread(everything, limit_queries or len(everything))
        found = measure(environment, asked, rounds)
    told = machine("gunicorn", "Flask")
    no_op, search = found["no-op"], found["search"]
    rows = [
        ("no-op", f"{no_op.p50:,.0f}", f"{no_op.p95:,.0f}", "1.00", "1.00"),
        ("GET /api/v1/search", f"{search.p50:,.0f}", f"{search.p95:,.0f}", f"{search.p50 / no_op.p50:.2f}", f"{search.p95 / no_op.p95:.2f}"),
    ]
    click.echo(f"{told}\n\n{len(asked)} questions, 1 worker, keep-alive, medians of {rounds} rounds\n")
    click.echo(table(("route", "p50 µs", "p95 µs", "p50 / no-op", "p95 / no-op"), rows))
    if to is not None:
        figures: dict[str, Any] = {name: {"p50": one.p50, "p95": one.p95} for name, one in found.items()}
        to.write_text(json.dumps({"machine": told, "questions": len(asked), "rounds": rounds, "us": figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
