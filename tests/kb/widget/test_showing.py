"""What a site does not show, or not to these people, does not exist there: as a hit, a count, a suggestion, an article or a verdict."""

from __future__ import annotations

from datetime import timedelta

import pytest

from indexer.published import ALL, EVERYONE, Audience
from kb.search.answer import answer
from kb.search.answerability import Verdict
from kb.tickets import history, lifecycle, shares
from kb.tickets.public import PublicReplies

EMPLOYEE = EVERYONE.roles
FINANCE = EMPLOYEE | {"finance"}
HOST_APP = "https://app.example.com"
SECRET = "银企直连证书过期"


@pytest.fixture
def client(restricted, app_of, register, vouch):
    """Ask as a site's page does: `client(path, headers)`. `pages` shows the open module only, `money` both, and its people may be of finance."""
    register(restricted, "pages", modules=("open",), audience=("finance",))
    register(restricted, "money", audience=("finance",))
    register(restricted, "plain")
    signs = {name: vouch(restricted, name) for name in ("pages", "money", "plain")}
    opened = app_of(restricted).test_client()

    def ask(path, site, body=None, **claims):
        headers = signs[site](**claims) if claims else {"X-Zhida-Site": site, "Origin": HOST_APP}
        return opened.get(path, headers=headers) if body is None else opened.post(path, json=body, headers=headers)

    return ask


SEES = [("money", {"role": "finance"}), ("money", {"role": ["manager", "finance"]})]
SEES_NOT = [
    ("money", {}),
    ("money", {"sub": "e-7"}),
    ("money", {"role": "admin"}),
    ("money", {"role": "*"}),
    ("money", {"role": [["finance"]]}),
    ("plain", {"role": "finance"}),
    ("pages", {"role": "finance"}),
    ("pages", {}),
]


def test_an_article_is_there_for_those_of_its_audience_where_its_module_is_shown(client):
    for site, claims in SEES:
        _compare(client, site, claims, sees=True)
    for site, claims in SEES_NOT:
        _compare(client, site, claims, sees=False)


def _compare(client, site, claims, *, sees):
    found = client(f"/api/v1/search?q={SECRET}", site, **claims).json
    assert ("finance/keys" in {hit["article"] for hit in found["hits"]}) is sees
    assert (found["verdict"] == "answered") is sees
    assert ("每年更新" in found.get("answer", "")) is sees
    assert ("银企直连证书更新" in client("/api/v1/suggest?q=银企", site, **claims).json["suggestions"]) is sees
    assert ("finance/keys" in {one["article"] for one in client("/api/v1/suggestions?context=pay.page", site, **claims).json["suggestions"]}) is sees
    assert client("/api/v1/articles/finance/keys", site, **claims).status_code == (200 if sees else 404)
    said = {"article": "finance/keys", "helpful": True, "visitor": "0" * 32}
    assert client("/api/v1/feedback", site, said, **claims).status_code == (201 if sees else 404)
    assert ("finance" in {module["id"] for module in client("/api/v1/site", site, **claims).json["modules"]}) is False, "a page is told of what everybody sees"


def test_a_question_is_judged_by_what_its_person_could_read(client):
    for site, sees in (("money", True), ("pages", False)):
        told = client("/api/v1/intents", site, {"intent_id": site, "query": SECRET, "trigger": "enter"}, role="finance").json
        assert (told["verdict"] == "answered", told["ticket"] is None) == (sees, sees)


def test_a_module_that_is_not_shown_cannot_be_asked_for(client):
    assert client("/api/v1/search?q=银企直连&module=finance", "pages").json["error"]["code"] == "unknown_module"
    assert client("/api/v1/search?q=银企直连&module=open", "pages").status_code == 200


def test_what_is_shown_narrows_hits_words_and_the_verdict_alike(restricted):
    published = restricted.library.current()
    shown, all_of_it = Audience(FINANCE, frozenset({"open"})), Audience(FINANCE)
    assert answer(published, SECRET, audience=all_of_it).verdict is Verdict.ANSWERED
    assert answer(published, SECRET, audience=shown).verdict is not Verdict.ANSWERED
    assert {hit.article.module for hit in answer(published, "银企直连", audience=shown).hits} == {"open"}
    assert published.read("zhengshuguoqi", all_of_it).corrected
    assert published.read("zhengshuguoqi", shown).corrected is None
    assert published.shows("finance/key.svg", all_of_it)
    assert not published.shows("finance/key.svg", shown)
    assert published.article("finance/keys", Audience(ALL.roles, frozenset({"open"}))) is None


def test_a_public_reply_is_seen_where_its_tickets_module_is_shown(restricted, client, now):
    asked = {"intent_id": "i1", "query": "打印机卡纸怎么处理", "trigger": "unsolved", "visitor": "0" * 32}
    number = client("/api/v1/intents", "plain", asked).json["ticket"]["number"]
    with restricted.db.write() as session:
        ticket = history.find(session, number)
        ticket.module = "finance"
        lifecycle.publish(ticket, "answer", "先重启打印机。", "客服小林", "agent", now, now + timedelta(days=1))
    restricted.public_replies._looked = float("-inf")  # noqa: SLF001 - a second goes by
    path = "/api/v1/search?q=打印机卡纸怎么处理"
    assert "reply" in client(path, "plain").json
    assert "reply" not in client(path, "pages").json
    published = restricted.library.current()
    replies = PublicReplies(restricted.db, restricted.now)
    assert replies.matching(published, "打印机卡纸怎么处理") is not None
    assert replies.matching(published, "打印机卡纸怎么处理", Audience(EMPLOYEE, frozenset({"finance"}))) is not None
    assert replies.matching(published, "打印机卡纸怎么处理", Audience(EMPLOYEE, frozenset({"open"}))) is None


def test_a_public_reply_that_nobody_filed_is_seen_where_it_was_asked_and_nowhere_else(restricted, client, register, now):
    """What is shown of some modules only keeps what is of none; but whose people asked is answered, with all who ask the like there."""
    register(restricted, "other", modules=("open",))
    question = {"query": "打印机卡纸怎么处理", "trigger": "unsolved"}
    number = client("/api/v1/intents", "plain", {"intent_id": "i1", **question, "visitor": "0" * 32}).json["ticket"]["number"]
    path = "/api/v1/search?q=打印机卡纸怎么处理"

    def seen():
        restricted.public_replies._looked = float("-inf")  # noqa: SLF001 - a second goes by
        return {site for site in ("plain", "pages", "other") if "reply" in client(path, site).json}

    with restricted.db.write() as session:
        ticket = history.find(session, number)
        assert ticket.module == ""
        lifecycle.publish(ticket, "known", "打印机都坏了，正在修。", "客服小林", "agent", now, now + timedelta(days=1))
    assert seen() == {"plain"}
    nobody = client("/api/v1/intents", "other", {"intent_id": "i3", **question, "visitor": "1" * 32}).json["ticket"]["url"]
    assert seen() == {"plain", "other"}, "of whom nobody vouches it is known too where they asked"
    with restricted.db.write() as session:
        mine = shares.share(session, nobody.rpartition("/")[2])
        shares.withdraw(mine.ticket, mine, now)
    assert seen() == {"plain"}
    url = client("/api/v1/intents", "pages", {"intent_id": "i2", **question}, sub="e-7").json["ticket"]["url"]
    assert seen() == {"plain", "pages"}
    assert "reply" in client(path, "pages", sub="e-8").json
    with restricted.db.write() as session:
        history.find(session, number).module = "finance"
    assert seen() == {"plain"}, "filed, it is of its module alone"
    with restricted.db.write() as session:
        history.find(session, number).module = ""
    assert client(f"/api/v1/tickets/{url.rpartition('/')[2]}/withdraw", "pages", {}, sub="e-7").status_code == 200
    assert seen() == {"plain"}


def test_people_of_a_site_are_themselves_and_nobody_else(client, restricted, vouch, app_of):
    """Two sites' people of one id, and one who is not signed, share nothing; the same id at the same site is the same person."""
    question = {"query": "打印机卡纸怎么处理", "trigger": "enter"}
    urls = [
        client("/api/v1/intents", site, {"intent_id": f"i{number}", **question, "visitor": "0" * 32}, **claims).json["ticket"]["url"]
        for number, (site, claims) in enumerate([("money", {"sub": "e-7"}), ("plain", {"sub": "e-7"}), ("plain", {}), ("plain", {"sub": "e-8"})])
    ]
    assert len(set(urls)) == 4
    again = client("/api/v1/intents", "plain", {"intent_id": "i9", **question}, sub="e-7").json["ticket"]
    assert (again["url"], again["followers"]) == (urls[1], 4)


def test_no_token_stands_in_a_log_or_an_answer(app, services, register, vouch, log):
    register(services)
    sign = vouch(services)
    opened = app.test_client()
    for claims in ({}, {"exp": 1}, {"sub": ""}, {"iss": "hr"}):
        headers = sign(**claims)
        token = headers["Authorization"].removeprefix("Bearer ")
        answers = [opened.get("/api/v1/search?q=发票", headers=headers), opened.post("/api/v1/intents", json={}, headers=headers)]
        answers.append(opened.get(f"/api/v1/search?q=发票&token={token}&access_token={token}"))
        for part in token.split("."):
            assert part not in log()
            assert not any(part in answer.text for answer in answers)
