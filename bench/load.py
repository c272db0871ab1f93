"""`python -m bench.load`: searches and finished questions that no article answers, arriving whether or not the server keeps up.

`kb serve` as people start it, on loopback over the shipped articles in a folder of its own, with the limits against floods raised. People come at
moments that are fixed beforehand, each on a connection of their own; what they wait counts from that moment, so a queue is not hidden. Every question is
from another person, half of them are earlier wishes in other words. At the end what was acknowledged is held against the database.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import click

from bench.demand import arrivals, finished, searches, wishes
from bench.figures import machine, percentile, table
from bench.http import questions
from bench.server import ENDLESS, Server, run, settings
from bench.stored import Account, Told, audit

if TYPE_CHECKING:
    from collections.abc import Iterator

ARTICLES = Path(__file__).parents[1] / "articles"
SEARCH, INTENT = "search", "intent"
CROWD = 64
"""Requests that can be on their way at once."""
PATIENCE = 30.0
"""Seconds after which an answer is an error."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: `ms` from its due moment to having its answer, `late` of them before it was sent; `status` 0 when there was no answer."""

    kind: str
    ms: float
    late: float
    status: int
    body: bytes

    @property
    def failed(self) -> bool:
        """Whether it was not answered as it should be."""
        return self.status not in {200, 201}


def prepare(data: Path, articles: Path, **more: str) -> dict[str, str]:
    """Make database and index in the empty folder `data`; return the settings of a server that lets a crowd through."""
    environment = settings(data, articles, KB_TICKETS_PER_HOUR=ENDLESS, **more)
    run(environment, "db", "upgrade")
    run(environment, "index", "build")
    return environment


def measure(port: int, known: list[tuple[str, str]], asked: tuple[str, ...], seconds: float, rates: tuple[float, float]) -> list[Outcome]:
    """Send searches and questions at `rates` a second; return what became of each when all are answered."""
    plan = sorted([(due, SEARCH) for due in arrivals(rates[0], seconds, 1)] + [(due, INTENT) for due in arrivals(rates[1], seconds, 2)])
    wanted, said = searches(asked), finished(known)
    with ThreadPoolExecutor(CROWD) as pool:
        start = time.monotonic() + 0.5
        sent = []
        for due, kind in plan:
            request = _search(next(wanted)) if kind == SEARCH else _intent(said)
            time.sleep(max(0.0, start + due - time.monotonic()))
            sent.append(pool.submit(_send, port, kind, start + due, *request))
        return [one.result() for one in sent]


def _search(question: str) -> tuple[str, str, bytes | None]:
    return "GET", f"/api/v1/search?q={quote(question)}", None


def _intent(said: Iterator[str]) -> tuple[str, str, bytes]:
    body = {"intent_id": str(uuid4()), "query": next(said), "trigger": "enter", "visitor": str(uuid4())}
    return "POST", "/api/v1/intents", json.dumps(body).encode()


def _send(port: int, kind: str, due: float, method: str, path: str, body: bytes | None) -> Outcome:
    late = time.monotonic() - due
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", "Connection": "close"})
        answer = connection.getresponse()
        status, said = answer.status, answer.read()
    except (OSError, HTTPException) as error:
        status, said = 0, repr(error).encode()
    finally:
        connection.close()
    return Outcome(kind, (time.monotonic() - due) * 1000, late * 1000, status, said if body is None else (body + b"\n" + said))


def told(outcomes: list[Outcome]) -> list[Told]:
    """Return what the acknowledged questions were told."""
    found = []
    for one in outcomes:
        if one.kind == INTENT and not one.failed:
            asked, said = (json.loads(part) for part in one.body.split(b"\n", 1))
            ticket = said["ticket"] or {"number": 0, "url": ""}
            found.append(Told(asked["intent_id"], ticket["number"], ticket["url"].rpartition("/")[2]))
    return found


def _row(kind: str, outcomes: list[Outcome]) -> tuple[str, ...]:
    mine = [one for one in outcomes if one.kind == kind]
    ms = sorted(one.ms for one in mine)
    return (kind, str(len(mine)), *(f"{percentile(ms, share):,.0f}" for share in (0.5, 0.95, 0.99, 1.0)), str(sum(one.failed for one in mine)))


@click.command()
@click.option("--seconds", type=click.FloatRange(1), default=60, show_default=True, help="How long people keep coming.")
@click.option("--searches", "search_rate", type=click.FloatRange(0.1), default=20, show_default=True, help="Searches a second.")
@click.option("--intents", "intent_rate", type=click.FloatRange(0.1), default=5, show_default=True, help="Finished unanswered questions a second.")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file too.")
def main(seconds: float, search_rate: float, intent_rate: float, to: Path | None) -> None:
    """Measure searches and finished questions under a load that does not wait."""
    with TemporaryDirectory(prefix="bench-") as folder:
        data = Path(folder) / "data"
        environment = prepare(data, ARTICLES, KB_WORKERS="2")
        known = wishes(data / "index", max(1, round(seconds * intent_rate / 2)))
        server = Server(environment, Path(folder) / "log")
        server.start()
        try:
            measure(server.port, known[:1], ("报销",), 2, (20, 0.1))  # both workers have answered when it begins
            outcomes = measure(server.port, known, questions(data / "index"), seconds, (search_rate, intent_rate))
        finally:
            server.stop()
        log = server.log.read_text(encoding="utf-8")
        account = audit(data / "kb.sqlite3", told(outcomes), range(1))
    report(outcomes, account, log, to)


def report(outcomes: list[Outcome], account: Account, log: str, to: Path | None) -> None:
    """Print the figures, and write them to a file when one is named."""
    locked = sum(b"locked" in one.body for one in outcomes) + log.count("locked")
    told_machine, rows = machine("gunicorn", "Flask", "SQLAlchemy"), [_row(kind, outcomes) for kind in (SEARCH, INTENT)]
    click.echo(f"{told_machine}\n\n2 workers, open loop, milliseconds from the moment a person came\n")
    click.echo(table(("request", "sent", "p50 ms", "p95 ms", "p99 ms", "max ms", "errors"), rows))
    click.echo(f"\nlatest start of a request: {max(one.late for one in outcomes):.0f} ms after its moment")
    click.echo(
        f"acknowledged {account.acknowledged}, stored {account.intents} in {account.tickets} tickets; "
        f"lost {len(account.lost)}, double {len(account.double)}, unsound {len(account.unsound)}, “locked” shown or logged {locked}"
    )
    for line in [*account.lost, *account.double, *account.unsound][:20]:
        click.echo(f"  {line}")
    for status, body in {one.status: one.body for one in outcomes if one.failed}.items():
        click.echo(f"  {status}, for instance: {body[-300:].decode(errors='replace')}")
    if to is not None:
        header = ("request", "sent", "p50", "p95", "p99", "max", "errors")
        figures: dict[str, Any] = {
            "machine": told_machine,
            "ms": [dict(zip(header, row, strict=True)) for row in rows],
            "account": asdict(account),
            "locked": locked,
        }
        to.write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
