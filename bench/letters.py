"""How long it takes to tell everybody who waits for one ticket, and whether another mail waits for them: the courier and a mail server that takes everything.

The server is a process of its own that does nothing but say yes, so that what is timed is ours: spreading, writing each mail with its best section,
handing it over, and a mark on disk for each.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import structlog

from bench.figures import machine, table
from bench.server import BenchError, settings
from indexer.build import build
from kb.clock import utc_now
from kb.config import Config
from kb.notifications.courier import Courier
from kb.services import Services
from kb.tickets import history, lifecycle
from kb.tickets.models import Follower

if TYPE_CHECKING:
    from datetime import datetime

ARTICLES = Path(__file__).parents[1] / "articles"
ANSWER = "invoices/verify-failed"
WORDS = ("发票查验不通过一直提示验真失败怎么处理", "验真失败", "发票验真失败 怎么办", "查验平台显示查无此票", "为什么发票查验失败")
_SERVER = """
import asyncio, sys, time
taken = []
async def talk(reader, writer):
    writer.write(b"220 here\\r\\n")
    to, data = "", False
    while line := await reader.readline():
        if data:
            if line == b".\\r\\n":
                taken.append(f"{time.time()} {to}")
                data = False
                writer.write(b"250 OK\\r\\n")
            continue
        word = line[:4].upper()
        if word == b"RCPT":
            to = line.decode().partition("<")[2].partition(">")[0]
        data = word == b"DATA"
        writer.write({b"DATA": b"354 go on\\r\\n", b"QUIT": b"221 bye\\r\\n"}.get(word, b"250 OK\\r\\n"))
        if word == b"QUIT":
            break
    writer.close()
async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print("\\n".join(taken), flush=True)
asyncio.run(main())
"""


def measure(articles: Path, answer: str, people: int) -> dict[str, float]:
    """Tell `people` who wait for one ticket of its answer, and one who waits for another; return seconds. Raises BenchError when a mail is missing."""
    with TemporaryDirectory() as folder, subprocess.Popen([sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdout is None:
            raise BenchError("the mail server has no output to read its port from")
        config = Config.from_env(settings(Path(folder), articles, KB_SMTP=f"smtp://127.0.0.1:{int(server.stdout.readline())}")).prepare()
        services = Services.of(config)
        noted = utc_now() - timedelta(minutes=5)
        services.db.upgrade(noted)
        build(config.articles, config.index, noted)
        services.library.current()
        with services.db.write() as session:
            crowded, other = (history.open_ticket(session, words, noted) for words in WORDS[:2])
            session.add_all(_share(crowded.number, f"p{number}", f"{WORDS[number % len(WORDS)]}，第 {number} 个人", noted) for number in range(people))
            session.add(_share(other.number, "other", WORDS[1], noted))
            session.flush()
            for ticket in (crowded, other):
                history.count_people(ticket, noted)
            lifecycle.resolve(crowded, "王敏", noted, article=answer)
            lifecycle.reply(other, "正在处理", "王敏", noted)
        began, worked = time.time(), time.process_time()
        Courier(services).work()
        figures = {"seconds": time.time() - began, "processor_seconds": time.process_time() - worked}
        services.db.disconnect()
        taken = [line.split() for line in server.communicate("\n", timeout=30)[0].splitlines()]
    if len({address for _, address in taken}) != people + 1:
        raise BenchError(f"{people + 1} people were to be told, and {len(taken)} mails arrived")
    return figures | {"other_after_seconds": next(float(at) for at, address in taken if address == "other@example.com") - began}


def _share(number: int, name: str, words: str, at: datetime) -> Follower:
    contact = f"{name}@example.com"
    return Follower(ticket_number=number, person=f"c:{name}", token=f"{number}-{name}", wording=words, waiting=True, joined_at=at, contact=contact)


@click.command()
@click.option("--people", type=click.IntRange(1), default=1000, show_default=True, help="People who wait for one ticket.")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file too.")
def main(people: int, to: Path | None) -> None:
    """Time the telling of everybody who waits for one ticket."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # a line for each mail would be timed too
    figures = measure(ARTICLES, ANSWER, people)
    told = machine("SQLAlchemy", "Jinja2")
    click.echo(f"{told}\n\n{people:,} people who wait for one ticket, seconds\n")
    rows = [
        (name, f"{figures[key]:.2f}")
        for name, key in (("all told", "seconds"), ("of a processor", "processor_seconds"), ("another mail after", "other_after_seconds"))
    ]
    click.echo(table(("what", "s"), rows))
    if to is not None:
        to.write_text(json.dumps({"machine": told, "people": people, **figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
