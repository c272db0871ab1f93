"""What comes over other companies' pages and servers: forged tokens, hostile words in every option and header, addresses that lead astray."""

from __future__ import annotations

import io
import json
import re
import socket
from itertools import cycle
from urllib.parse import quote

import jwt
import pytest

from kb.accounts.pages import safe_next
from kb.errors import InvalidRequestError
from kb.web import limits
from kb.widget import registering
from kb.widget.registering import Terms
from tests.hostile.test_hostile_http import _blns, _bundles, _clean, _injections, _lines, _scripts, _shape, _well

TRAVEL = "https://travel.example.com"
ASKED = {"intent_id": "a", "query": "打印机卡纸", "trigger": "enter"}


@pytest.fixture
def services(services_with, monkeypatch):
    """The product with room for a flood, and the sites `travel`, which signs, and `hr`, which signs under the same key's name."""
    monkeypatch.setattr(limits, "OF_A_PERSON", {})
    monkeypatch.setattr(limits, "OTHERWISE", 100_000_000)
    services = services_with(requests_per_minute=100_000_000, tickets_per_hour=1_000_000)
    with services.db.write() as session:
        for name in ("travel", "hr"):
            site = registering.add(session, "老周", name, Terms((f"https://{name}.example.com",)), [], services.now())
            registering.add_key(session, "老周", site, "HS256", "k1", "", services.now())
    services.sites.look()
    return services


@pytest.fixture
def sign(services):
    """Sign claims with a site's key, right in all that is not said otherwise."""
    at = int(services.now().timestamp())

    def make(said=None, site="travel", headers=None, **more):
        claims = {"iat": at, "exp": at + 600, "aud": "zhida", "iss": "travel", "sub": "e-7", **more} if said is None else said
        key = services.sites.current().by_name[site].keys["k1"].key
        return jwt.PyJWS().encode(json.dumps(claims).encode(), key, "HS256", {"kid": "k1"} if headers is None else headers)

    return make


def _forged(hostile, sign, at):
    """Return tokens of the lists that a site's own key never signed, or that say what nobody may say."""
    good = sign()
    header, said, mac = good.split(".")
    attacks = json.loads((hostile / "jwt" / "own_attacks.json").read_text(encoding="utf-8"))
    for attack in attacks["headers"]:
        forged = jwt.utils.base64url_encode(attack["header"].replace("<1MB>", "x" * 2**20).encode()).decode()
        yield from (f"{forged}.{said}.{mac}", f"{forged}.{said}.")
    times = {"+10y": at + 315_360_000, "+1h": at + 3600, -1: at - 3600}
    for attack in attacks["claims"]:
        name, claims = attack["name"], attack["claims"]
        if name in {"sub other user", "role/admin claim injected", "email unverified = agent mail", "jti replayed", "aud list with ours"}:
            continue  # the site says who its people are; what that is worth is tested elsewhere
        if not isinstance(claims, dict):
            yield sign(claims)
            continue
        changed = {key: times.get(value, value) if isinstance(value, str | int) else value for key, value in claims.items()}
        changed = {key: value.replace("<1MB>", "x" * 2**20) if isinstance(value, str) else value for key, value in changed.items()}
        left_out = {name.removesuffix(" missing")}
        right = {key: value for key, value in {"iat": at, "exp": at + 600, "aud": "zhida", "iss": "travel", "sub": "e-7"}.items() if key not in left_out}
        yield sign(right | changed)
    yield from (f"{header}.{said}", f"{good}.{mac}", "", "...", f"{good}=", good[:-1], f"{header}.{said}.{mac[::-1]}", sign(site="hr"), sign(iss="hr"))
    for name in ("jws", "jwk", "jwcrypto"):
        for group in json.loads((hostile / "jwt" / f"wycheproof_{name}.json").read_text(encoding="utf-8"))["testGroups"]:
            tokens = (case.get("jws", case.get("jwe")) for case in group["tests"])
            yield from (token if isinstance(token, str) else json.dumps(token) for token in tokens)


def test_every_forged_token_gets_the_same_bytes_at_every_entrance_and_leaves_nothing(app, services, sign, hostile, rows, log, ticket):
    client = app.test_client()
    reads = ["/search?q=发票", "/suggest?q=发", "/suggestions?context=x", "/articles", "/tickets", f"/tickets/{ticket['token']}", "/nowhere"]
    writes = ["/intents", "/feedback", "/tickets", *(f"/tickets/{ticket['token']}/{step}" for step in ("details", "withdraw", "seen", "files"))]
    entrances = cycle([*((client.get, path) for path in reads), *((client.post, path) for path in writes)])
    right = {"X-Zhida-Site": "travel", "Origin": TRAVEL}
    assert client.get("/api/v1/tickets", headers={**right, "Authorization": f"Bearer {sign()}"}).status_code == 200
    before, bodies, given = rows(), set(), [token for token in _forged(hostile, sign, int(services.now().timestamp())) if not re.search("[\r\n]", token)]
    assert len(given) > 450
    for token in given:
        ask, path = next(entrances)
        more = {"json": ASKED} if ask == client.post else {}
        answer = ask(f"/api/v1{path}", headers={**right, "Authorization": f"Bearer {token}"}, **more)
        assert answer.status_code == 401, (path, token[:200])
        bodies.add(answer.data)
    assert len(bodies) == 1
    assert rows() == before
    assert not [token for token in given if len(token) > 20 and token[-20:] in log()]


def test_a_token_counts_in_its_header_only_once_and_as_it_is_written(app, sign):
    client, right, good = app.test_client(), {"X-Zhida-Site": "travel", "Origin": TRAVEL}, sign()
    anybody = {**right, "X-Zhida-Visitor": "0" * 32}
    ask = {"intent_id": "one", "query": "会议室的灯坏了找谁", "trigger": "unsolved"}
    client.post("/api/v1/intents", json=ask, headers={**right, "Authorization": f"Bearer {good}"})
    mine = client.get("/api/v1/tickets", headers={**right, "Authorization": f"Bearer {good}"}).json["tickets"]
    assert len(mine) == 1
    for name in ("token", "access_token", "jwt", "authorization", "Authorization"):
        assert client.get(f"/api/v1/tickets?{name}={good}", headers=anybody).json["tickets"] == [], name
        client.set_cookie(name, good)
    assert client.get("/api/v1/tickets", headers=anybody).json["tickets"] == []
    for written in (f"bearer {good}", f"Bearer  {good}", f"Bearer {good} ", f"Bearer {good}, Bearer {good}", f"JWT {good}", good):
        answer = client.get("/api/v1/tickets", headers={**right, "Authorization": written})
        assert answer.status_code == 401 or written.endswith(" "), written  # servers take a header's trailing space away


@pytest.mark.parametrize("place", ["header", "address", "frame"])
def test_no_name_of_a_site_breaks_anything_or_lets_anybody_in(app, hostile, read, place):
    client = app.test_client()
    names = [
        *_blns(hostile)[::5],
        *_injections(hostile)[::40],
        *_scripts(hostile)[::100],
        "travel ",
        "TRAVEL",
        "travel\u200b",
        "travel%00",
        "../travel",
        "x" * 5000,
    ]
    for name in names:
        word = "".join(letter for letter in name if letter not in "\r\n\0").encode("utf-8", "replace").decode()
        if not word.strip():
            continue
        if place == "frame":
            answer = _well(client.get("/widget/frame", query_string={"site": name.encode("utf-8", "replace").decode(), "q": "发票"}))
            assert answer.status_code == 404
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert {tag for tag, _ in read(answer.text).elements}.isdisjoint({"script", "img", "iframe", "svg"})
            continue
        more = {"headers": {"X-Zhida-Site": word.encode().decode("latin-1"), "Origin": TRAVEL}} if place == "header" else {"headers": {"Origin": TRAVEL}}
        answer = _well(client.get("/api/v1/search", query_string={"q": "发票", **({"site": word} if place == "address" else {})}, **more))
        assert (answer.status_code, answer.mimetype) == (403, "application/json"), word[:60]
        assert set(answer.json["error"]) == {"code", "message"}


def test_no_page_of_another_origin_is_let_in_however_it_is_written(app, hostile):
    client = app.test_client()
    urls = [case["url"] for case in json.loads((hostile / "redirect_ssrf" / "own_ssrf_urls.json").read_text(encoding="utf-8"))]
    urls += [line for name in ("patt_open-redirect", "patt_openredirects2") for line in _lines(hostile / "redirect_ssrf" / f"{name}.txt")]
    urls += [
        TRAVEL.replace("https", "http"),
        f"{TRAVEL}/",
        f"{TRAVEL}:443",
        f"{TRAVEL}.evil.example",
        TRAVEL.upper(),
        f"{TRAVEL}, {TRAVEL}",
        "null",
        "*",
        f" {TRAVEL}x",
    ]
    for url in urls:
        origin = re.sub(r"[\r\n]", "", url).encode("utf-8", "replace").decode("latin-1")
        for more in ({}, {"X-Zhida-Site": "travel"}):
            for answer in (
                client.get("/api/v1/search?q=发票", headers={"Origin": origin, **more}),
                client.options("/api/v1/intents", headers={"Origin": origin, "Access-Control-Request-Method": "POST", **more}),
                client.post("/api/v1/intents", json=ASKED, headers={"Origin": origin, **more}),
            ):
                assert "Access-Control-Allow-Origin" not in _well(answer).headers, url
                assert answer.status_code == (200 if answer.request.method == "GET" and not more else 403), url
                assert all("*" not in value for name, value in answer.headers if name.startswith("Access-Control"))


def test_every_script_in_the_frame_and_in_the_demo_is_shown_as_text(app, read, services, hostile):
    client = app.test_client()
    usual = [
        read(client.get(f"/widget/frame?site=travel&q={query}").text) for query in ("", "发票查验失败", "发票", "打印机卡纸怎么办", "怎么办", "会议室怎么预订")
    ]
    usual += [read(section.html) for article in services.library.current().articles.values() for section in article.sections]
    known = set().union(*map(_shape, usual))
    for bundle in list(_bundles(_scripts(hostile), 3_500))[::6]:
        _clean(read(_well(client.get("/widget/frame", query_string={"site": "travel", "q": bundle[:4_000]})).text), known)
    options = {"mode": "inline", "position": "left", "theme": "dark", "lang": "en", "size": "large", "label": "求助"}
    demo = set().union(
        *(_shape(read(client.get("/widget/demo", query_string=more).text)) for more in ({}, options, {"css": "hostile"}, {**options, "css": "hostile"}))
    )
    for script in _scripts(hostile)[::200]:
        given = dict.fromkeys((*options, "css", "data-kb", "site"), script.encode("utf-8", "replace").decode())
        page = read(_well(client.get("/widget/demo", query_string=given)).text)
        assert _shape(page) <= demo, script
        assert {attributes.get("src", "").split("?")[0] for tag, attributes in page.elements if tag == "script"} <= {
            "/widget/v1.js",
            "/static/widget-demo.js",
        }


def test_every_script_in_a_files_name_a_reason_or_a_context_is_shown_as_text(app, asker, agent, read, ticket, hostile):
    desk = f"/desk/{ticket['number']}"
    asker.submit(ticket["path"], f"{ticket['path']}/details", details="三楼", contact="8001")
    first = {"file": (io.BytesIO("灯不亮".encode()), "照片.txt")}
    assert asker.post(f"/api/v1/tickets/{ticket['token']}/files", data=first, content_type="multipart/form-data").status_code in {200, 201}
    asker.post("/api/v1/feedback", json={"article": "invoices/verify-failed", "helpful": False, "reason": "看不懂"})
    asker.post("/api/v1/tickets", json={"question": "投影仪坏了找谁修", "context": "room.screen"})
    seen = [(asker, ticket["path"]), (agent, desk), (agent, f"/desk/{ticket['number'] + 1}"), (agent, "/analytics"), (agent, "/desk"), (asker, "/mine")]
    known = set().union(*(_shape(client.page(path)) for client, path in seen))
    scripts = _scripts(hostile)
    names = [script for script in scripts if len(script) < 100][:: len(scripts) // 8]
    for name in names:
        sent = {"file": (io.BytesIO(f"{name}灯不亮".encode("utf-8", "replace")), name.replace("\n", " ").encode("utf-8", "replace").decode() + ".txt")}
        _well(asker.post(f"/api/v1/tickets/{ticket['token']}/files", data=sent, content_type="multipart/form-data"))
    for script in scripts[:: len(scripts) // 12]:
        word = script[:500].encode("utf-8", "replace").decode()
        assert _well(asker.post("/api/v1/feedback", json={"article": "invoices/verify-failed", "helpful": False, "reason": word})).status_code in {201, 400}
        _well(asker.post("/api/v1/tickets", json={"question": "投影仪坏了找谁修", "context": word}))
        assert _well(asker.get("/api/v1/suggestions", query_string={"context": word})).json["suggestions"] == []
    for client, path in seen:
        _clean(client.page(path), known)
    files = [link for link in agent.page(desk).links if "/files/" in link or "/file/" in link]
    assert len(files) >= 3
    for link in files:
        answer = agent.get(link)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.mimetype not in {"text/html", "image/svg+xml", "application/xhtml+xml"} or answer.headers["Content-Disposition"].startswith("attachment")


def test_no_line_break_of_the_lists_makes_a_header(app, hostile):
    client = app.test_client()
    lines = [
        line for name in ("patt_crlf", "fuzzdb_crlf-injection", "fuzzdb_header-cache-poison", "fuzzdb_hpp") for line in _lines(hostile / "http" / f"{name}.txt")
    ]
    assert len(lines) > 70
    paths = [
        "/widget/frame?site=travel&q={}",
        "/widget/frame?site={}",
        "/widget/demo?label={}&mode={}",
        "/api/v1/search?q={}",
        "/api/v1/search?q=x&site={}",
        "/sign-in?next={}",
    ]
    paths += ["/api/v1/suggestions?context={}", "/widget/texts/{}", "/a/{}", "/t/{}", "/t/{}/details", "/search?q={}", "/{}"]
    usual = {name for path in paths for name, _ in client.get(path.format("x", "x")).headers}
    usual |= {"Location", "RateLimit-Limit", "Content-Length", "ETag", "Last-Modified", "Access-Control-Allow-Origin"}
    for line in lines:
        for path in paths:
            target = (line if "%" in line else quote(line)).lstrip("/").replace(" ", "%20")
            answer = _well(client.get(path.format(target, target)))
            assert {name for name, _ in answer.headers} <= usual, (path, line)
            assert not any("\n" in value or "\r" in value for _, value in answer.headers)
            assert "crlf" not in answer.headers.get("Set-Cookie", "")
            assert answer.headers.get("Location", "/").startswith(("/", "http://localhost/")), line


def test_no_address_of_the_lists_is_told_or_looked_up_unless_it_is_whole_and_secure_or_this_machine(services, hostile, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up"))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was made"))
    urls = [case["url"] for case in json.loads((hostile / "redirect_ssrf" / "own_ssrf_urls.json").read_text(encoding="utf-8"))]
    urls += [line for name in ("patt_open-redirect", "patt_openredirects2") for line in _lines(hostile / "redirect_ssrf" / f"{name}.txt")]
    assert len(urls) > 350
    taken = set()
    for url in dict.fromkeys(urls):
        for add in (
            lambda session, site, url=url: registering.add_webhook(session, "老周", site, url, ["opened"], services.now()),
            lambda session, site, url=url: registering.change(session, "老周", site, Terms((url,)), [], services.now()),
        ):
            try:
                with services.db.write() as session:
                    add(session, registering.find(session, "travel"))
            except InvalidRequestError:
                continue
            taken.add(url)
    assert taken
    loopback = r"http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(/|$)"
    assert [url for url in taken if not re.match(rf"{loopback}|https://[a-z0-9.-]+(:\d+)?(/|$)", url)] == []


def test_signing_in_leads_to_no_address_of_the_lists(hostile):
    for name in ("patt_open-redirect", "patt_openredirects2"):
        for line in _lines(hostile / "redirect_ssrf" / f"{name}.txt"):
            for target in (line, f"/{line}", line.replace("www.whitelisteddomain.tld", "localhost")):
                led = safe_next(target)
                assert re.match(r"/(?![/\\])", led), target
                assert not re.search(r"[\x00-\x20\\]", led), target
