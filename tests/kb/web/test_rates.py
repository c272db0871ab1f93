"""How much one caller of the API may ask in a minute, and how they are told."""

from __future__ import annotations

import pytest

from kb.web import limits

HERS, HIS = ({"X-Zhida-Visitor": letter * 32} for letter in "ab")
SEARCH = "/api/v1/search?q=发票"


@pytest.fixture
def program(app, monkeypatch):
    monkeypatch.setitem(limits.OF_A_PERSON, "search_api.search", 2)
    monkeypatch.setattr(limits, "OTHERWISE", 3)
    monkeypatch.setattr(limits, "OF_A_KEY", 4)
    return app.test_client()


def rate(answer):
    return [int(answer.headers[f"RateLimit-{name}"]) for name in ("Limit", "Remaining")]


def test_a_caller_reads_how_much_is_left_and_when_there_is_more(program):
    answers = [program.get(SEARCH, headers=HERS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [rate(answer) for answer in answers] == [[2, 1], [2, 0], [2, 0]]
    assert all(1 <= int(answer.headers["RateLimit-Reset"]) <= 60 for answer in answers)
    assert answers[2].headers["Retry-After"] == answers[2].headers["RateLimit-Reset"]
    assert answers[2].json["error"]["code"] == "too_many_requests"
    assert "Retry-After" not in answers[0].headers


def test_each_person_is_counted_alone_and_typing_apart_from_searching(program):
    for _ in range(3):
        program.get(SEARCH, headers=HERS)
    assert program.get(SEARCH, headers=HIS).status_code == 200
    assert program.get(f"{SEARCH}&typing=1", headers=HERS).status_code == 200
    assert program.get("/api/v1/tickets", headers=HERS).status_code == 200


def test_all_other_addresses_are_counted_together(program):
    paths = ["/api/v1/tickets", "/api/v1/articles", "/api/v1/tickets", "/api/v1/articles"]
    assert [program.get(path, headers=HERS).status_code for path in paths] == [200, 200, 200, 429]


def test_a_server_key_is_counted_over_all_its_people_and_addresses(program, embedded):
    headers = embedded("search", "tickets:read")
    paths = [SEARCH, "/api/v1/tickets", "/api/v1/suggest?q=发", SEARCH, SEARCH]
    assert [program.get(path, headers={**headers, "X-Zhida-Sub": f"e-{at}"}).status_code for at, path in enumerate(paths)] == [200, 200, 200, 200, 429]
    assert program.get(SEARCH, headers=embedded("search")).status_code == 200, "another key is another caller"


def test_who_says_nothing_about_themselves_is_counted_by_address_only(program):
    answers = [program.get(SEARCH) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit-Limit" not in answers[0].headers


def test_pages_are_not_counted(program):
    assert "RateLimit-Limit" not in program.get("/search?q=发票").headers


def test_the_page_of_a_site_may_read_its_limits(app, embedded):
    answer = app.test_client().get(SEARCH, headers={**HERS, "X-Zhida-Site": "travel", "Origin": "https://travel.example.com"})
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert all(name in exposed for name in ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"))
