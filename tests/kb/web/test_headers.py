"""What every answer says about itself."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from kb.widget import registering
from kb.widget.registering import Terms

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
EVERYWHERE = [
    "/",
    "/search?q=发票",
    "/a/invoices/verify-failed",
    "/nothing/here",
    "/api/v1/search?q=发票",
    "/api/v1/nothing",
    "/healthz",
    "/metrics",
    "/widget/demo",
]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_every_answer_forbids_what_it_does_not_need(asker, path):
    headers = asker.get(path).headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize(
    "path", ["/", "/search?q=发票", "/m/invoices", "/a/invoices/verify-failed", "/mine", "/sign-in", "/forgot", "/nothing", "/widget/demo"]
)
def test_no_page_needs_inline_script_or_style(asker, read, path):
    for tag, attributes in read(asker.get(path).text).elements:
        assert tag != "style", path
        assert "style" not in attributes, (path, tag)
        assert not [name for name in attributes if name.startswith("on")], (path, tag)
        assert tag != "script" or attributes.get("src"), path


@pytest.mark.parametrize("path", ["/mine", "/desk", "/analytics", "/account", "/admin", "/sign-in", "/forgot", "/search?q=发票&i=abc"])
def test_what_is_for_one_persons_eyes_is_never_kept(administrator, path):
    assert administrator.get(path).headers["Cache-Control"] == "private, no-store"


def test_what_a_sites_people_are_shown_is_never_kept(asker, services):
    with services.db.write() as session:
        registering.add(session, "老周", "travel", Terms(("https://travel.example.com",)), [], services.now())
    services.sites.look()
    assert asker.get("/api/v1/search?q=发票", headers={"X-Zhida-Site": "travel"}).headers["Cache-Control"] == "private, no-store"
    assert asker.get("/api/v1/search?q=发票").headers["Cache-Control"] == "no-cache"


def test_what_the_api_says_to_whoever_says_who_they_are_is_never_kept_even_a_refusal(asker, editor, embedded):
    path = "/api/v1/articles"
    said = [{"Authorization": "Bearer x.y.z"}, {"Authorization": "Bearer zk_"}, {"X-Zhida-Visitor": "0" * 32}, {"X-Zhida-Site": "gone", "X-Zhida-Visitor": "x"}]
    for headers in (*said, embedded("articles:read"), embedded("search")):
        answer = asker.get(path, headers=headers)
        assert answer.headers["Cache-Control"] == "private, no-store", headers
        assert "Origin" in answer.headers["Vary"]
    assert editor.get(path).headers["Cache-Control"] == "private, no-store", "they read what is not for everyone"
    assert asker.get(path).headers["Cache-Control"] == "no-cache"


def test_a_ticket_page_is_neither_kept_nor_named_to_other_sites(asker, ticket):
    answer = asker.get(ticket["path"])
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert asker.get(f"/api/v1/tickets/{ticket['token']}").headers["Cache-Control"] == "private, no-store"


def test_pages_are_asked_for_again_and_static_files_are_kept_under_the_name_of_their_content(asker, read):
    home = asker.get("/")
    assert home.headers["Cache-Control"] == "no-cache"
    assert "Cookie" in home.headers["Vary"]
    assets = [attributes.get("href") or attributes.get("src") for tag, attributes in read(home.text).elements if tag in {"link", "script"}]
    assert len(assets) >= 4
    for asset in assets:
        assert "?v=" in asset
        assert "max-age=31536000" in asker.get(asset).headers["Cache-Control"]


def test_a_module_that_another_one_imports_is_asked_for_again_each_time(asker, app):
    imported = {name for path in Path(app.static_folder).glob("*.js") for name in re.findall(r'from "\./([\w.]+)"', path.read_text(encoding="utf-8"))}
    assert imported == {"intents.js"}
    for name in imported:
        answer = asker.get(f"/static/{name}")
        assert answer.headers["Cache-Control"] == "no-cache"
        assert asker.get(f"/static/{name}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(app, link_for):
    client = app.test_client()
    home = client.get("/")
    signed = client.submit(link_for("客服小林", "agent"))
    cookies = [*home.headers.getlist("Set-Cookie"), *signed.headers.getlist("Set-Cookie")]
    assert {cookie.split("=")[0] for cookie in cookies} >= {"kb_person", "kb_form", "kb_session"}
    for cookie in cookies:
        assert "HttpOnly" in cookie, cookie
        assert "SameSite=Lax" in cookie, cookie
        assert "Path=/" in cookie, cookie


def test_over_https_cookies_are_bound_to_this_host_and_the_browser_is_told_to_stay(services, app_of):
    secure = replace(services, config=replace(services.config, base_url="https://localhost"))
    answer = app_of(secure).test_client().get("/", base_url="https://localhost")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    cookies = answer.headers.getlist("Set-Cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {"__Host-kb_person", "__Host-kb_form"}
    assert all("Secure" in cookie and "Domain" not in cookie for cookie in cookies)


def test_a_program_gets_no_cookie(app):
    assert "Set-Cookie" not in app.test_client().get("/api/v1/search?q=发票").headers
    assert "Set-Cookie" not in app.test_client().get("/healthz").headers
