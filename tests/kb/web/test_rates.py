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


@pytest.fixture
def line(services_with, app_of, monkeypatch):
    """Programs at one address, which may ask ten times in a minute, half of it without saying who they are."""
    monkeypatch.setattr(limits, "OF_A_KEY", 4)
    services = services_with(requests_per_minute=10)
    return services, app_of(services).test_client()


def test_who_says_nothing_about_themselves_has_half_of_the_address_and_leaves_the_rest_to_others(line):
    _, client = line
    answers = [client.get(SEARCH) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [rate(answer) for answer in answers] == [[5, rest] for rest in (4, 3, 2, 1, 0, 0)]
    assert answers[5].headers["Retry-After"] == answers[5].headers["RateLimit-Reset"]
    assert client.get(SEARCH, environ_base={"REMOTE_ADDR": "203.0.113.8"}).status_code == 200, "another address"
    assert client.get("/search?q=发票").status_code == 200, "a page"
    assert client.get(SEARCH, headers=HERS).status_code == 200, "somebody"


REFUSED = {
    "a page of no site": ("post", "/api/v1/intents", {"Origin": "https://evil.example"}, 403),
    "no such site": ("get", f"{SEARCH}&site=gone", {}, 403),
    "a forged identity": ("get", SEARCH, {"X-Zhida-Site": "travel", "Authorization": "Bearer x.y.z"}, 401),
    "a made-up key": ("get", SEARCH, {"Authorization": "Bearer zk_1_x"}, 401),
    "an address that leads nowhere": ("get", "/api/v1/nowhere", {}, 404),
    "what is not done there": ("put", SEARCH, {}, 405),
    "no such article": ("get", "/api/v1/articles/no/such", {}, 404),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_refused_counts_and_says_how_much_is_left(line, embedded_in, why):
    services, client = line
    embedded_in(services)
    method, path, headers, status = REFUSED[why]
    answers = [client.open(path, method=method, headers=headers) for _ in range(11)]
    assert answers[0].status_code == status
    left = rate(answers[0])
    assert left in ([10, 9], [5, 4])
    assert [answer.status_code for answer in answers] == [status] * left[0] + [429] * (11 - left[0])
    assert {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"} <= {name for name, _ in answers[-1].headers}


def test_what_a_key_may_not_do_counts_as_the_keys(line, embedded_in):
    services, client = line
    headers = embedded_in(services)("search")
    assert [client.get("/api/v1/tickets", headers=headers).status_code for _ in range(5)] == [403] * 4 + [429]
    assert client.get(SEARCH, headers=headers).status_code == 429


def test_the_page_of_a_site_reads_that_its_address_asked_too_much(line, embedded_in):
    services, client = line
    embedded_in(services)
    answers = [client.get(f"{SEARCH}&site=travel", headers={"Origin": "https://travel.example.com"}) for _ in range(11)]
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {"https://travel.example.com"}
    assert answers[-1].json["error"]["code"] == "too_many_requests"


def test_pages_are_not_counted(program):
    assert "RateLimit-Limit" not in program.get("/search?q=发票").headers


def test_the_page_of_a_site_may_read_its_limits(app, embedded):
    answer = app.test_client().get(SEARCH, headers={**HERS, "X-Zhida-Site": "travel", "Origin": "https://travel.example.com"})
    exposed = answer.headers["Access-Control-Expose-Headers"]
    assert all(name in exposed for name in ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"))


def of_load(letter):
    return f"{SEARCH}&site=travel&n={letter * 32}"


def test_a_load_of_a_page_that_runs_wild_leaves_the_others_behind_its_address_alone(services_with, app_of, embedded_in, monkeypatch):
    monkeypatch.setitem(limits.OF_A_PERSON, "search_api.search", 2)
    services = services_with(requests_per_minute=20)
    embedded_in(services)
    client = app_of(services).test_client()
    answers = [client.get(of_load("a")) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 429, 429]
    assert rate(answers[0]) == [2, 1]
    assert client.get(of_load("b")).status_code == 200
    assert client.get(f"{of_load('a')}&typing=1").status_code == 200, "suggestions are counted apart, as a person's"


def test_many_loads_have_what_their_address_has_of_nobody_together(line, embedded_in):
    services, client = line
    embedded_in(services)
    answers = [client.get(of_load(letter)) for letter in "abcdef"]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [rate(answer) for answer in answers] == [[5, rest] for rest in (4, 3, 2, 1, 0, 0)], "what is scarcest is told"


@pytest.mark.parametrize("given", ["&n=a", f"&n={'A' * 32}", "&n=", f"&n={'a' * 33}"])
def test_what_is_no_number_of_a_load_is_counted_with_the_address(line, embedded_in, given):
    services, client = line
    embedded_in(services)
    assert rate(client.get(f"{SEARCH}&site=travel{given}")) == [5, 4]


def test_the_number_of_a_load_says_nothing_of_who_asks(app, embedded):
    embedded("search")
    client = app.test_client()
    assert client.get(f"/api/v1/tickets?site=travel&n={'a' * 32}").json["error"]["code"] == "no_visitor"
    assert rate(client.get(f"{SEARCH}&n={'a' * 32}"))[0] == int(limits.OF_NOBODY * 6000), "without a site it is not looked at"
