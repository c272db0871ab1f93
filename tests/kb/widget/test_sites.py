"""Sites: what may be agreed with them, their keys, and what is known of them a second later."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from indexer.article import AUDIENCES
from kb.accounts.models import AuditEntry
from kb.cli import cli
from kb.errors import ConflictError, InvalidRequestError, KbError, NotFoundError
from kb.notifications.spreading import WEBHOOK_TOPICS
from kb.web.origins import TOLD_TO_ALL
from kb.widget import registering, server_keys
from kb.widget.registering import TOPICS, Terms
from kb.widget.sites import SiteInForce, Sites

HOST_APP = "https://app.example.com"
BY = "管理员老周"


@pytest.fixture
def do(db, now):
    """Take a step of an administrator in a transaction of its own: `do(registering.disable)`; the site is `travel`."""
    with db.write() as session:
        registering.add(session, BY, "travel", Terms((HOST_APP,)), [], now)

    def take(step, *arguments):
        with db.write() as session:
            session.expire_on_commit = False
            return step(session, BY, registering.find(session, "travel"), *arguments, now)

    return take


@pytest.fixture
def log(db):
    def read():
        with db.read() as session:
            return [(one.actor, one.deed, one.object, one.detail) for one in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]

    return read


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "https://app.example.com:8443",
        "http://localhost:5173",
        "http://127.0.0.1",
        "http://[::1]:80801"[:-1],
        "https://xn--fiq228c.cn",
    ],
)
def test_an_origin_is_as_browsers_send_it(db, now, origin):
    with db.write() as session:
        assert registering.add(session, BY, "travel", Terms((origin,)), [], now).origins == [origin]


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "*",
        "null",
        "https://*.example.com",
        "https://app.example.com/",
        "https://app.example.com/x",
        "https://app.example.com?x",
        "https://App.example.com",
        "app.example.com",
        "//app.example.com",
        "http://app.example.com",
        "http://localhost.example.com",
        "ftp://app.example.com",
        "javascript://app.example.com",
        "https://app.example.com:443",
        "http://localhost:80",
        "https://app.example.com:0",
        "https://app.example.com:70000",
        "https://app.example.com:08443",
        "https://me@app.example.com",
        "https://-a.example.com",
        "https://a..example.com",
        "https://app.example.com.",
        "https://app.example.com\n",
        " https://app.example.com",
        "https://应用.example.com",
        "https://[::g]",
        "https://[1:2]",
        "https://[0:0::1]",
        "http://127.000.000.001",
        "https://10.0.0.08",
        "https://10.1",
        "https://2130706433",
    ],
)
def test_what_no_browser_sends_or_nobody_can_trust_is_no_origin(db, now, origin):
    with db.write() as session, pytest.raises(InvalidRequestError, match="来源地址"):
        registering.add(session, BY, "travel", Terms((HOST_APP, origin)), [], now)


@pytest.mark.parametrize("name", ["", "Travel", "-travel", "travel-", "a b", "旅行", "a" * 25, "a:b", "a/b", "travel\n"])
def test_a_name_is_short_and_plain(db, now, name):
    with db.write() as session, pytest.raises(InvalidRequestError, match="站点名"):
        registering.add(session, BY, name, Terms((HOST_APP,)), [], now)


@pytest.mark.parametrize(
    "terms",
    [
        Terms(()),
        Terms((HOST_APP,) * 21),
        Terms((HOST_APP,), modules=("gone",)),
        Terms((HOST_APP,), audience=("boss",)),
        Terms((HOST_APP,), theme="pink"),
    ],
)
def test_what_cannot_be_agreed_is_refused_and_changes_nothing(do, db, terms, log):
    with pytest.raises(InvalidRequestError):
        do(registering.change, terms, ["invoices"])
    with db.read() as session:
        assert registering.terms_of(registering.find(session, "travel")) == Terms((HOST_APP,))
    assert len(log()) == 1


def test_a_name_is_never_given_away_again(do, db, now):
    do(registering.disable)
    with db.write() as session, pytest.raises(ConflictError, match="restore"):
        registering.add(session, BY, "travel", Terms((HOST_APP,)), [], now)


def test_every_step_is_noted_once_and_without_a_secret(do, db, log):
    assert do(registering.change, Terms((HOST_APP, "http://localhost:5173"), audience=("finance",), anonymous=False), []) is True
    assert do(registering.change, Terms((HOST_APP, "http://localhost:5173"), audience=("finance",), anonymous=False), []) is False
    key = do(registering.add_key, "HS256", "", "")
    do(registering.retire_key, "k1")
    written = do(registering.add_server_key, " 后台  任务 ", ["tickets:read", "search"])
    do(registering.revoke_server_key, 1)
    hook = do(registering.add_webhook, "https://app.example.com/hook?key=1", ["ticket.opened"])
    do(registering.remove_webhook, hook.id)
    for _ in range(2):
        do(registering.disable)
    for _ in range(2):
        do(registering.restore)
    assert [(deed, detail) for actor, deed, site, detail in log() if (actor, site) == (BY, "travel")] == [
        ("site_added", "https://app.example.com；匿名可用；auto"),
        ("site_changed", "https://app.example.com http://localhost:5173；不接受匿名；auto；读者 finance"),
        ("key_added", "k1（HS256）"),
        ("key_retired", "k1"),
        ("server_key_added", "1 后台 任务（search、tickets:read）"),
        ("server_key_revoked", "1 后台 任务"),
        ("webhook_added", "1（ticket.opened）"),
        ("webhook_removed", "1"),
        ("site_disabled", ""),
        ("site_enabled", ""),
    ]
    assert len(key.key) >= 32 or key.key == ""
    for secret in (written, hook.secret, "key=1"):
        assert secret not in str(log())


def test_keys_change_without_a_gap_two_at_once_and_no_third(do, db, now):
    pem = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    first = do(registering.add_key, "HS256", "", "")
    second = do(registering.add_key, "EdDSA", "2026-12", pem)
    assert (first.kid, len(first.key), second.key) == ("k1", 64, pem)
    with pytest.raises(ConflictError, match="停用旧的"):
        do(registering.add_key, "HS256", "", "")
    sites = Sites(db)
    assert set(sites.current().by_name["travel"].keys) == {"k1", "2026-12"}
    do(registering.retire_key, "k1")
    sites.look()
    assert set(sites.current().by_name["travel"].keys) == {"2026-12"}
    with pytest.raises(NotFoundError):
        do(registering.retire_key, "k1")
    with pytest.raises(ConflictError, match="用过"):
        do(registering.add_key, "HS256", "k1", "")
    assert do(registering.add_key, "HS256", "", "").kid == "k2"
    with db.read() as session:
        assert [key.key for key in registering.find(session, "travel").signing_keys if key.retired_at] == [""], "what vouches for nobody is not kept"


@pytest.mark.parametrize(
    ("algorithm", "kid", "pem"), [("RS256", "", "x"), ("none", "", ""), ("HS256", "", "x"), ("ES256", "", ""), ("HS256", "a b", ""), ("HS256", "k" * 41, "")]
)
def test_no_other_key_can_be_added(do, algorithm, kid, pem):
    with pytest.raises(InvalidRequestError):
        do(registering.add_key, algorithm, kid, pem)


def test_of_a_server_key_only_the_hash_is_kept(do, rows_of):
    written = do(registering.add_server_key, "后台", ["search"])
    presented = server_keys.read(written)
    assert rows_of("server_keys")[0][3] == presented.secret_hash
    assert written not in str(rows_of("server_keys"))
    for label, scopes in (("", ["search"]), ("x" * 81, ["search"]), ("a", []), ("a", ["all"]), ("a\u202eb", ["search"])):
        with pytest.raises(InvalidRequestError):
            do(registering.add_server_key, label, scopes)
    with pytest.raises(NotFoundError):
        do(registering.revoke_server_key, 2)


@pytest.fixture
def rows_of(db):
    def read(table):
        with db.read() as session:
            return session.connection().exec_driver_sql(f"SELECT * FROM {table}").all()  # noqa: S608 - a test's own word

    return read


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "http://app.example.com/hook",
        "ftp://app.example.com/",
        "https://me:pw@app.example.com/",
        "https://app.example.com/#x",
        "https://app.example.com/a b",
        "https://app.example.com/\n",
        "https://app.example.com\\@evil.example/",
        "https://应用.example.com/",
        "https://app.example.com/" + "x" * 400,
        "https://[::1/",
    ],
)
def test_a_webhook_is_a_whole_address(do, url):
    with pytest.raises(InvalidRequestError, match="通知地址"):
        do(registering.add_webhook, url, list(TOPICS))


def test_a_webhook_is_told_what_there_is_to_tell_and_once(do):
    assert set(TOPICS) == set(WEBHOOK_TOPICS.values())
    hook = do(registering.add_webhook, "http://127.0.0.1:9000/hook", ["ticket.closed", "ticket.opened"])
    assert hook.topics == ["ticket.opened", "ticket.closed"]
    assert len(hook.secret) >= 32
    with pytest.raises(ConflictError, match="已经在通知"):
        do(registering.add_webhook, "http://127.0.0.1:9000/hook", ["ticket.closed"])
    for topics in ([], ["ticket.deleted"]):
        with pytest.raises(InvalidRequestError, match="通知什么"):
            do(registering.add_webhook, "https://a.example.com/", topics)


def test_what_changed_is_known_a_second_later_and_asked_for_once_a_second_at_most(db, do, asked):
    seconds = [0.0]
    sites = Sites(db, lambda: seconds[0])
    assert set(sites.current().by_name) == {"travel"}
    do(registering.disable)
    seconds[0] = 0.9
    assert asked(db, sites.current).sql == []
    assert set(sites.current().by_name) == {"travel"}
    seconds[0] = 1.0
    assert sites.current().by_name == {}
    assert sites.current().origins == frozenset()


def test_people_read_no_more_than_both_sides_say():
    site = SiteInForce("travel", audience=frozenset({"finance"}), modules=frozenset({"open"}))
    assert site.readers() == (frozenset({"employee"}), frozenset({"open"}))
    assert site.readers(frozenset({"finance", "admin", "*"})).roles == {"employee", "finance"}
    assert SiteInForce("hr").readers(frozenset(AUDIENCES)).roles == {"employee"}


def test_a_page_learns_about_its_site(services, app, register, vouch):
    register(services, modules=("invoices",), theme="dark", anonymous=False)
    client = app.test_client()
    told = client.get(TOLD_TO_ALL, headers={"X-Zhida-Site": "travel", "Origin": HOST_APP})
    invoices = next(module for module in services.library.current().modules if module.id == "invoices")
    assert told.json == {"site": "travel", "theme": "dark", "anonymous": False, "signed": False, "modules": [{"id": "invoices", "name": invoices.name}]}
    vouch(services)
    assert client.get(TOLD_TO_ALL, headers={"X-Zhida-Site": "travel", "Origin": HOST_APP}).json["signed"] is True
    unnamed = client.get(TOLD_TO_ALL).json
    assert (unnamed["site"], unnamed["anonymous"], len(unnamed["modules"])) == ("", True, len(services.library.current().modules))


@pytest.fixture
def kb(tmp_path, monkeypatch):
    """Run `kb … --json` on a data folder of its own and return what it printed."""
    monkeypatch.setenv("KB_DATA", str(tmp_path / "data"))
    CliRunner().invoke(cli, ["db", "upgrade"])

    def run(*words, fails=False):
        answer = CliRunner().invoke(cli, [*words, "--json"])
        if fails:
            assert answer.exit_code != 0
            return str(answer.exception)
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)

    return run


def test_a_site_lives_by_commands_alone(kb, tmp_path):
    added = kb("site", "add", "travel", "--origin", HOST_APP, "--origin", "http://localhost:5173", "--audience", "finance", "--no-anonymous")
    assert (added["origins"], added["audience"], added["anonymous"]) == ([HOST_APP, "http://localhost:5173"], ["finance"], False)
    assert "来源地址" in kb("site", "add", "hr", "--origin", "https://hr.example.com/", fails=True)
    assert "没有站点" in kb("site", "set", "hr", "--theme", "dark", fails=True)
    assert kb("site", "set", "travel", "--theme", "dark")["origins"] == [HOST_APP, "http://localhost:5173"], "what is not named stays"
    assert kb("site", "set", "travel", "--origin", HOST_APP, "--anonymous")["origins"] == [HOST_APP]
    assert kb("site", "set", "travel", "--theme", "light")["audience"] == ["finance"]
    assert kb("site", "set", "travel", "--audience", "finance", "--no-audience", fails=True) == "2", "one or the other"
    assert kb("site", "set", "travel", "--no-audience")["audience"] == []
    first = kb("site", "key", "add", "travel")
    assert (first["kid"], first["algorithm"], len(first["secret"])) == ("k1", "HS256", 64)
    pem = tmp_path / "public.pem"
    pem.write_bytes(ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert kb("site", "key", "add", "travel", "--alg", "EdDSA", "--kid", "next", "--public-key", str(pem))["secret"] is None
    kb("site", "key", "retire", "travel", "k1")
    key = kb("site", "server-key", "add", "travel", "后台", "--scope", "search")["key"]
    assert server_keys.read(key) is not None
    hook = kb("site", "webhook", "add", "travel", "https://app.example.com/hook", "--topic", "ticket.closed")
    listed = kb("site", "list")
    assert [(one["kid"], one["retired"]) for one in listed["sites"][0]["keys"]] == [("k1", True), ("next", False)]
    assert [(one["id"], one["scopes"]) for one in listed["sites"][0]["server_keys"]] == [(1, ["search"])]
    assert [(one["url"], one["topics"]) for one in listed["sites"][0]["webhooks"]] == [("https://app.example.com/hook", ["ticket.closed"])]
    for secret in (first["secret"], key, hook["secret"]):
        assert secret not in json.dumps(listed)
    kb("site", "server-key", "revoke", "travel", "1")
    kb("site", "webhook", "remove", "travel", "1")
    gone = kb("site", "remove", "travel")
    assert (gone["disabled"], gone["server_keys"], gone["webhooks"]) == (True, [], [])
    assert kb("site", "restore", "travel")["disabled"] is False


@pytest.mark.parametrize(
    "words", [("add", "travel", "--origin", HOST_APP), ("list",), ("key", "add", "travel"), ("server-key", "add", "travel", "x", "--scope", "search")]
)
def test_where_no_help_centre_is_no_site_is_registered_and_nothing_is_made(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(cli, ["site", *words, "--json"])
    assert isinstance(answer.exception, KbError)
    assert "set KB_DATA to the folder that the help centre runs with" in str(answer.exception)
    assert list(tmp_path.iterdir()) == []


def test_without_json_a_secret_stands_alone_on_standard_output(kb):
    kb("site", "add", "travel", "--origin", HOST_APP)
    printed = CliRunner().invoke(cli, ["site", "key", "add", "travel"])
    assert len(printed.stdout.strip()) == 64
    assert "shown this once" in printed.stderr
