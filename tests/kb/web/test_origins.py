"""Which pages may speak to the API."""

from __future__ import annotations

import pytest

from kb.widget import registering
from kb.widget.registering import Terms

HOST_APP = "https://app.example.com"
READS = ["/api/v1/search?q=发票", "/api/v1/suggest?q=发票", "/api/v1/suggestions?context=x"]
WRITES = ["/api/v1/intents", "/api/v1/feedback", "/api/v1/tickets/abc/details"]
FOREIGN = [
    "https://evil.example",
    "null",
    "https://app.example.com.evil.example",
    "http://app.example.com",
    "https://app.example.com:444",
    "https://APP.example.com",
    "",
]


@pytest.fixture
def client(services_with, app_of):
    return app_of(services_with(widget_origins=(HOST_APP,))).test_client()


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_cannot_write(client, origin):
    for path in WRITES:
        answer = client.post(path, json={"intent_id": "a", "query": "打印机卡纸", "trigger": "enter"}, headers={"Origin": origin})
        assert answer.status_code == 403, path
        assert answer.json["error"]["code"] == "foreign_origin"
        assert "KB_WIDGET_ORIGINS" in answer.json["error"]["message"]
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_is_not_let_to_read(client, origin):
    for path in READS:
        answer = client.get(path, headers={"Origin": origin})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")], path
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("path", READS)
def test_a_registered_site_reads_under_its_exact_name(client, path):
    headers = client.get(path, headers={"Origin": HOST_APP}).headers
    assert headers["Access-Control-Allow-Origin"] == HOST_APP
    assert "Access-Control-Allow-Credentials" not in headers
    assert "Origin" in headers["Vary"]


def test_a_registered_site_may_ask_before_it_writes_and_then_write(client):
    before = client.options("/api/v1/intents", headers={"Origin": HOST_APP, "Access-Control-Request-Method": "POST"})
    assert before.status_code == 204
    assert before.headers["Access-Control-Allow-Origin"] == HOST_APP
    assert before.headers["Access-Control-Allow-Methods"] == "GET, POST"
    sent = "Content-Type, Idempotency-Key, Authorization, X-Zhida-Site, X-Zhida-Visitor, X-Zhida-Sub"
    assert before.headers["Access-Control-Allow-Headers"] == sent
    assert "Access-Control-Allow-Credentials" not in before.headers
    answer = client.post("/api/v1/intents", json={"intent_id": "a", "query": "打印机卡纸", "trigger": "enter", "visitor": "w1"}, headers={"Origin": HOST_APP})
    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == HOST_APP


def test_a_foreign_preflight_is_refused(client):
    answer = client.options("/api/v1/intents", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_errors_are_readable_for_a_registered_site_too(client):
    answer = client.get("/api/v1/search?limit=0", headers={"Origin": HOST_APP})
    assert answer.status_code == 400
    assert answer.headers["Access-Control-Allow-Origin"] == HOST_APP


@pytest.mark.parametrize("origin", ["http://localhost", None])
def test_our_own_pages_and_programs_may_write(client, origin):
    headers = {"Origin": origin} if origin else {}
    assert client.post("/api/v1/intents", json={"intent_id": "a", "query": "打印机卡纸", "trigger": "enter"}, headers=headers).status_code == 201


def test_a_registered_site_never_acts_as_the_person_whose_browser_it_is_in(client):
    client.get("/")
    question = {"query": "打印机卡纸", "trigger": "enter"}
    client.post("/api/v1/intents", json={"intent_id": "a", "visitor": "w1", **question}, headers={"Origin": HOST_APP})
    assert "打印机卡纸" not in client.get("/mine").text
    client.post("/api/v1/intents", json={"intent_id": "b", "visitor": "w1", **question})
    assert "打印机卡纸" in client.get("/mine").text


def test_pages_are_never_shared_with_a_registered_site(client):
    for path in ("/", "/search?q=发票", "/mine", "/healthz"):
        assert "Access-Control-Allow-Origin" not in client.get(path, headers={"Origin": HOST_APP}).headers


TRAVEL = "https://travel.example.com"
ASKED = {"intent_id": "a", "query": "打印机卡纸", "trigger": "enter"}


@pytest.fixture
def sited(client_services):
    """A client of services with the sites `travel` (anonymous) and `hr` (signed people only, with a key)."""
    services, client = client_services
    with services.db.write() as session:
        registering.add(session, "老周", "travel", Terms((TRAVEL, "http://localhost:5173")), [], services.now())
        hr = registering.add(session, "老周", "hr", Terms(("https://hr.example.com",), anonymous=False), [], services.now())
        registering.add_key(session, "老周", hr, "HS256", "", "", services.now())
    services.sites.look()
    return client


@pytest.fixture
def client_services(services_with, app_of):
    services = services_with(widget_origins=(HOST_APP,))
    return services, app_of(services).test_client()


def _from(site, origin=TRAVEL, **more):
    return {"X-Zhida-Site": site, **({} if origin is None else {"Origin": origin}), **more}


def test_a_site_asks_from_its_own_origins_from_our_pages_and_from_no_page(sited):
    for origin in (TRAVEL, "http://localhost:5173", "http://localhost", None):
        for answer in (sited.get(READS[0], headers=_from("travel", origin)), sited.post("/api/v1/intents", json=ASKED, headers=_from("travel", origin))):
            assert answer.status_code in {200, 201}
            assert answer.headers.get("Access-Control-Allow-Origin") == (origin if origin in {TRAVEL, "http://localhost:5173"} else None)
            assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_site_is_refused_from_every_other_page_reading_too(sited):
    for origin in (*FOREIGN, HOST_APP, "https://hr.example.com", "http://localhost:5174", "https://travel.example.com:443"):
        for answer in (sited.get(READS[0], headers=_from("travel", origin)), sited.post("/api/v1/intents", json=ASKED, headers=_from("travel", origin))):
            assert (answer.status_code, answer.json["error"]["code"]) == (403, "foreign_origin"), origin
            assert "kb site set" in answer.json["error"]["message"]


def test_a_site_that_nobody_registered_is_refused_with_the_reason(sited):
    for name in ("gone", "Travel", "", "../hr", "x" * 5000):
        answer = sited.get(READS[0], headers=_from(name))
        assert (answer.status_code, answer.json["error"]["code"]) == (403, "unknown_site")
        assert answer.headers["Access-Control-Allow-Origin"] == TRAVEL, "a page of some site reads why"
        assert len(answer.json["error"]["message"]) < 200


def test_a_disabled_site_is_as_if_it_were_not_there(sited, client_services):
    services, _ = client_services
    with services.db.write() as session:
        registering.disable(session, "老周", registering.find(session, "travel"), services.now())
    services.sites.look()
    assert sited.get(READS[0], headers=_from("travel")).json["error"]["code"] == "unknown_site"
    assert sited.options("/api/v1/intents", headers={"Origin": TRAVEL}).status_code == 403


def test_a_page_of_a_site_says_which_site_it_is(sited):
    for answer in (sited.get(READS[0], headers={"Origin": TRAVEL}), sited.post("/api/v1/intents", json=ASKED, headers={"Origin": TRAVEL})):
        assert (answer.status_code, answer.json["error"]["code"]) == (403, "unknown_site")
        assert "X-Zhida-Site" in answer.json["error"]["message"]
        assert answer.headers["Access-Control-Allow-Origin"] == TRAVEL


def test_every_page_reads_why_the_first_thing_that_it_asks_is_refused(sited):
    """A browser keeps every other refusal from a page that is registered nowhere."""
    path = "/api/v1/site"
    before = sited.options(path, headers={"Origin": "https://evil.example", "Access-Control-Request-Headers": "x-zhida-site"})
    assert (before.status_code, before.headers["Access-Control-Allow-Origin"]) == (204, "*")
    for origin in ("https://evil.example", "null"):
        for headers in (_from("travel", origin), {"Origin": origin}):
            answer = sited.get(path, headers=headers)
            assert (answer.status_code, answer.json["error"]["code"]) == (403, "foreign_origin")
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in answer.headers
    assert sited.get(path, headers=_from("hr", "https://hr.example.com")).status_code == 200, "it says that people must be signed in there"


def test_what_a_page_may_read_beside_the_body_is_named(sited):
    assert "Retry-After" in sited.get(READS[0], headers=_from("travel")).headers["Access-Control-Expose-Headers"]
    assert {"X-Zhida-Site", "X-Zhida-Visitor", "Authorization", "Origin"} <= set(sited.get(READS[0]).headers["Vary"].split(", "))


BAD_TOKENS = [
    "Bearer x.y.z",
    "Bearer ",
    "Bearer",
    "bearer x.y.z",
    "Bearer  x.y.z",
    "Basic eDp5",
    "zk_1_" + "x" * 43,
    "Bearer x.y.z, Bearer x.y.z",
    "Bearer " + "x" * 20_000,
]


def test_a_bad_token_has_one_answer_at_every_address(sited):
    for site, origin in (("travel", TRAVEL), ("hr", "https://hr.example.com"), ("hr", None)):
        for token in BAD_TOKENS:
            headers = _from(site, origin, Authorization=token)
            answers = [sited.get(path, headers=headers) for path in (*READS, "/api/v1/tickets/abc", "/api/v1/nowhere")]
            answers += [sited.post(path, json=ASKED, headers=headers) for path in WRITES]
            assert {answer.status_code for answer in answers} == {401}, token
            assert {answer.data for answer in answers} == {answers[0].data}
            assert answers[0].json["error"]["code"] == "bad_identity"


def test_a_token_without_a_site_is_refused_and_a_proxys_password_is_not(sited):
    assert sited.get(READS[0], headers={"Authorization": "Bearer x.y.z"}).json["error"]["code"] == "bad_identity"
    assert sited.get(READS[0], headers={"Authorization": "Basic eDp5"}).status_code == 200
    assert sited.get("/?token=x.y.z").status_code == 200


def test_a_site_for_signed_people_takes_nobody_else(sited):
    for more in ({}, {"X-Zhida-Visitor": "0" * 32}):
        answers = [sited.get(path, headers=_from("hr", "https://hr.example.com", **more)) for path in READS]
        answers += [sited.post(path, json=ASKED, headers=_from("hr", "https://hr.example.com", **more)) for path in WRITES]
        assert {(answer.status_code, answer.json["error"]["code"]) for answer in answers} == {(401, "no_identity")}
        assert {answer.data for answer in answers} == {answers[0].data}


def test_a_visitors_id_is_32_hexadecimal_digits(sited):
    for id_ in ("", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "x", "0" * 32 + "\u00e9"):
        answer = sited.get(READS[0], headers=_from("travel", **{"X-Zhida-Visitor": id_}))
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_visitor")


def test_a_visitor_is_one_person_by_header_and_by_body(sited):
    id_ = "0123456789abcdef" * 2
    first = sited.post("/api/v1/intents", json=ASKED, headers=_from("travel", **{"X-Zhida-Visitor": id_})).json["ticket"]
    again = sited.post("/api/v1/intents", json=ASKED | {"visitor": id_}, headers=_from("travel"))
    assert (again.status_code, again.json["ticket"]["url"], again.json["ticket"]["followers"]) == (200, first["url"], 1)


def test_a_visitor_is_somebody_else_on_each_site_and_where_none_is_named(sited, client_services):
    """What one site learns of a random id opens nothing of the same browser's on another."""
    services = client_services[0]
    with services.db.write() as session:
        registering.add(session, "老周", "wages", Terms(("https://wages.example.com",)), [], services.now())
    services.sites.look()
    id_ = "0123456789abcdef" * 2
    asked = [
        sited.post("/api/v1/intents", json=ASKED | {"intent_id": f"of-{at}", "visitor": id_}, headers=headers).json["ticket"]["followers"]
        for at, headers in enumerate([_from("travel"), _from("wages", "https://wages.example.com"), {}])
    ]
    assert asked == [1, 2, 3]
    assert len(sited.get("/api/v1/tickets", headers=_from("wages", "https://wages.example.com", **{"X-Zhida-Visitor": id_})).json["tickets"]) == 1


def test_cookies_count_for_nothing_where_a_site_is_named(administrator, services):
    with services.db.write() as session:
        registering.add(session, "老周", "travel", Terms((TRAVEL,)), [], services.now())
    services.sites.look()
    asked = administrator.post("/api/v1/intents", json=ASKED, headers=_from("travel", None, **{"X-Zhida-Visitor": "0" * 32})).json
    assert asked["ticket"]["followers"] == 1
    assert "limited" not in asked, "whoever is signed in here would only be counted"
    assert "打印机卡纸" not in administrator.get("/mine").text


def test_pages_know_no_sites(sited):
    for path in ("/", "/search?q=发票", "/healthz"):
        answer = sited.get(path, headers=_from("gone", "https://evil.example"))
        assert answer.status_code == 200
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_site_may_be_named_in_the_address_with_the_same_outcome_and_the_same_words(sited):
    """A GET without headers of ours is sent by a browser without asking first."""
    for name in ("travel", "hr", "gone", "", "../hr"):
        for origin in (TRAVEL, "https://hr.example.com", "https://evil.example", "http://localhost", None):
            for path in (*READS, "/api/v1/site", "/api/v1/articles", "/api/v1/tickets"):
                in_header = sited.get(path, headers=_from(name, origin))
                in_query = sited.get(f"{path}{'&' if '?' in path else '?'}site={name}", headers={} if origin is None else {"Origin": origin})
                assert (in_query.status_code, in_query.json) == (in_header.status_code, in_header.json), (name, origin, path)
                assert in_query.headers.get("Access-Control-Allow-Origin") == in_header.headers.get("Access-Control-Allow-Origin")
                assert in_query.headers["Cache-Control"] == in_header.headers["Cache-Control"]
                assert "Origin" in in_query.headers["Vary"]
            posted = [
                sited.post(f"/api/v1/intents{query}", json=ASKED, headers=headers | ({} if origin is None else {"Origin": origin}))
                for query, headers in ((f"?site={name}", {}), ("", {"X-Zhida-Site": name}))
            ]
            assert posted[0].json.get("error") == posted[1].json.get("error")


def test_two_names_of_one_site_are_one_and_of_two_are_refused(sited):
    assert sited.get(f"{READS[0]}&site=travel", headers=_from("travel")).status_code == 200
    for path, headers in ((f"{READS[0]}&site=hr", _from("travel")), (f"{READS[0]}&site=hr&site=travel", {"Origin": TRAVEL})):
        answer = sited.get(path, headers=headers)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "two_sites")
        assert answer.headers["Access-Control-Allow-Origin"] == TRAVEL


def test_a_name_in_the_address_says_nothing_of_who_asks(sited):
    answer = sited.get(f"{READS[0]}&site=hr&visitor={'0' * 32}&access_token=x.y.z", headers={"Origin": "https://hr.example.com"})
    assert answer.json["error"]["code"] == "no_identity"
    forged = sited.get(f"{READS[0]}&site=hr", headers={"Origin": "https://hr.example.com", "Authorization": "Bearer x.y.z"})
    assert forged.json["error"]["code"] == "bad_identity"
