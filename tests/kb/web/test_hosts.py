"""Under which names we answer: a page that points its own name to our address is no page of ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kb.web.hosts import is_known

KNOWN = {"help.example.com", "192.168.1.10", "fd00::7"}


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("help.example.com", True),
        ("HELP.example.com.:8443", True),
        ("192.168.1.10:8000", True),
        ("[fd00::7]:8000", True),
        ("localhost", True),
        ("localhost:9000", True),
        ("127.0.0.1:8000", True),
        ("127.8.8.8", True),
        ("[::1]:8000", True),
        ("", False),
        (":8000", False),
        ("evil.example", False),
        ("help.example.com.evil.example", False),
        ("evil.example:help.example.com", False),
        ("evil.example@help.example.com.evil", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("192.168.1.11", False),
        ("[::1", False),
        ("a b", False),
    ],
)
def test_ours_are_the_names_that_were_set_and_those_of_this_machine_whatever_the_port(host, known):
    assert is_known(host, KNOWN) is known


@pytest.fixture
def client(services, app_of):
    return app_of(replace(services, config=replace(services.config, base_url="https://help.example.com", hosts=("192.168.1.10",)))).test_client()


ASKED = {"intent_id": "a" * 32, "query": "打印机卡纸怎么处理", "trigger": "enter"}


def test_a_page_that_points_its_name_to_us_neither_asks_nor_reads(client):
    there = {"Host": "evil.example", "Origin": "http://evil.example"}
    for answer in (
        client.post("/api/v1/intents", json=ASKED, headers=there),
        client.get("/api/v1/search?q=发票", headers={"Host": "evil.example"}),
        client.get("/", headers={"Host": "evil.example"}),
        client.get("/widget/demo", headers={"Host": "evil.example"}),
        client.get("/nothing", headers={"Host": "evil.example"}),
        client.options("/api/v1/intents", headers=there),
    ):
        assert answer.status_code == 400
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]
        assert 'src="http://evil.example' not in answer.text
    assert client.post("/api/v1/intents", json=ASKED).status_code == 201


def test_who_comes_under_a_name_that_nobody_set_reads_which_setting_to_set(client):
    page = client.get("/", headers={"Host": "10.0.0.5:8000"}).text
    assert "KB_BASE_URL（例如 http://10.0.0.5:8000）" in page
    error = client.get("/api/v1/search?q=a&lang=en", headers={"Host": "10.0.0.5:8000"}).json["error"]
    assert error["code"] == "unknown_host"
    assert "set KB_BASE_URL to the address that people use (such as http://10.0.0.5:8000), write other host names into KB_HOSTS" in error["message"]


@pytest.mark.parametrize("host", ["help.example.com", "192.168.1.10:8000", "localhost:8000"])
def test_people_come_under_every_name_that_was_set(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200
    assert client.post("/api/v1/intents", json=ASKED, headers={"Host": host, "Origin": f"http://{host}"}).status_code == 201


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_whether_we_are_well_is_told_under_every_name(client, path):
    assert client.get(path, headers={"Host": "10.42.0.17:8000"}).status_code == 200


def test_what_is_refused_for_its_name_counts_like_all_else(services_with, app_of):
    client = app_of(services_with(requests_per_minute=3)).test_client()
    found = [client.get("/api/v1/suggest?q=a", headers={"Host": "evil.example"}).status_code for _ in range(4)]
    assert found == [400, 400, 400, 429]


@pytest.mark.parametrize(("proxies", "sent", "status"), [(1, "help.example.com", 200), (1, "evil.example", 400), (0, "help.example.com", 400)])
def test_behind_a_proxy_the_name_that_it_was_asked_under_counts_and_nobody_elses_word(services, app_of, proxies, sent, status):
    config = replace(services.config, base_url="https://help.example.com", proxies=proxies)
    client = app_of(replace(services, config=config)).test_client()
    assert client.get("/", headers={"Host": "upstream:8000", "X-Forwarded-Host": sent}).status_code == status
