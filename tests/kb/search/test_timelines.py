"""Timelines of keystrokes and compositions in, intents out: the rule that search page and widget share (kb/static/intents.js), played without a browser."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from kb.search.intents import MAX_QUERY, REVISION_WINDOW, Trigger

ROOT = Path(__file__).parents[3]
RULE = ROOT / "kb" / "static" / "intents.js"
TIMELINES = {one["name"]: one for one in tomllib.loads((ROOT / "tests" / "golden" / "timelines.toml").read_text(encoding="utf-8"))["timeline"]}
KEY, SLOW_KEY, DELETED = 100, 300, 50  # ms from one key to the next
PLACES = {"page": {"together": True}, "phone": {"together": True, "live": True}, "widget": {}}


def written_out(text):
    """Return a text in which 字×3 stands for 字字字."""
    return re.sub(r"(.)×(\d+)", lambda found: found[1] * int(found[2]), text)


def events(steps):
    """Turn lines as `300 keys 发票` into (ms, event); `keys`, `slowly` and `erase 3` are many."""
    box, found = "", []
    for line in steps:
        at, what, *rest = line.split(" ", 2)
        at, text = int(at), written_out(rest[0]) if rest else ""
        wordings = []
        if what in {"keys", "slowly"}:
            wordings = [box + text[: end + 1] for end in range(len(text))]
        elif what == "erase":
            wordings = [box[:-number] for number in range(1, int(text) + 1)]
        pace = {"keys": KEY, "slowly": SLOW_KEY}.get(what, DELETED)
        found += [(at + pace * number, {"type": "input", "text": wording}) for number, wording in enumerate(wordings)]
        if wordings:
            box = wordings[-1]
            continue
        event = {"type": what, "text": text}
        if what == "composing":
            event = {"type": "input", "text": text, "composing": True}
        elif what == "search":
            event = {"type": "input", "text": text, "ready": True}
        elif what == "enter":
            event = {"type": "enter", "text": text or box}
        elif what == "ime-enter":
            event = {"type": "enter", "text": text or box, "composing": True}
        elif what == "open":
            event |= {"opened": "invoices/verify-failed", "rank": 1}
        box = text if what in {"input", "compositionend", "search"} else box
        found.append((at, event))
    return found


@pytest.fixture(scope="module")
def played():
    """What every timeline led to, by name; one process plays them all."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js on this machine: the timelines of keystrokes need it (apt-get install nodejs)")
    given = [
        {"begin": PLACES[one.get("place", "page")] | {"text": one.get("results", "")}, "steps": sorted(events(one["steps"]), key=lambda step: step[0])}
        for one in TIMELINES.values()
    ]
    command = [node, str(Path(__file__).with_name("timelines.mjs")), str(RULE)]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(TIMELINES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", TIMELINES)
def test_keystrokes_become_the_questions_that_somebody_means(played, name):
    led, expected = played[name], TIMELINES[name]
    letters = dict(zip(dict.fromkeys(send["intent_id"] for send in led["sends"]), "ABCDEFGH", strict=False))  # A is the wish that was sent first
    assert [f"{letters[send['intent_id']]} {send['trigger']} {send['query']}" for send in led["sends"]] == [written_out(line) for line in expected["sends"]]
    assert [f"{search['text']}{'…' if search.get('typing') else ''}" for search in led["searches"]] == [written_out(line) for line in expected["searches"]]
    assert [f"{letters[told['intent_id']]} {'told' if told['said'] else 'failed'}" for told in led["told"]] == expected.get("told", [])


def test_what_is_sent_is_what_the_contract_takes(played):
    for name, led in played.items():
        for send in led["sends"]:
            more = {"opened", "rank"} if send["trigger"] == "open" else set()
            assert set(send) == {"at", "intent_id", "query", "trigger"} | more, name
            assert send["trigger"] in set(Trigger), name
            assert 1 <= len(send["query"]) <= MAX_QUERY, name
            assert send["query"] == send["query"].strip(), name


def test_the_table_shows_every_trigger_and_place():
    sends = {line.split(" ")[1] for one in TIMELINES.values() for line in one["sends"]}
    assert sends == set(Trigger)
    assert {one.get("place", "page") for one in TIMELINES.values()} == set(PLACES)
    assert len(TIMELINES) >= 45


def test_the_rule_touches_neither_page_nor_network_nor_time():
    code = re.sub(r"//.*", "", RULE.read_text(encoding="utf-8"))
    assert not re.search(r"\b(document|window|navigator|fetch|setTimeout|Date|performance|crypto|Math\.random|localStorage)\b", code)


def test_the_numbers_of_the_rule_stand_once():
    rule = RULE.read_text(encoding="utf-8")
    assert f"KEPT = {MAX_QUERY};" in rule
    assert "REST = 5000;" in rule
    for name in ("search.js", "widget.js"):
        assert not re.search(r"\b(110|120|5000|2000)\b", (RULE.parent / name).read_text(encoding="utf-8")), name


def test_the_page_for_operators_explains_every_trigger():
    page = (ROOT / "docs" / "intents.md").read_text(encoding="utf-8")
    assert re.findall(r"^\|[^|]+\| `(\w+)` \|", page, re.MULTILINE) == ["enter", "unsolved", "open", "idle", "leave", "next"]
    assert {"enter", "unsolved", "open", "idle", "leave", "next"} == set(Trigger)
    assert all(fact in page for fact in ("5秒", f"{REVISION_WINDOW.seconds}秒", f"{MAX_QUERY}个字"))
