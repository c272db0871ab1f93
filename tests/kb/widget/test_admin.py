"""管理：站点 through the real pages."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from kb.widget.registering import find, server_keys_of, terms_of, webhooks_of

HOST_APP = "https://app.example.com"
PATH = "/admin/sites/travel"


@pytest.fixture
def travel(administrator):
    """The page of a site that was registered by the form."""
    answer = administrator.submit("/admin/sites", "/admin/sites", name="travel", origins=f"{HOST_APP}\r\n http://localhost:5173 \r\n{HOST_APP}", anonymous="on")
    assert answer.location == f"{PATH}?done=add"
    return administrator


@pytest.fixture
def site(services):
    """What is kept of the site now: its row, server keys and webhooks."""

    def read():
        with services.db.read() as session:
            found = find(session, "travel")
            return terms_of(found), list(found.signing_keys), server_keys_of(session, found), webhooks_of(session, found), found.disabled_at

    return read


def secret_of(answer):
    assert answer.status_code == 200, answer.text
    return re.search(r'<textarea id="secret"[^>]*>([^<]+)</textarea>', answer.text)[1]


def test_a_site_is_registered_listed_and_gives_its_line_to_copy(travel, site, read):
    assert site()[0].origins == (HOST_APP, "http://localhost:5173")
    assert site()[0].anonymous
    page = travel.get(f"{PATH}?done=add").text
    assert "&lt;script src=&#34;http://localhost/widget/v1.js&#34; defer data-kb=&#34;travel&#34;&gt;&lt;/script&gt;" in page.replace('"', "&#34;")
    assert "登记好了" in page
    assert "localhost:5173" in read(travel.get("/admin/sites").text).text


def test_a_page_of_the_site_may_ask_as_soon_as_the_form_was_sent(travel, app):
    asked = {"X-Zhida-Site": "travel", "Origin": HOST_APP}
    assert app.test_client().get("/api/v1/search?q=发票", headers=asked).status_code == 200
    travel.submit(PATH, f"{PATH}/disable")
    assert app.test_client().get("/api/v1/search?q=发票", headers=asked).status_code == 403
    assert "停用" in travel.get("/admin/sites").text
    travel.submit(PATH, f"{PATH}/restore")
    assert app.test_client().get("/api/v1/search?q=发票", headers=asked).status_code == 200


def test_what_cannot_be_is_refused_beside_what_was_typed(travel, site):
    answer = travel.submit("/admin/sites", "/admin/sites", name="hr", origins="https://hr.example.com/", theme="dark")
    assert answer.status_code == 400
    assert "来源地址" in answer.text
    assert 'value="hr"' in answer.text
    assert "https://hr.example.com/</textarea>" in answer.text
    before = site()[0]
    answer = travel.submit(PATH, f"{PATH}/change", origins="http://hr.example.com", module="invoices")
    assert answer.status_code == 400
    assert "都要用 https" in answer.text
    assert "http://hr.example.com</textarea>" in answer.text
    assert site()[0] == before
    assert travel.submit("/admin/sites", "/admin/sites", name="travel", origins=HOST_APP).status_code == 409


def test_terms_change_by_the_form(travel, site):
    sent = {"origins": HOST_APP, "module": "invoices", "audience": "finance", "theme": "light", "csrf_token": travel.token(PATH)}
    assert travel.post(f"{PATH}/change", data=sent).location == f"{PATH}?done=change"
    terms = site()[0]
    assert (terms.modules, terms.audience, terms.theme, terms.anonymous) == (("invoices",), ("finance",), "light", False), "a box that is not ticked says no"
    page = travel.page(PATH)
    assert {given["value"] for tag, given in page.elements if tag == "input" and "checked" in given} >= {"invoices", "finance"}


def test_a_signing_key_is_shown_once_and_changed_without_a_gap(travel, site, rows):
    first = secret_of(travel.submit(PATH, f"{PATH}/key", alg="HS256"))
    assert site()[1][0].key == first
    assert first not in travel.get(PATH).text
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    added = travel.submit(PATH, f"{PATH}/key", alg="ES256", kid="next", public_key=pem.replace("\n", "\r\n"))
    assert added.status_code == 200
    assert 'id="secret"' not in added.text
    assert site()[1][1].key == pem
    assert "先停用旧的" in travel.get(PATH).text
    token = travel.token(PATH)
    refused = travel.post(f"{PATH}/key", data={"csrf_token": token, "alg": "HS256"})
    assert refused.status_code == 409
    assert travel.submit(PATH, f"{PATH}/retire", kid="k1").status_code == 303
    assert [key.kid for key in site()[1] if key.retired_at is None] == ["next"]
    assert first not in str(rows()), "of a retired key nothing is left"


def test_a_private_key_is_refused_and_not_shown_again(travel):
    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    answer = travel.submit(PATH, f"{PATH}/key", alg="ES256", public_key=private)
    assert answer.status_code == 400
    assert "这是私钥" in answer.text
    assert private.splitlines()[1] not in answer.text


def test_keys_of_servers_and_addresses_that_are_told_come_and_go(travel, site, rows):
    key = secret_of(travel.submit(PATH, f"{PATH}/server-key", label="报销系统后台", scope="search"))
    assert key.startswith("zk_1_")
    assert key.split("_", 2)[2] not in str(rows())
    hook = secret_of(travel.submit(PATH, f"{PATH}/webhook", url="https://app.example.com/hook", topic="ticket.closed"))
    _, _, keys, hooks, _ = site()
    assert ([one.scopes for one in keys], [(one.url, one.topics, one.secret == hook) for one in hooks]) == (
        [["search"]],
        [("https://app.example.com/hook", ["ticket.closed"], True)],
    )
    page = travel.get(PATH).text
    assert "报销系统后台" in page
    assert key not in page
    assert hook not in page
    assert travel.submit(PATH, f"{PATH}/revoke", id="1").status_code == 303
    assert travel.submit(PATH, f"{PATH}/unhook", id="1").status_code == 303
    assert site()[2:4] == ([], [])
    for path, fields in (("server-key", {"label": "a"}), ("webhook", {"url": "http://app.example.com/", "topic": "ticket.closed"})):
        refused = travel.post(f"{PATH}/{path}", data={"csrf_token": travel.token(PATH), **fields})
        assert refused.status_code == 400
        assert 'role="alert"' in refused.text


def test_nothing_of_another_site_or_that_is_not_there_is_touched(travel, services, site):
    travel.submit("/admin/sites", "/admin/sites", name="hr", origins="https://hr.example.com")
    travel.submit(PATH, f"{PATH}/server-key", label="a", scope="search")
    token = travel.token(PATH)
    for path, fields in (
        ("hr/revoke", {"id": "1"}),
        ("travel/revoke", {"id": "²"}),
        ("travel/revoke", {"id": "9" * 30}),
        ("travel/unhook", {"id": "1"}),
        ("travel/retire", {"kid": "k1"}),
        ("travel/nothing", {}),
        ("gone/change", {}),
    ):
        assert travel.post(f"/admin/sites/{path}", data={"csrf_token": token, **fields}).status_code == 404, path
    assert [travel.get(path).status_code for path in ("/admin/sites/gone", "/admin/sites/gone/key")] == [404, 404]
    assert len(site()[2]) == 1


def test_who_did_it_stands_in_the_log_without_any_secret(travel):
    secrets = [secret_of(travel.submit(PATH, f"{PATH}/key", alg="HS256")), secret_of(travel.submit(PATH, f"{PATH}/server-key", label="a", scope="search"))]
    log = travel.get("/admin/audit").text
    assert all(words in log for words in ("添加站点", "加签名密钥", "加服务器密钥", "travel"))
    assert not any(secret in log for secret in secrets)
