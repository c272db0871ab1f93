"""Who may do what: one table of every route and the whole cast. A route without a row fails."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select

from kb.tickets.models import Attachment, Follower

CAST = ("asker", "intruder", "operator", "agent", "editor")
EVERYBODY = dict.fromkeys(CAST, 200)
SIGN_IN = "sign-in"
"""A redirect to the sign-in page, as opposed to one that follows success."""


def _of(asker, intruder, operator, agent, editor):
    return dict(zip(CAST, (asker, intruder, operator, agent, editor), strict=True))


DESK = _of(SIGN_IN, 404, 404, 200, 200)
DESK_POST = _of(SIGN_IN, 404, 404, 303, 303)
ANALYTICS = _of(SIGN_IN, 404, 200, 200, 200)
ANYBODY_MOVES_ON = dict.fromkeys(CAST, 303)
HOLDS_THE_ADDRESS = EVERYBODY
"""The asker's page: whoever holds its secret address may see it; that the address cannot be guessed is tested with the tickets."""
NOTHING_CHOSEN = dict.fromkeys(CAST, 400)
"""A form for files that comes without one."""

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
    ("POST", "/t/<token>/files/<int:file>/remove"): _of(303, 404, 404, 404, 404),  # by the second one it is gone
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
    ("GET", "/analytics"): ANALYTICS,
    ("GET", "/analytics/gaps.csv"): ANALYTICS,
    ("GET", "/sign-in"): EVERYBODY,
    ("POST", "/sign-in"): dict.fromkeys(CAST, 403),
    ("GET", "/sign-in/<token>"): dict.fromkeys(CAST, 410),
    ("POST", "/sign-in/<token>"): dict.fromkeys(CAST, 410),
    ("POST", "/sign-out"): ANYBODY_MOVES_ON,
    ("GET", "/api/v1/search"): EVERYBODY,
    ("POST", "/api/v1/intents"): dict.fromkeys(CAST, 201),
    ("GET", "/api/v1/suggest"): EVERYBODY,
    ("GET", "/api/v1/suggestions"): EVERYBODY,
    ("POST", "/api/v1/feedback"): dict.fromkeys(CAST, 201),
    ("GET", "/api/v1/tickets/<token>"): HOLDS_THE_ADDRESS,
    ("POST", "/api/v1/tickets/<token>/<action>"): HOLDS_THE_ADDRESS,
    ("POST", "/api/v1/tickets/<token>/files"): NOTHING_CHOSEN,
    ("POST", "/api/v1/tickets/<token>/files/<int:file>/remove"): _of(200, 404, 404, 404, 404),
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/metrics"): EVERYBODY,
    ("GET", "/widget/v1.js"): EVERYBODY,
    ("GET", "/widget/demo"): EVERYBODY,
    ("GET", "/favicon.ico"): dict.fromkeys(CAST, 301),
    ("GET", "/static/<path:filename>"): EVERYBODY,
}
EXAMPLES = {
    "<module>/<slug>": "invoices/verify-failed",
    "<module>/<name>": "invoices/red-letter.svg",
    "<module>": "invoices",
    "<int:number>/<action>": "1001/reply",
    "<int:number>": "1001",
    "<int:file>": "1",
    "<token>/<action>": "<token>/seen",
    "<path:filename>": "style.css",
}
BODIES = {
    "/search": {"q": "发票查验失败"},
    "/sign-in": {"name": "谁", "password": "x"},
    "/desk/<int:number>/<action>": {"body": "正在处理"},
    "/desk/bulk": {"ticket": "1001", "deed": "spam"},
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
    found = {name: _outcome(request.getfixturevalue(name), method, rule, ticket["token"]) for name in CAST}
    assert found == TABLE[method, rule]


def test_every_route_has_a_row(app):
    routes = {(method, rule.rule) for rule in app.url_map.iter_rules() for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert routes == set(TABLE)


def test_every_form_needs_a_token_of_its_own_browser(app, agent, editor, ticket):
    """Each POST outside the API is refused without a token and with another browser's."""
    posts = [rule for method, rule in TABLE if method == "POST" and not rule.startswith("/api/")]
    assert len(posts) >= 5
    stolen = editor.token("/sign-in")
    for rule in posts:
        path = rule.replace("<token>", ticket["token"]).replace("<int:number>", "1001").replace("<int:file>", "1").replace("<action>", "reply")
        for fields in ({}, {"csrf_token": stolen}, {"csrf_token": ""}):
            assert agent.post(path, data={**BODIES.get(rule, {}), **fields}).status_code == 400, rule
