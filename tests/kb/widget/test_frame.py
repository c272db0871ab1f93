"""The search of a site in a frame: who may frame it, what it shows, and that it writes nothing."""

from __future__ import annotations

import re

import pytest

HOST_APP = "https://app.example.com"


@pytest.fixture
def framed(restricted, app_of, register):
    """A browser that knows no cookie, over the sites `open` (the open module), `hr` (signed people only) and `wide`."""
    register(restricted, "open", modules=("open",), origins=(HOST_APP, "http://localhost:5173"))
    register(restricted, "hr", anonymous=False)
    register(restricted, "wide", audience=("finance",))
    return app_of(restricted).test_client()


def ancestors(answer):
    return re.search(r"frame-ancestors ([^;]*)", answer.headers["Content-Security-Policy"])[1]


def test_exactly_the_sites_own_pages_may_frame_it(framed):
    answer = framed.get("/widget/frame?site=open")
    assert ancestors(answer) == f"'self' http://localhost:5173 {HOST_APP}"
    assert "script-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
    for path in ("/widget/frame", "/widget/frame?site=gone", "/widget/frame?site=open%0d%0aX:y", "/", "/search?site=open"):
        assert ancestors(framed.get(path)) == "'none'", path
    assert framed.get("/widget/frame?site=gone").status_code == 404


def test_it_shows_what_the_site_shows_and_asks_nothing_in_anybodys_name(framed, read, restricted, asked):
    page = read(framed.get("/widget/frame?site=open&q=什么是银企直连").text)
    assert "由财务维护" in page.text
    assert {form["action"] for form in page.forms} == {"/widget/frame"}
    assert framed.get("/widget/frame?site=open&q=银企直连证书过期").text.count("每年更新") == 0
    assert framed.get("/widget/frame?site=wide&q=银企直连证书过期").text.count("每年更新") == 0, "a frame brings no identity"
    assert all(statement.startswith("SELECT") for statement, _ in asked(restricted.db, lambda: framed.get("/widget/frame?site=open&q=打印机卡纸")).sql)
    onward = [link for link in read(framed.get("/widget/frame?site=open&q=打印机卡纸").text).links if "/search?" in link]
    assert onward == ["http://localhost/search?q=%E6%89%93%E5%8D%B0%E6%9C%BA%E5%8D%A1%E7%BA%B8"]


def test_it_needs_and_gives_no_cookie_and_no_script(framed, read):
    answer = framed.get("/widget/frame?site=open&q=银企直连")
    assert "Set-Cookie" not in answer.headers
    assert {tag for tag, _ in read(answer.text).elements}.isdisjoint({"script", "style", "iframe"})
    base = next(given for tag, given in read(answer.text).elements if tag == "base")
    assert base == {"target": "_blank"}, "its links open beside the frame, where they may be read"


def test_its_style_reaches_a_frame_in_a_sandbox(framed, read):
    style = next(given["href"] for tag, given in read(framed.get("/widget/frame?site=open").text).elements if given.get("rel") == "stylesheet")
    assert framed.get(style).headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_site_for_signed_people_leads_to_the_help_centre(framed):
    answer = framed.get("/widget/frame?site=hr&q=什么是银企直连")
    assert answer.status_code == 200
    assert "由财务维护" not in answer.text
    assert "打开帮助中心" in answer.text


@pytest.mark.parametrize("query", ['"><img src=x onerror=alert(1)>', "</title><script>alert(1)</script>", "x" * 5000, "\0", "{{7*7}}"])
def test_what_is_typed_stays_text(framed, read, query):
    answer = framed.get("/widget/frame", query_string={"site": "open", "q": query})
    assert answer.status_code == 200
    assert {tag for tag, _ in read(answer.text).elements}.isdisjoint({"script", "img"})
