"""`python -m bench.ledger`: writes by many clients while processes are killed; what was acknowledged must stand in the database, once.

`kb serve` as people start it, on loopback over the shipped articles in a folder of its own. Client processes send questions and details, each write with an
Idempotency-Key of its own, and send it again under the same key until it is answered; now and then a client is killed while it waits and another goes on in its
place. Meanwhile web workers are killed by SIGKILL at random moments, sometimes all at once; and twice the whole server: all its processes at one stroke,
and `kb serve` alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPException
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from bench.demand import wishes
from bench.figures import machine
from bench.load import prepare
from bench.server import Server
from bench.stored import Account, Told, audit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ARTICLES = Path(__file__).parents[1] / "articles"
WISHES = 400
PATIENCE = 60.0
"""Seconds after which a client that was never answered gives up."""
REST = 0.05
"""Seconds between two tries of a client."""
DONE = frozenset({200, 201})
DETAILS = 0.3
"""Share of writes that add details to a ticket."""
DYING = 0.2
"""Share of writes whose client is killed within the next 30 ms."""
ALL_AT_ONCE = 8
"""Every so many strikes hit all web workers."""


@dataclass(frozen=True, slots=True)
class Write:
    """One POST and its key."""

    path: str
    body: dict[str, str]
    key: str


@dataclass
class Strikes:
    """What was killed, and how many seconds it took each time until somebody answered again."""

    workers: int = 0
    outages: list[float] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Ledger:
    """How it went. `statuses` counts answers by status, 0 for connections that ended without one."""

    account: Account
    questions: int
    details: int
    strikes: Strikes
    clients_killed: int
    retried: int
    statuses: dict[int, int]
    unanswered: int
    locked: int

    @property
    def clean(self) -> bool:
        """Whether every write was answered and is stored once, and nobody was told of a locked database."""
        as_many = self.account.intents == self.questions and self.account.details == self.details
        return self.account.clean and as_many and not self.unanswered and not self.locked


def keep(
    environment: dict[str, str], folder: Path, known: Sequence[tuple[str, str]], seconds: float, processes: int, every: float, *, whole: bool = True
) -> Ledger:
    """Let `processes` clients write for so many seconds, with a strike `every` so many on average; return the ledger.

    `whole`: the whole server is killed too. `folder` takes the log and the clients' notes. Raises BenchError when the server does not answer any more.
    """
    server, strikes = Server(environment, folder / "log"), Strikes()
    server.start()
    try:
        until = time.monotonic() + seconds
        clients = [get_context("fork").Process(target=_write_until, args=(server.port, known, until, number, folder)) for number in range(processes)]
        for client in clients:
            client.start()
        _strike(server, strikes, until, every, whole=whole)
        for client in clients:
            client.join(2 * PATIENCE)
            client.kill()
        server.stop()
    finally:
        server.kill()
    notes = [json.loads(line) for path in folder.glob("client-*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    told = [Told(**note["told"]) for note in notes if note["told"] is not None]
    statuses = Counter(status for note in notes for status in note["statuses"])
    return Ledger(
        account=audit(Path(environment["KB_DATA"]) / "kb.sqlite3", told, range(len(told), len(notes) + 1)),
        questions=sum(not one.details for one in told),
        details=sum(bool(one.details) for one in told),
        strikes=strikes,
        clients_killed=sum(note["killed"] for note in notes),
        retried=sum(len(note["statuses"]) > 1 or note["killed"] for note in notes),
        statuses=dict(sorted(statuses.items())),
        unanswered=len(notes) - len(told),
        locked=sum(note["locked"] for note in notes) + server.log.read_text(encoding="utf-8").count("locked"),
    )


def _write_until(port: int, known: Sequence[tuple[str, str]], until: float, number: int, folder: Path) -> None:
    """Be one client: write, insist, and note what was told."""
    chance = random.Random(number)  # noqa: S311 - the same clients each time
    mine: list[Told] = []
    with (folder / f"client-{number}.jsonl").open("w", encoding="utf-8") as notes:
        while time.monotonic() < until:
            about = chance.choice(mine) if mine and chance.random() < DETAILS else None
            write = _details(about) if about is not None else _question(chance.choice(chance.choice(known)))
            killed = chance.random() < DYING
            if killed:
                _die_asking(port, write, chance.uniform(0, 0.03))
            tries = _insist(port, write)
            told = _told(write, tries[-1][1], about) if tries[-1][0] in DONE else None
            if told is not None and about is None:
                mine.append(told)
            locked = any(b"locked" in said for _, said in tries)
            note = {"told": asdict(told) if told else None, "killed": killed, "statuses": [status for status, _ in tries], "locked": locked}
            notes.write(f"{json.dumps(note)}\n")


def _question(text: str) -> Write:
    return Write("/api/v1/intents", {"intent_id": str(uuid4()), "query": text, "trigger": "enter", "visitor": str(uuid4())}, str(uuid4()))


def _details(about: Told) -> Write:
    return Write(f"/api/v1/tickets/{about.token}/details", {"details": f"补充 {uuid4()}"}, str(uuid4()))


def _told(write: Write, said: bytes, about: Told | None) -> Told:
    if about is not None:
        return Told(about.intent_id, about.number, about.token, write.body["details"])
    ticket = json.loads(said)["ticket"] or {"number": 0, "url": ""}
    return Told(write.body["intent_id"], ticket["number"], ticket["url"].rpartition("/")[2])


def _insist(port: int, write: Write) -> list[tuple[int, bytes]]:
    """Send it under its key until it is answered with success; return every answer on the way."""
    end, tries = time.monotonic() + PATIENCE, [_send(port, write)]
    while tries[-1][0] not in DONE and time.monotonic() < end:
        time.sleep(REST)
        tries.append(_send(port, write))
    return tries


def _send(port: int, write: Write) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(
            "POST", write.path, json.dumps(write.body), {"Content-Type": "application/json", "Connection": "close", "Idempotency-Key": write.key}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def _die_asking(port: int, write: Write, after: float) -> None:
    """Let a process send it and be killed so many seconds later, whether it was answered or not."""
    asking = get_context("fork").Process(target=_send, args=(port, write))
    asking.start()
    time.sleep(after)
    asking.kill()
    asking.join()


def _strike(server: Server, strikes: Strikes, until: float, every: float, *, whole: bool) -> None:
    """Kill web workers at random moments until then, and `whole` servers after a third and two thirds of the time."""
    chance = random.Random(0)  # noqa: S311 - the same strikes each time
    began = time.monotonic()
    ends: list[tuple[float, Callable[[], None]]] = [
        (began + (until - began) / 3, server.kill),
        (began + 2 * (until - began) / 3, server.kill_supervisor),
    ]
    ends = ends if whole else []
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.2, 1.8) * every)
        if ends and time.monotonic() > ends[0][0]:
            ends.pop(0)[1]()
            strikes.restarts.append(server.start())
            continue
        workers = server.web_workers()
        if not workers:
            continue
        everybody = len(strikes.outages) * ALL_AT_ONCE <= strikes.workers
        for worker in workers if everybody else [chance.choice(workers)]:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
                strikes.workers += 1
        if everybody:
            strikes.outages.append(server.until_served())


@click.command()
@click.option("--seconds", type=click.FloatRange(3), default=60, show_default=True, help="How long clients write and processes are killed.")
@click.option("--processes", type=click.IntRange(1), default=8, show_default=True, help="Clients.")
@click.option("--every", type=click.FloatRange(0.05), default=0.3, show_default=True, help="Seconds between two strikes, on average.")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file too.")
def main(seconds: float, processes: int, every: float, to: Path | None) -> None:
    """Kill processes under writing clients and hold what was acknowledged against the database."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        environment = prepare(folder / "data", ARTICLES, KB_WORKERS="2")
        ledger = keep(environment, folder, wishes(folder / "data" / "index", WISHES), seconds, processes, every)
    click.echo(f"{machine('gunicorn', 'SQLAlchemy')}\n\n{processes} clients for {seconds:.0f} s, 2 web workers\n")
    for line in told_of(ledger):
        click.echo(line)
    if to is not None:
        figures: dict[str, Any] = asdict(ledger)
        to.write_text(json.dumps(figures, indent=1, ensure_ascii=False), encoding="utf-8")
    if not ledger.clean:
        raise SystemExit(1)


def told_of(ledger: Ledger) -> list[str]:
    """Return the ledger in lines."""
    account, strikes = ledger.account, ledger.strikes
    killed = f"{strikes.workers} web workers, the server {len(strikes.restarts)} times, {ledger.clients_killed} clients"
    longest, restart = max(strikes.outages, default=0), max(strikes.restarts, default=0)
    return [
        f"acknowledged: {ledger.questions} questions, {ledger.details} details; unanswered {ledger.unanswered}",
        f"stored:       {account.intents} questions in {account.tickets} tickets, {account.details} details, {account.keys} keys",
        f"lost {len(account.lost)}, double {len(account.double)}, unsound {len(account.unsound)}, “locked” shown or logged {ledger.locked}",
        f"killed:       {killed}; retried {ledger.retried} writes",
        f"served again: at most {longest:.2f} s after all web workers were killed ({len(strikes.outages)} times), {restart:.2f} s after the server was",
        f"answers by status (0: connection ended): {ledger.statuses}",
        *[f"  {line}" for line in [*account.lost, *account.double, *account.unsound][:20]],
    ]


if __name__ == "__main__":
    main()
