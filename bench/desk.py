"""How long the desk's queue takes with tens of thousands of tickets: every view, a search, filters, deep pages, and the counts that open pages poll.

One process asks the application itself, without a server: what is timed is what the server does for one request. The clocks of tickets are timed beside
it: those of one page, and a look at all whose time runs, as the worker takes it.
"""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
from sqlalchemy import insert

from bench.figures import Spread, machine, spread_of, table
from bench.server import BenchError, settings
from indexer.build import build
from kb.accounts import sign_in
from kb.accounts.roles import Role
from kb.app import create_app
from kb.config import Config
from kb.services import Services
from kb.tickets import alarms, countdown, queue
from kb.tickets.models import FIRST_NUMBER, Follower, Phrasing, PhrasingTerm, Ticket, TicketEvent
from kb.tickets.queue import Choice, Sort, View
from kb.tickets.standing import OPEN, Kind, State
from kb.tickets.triage import Category, Priority

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient

    from kb.db import Database

ARTICLES = Path(__file__).parents[1] / "articles"
TICKETS = 50_000
WITH_CLOCKS = 15_000
"""Tickets of the look at all clocks: of two in three the time runs."""
ROUNDS = 20
AGENTS = ("王敏", "陈晨", "李想", "赵一", "孙悦")
_SUBJECTS = (
    *("发票", "报销单", "差旅费", "审批流", "行程单", "借款", "付款单", "成本中心", "预算", "凭证", "电子签名", "采购申请", "补贴", "住宿标准"),
    *("油费", "招待费", "快递费", "会议费", "培训费", "福利费"),
)
_WISHES = (
    *("怎么提交", "传不上去", "一直在转圈", "被退回了", "找不到入口", "能不能撤回", "多久到账", "要谁审批", "金额不对", "怎么改抬头", "可以补开吗"),
    *("提示没有权限", "超标了怎么办", "怎么导出"),
)
_WHERE = ("在手机上", "用电脑", "在企业微信里", "外地出差时", "月底结账前", "换了部门以后", "用海外信用卡", "上个月的", "代同事", "第三次")
_STATES = ((State.NEW, 50), (State.ASSIGNED, 15), (State.IN_PROGRESS, 10), (State.WAITING, 5), (State.RESOLVED, 5), (State.CONFIRMED, 5), (State.CLOSED, 10))
_SILENT, _SUGGESTED = 0.1, 0.05
"""Shares of the tickets for which nobody waits, and of those that an article may answer by now."""
_BATCH = 10_000


def fill(db: Database, tickets: int, now: datetime) -> None:
    """Insert that many tickets with their wordings, shares and events: four of five are open, most have one person, one in ten nobody who waits."""
    dice = random.Random(7)  # noqa: S311 - the same tickets each time
    for start in range(0, tickets, _BATCH):
        rows: dict[Any, list[dict[str, Any]]] = {kind: [] for kind in (Ticket, Follower, Phrasing, PhrasingTerm, TicketEvent)}
        for at in range(start, min(start + _BATCH, tickets)):
            _add(rows, at, now - timedelta(minutes=(tickets - at) * 3), dice)
        with db.write() as session:
            for kind, values in rows.items():
                session.execute(insert(kind), values)


def _add(rows: dict[Any, list[dict[str, Any]]], at: int, asked: datetime, dice: random.Random) -> None:
    number, question = FIRST_NUMBER + at, f"{dice.choice(_WHERE)}{dice.choice(_SUBJECTS)}{dice.choice(_WISHES)}（第{at}单）"
    state = dice.choices([state for state, _ in _STATES], [weight for _, weight in _STATES])[0]
    people = min(60, int(dice.paretovariate(1.6)))
    waiting = 0 if dice.random() < _SILENT else dice.randint(1, people)
    assignee = "" if state is State.NEW else dice.choice(AGENTS)
    filed = {"module": dice.choice(("invoices", "travel", "approval", "account", "")), "category": dice.choice(list(Category)).value}
    filed["priority"] = dice.choices(list(Priority), (2, 18, 80))[0].value
    changed = asked + timedelta(minutes=dice.randint(0, 3_000))
    runs = [[asked.isoformat(), None if state in OPEN and state is not State.WAITING else changed.isoformat()]] if waiting else []
    responded = changed if runs and state not in {State.NEW, State.ASSIGNED} else None
    clocks = {"awaited": waiting > 0, "runs": runs, "responded_at": responded, "escalated": ""}
    clocks |= {"alarm": dice.choice(("", "", "", "resolution_late")) if runs else "", "due_at": asked + timedelta(days=1) if runs else None}
    rows[Ticket].append(
        clocks
        | {"number": number, "question": question, "opened_as": filed, "opened_at": asked, "state": state.value, "open": state in OPEN, "assignee": assignee}
        | {
            "closed_as": "expired" if state is State.CLOSED else "",
            "suggested": "invoices/verify-failed" if state in OPEN and dice.random() < _SUGGESTED else "",
        }
        | {"waiting": waiting, "people": people, "changed_at": changed, "version": 2 * at + 2, "ended_at": None if state in OPEN else changed, **filed}
    )
    for follower in range(people):
        share = {"ticket_number": number, "person": f"c:{at}-{follower}", "token": f"{at}-{follower}", "wording": question, "waiting": follower < waiting}
        rows[Follower].append({**share, "joined_at": asked, "contact": "", "came_from": []})
    for wording in range(1 + (people > 1)):
        terms = [question[:2], question[2:4], question[4:6], f"{at}"]
        text = question if not wording else f"请问{question}"
        phrasing = {"id": 2 * at + wording + 1, "ticket_number": number, "text": text, "key": text, "terms": terms, "asked": 1}
        rows[Phrasing].append({**phrasing, "first_at": asked, "last_at": asked})
        if state in OPEN:
            rows[PhrasingTerm].extend({"term": term, "phrasing_id": phrasing["id"]} for term in dict.fromkeys(terms))
    event = {"ticket_number": number, "body": "", "article": "", "target": ""}
    rows[TicketEvent].append({**event, "id": 2 * at + 1, "kind": Kind.OPENED.value, "at": asked, "actor": "asker"})
    rows[TicketEvent].append({**event, "id": 2 * at + 2, "kind": Kind.NOTED.value, "at": changed, "actor": AGENTS[0]})


def paths() -> dict[str, str]:
    """Return what is asked, by what it shows."""
    found = {f"view {view.value}": f"/desk?view={view.value}" for view in View}
    found |= {
        f"{sort.value} first, view {view.value}": f"/desk?view={view.value}&sort={sort.value}"
        for sort in Sort
        if sort is not Sort.URGENT
        for view in (View.OPEN, View.ALL)
    }
    found |= {
        "40,000 rows down": "/desk?after=1-0-1-1-40000",
        "two filters": "/desk?module=travel&priority=urgent",
        "five filters that leave nothing": "/desk?view=all&module=travel&category=fault&priority=urgent&assignee=x&state=new",
        "a word": f"/desk?q={quote('住宿标准')}",
        "two words that are nowhere, view all": f"/desk?view=all&q={quote('住宿标准 不存在')}",
        "a word and a filter": f"/desk?view=all&q={quote('转圈')}&category=fault",
        "counts": f"/desk/counts?since={FIRST_NUMBER + TICKETS - 5}",
        "counts of a word": f"/desk/counts?since={FIRST_NUMBER + TICKETS - 5}&q={quote('转圈')}",
    }
    return found


def agent_of(environment: dict[str, str], now: datetime) -> tuple[FlaskClient, Services]:
    """Make a database and publish the articles; return a browser that is signed in as an agent, and the services behind it."""
    services = Services.of(Config.from_env(environment).prepare())
    services.db.upgrade(now)
    build(services.config.articles, services.config.index, now)
    app = create_app(services)
    app.config["WTF_CSRF_ENABLED"] = False  # the bench's own forms come from no page
    with services.db.write() as session:
        users = [sign_in.add_user(session, name, Role.AGENT, now) for name in AGENTS]
        link = sign_in.new_link(session, users[0], now)
    client = app.test_client()
    client.post(f"/sign-in/{link}")
    return client, services


def measure(client: FlaskClient, rounds: int) -> dict[str, tuple[Spread, float, int]]:
    """Ask everything in turn, once untimed first; return milliseconds, milliseconds of a processor (median) and bytes by what is shown.

    Raises BenchError for another answer than 200.
    """
    times: dict[str, list[float]] = {name: [] for name in paths()}
    work: dict[str, list[float]] = {name: [] for name in paths()}
    sizes: dict[str, int] = {}
    for _ in range(rounds + 1):
        for name, path in paths().items():
            began, worked = time.perf_counter(), time.process_time()
            answer = client.get(path)
            times[name].append((time.perf_counter() - began) * 1e3)
            work[name].append((time.process_time() - worked) * 1e3)
            sizes[name] = len(answer.data)
            if answer.status_code != 200:  # noqa: PLR2004 - OK
                raise BenchError(f"GET {path} gave {answer.status_code}")
    return {name: (spread_of(taken[1:]), spread_of(work[name][1:]).p50, sizes[name]) for name, taken in times.items()}


def measure_clocks(services: Services, rounds: int, now: datetime) -> dict[str, Spread]:
    """Look at the clocks of a page and at all of them, again and again; return milliseconds of a processor.

    The first look tells all that there is: most of these tickets have long been late. The others have nothing to tell.
    """
    policies = services.policies
    with services.db.read() as session:
        rows = queue.page(session, Choice("", View.OPEN)).tickets
        page = _worked(lambda at: [countdown.of_row(row, policies, at) for row in rows], rounds, now)
    swept: list[alarms.Swept] = []
    first = _worked(lambda at: swept.append(alarms.sweep(services.db, policies, {}, at)), 1, now)
    again = _worked(lambda at: swept.append(alarms.sweep(services.db, policies, {}, at)), rounds, now)
    if swept[-1].alarmed:
        raise BenchError(f"the last look told {swept[-1].alarmed} alarms that the first should have told")
    told = f"{swept[0].alarmed:,} alarms and {swept[0].escalated:,} escalations to tell"
    return {f"clocks of a page of {len(rows)}": page, f"look at {swept[0].running:,} clocks, {told}": first, f"look at {swept[-1].running:,} clocks": again}


def clocks_of(environment: dict[str, str], tickets: int, rounds: int, now: datetime) -> dict[str, Spread]:
    """Time the clocks over a database of its own."""
    _, services = agent_of(environment, now)
    fill(services.db, tickets, now)
    found = measure_clocks(services, rounds, now)
    services.db.disconnect()
    return found


def _worked(deed: Callable[[datetime], object], rounds: int, now: datetime) -> Spread:
    """Do something at moments a second apart; return milliseconds of a processor."""
    times = []
    for at in range(rounds):
        began = time.process_time()
        deed(now + timedelta(seconds=at))
        times.append((time.process_time() - began) * 1e3)
    return spread_of(times)


@click.command()
@click.option("--tickets", type=click.IntRange(1), default=TICKETS, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True, help="Times that everything is asked.")
@click.option("--json", "to", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to this file too.")
def main(tickets: int, rounds: int, to: Path | None) -> None:
    """Time the desk's queue over a database of many tickets, in a folder that is thrown away."""
    with TemporaryDirectory(prefix="bench-") as temporary:
        client, services = agent_of(settings(Path(temporary), ARTICLES), datetime.now(UTC))
        fill(services.db, tickets, datetime.now(UTC))
        found = measure(client, rounds)
        services.library.current().backend.close()
        services.db.disconnect()
    with TemporaryDirectory(prefix="bench-") as temporary:
        clocks = clocks_of(settings(Path(temporary), ARTICLES), min(tickets, WITH_CLOCKS), rounds, datetime.now(UTC))
    told = machine("Flask", "SQLAlchemy", "Jinja2")
    click.echo(f"{told}\n\n{tickets:,} tickets, {rounds} rounds, ms on the server\n")
    rows = [(name, f"{spread.p50:.1f}", f"{spread.p95:.1f}", f"{work:.1f}", f"{size:,}") for name, (spread, work, size) in found.items()]
    click.echo(table(("GET", "p50", "p95", "processor p50", "bytes"), rows))
    click.echo("\nms of a processor\n")
    click.echo(table(("what", "p50", "p95"), [(name, f"{spread.p50:.1f}", f"{spread.p95:.1f}") for name, spread in clocks.items()]))
    if to is not None:
        figures = {name: {"p50_ms": spread.p50, "p95_ms": spread.p95, "processor_ms": work, "bytes": size} for name, (spread, work, size) in found.items()}
        to.write_text(
            json.dumps(
                {
                    "machine": told,
                    "tickets": tickets,
                    "rounds": rounds,
                    "pages": figures,
                    "clocks": {name: {"p50_ms": spread.p50, "p95_ms": spread.p95} for name, spread in clocks.items()},
                },
                indent=1,
            ),
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
