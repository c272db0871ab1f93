"""Hostile strings through everything that searches: the API, what is suggested while typing, a finished question, and `kb eval` as documents and as queries."""

from __future__ import annotations

import json
import re
import time
import tracemalloc

import pytest

from indexer import evaluate
from kb.search.answer import answer

LIMIT = 1.0
"""Seconds that one string may take."""
MEMORY = 64 << 20
"""Bytes that one string may take while it is answered."""
RAW = [b"%ff%fe", b"%c3%28", b"%ed%a0%80", b"%f4%90%80%80", b"%00", b"%u53d1%u7968", b"%", b"&&&=&q", b"%e5%8f%91%e7%a5%a8%ff"]


@pytest.fixture
def services(services_with):
    """The product with room for a flood."""
    return services_with(requests_per_minute=100_000_000, tickets_per_hour=1_000_000)


@pytest.fixture(scope="module")
def strings(hostile):
    """Every string of the folder, those of the generators too; bytes that are no UTF-8 come as a form would bring them."""
    folder = hostile / "strings"
    load = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("own_unicode", "own_queries", "own_secrets_pii", "blns")}
    found = [json.loads(case["json_escaped_text"]) if "json_escaped_text" in case else case["text"] for case in load["own_unicode"]]
    found += [case["q"] if case.get("gen") is None else case["gen"]["unit"] * case["gen"]["times"] for case in load["own_queries"]]
    found += [sample["v"] for sample in load["own_secrets_pii"]["samples"]] + load["blns"]
    for path in sorted(folder.glob("fuzzdb_*.txt")):
        found += path.read_bytes().decode("utf-8", "replace").splitlines()
    assert len(found) > 600
    return list(dict.fromkeys(found))


def well(client, method, path, **sent):
    """Send a request; assert that it is answered in time, by valid UTF-8 and by no failure of ours."""
    started = time.thread_time()
    got = client.open(path, method=method, **sent)
    assert time.thread_time() - started < LIMIT, (path, sent)
    assert got.status_code < 500, (path, sent)
    return json.loads(got.data.decode("utf-8"))


def sendable(text):
    """Return a string as a browser can send it in an address: whole characters, no more than a request line takes."""
    return text.encode("utf-8", "replace").decode()[:15_000]


def test_any_string_is_searched_typed_and_suggested_for_in_time(asker, strings, rows):
    before = rows()
    for text in map(sendable, strings):
        found = well(asker, "GET", "/api/v1/search", query_string={"q": text, "typing": "1"})
        assert "error" in found or found["verdict"] in {"answered", "weak", "unanswered", "empty"}
        assert not [hit for hit in found.get("hits", ()) if "<" in re.sub(r"</?mark>", "", hit["snippet"])]
        suggested = well(asker, "GET", "/api/v1/suggest", query_string={"q": text})
        assert "error" in suggested or len(suggested["suggestions"]) <= 6
    assert rows() == before


@pytest.mark.parametrize("raw", RAW, ids=bytes.decode)
@pytest.mark.parametrize("path", ["/api/v1/search", "/api/v1/suggest"])
def test_bytes_that_are_no_text_are_searched_as_what_is_left_of_them(asker, path, raw):
    found = well(asker, "GET", path, environ_overrides={"QUERY_STRING": (b"q=" + raw).decode()})
    assert "error" not in found


def test_any_string_is_a_finished_question_in_time(asker, strings):
    for number, text in enumerate(strings[::3]):
        body = json.dumps({"intent_id": f"hostile-{number}", "query": text[:60_000], "trigger": ("enter", "leave", "unsolved")[number % 3]})
        found = well(asker, "POST", "/api/v1/intents", data=body, content_type="application/json")
        assert "error" in found or found["verdict"] in {"answered", "weak", "unanswered", "empty"}


def test_no_string_takes_much_memory_to_answer(shipped, strings):
    for text in sorted(strings, key=len)[-20:]:
        tracemalloc.start()
        answer(shipped, text)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < MEMORY, text[:80]


@pytest.fixture(scope="module")
def figures(strings, tmp_path_factory):
    """Measure a set whose documents and queries are hostile strings, and note how long each answer took."""
    folder, took = tmp_path_factory.mktemp("hostile"), []

    def jsonl(name, lines):
        (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    def ask(published, text):
        started = time.thread_time()
        said = answer(published, text)
        took.append((time.thread_time() - started, text[:80]))
        return evaluate.Asked(tuple(hit.article.id for hit in said.hits), said.verdict.value, said.decision.score)

    jsonl("corpus.jsonl", [{"_id": f"{number} {text[:50]}", "title": text[:200], "text": text} for number, text in enumerate(strings)])
    jsonl("queries.jsonl", [{"_id": f"q{number}", "text": text} for number, text in enumerate(strings)])
    jsonl("queries_unanswerable.jsonl", [{"_id": f"u{number}", "text": text[::-1], "kind": text[:20]} for number, text in enumerate(strings)])
    ids = [json.loads(line)["_id"] for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    plain = [number for number, id_ in enumerate(ids) if id_.isprintable() and id_.isascii()]
    (folder / "qrels.tsv").write_text("".join(f"q{number}\t{ids[number]}\t1\n" for number in plain), encoding="utf-8")
    return evaluate.evaluate(folder, folder, ask), len(plain), took


def test_any_string_is_a_document_and_a_query_of_a_set(figures, strings):
    measured, judged, _ = figures
    assert (measured["docs"], measured["queries"]) == (len(strings), judged)
    assert judged > 200
    assert measured["hit@10"] > 0.5, "plain words among them find the document that they are"
    assert json.dumps(measured, ensure_ascii=False, allow_nan=False).encode("utf-8")


def test_any_string_among_hostile_documents_is_answered_in_time(figures):
    _, _, took = figures
    assert max(took)[0] < LIMIT, max(took)
