"""Every template is rendered: one that nobody shows cannot be seen to break."""

from __future__ import annotations

from kb.notifications import muting
from kb.notifications.muting import Subject
from tests.kb.conftest import ROOT

TEMPLATES = ROOT / "templates"


def test_every_template_is_shown_by_some_page(app, services, asker, agent, administrator, ticket, link_for, monkeypatch):
    shown: set[str] = set()
    app.jinja_env.cache.clear()
    source_of = app.jinja_env.loader.get_source

    def get_source(environment, template):
        shown.add(template)
        return source_of(environment, template)

    monkeypatch.setattr(app.jinja_env.loader, "get_source", get_source)
    pages = [
        "/",
        "/m/invoices",
        "/a/invoices/verify-failed",
        "/search?q=发票查验失败",
        "/mine",
        ticket["path"],
        "/widget/demo",
        "/sign-in",
        "/forgot",
        "/sign-in/nothing",
        "/nothing",
    ]
    for path in pages:
        asker.get(path)
    asker.get(asker.submit("/", "/search", q="食堂几点开门").location)
    asker.get(link_for("编辑小何", "editor"))
    asker.get(f"/unsubscribe/{muting.token(services.config.secret_key, Subject(share=1))}")
    for path in ("/desk", "/desk/1001", "/desk/1001/people", "/desk/outbox", "/analytics"):
        assert agent.get(path).status_code == 200
    for path in ("/account", "/admin", "/admin/people", "/admin/people/1", "/admin/audit", "/supervision", "/supervision/complaints"):
        assert administrator.get(path).status_code == 200
    administrator.submit("/admin/people", "/admin/people", name="新来的")
    administrator.submit("/admin/sites", "/admin/sites", name="travel", origins="https://travel.example.com")
    administrator.submit("/admin/sites/travel", "/admin/sites/travel/key", alg="HS256")
    asker.get("/widget/frame?site=travel")
    pages_only = [path for path in TEMPLATES.rglob("*.html") if path.parent.name != "email"]  # tests/kb/notifications/test_letters.py reads the mails
    assert shown == {path.relative_to(TEMPLATES).as_posix() for path in pages_only}


def test_no_template_switches_escaping_off_except_for_what_the_indexer_made():
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "|safe" not in text.replace(" ", ""), path
        assert "autoescape" not in text, path
        for line in text.splitlines():
            assert "|trusted" not in line or any(f"{trusted}|trusted" in line for trusted in ("section.html", ".html", "hit.heading", "hit.snippet")), line
