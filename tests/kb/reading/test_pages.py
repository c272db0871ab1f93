"""Home, modules, articles and their pictures; and what is not for everybody is not there at all."""

from __future__ import annotations

import gzip

import pytest


@pytest.fixture
def finance(restricted, app_of, services, link_for):
    """Browsers over an index with an article for finance only: somebody unknown, and an agent who may read all."""
    object.__setattr__(restricted, "db", services.db)
    app = app_of(restricted)
    stranger, insider = app.test_client(), app.test_client()
    stranger.get("/")
    insider.submit(link_for("客服小林", "agent"))
    return stranger, insider


def test_the_home_page_leads_to_every_module_and_to_what_people_ask(asker, services, read):
    page = read(asker.get("/").text)
    assert page.form("/search", {"q": ""})
    assert {link for link in page.links if link.startswith("/m/")} == {f"/m/{module.id}" for module in services.library.current().modules}
    assert len([link for link in page.links if link.startswith("/search?")]) == 8


def test_what_several_people_ask_and_find_comes_first_among_the_popular(app, asker, read):
    def popular():
        return [link for link in asker.page("/").links if link.startswith("/search?")]

    for visitor in ("a", "b"):
        app.test_client().ask("换了手机登不上", visitor=visitor)
        app.test_client().ask("月底关账前要做什么", visitor=visitor)
    before = popular()
    app.test_client().ask("忘记密码怎么办", visitor="a")
    app.test_client().ask("忘记密码怎么办", visitor="b")
    assert popular() == before, "two people are not many"
    app.test_client().ask("忘记密码怎么办", visitor="c")
    assert asker.page(popular()[0]).form("/search", {"q": ""})["fields"]["q"] == "忘记密码怎么办"


def test_every_article_can_be_reached_from_the_home_page_and_shows_what_it_promises(asker, services, read):
    published = services.library.current()
    reached = {link.removeprefix("/a/") for module in published.modules for link in asker.page(f"/m/{module.id}").links if link.startswith("/a/")}
    assert reached == set(published.articles)
    for id_, article in published.articles.items():
        answer = asker.get(f"/a/{id_}")
        page = read(answer.text)
        assert answer.status_code == 200
        assert f"/m/{article.module}" in page.links
        assert article.title in page.text
        assert "更新" in page.text
        anchors = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(anchors) == len(set(anchors)), id_
        assert {link for link in page.links if link.startswith("#")} <= {f"#{anchor}" for anchor in anchors}
        assert page.form("/api/v1/feedback", {"helpful": ""})
        assert page.form("/search", {"trigger": ""})


def test_no_link_and_no_picture_of_any_article_is_dead(asker, services, read):
    checked = set()
    for id_ in services.library.current().articles:
        page = read(asker.get(f"/a/{id_}").text)
        media = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
        paths = {path.partition("#")[0] for path in [*media, *page.links] if path.startswith("/")}
        for path in paths - checked:
            assert asker.get(path).status_code == 200, (id_, path)
        checked |= paths
    assert len([path for path in checked if path.startswith("/media/")]) >= 10


def test_the_first_page_with_all_it_loads_is_at_most_50_kb_compressed(asker, read):
    home = asker.get("/")
    assets = {attributes.get("href") or attributes.get("src") for tag, attributes in read(home.text).elements if tag in {"link", "script"}}
    sizes = [len(gzip.compress(answer.data)) for answer in (home, *(asker.get(asset) for asset in assets))]
    assert len(sizes) >= 5
    assert sum(sizes) <= 50_000


def test_related_articles_are_others(asker, read):
    links = asker.page("/a/invoices/verify-failed").links
    assert [link for link in links if link.startswith("/a/") and link != "/a/invoices/verify-failed"]


@pytest.mark.parametrize("path", ["/a/finance/keys", "/m/finance"])
def test_what_is_not_for_this_person_does_not_exist_for_them(finance, path):
    stranger, insider = finance
    assert (stranger.get(path).status_code, insider.get(path).status_code) == (404, 200)
    assert stranger.get(path).text.count("财务") == 0


def test_nothing_tells_a_stranger_of_a_restricted_article(finance):
    stranger, insider = finance
    places = [
        "/",
        "/m/open",
        "/a/open/pay",
        "/search?q=银企直连证书更新",
        "/search?q=银企直连&module=open",
        "/api/v1/search?q=银企直连证书过期",
        "/api/v1/search?q=银企直连&limit=50",
        "/api/v1/suggest?q=银企",
        "/api/v1/suggestions?context=pay.page",
    ]
    for path in places:
        answer = stranger.get(path)
        assert answer.status_code == 200
        assert not [word for word in ("finance/keys", "/m/finance", "证书每年更新", "联系开户行") if word in answer.text], path
    assert "银企直连证书更新" in insider.get("/").text, "the announcement is there for those who may read it"
    assert insider.get("/api/v1/search?q=银企直连证书过期").json["hits"][0]["article"] == "finance/keys"
    assert [len(client.get("/api/v1/suggestions?context=pay.page").json["suggestions"]) for client in finance] == [1, 2]
    assert [len(client.get("/api/v1/suggest?q=银企直连").json["suggestions"]) for client in finance] == [2, 4]


def test_a_question_that_only_a_restricted_article_answers_is_not_answered_for_a_stranger(finance):
    stranger, insider = finance
    assert [client.get("/api/v1/search?q=银企直连证书过期").json["verdict"] == "answered" for client in (stranger, insider)] == [False, True]
    assert stranger.get("/api/v1/search?q=银企直连证书过期&module=finance").json["hits"] == []


def test_feedback_on_a_restricted_article_is_as_on_none(finance):
    stranger, insider = finance
    body = {"article": "finance/keys", "helpful": True}
    missing = {"article": "finance/nothing", "helpful": True}
    assert stranger.post("/api/v1/feedback", json=body).data == stranger.post("/api/v1/feedback", json=missing).data
    assert insider.post("/api/v1/feedback", json=body).status_code == 201


def test_a_picture_of_a_restricted_article_is_as_none(finance):
    stranger, insider = finance
    assert [client.get("/media/finance/key.svg").status_code for client in (stranger, insider)] == [404, 200]


def test_a_picture_is_served_as_one_that_can_do_nothing(asker):
    answer = asker.get("/media/invoices/red-letter.svg")
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in answer.headers


TRAVERSALS = [
    "/media/../catalogue.json",
    "/media/invoices/../../catalogue.json",
    "/media/../MANIFEST.json",
    "/media/%2e%2e/catalogue.json",
    "/media/..%2f/MANIFEST.json",
    "/media/invoices/..%2f..%2fcatalogue.json",
    "/media/%2e%2e/%2e%2e/CURRENT",
    "/media/..%5c..%5cx.svg/a.svg",
    "/media//etc/passwd",
    "/media/%2fetc/passwd",
    "/media/invoices/red-letter.svg%00.md",
    "/media/invoices/verify-failed.md",
    "/media/invoices/.",
    "/media/whoosh/_MAIN_1.toc",
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/%2e%2e/pyproject.toml",
    "/a/../../etc",
    "/m/%2e%2e",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_the_pictures(asker, path):
    answer = asker.get(path, follow_redirects=True)
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"


@pytest.mark.parametrize("name", ["x" * 300 + ".svg", "RED-LETTER.SVG", "red-letter.svg%3fx", "red-letter.svg%0a"])
def test_a_name_that_no_picture_has_is_not_found(asker, name):
    assert asker.get(f"/media/invoices/{name}").status_code == 404
