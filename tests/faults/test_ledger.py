"""What was acknowledged is stored, once, whoever is killed: `python -m bench.ledger` in a few seconds."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from bench import ledger, load
from bench.demand import wishes
from bench.server import Server, settings
from bench.stored import Told, audit
from indexer.build import build
from tests.conftest import NOW, article, write_articles


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Settings of a server over one article and a data folder of its own, with the index built."""
    folder = tmp_path_factory.mktemp("ledger")
    articles = write_articles(folder / "articles", {"office/printer.md": article("关机再开机。\n", "打印机卡纸怎么处理", questions=["打印机卡纸"])})
    (folder / "data").mkdir(mode=0o700)
    build(articles, folder / "data" / "index", NOW)
    return settings(folder / "data", articles, KB_WORKERS="2", KB_TICKETS_PER_HOUR="1000000")


@pytest.fixture(scope="module")
def kept(environment, tmp_path_factory):
    """Six seconds of four clients, under strikes."""
    folder = tmp_path_factory.mktemp("notes")
    known = wishes(Path(environment["KB_DATA"]) / "index", 50)
    return ledger.keep(environment, folder, known, seconds=6, processes=4, every=0.4, whole=False)


def test_what_was_acknowledged_while_workers_were_killed_is_stored_once(kept):
    assert kept.strikes.workers >= 8
    assert kept.questions + kept.details >= 10, "however slow the machine is"
    assert (kept.account.lost, kept.account.double, kept.account.unsound) == ([], [], [])
    assert (kept.account.intents, kept.account.details) == (kept.questions, kept.details)
    assert kept.clean, ledger.told_of(kept)


def test_a_client_that_was_killed_while_it_waited_and_goes_on_under_the_same_key_makes_one_ticket(kept):
    assert kept.clients_killed >= 2
    assert kept.retried >= kept.clients_killed
    assert kept.account.keys == kept.questions + kept.details


def test_nobody_is_told_of_a_locked_database_and_every_write_is_answered_in_the_end(kept):
    assert (kept.locked, kept.unanswered) == (0, 0)
    assert set(kept.statuses) <= {0, 200, 201, 409}


def test_web_workers_that_were_all_killed_at_once_are_replaced_without_anybodys_doing(kept):
    assert kept.strikes.outages
    assert max(kept.strikes.outages) <= 5, "the bench measures it on a quiet machine"


def test_the_ledger_would_see_what_is_lost_or_double(kept, environment):
    file, keys = Path(environment["KB_DATA"]) / "kb.sqlite3", kept.account.keys
    invented = Told("intent-nobody-stored", 1001, "token")
    assert audit(file, [invented], range(keys, keys + 1)).lost == ["intent-nobody-stored: told 1001, stored None"]
    assert audit(file, [], range(keys + 1, keys + 3)).lost == [f"{keys} stored answers for {keys + 1} to {keys + 2} keys"]
    assert audit(file, [], range(keys - 1, keys)).double == [f"{keys} stored answers for {keys - 1} to {keys - 1} keys"]


@pytest.fixture(scope="module")
def server(environment, tmp_path_factory):
    started = Server(environment, tmp_path_factory.mktemp("log") / "log")
    started.start()
    yield started
    started.kill()


def test_a_load_that_does_not_wait_is_answered_and_stored(server, environment):
    data = Path(environment["KB_DATA"])
    outcomes = load.measure(server.port, wishes(data / "index", 20, seed=2), ("打印机卡纸", "打印机"), 1, (20, 10))
    assert {one.status for one in outcomes if one.kind == load.SEARCH} == {200}
    assert {one.status for one in outcomes if one.kind == load.INTENT} == {201}
    told = load.told(outcomes)
    assert len(told) >= 3
    assert audit(data / "kb.sqlite3", told, range(10_000)).lost == []


def _taken(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_whose_supervisor_was_killed_gives_its_address_back(server):
    server.kill_supervisor()
    end = time.monotonic() + 10
    while _taken(server.port):
        assert time.monotonic() < end
        time.sleep(0.02)
