"""Pictures that not everybody may see, in pages that send no more than an address for them."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest

from indexer.build import build
from kb.accounts import sign_in
from kb.reading import passes
from kb.widget.models import Site

SECRET, KEY = "a secret of at least 32 characters", "finance/key.svg"
SEEN = re.compile(r'src="(?:http://localhost)?(/media/[^"]+)"')


@pytest.fixture
def program(restricted, app_of):
    return app_of(restricted).test_client()


@pytest.fixture
def money(restricted, embedded_in):
    """The headers of a server that may read what is for finance."""
    return embedded_in(restricted, audience=["finance"])("articles:read", "search")


@pytest.fixture
def address(program, money):
    """The address of the picture, as who may read its article is given it."""
    sections = program.get("/api/v1/articles/finance/keys", headers=money).json["sections"]
    (found,) = SEEN.findall("".join(one["html"] for one in sections))
    return found


def test_who_may_read_an_article_is_given_its_pictures_and_nobody_else_is(program, address):
    assert re.fullmatch(r"/media/finance/key\.svg\?pass=\d{10}\.[0-9a-f]{40}", address)
    seen = program.get(address)
    assert (seen.status_code, seen.mimetype) == (200, "image/svg+xml")
    assert seen.headers["Content-Security-Policy"].endswith("sandbox")
    assert program.get("/media/finance/key.svg").status_code == 404
    assert program.get("/api/v1/articles/finance/keys").status_code == 404


def test_an_answer_of_the_search_shows_its_pictures_too(program, money, address):
    said = program.get("/api/v1/search?q=银企直连证书过期", headers=money).json
    assert said["verdict"] == "answered"
    assert SEEN.findall(said["answer"]) == [address]


def test_an_answer_of_the_search_says_addresses_as_its_article_does(program, money):
    whole = program.get("/api/v1/articles/finance/keys", headers=money).json["sections"][0]["html"]
    assert 'src="http://localhost/media/finance/key.svg?pass=' in whole
    assert program.get("/api/v1/search?q=银企直连证书过期", headers=money).json["answer"] == whole


def test_what_is_not_right_in_every_letter_is_as_no_pass_and_as_no_picture(program, restricted, address, now):
    path, given = address.split("?pass=")
    ends, proof = given.split(".")
    secret = restricted.config.secret_key
    wrong = [
        "",
        "x",
        ends,
        f"{ends}.",
        f"{int(ends) + 60}.{proof}",
        f"{ends}.{proof[:-1]}{'0' if proof[-1] != '0' else '1'}",
        f"{ends}.{proof.upper()}0",
        f"{given}0",
        f" {given}",
        f"{given}\n",
        f"0{given}",
        f"٣{given[1:]}",
        passes.written("another secret", KEY, now),
        passes.written(secret, "finance/other.svg", now),
        passes.written(secret, KEY, now - timedelta(minutes=16)),
        passes.written(secret, KEY, now + timedelta(days=1)),
    ]
    refused = [program.get(path, query_string={"pass": one}) for one in wrong]
    assert {answer.status_code for answer in refused} == {404}
    assert {answer.data for answer in refused} == {program.get("/media/finance/gone.svg").data}
    assert program.get("/media/finance/gone.svg", query_string={"pass": passes.written(secret, "finance/gone.svg", now)}).status_code == 404
    assert program.get(path, query_string={"pass": given}).status_code == 200


def test_a_pass_ends_within_a_quarter_of_an_hour_and_lasts_ten_minutes(program, address, clock):
    for minutes, status in ((10, 200), (4, None), (1, 404)):
        clock.forward(minutes=minutes)
        if status is not None:
            assert program.get(address).status_code == status


@pytest.mark.parametrize("second", range(0, 301, 50))
def test_every_pass_is_good_for_ten_to_fifteen_minutes_of_its_own_picture(now, second):
    made = now + timedelta(seconds=second)
    given = passes.written(SECRET, KEY, made)
    ends = passes.until(SECRET, KEY, given, made)
    assert timedelta(minutes=10) <= ends - made <= passes.LONGEST
    assert passes.until(SECRET, KEY, given, ends - timedelta(seconds=1)) == ends
    assert passes.until(SECRET, KEY, given, ends) is None
    assert passes.until(SECRET, "finance/keys.svg", given, made) is None
    assert passes.until(SECRET + "x", KEY, given, made) is None


def test_a_browser_keeps_such_a_picture_no_longer_than_its_pass_and_nothing_between_keeps_it(program, address, asker):
    kept = program.get(address).headers["Cache-Control"]
    assert "public" not in kept
    assert "private" in kept
    assert 600 <= int(re.search(r"max-age=(\d+)", kept)[1]) <= 900
    assert "public" in asker.get("/media/invoices/red-letter.svg").headers["Cache-Control"]


def test_who_sees_it_by_their_session_needs_no_pass_and_no_shared_cache_keeps_it(restricted, app_of):
    with restricted.db.write() as session:
        user = sign_in.add_user(session, "编辑小何", "editor", restricted.now())
        link = f"/sign-in/{sign_in.new_link(session, user, restricted.now())}"
    client = app_of(restricted).test_client()
    assert client.submit(link).status_code == 303
    answer = client.get("/media/finance/key.svg")
    assert answer.status_code == 200
    assert "private" in answer.headers["Cache-Control"]
    assert "public" not in answer.headers["Cache-Control"]


def test_pictures_for_everybody_need_no_pass(asker):
    html = "".join(one["html"] for one in asker.get("/api/v1/articles/invoices/red-letter").json["sections"])
    assert SEEN.findall(html)
    assert passes.NAME + "=" not in html


def test_who_reads_less_than_a_site_shows_is_given_nothing(program, restricted, money):
    """A server that names a person reads what everybody may, and a site without that role reads it not at all."""
    for headers in ({**money, "X-Zhida-Sub": "e-1"}, {"X-Zhida-Site": "travel"}):
        assert program.get("/api/v1/articles/finance/keys", headers=headers).status_code == 404
        assert passes.NAME + "=" not in program.get("/api/v1/search?q=银企直连证书过期", headers=headers).text
    with restricted.db.write() as session:
        session.get_one(Site, "travel").audience = []
    restricted.sites.look()
    assert program.get("/api/v1/articles/finance/keys", headers=money).status_code == 404


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a&b.svg", "a&b.svg"),
        ("额度 图.svg", "<额度 图.svg>"),
        ("额度 图.svg", "额度%20图.svg"),
        ("屏幕截图 (1).svg", "<屏幕截图 (1).svg>"),
        ("100%.svg", "100%.svg"),
        ("a+b,c;d.svg", "a+b,c;d.svg"),
    ],
)
def test_a_picture_may_have_any_name_that_a_file_can_have(services_with, app_of, embedded_in, write, article, tmp_path, now, name, written):
    files = {"_modules.toml": '[finance]\nname = "财务"\n', f"finance/{name}": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 30 20"/>'}
    files["finance/keys.md"] = article(
        f"银企直连的证书每年更新。\n\n![证书]({written})\n", "银企直连证书更新", questions=["银企直连证书过期"], audience=["finance"]
    )
    index = tmp_path / "index"
    assert build(write(files), index, now).ok
    services = services_with(index)
    client = app_of(services).test_client()
    sections = client.get("/api/v1/articles/finance/keys", headers=embedded_in(services, audience=["finance"])("articles:read")).json["sections"]
    (address,) = SEEN.findall("".join(one["html"] for one in sections))
    assert 'width="30" height="20"' in sections[0]["html"]
    assert client.get(html.unescape(address)).status_code == 200
    assert client.get(html.unescape(address).partition("?")[0]).status_code == 404
