"""Somebody follows docs/widget.md in an application of their own, on an origin of its own: it works, and what goes wrong is in the console."""

import re
import shlex
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Person

pytestmark = pytest.mark.browser
DOCUMENT = (Path(__file__).parents[2] / "docs" / "widget.md").read_text(encoding="utf-8")


def lines(language, mark):
    """Return the document's first block of a language that holds `mark`."""
    return next(block for block in re.findall(rf"^ *```{language}\n(.*?)^ *```$", DOCUMENT, re.MULTILINE | re.DOTALL) if mark in block).strip()


class Application:
    """Another company's application: pages and a token address on an origin of its own. `pages`: path → (type, text)."""

    def __init__(self):
        pages = self.pages = {"/favicon.ico": ("image/x-icon", "")}

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self):
                kind, text = pages.get(self.path, (None, ""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", f"{kind or 'text/plain'}; charset=utf-8")
                self.end_headers()
                self.wfile.write((text() if callable(text) else text).encode())

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def application(site):
    """An application that is registered as `travel` by the document's command and has a signing key, `kid` and `secret`; `elsewhere` is another's site."""
    running = Application()
    command = lines("sh", "kb site add").replace("https://app.example.com", running.origin)
    site.kb(*shlex.split(command)[1:])
    site.kb("site", "add", "elsewhere", "--origin", "https://elsewhere.example.com")
    made = site.kb("site", "key", "add", "travel")
    running.kid, running.secret = made["kid"], made["secret"]
    time.sleep(1.1)  # a process of the server looks at the sites once a second
    yield running
    running.stop()


@pytest.fixture
def developer(chromium):
    """Somebody at the console of a page of theirs: complaints are theirs to read."""
    person = Person(chromium, "desktop")
    yield person
    person.context.close()


def embed(application, site, name, script=""):
    """Serve a page with the document's tag for a site, and a script of its own."""
    tag = lines("html", "data-kb").replace("https://help.example.com", site.url).replace("travel", name)
    head = f'<meta charset="utf-8"><title>x</title>{tag}<script src="/app.js" defer></script>'
    application.pages["/"] = ("text/html", f'<!doctype html><html lang="zh"><head>{head}</head><body></body></html>')
    application.pages["/app.js"] = ("text/javascript", script)


def ask(developer, application, text):
    developer.page.goto(application.origin)
    developer.page.locator("zhida-help").get_by_role("button", name="帮助").click()
    box = developer.page.get_by_role("dialog").locator("input").first
    box.fill(text)
    box.press("Enter")
    return developer.page.get_by_role("dialog")


def identity_token(application, person):
    """Sign with the document's lines for Python."""
    names = {}
    exec(lines("python", "identity_token"), names)  # noqa: S102 - what is tested
    return names["identity_token"]("travel", application.kid, application.secret, person)


def test_five_minutes_and_a_signed_identity_work_as_they_are_written(site, application, developer):
    application.pages["/zhida-token"] = ("text/plain", lambda: identity_token(application, "e-1024"))
    embed(application, site, "travel", lines("js", 'kb("identify"'))
    expect(ask(developer, application, "办公椅坏了找谁换")).to_contain_text("已替你记下")
    sent = [request for request in developer.posts() if request.url.endswith("/intents")]
    assert {request.headers["x-zhida-site"] for request in sent} == {"travel"}
    assert all(request.headers["authorization"].startswith("Bearer ") for request in sent)
    assert "visitor" not in sent[0].post_data_json
    assert developer.context.cookies() == []
    assert developer.complaints == []


def matches(message, line):
    """Tell whether a line of the console is a message of the document, in which … stands for what differs."""
    return re.search(r"^\[zhida\] .*" + ".+".join(map(re.escape, message.split("…"))), line, re.DOTALL)


def test_each_mistake_prints_what_the_document_says(site, application, developer):
    table = DOCUMENT.partition("## Troubleshooting")[2]
    messages = [code for code in re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) if not re.match(r"\d{3} |… the origin|this page is|identify ", code)]
    tag = f'<script src="{site.url}/widget/v1.js"'
    application.pages["/wrong"] = (
        "text/html",
        f'<title>x</title><body>{tag} data-colour="red" data-theme="pink"></script>{tag}></script><script src="/app.js"></script>',
    )
    application.pages["/taken"] = (
        "text/html",
        f'<title>x</title><body><script src="/app.js"></script>{tag}></script><script src="{site.url}/widget/v1.js" type="module"></script>',
    )
    application.pages["/app.js"] = ("text/javascript", 'kb("fly"); kb("on", "noon", print); kb("destroy"); kb("open");')
    developer.page.goto(f"{application.origin}/wrong")
    application.pages["/app.js"] = ("text/javascript", "window.kb = function () {};")
    developer.page.goto(f"{application.origin}/taken")
    printed = developer.complaints
    assert [message for message in messages if not any(matches(message, line) for line in printed)] == [], printed
    assert any(matches('colour="red" is unknown; use kb, label, module', line) for line in printed)
    assert any(matches('theme="pink" is unknown; use auto, light, dark', line) for line in printed)


def test_a_token_that_is_not_taken_is_told_to_the_person_and_in_the_console(site, application, developer):
    application.pages["/zhida-token"] = ("text/plain", lambda: identity_token(application, "") + "x")
    embed(application, site, "travel", lines("js", 'kb("identify"'))
    expect(ask(developer, application, "发票查验失败")).to_contain_text("没能确认你的登录状态")
    assert re.search(r"\[zhida\].* 401 bad_identity the identity token was not accepted", "\n".join(developer.complaints))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nosuch", "403 unknown_site there is no site 'nosuch' in use"),
        ("elsewhere", "403 foreign_origin {} is no origin of the site elsewhere; add it at /admin/sites/"),
    ],
    ids=["no such site", "another origin"],
)
def test_why_a_page_is_refused_stands_in_its_console(site, application, developer, name, told):
    embed(application, site, name)
    expect(ask(developer, application, "发票查验失败")).to_contain_text("这个页面还不能用帮助中心")
    expected = told.format(application.origin)
    for _ in range(100):
        if any(expected in line for line in developer.complaints):
            break
        developer.page.wait_for_timeout(20)
    assert any(line.startswith("[zhida]") and expected in line for line in developer.complaints), developer.complaints
