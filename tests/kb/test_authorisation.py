"""Who may do what: one table of every route and the whole cast. A route without a row fails."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select

from kb.errors import KbError
from kb.tickets.models import Attachment, Follower
from kb.web.authorisation import NEEDS
from kb.widget import registering
from kb.widget.registering import Terms

CAST = ("asker", "intruder", "operator", "agent", "editor", "administrator", "disabled")
EVERYBODY = dict.fromkeys(CAST, 200)
SIGN_IN = "sign-in"
"""A redirect to the sign-in page, as opposed to one that follows success."""


def _only(*cast, done=200):
    """Return that these get through; strangers and the disabled are sent to sign in, and for all others there is no such page."""
    return {name: done if name in cast else SIGN_IN if name in {"asker", "disabled"} else 404 for name in CAST}


DESK = _only("agent", "editor", "administrator")
DESK_POST = _only("agent", "editor", "administrator", done=303)
ANALYTICS = _only("operator", "agent", "editor", "administrator")
SIGNED_IN = _only("intruder", "operator", "agent", "editor", "administrator")
SIGNED_IN_POST = _only("intruder", "operator", "agent", "editor", "administrator", done=303)
SUPERVISION = _only("operator", "administrator")
ADMIN = _only("administrator")
ADMIN_POST = _only("administrator", done=303)
ANYBODY_MOVES_ON = dict.fromkeys(CAST, 303)
HOLDS_THE_ADDRESS = EVERYBODY
"""The asker's page: whoever holds its secret address may see it; that the address cannot be guessed is tested with the tickets."""
NOTHING_CHOSEN = dict.fromkeys(CAST, 400)
"""A form for files that comes without one."""
FIRST_ONLY = dict.fromkeys(CAST, 404)
"""What the asker, who comes first, removes: by the second one it is gone."""

STAFF_IS_COUNTED_ONLY = dict.fromkeys(CAST, 201) | dict.fromkeys(("operator", "agent", "editor", "administrator"), 200)

TABLE = {
    ("GET", "/"): EVERYBODY,
    ("GET", "/m/<module>"): EVERYBODY,
    ("GET", "/a/<module>/<slug>"): EVERYBODY,
    ("GET", "/media/<module>/<name>"): EVERYBODY,
    ("GET", "/search"): EVERYBODY,
    ("POST", "/search"): ANYBODY_MOVES_ON,
    ("GET", "/mine"): EVERYBODY,
    ("GET", "/t/<token>"): HOLDS_THE_ADDRESS,
    ("GET", "/t/<token>/<action>"): ANYBODY_MOVES_ON,
    ("GET", "/t/<token>/files/<int:file>/remove"): ANYBODY_MOVES_ON,
    ("POST", "/t/<token>/<action>"): ANYBODY_MOVES_ON,
    ("POST", "/t/<token>/files"): NOTHING_CHOSEN,
    ("GET", "/t/<token>/files/<int:file>"): HOLDS_THE_ADDRESS,
    ("POST", "/t/<token>/files/<int:file>/remove"): FIRST_ONLY | {"asker": 303},
    ("GET", "/desk"): DESK,
    ("GET", "/desk/counts"): DESK,
    ("GET", "/desk/bulk"): DESK_POST,
    ("POST", "/desk/bulk"): DESK_POST,
    ("GET", "/desk/<int:number>"): DESK,
    ("GET", "/desk/<int:number>/draft.md"): DESK,
    ("GET", "/desk/<int:number>/people"): DESK,
    ("GET", "/desk/<int:number>/watch"): DESK,
    ("GET", "/desk/<int:number>/files/<int:file>"): DESK,
    ("GET", "/desk/<int:number>/<action>"): DESK_POST,
    ("POST", "/desk/<int:number>/<action>"): DESK_POST,
    ("GET", "/desk/outbox"): DESK,
    ("POST", "/desk/outbox/retry"): DESK_POST,
    ("POST", "/desk/outbox/<int:message>/<action>"): _only("agent", "editor", "administrator", done=404),  # there is no message
    ("GET", "/unsubscribe/<token>"): dict.fromkeys(CAST, 404),  # a ticket's address is no such token
    ("POST", "/unsubscribe/<token>"): dict.fromkeys(CAST, 404),
    ("GET", "/analytics"): ANALYTICS,
    ("GET", "/analytics/gaps.csv"): ANALYTICS,
    ("GET", "/supervision"): SUPERVISION,
    ("GET", "/supervision/complaints"): SUPERVISION,
    ("GET", "/supervision/figures.csv"): SUPERVISION,
    ("GET", "/supervision/tickets.csv"): SUPERVISION,
    ("GET", "/supervision/complaints.csv"): SUPERVISION,
    ("GET", "/sign-in"): EVERYBODY,
    ("POST", "/sign-in"): dict.fromkeys(CAST, 403),
    ("GET", "/sign-in/<token>"): dict.fromkeys(CAST, 410),
    ("POST", "/sign-in/<token>"): dict.fromkeys(CAST, 410),
    ("GET", "/forgot"): EVERYBODY,
    ("POST", "/forgot"): EVERYBODY,
    ("POST", "/sign-out"): ANYBODY_MOVES_ON,
    ("GET", "/account"): SIGNED_IN,
    ("GET", "/account/<action>"): SIGNED_IN_POST,
    ("POST", "/account/<action>"): SIGNED_IN_POST,
    ("GET", "/admin"): ADMIN,
    ("GET", "/admin/people"): ADMIN,
    ("POST", "/admin/people"): ADMIN,
    ("GET", "/admin/people/<int:person>"): ADMIN,
    ("GET", "/admin/people/<int:person>/<action>"): ADMIN_POST,
    ("POST", "/admin/people/<int:person>/<action>"): ADMIN_POST,
    ("GET", "/admin/sites"): ADMIN,
    ("POST", "/admin/sites"): ADMIN_POST,
    ("GET", "/admin/sites/<name>"): ADMIN,
    ("GET", "/admin/sites/<name>/<action>"): ADMIN_POST,
    ("POST", "/admin/sites/<name>/<action>"): ADMIN_POST,
    ("GET", "/admin/audit"): ADMIN,
    ("GET", "/admin/audit.csv"): ADMIN,
    ("GET", "/api/v1/search"): EVERYBODY,
    ("POST", "/api/v1/intents"): dict.fromkeys(CAST, 201),
    ("GET", "/api/v1/suggest"): EVERYBODY,
    ("GET", "/api/v1/suggestions"): EVERYBODY,
    ("GET", "/api/v1/site"): EVERYBODY,
    ("GET", "/api/v1/openapi.json"): EVERYBODY,
    ("GET", "/api/v1/articles"): EVERYBODY,
    ("GET", "/api/v1/articles/<module>/<slug>"): EVERYBODY,
    ("GET", "/api/v1/tickets"): EVERYBODY,
    ("POST", "/api/v1/tickets"): STAFF_IS_COUNTED_ONLY,
    ("POST", "/api/v1/feedback"): dict.fromkeys(CAST, 201),
    ("GET", "/api/v1/tickets/<token>"): HOLDS_THE_ADDRESS,
    ("POST", "/api/v1/tickets/<token>/<action>"): HOLDS_THE_ADDRESS,
    ("POST", "/api/v1/tickets/<token>/files"): NOTHING_CHOSEN,
    ("POST", "/api/v1/tickets/<token>/files/<int:file>/remove"): FIRST_ONLY | {"asker": 200},
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/metrics"): EVERYBODY,
    ("GET", "/widget/v1.js"): EVERYBODY,
    ("GET", "/widget/texts/<lang>.json"): EVERYBODY,
    ("GET", "/widget/demo"): EVERYBODY,
    ("GET", "/widget/frame"): dict.fromkeys(CAST, 404),  # of no site
    ("GET", "/favicon.ico"): dict.fromkeys(CAST, 301),
    ("GET", "/static/<path:filename>"): EVERYBODY,
}
EXAMPLES = {
    "sites/<name>/<action>": "sites/travel/disable",
    "sites/<name>": "sites/travel",
    "<module>/<slug>": "invoices/verify-failed",
    "<module>/<name>": "invoices/red-letter.svg",
    "<module>": "invoices",
    "<int:number>/<action>": "1001/reply",
    "<int:number>": "1001",
    "<int:person>/<action>": "1/end",
    "<int:message>/<action>": "1/retry",
    "<int:person>": "1",
    "account/<action>": "account/reminders",
    "<int:file>": "1",
    "<token>/<action>": "<token>/seen",
    "<path:filename>": "style.css",
    "<lang>": "en",
}
BODIES = {
    "/search": {"q": "发票查验失败"},
    "/sign-in": {"name": "谁", "password": "x"},
    "/desk/<int:number>/<action>": {"body": "正在处理"},
    "/forgot": {"who": "员工小钱"},
    "/admin/sites": {"name": "hr", "origins": "https://hr.example.com", "theme": "auto"},
    "/admin/people": {"name": "新来的", "role": "agent", "mail": "", "level": ""},
    "/desk/bulk": {"ticket": "1001", "deed": "spam"},
    "/api/v1/tickets": {"question": "打印机卡纸怎么处理"},
    "/api/v1/feedback": {"article": "invoices/verify-failed", "helpful": True},
}


def _outcome(client, method, rule, token):
    path = rule
    for pattern, example in EXAMPLES.items():
        path = path.replace(pattern, example, 1) if pattern in path else path
    path = path.replace("<token>", "guessed" if "/sign-in/" in path else token)
    body = BODIES.get(rule, {})
    if rule == "/api/v1/intents":
        answer = client.ask("发票查验失败")
    elif method == "GET":
        answer = client.get(path)
    elif path.startswith("/api/"):
        answer = client.post(path, json=body)
    else:
        answer = client.post(path, data={"csrf_token": client.token("/sign-in"), **body})
    return SIGN_IN if (answer.location or "").startswith("/sign-in") else answer.status_code


def _attach(services):
    """Give the asker's share its first file."""
    kept = services.files.keep(io.BytesIO(b"number,amount\n1,20\n"), "list.csv")
    with services.db.write() as session:
        share = session.scalars(select(Follower)).one()
        session.add(Attachment(follower_id=share.id, name=kept.name, media_type=kept.media_type, size=kept.size, digest=kept.digest, at=services.now()))


@pytest.mark.parametrize(("method", "rule"), TABLE)
def test_everybody_may_do_exactly_what_the_table_says(method, rule, request, ticket, services):
    if "<int:file>" in rule:
        _attach(services)
    if "sites/<name>" in rule:
        with services.db.write() as session:
            registering.add(session, "老周", "travel", Terms(("https://travel.example.com",)), [], services.now())
    found = {name: _outcome(request.getfixturevalue(name), method, rule, ticket["token"]) for name in CAST}
    assert found == TABLE[method, rule]


def test_every_route_has_a_row(app):
    routes = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert routes == set(TABLE)


def test_the_program_does_not_start_with_a_route_that_nobody_thought_about(app_of, services, monkeypatch):
    monkeypatch.delitem(NEEDS, "desk.tickets")
    with pytest.raises(KbError, match=r"desk\.tickets.*kb/web/authorisation\.py"):
        app_of(services)


def test_the_program_does_not_start_with_a_row_whose_route_is_gone(app_of, services, monkeypatch):
    monkeypatch.setitem(NEEDS, "desk.gone", NEEDS["desk.tickets"])
    with pytest.raises(KbError, match=r"desk\.gone"):
        app_of(services)


def test_what_has_no_row_is_denied_to_everybody(administrator, asker, monkeypatch):
    for endpoint, path in (("desk.tickets", "/desk"), ("reading.home", "/")):
        monkeypatch.delitem(NEEDS, endpoint)
        assert [client.get(path).status_code for client in (administrator, asker)] == [404, 404]


def test_every_form_needs_a_token_of_its_own_browser(administrator, editor, ticket):
    """Each POST outside the API is refused without a token and with another browser's."""
    posts = [rule for method, rule in TABLE if method == "POST" and not rule.startswith(("/api/", "/unsubscribe/"))]
    assert len(posts) >= 10
    stolen = editor.token("/sign-in")
    for rule in posts:
        path = (
            rule.replace("<token>", ticket["token"])
            .replace("<int:number>", "1001")
            .replace("<int:file>", "1")
            .replace("<int:person>", "1")
            .replace("<int:message>", "1")
            .replace("<name>", "travel")
        )
        path = path.replace("<action>", "reply")
        for fields in ({}, {"csrf_token": stolen}, {"csrf_token": ""}):
            assert administrator.post(path, data={**BODIES.get(rule, {}), **fields}).status_code == 400, rule
