"""Articles for programs and the widget: what a reader of our own pages sees, and nothing else."""

from __future__ import annotations

import re

import pytest


def test_an_article_comes_whole_with_addresses_that_work_on_any_page(asker, shipped):
    found = asker.get("/api/v1/articles/invoices/red-letter").json
    source = shipped.articles["invoices/red-letter"]
    assert (found["article"], found["title"], found["module"], found["url"]) == (source.id, source.title, "invoices", "http://localhost/a/invoices/red-letter")
    assert [one["heading"] for one in found["sections"]] == [one.heading for one in source.sections]
    assert found["contents"] == [{"anchor": one.anchor, "heading": one.heading} for one in source.sections if one.anchor]
    html = "".join(one["html"] for one in found["sections"])
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert any(one.startswith("http://localhost/media/invoices/") for one in addresses)
    assert all(one.startswith(("http", "#", "tel:", "mailto:")) for one in addresses)


def test_every_shipped_article_can_be_read_and_none_points_to_the_page_that_shows_it(asker, shipped):
    for id_ in shipped.articles:
        html = "".join(one["html"] for one in asker.get(f"/api/v1/articles/{id_}").json["sections"])
        assert not re.search(r'(?:src|href)="/', html), id_


def test_words_that_look_like_an_address_stay_words(services_with, app_of, write, tmp_path, article, now):
    from indexer.build import build  # noqa: PLC0415 - only this test builds

    build(write({"m/a.md": article('`<img src="/x">` 与 [乙](b.md)\n', "怎么写"), "m/b.md": article("乙。\n", "另一篇")}), tmp_path / "written", now)
    html = app_of(services_with(tmp_path / "written")).test_client().get("/api/v1/articles/m/a").json["sections"][0]["html"]
    assert '&lt;img src="/x"&gt;' in html
    assert 'href="http://localhost/a/m/b"' in html


def test_what_somebody_may_not_read_does_not_exist_for_them(restricted, app_of):
    client = app_of(restricted).test_client()
    assert [one["article"] for one in client.get("/api/v1/articles").json["articles"]] == ["open/pay"]
    assert client.get("/api/v1/articles/finance/keys").status_code == 404
    assert client.get("/api/v1/articles/finance/keys").json == client.get("/api/v1/articles/finance/gone").json


def test_all_articles_are_listed_page_by_page_each_once(asker, shipped):
    found, after = [], ""
    while after is not None:
        page = asker.get(f"/api/v1/articles?limit=7&after={after}").json
        assert len(page["articles"]) <= 7
        found += [one["article"] for one in page["articles"]]
        after = page["next"]
    assert found == sorted(shipped.articles)
    assert {one["module"] for one in asker.get("/api/v1/articles?module=travel").json["articles"]} == {"travel"}


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1", "1.5"])
def test_a_limit_that_cannot_be_is_refused(asker, limit):
    assert asker.get(f"/api/v1/articles?limit={limit}").status_code == 400


def test_a_site_shows_only_its_modules(asker, services):
    from kb.widget.models import Site  # noqa: PLC0415 - only this test registers one

    with services.db.write() as session:
        session.add(Site(name="travel", origins=[], modules=["travel"], audience=[], anonymous=True, created_at=services.now()))
    services.sites.look()
    named = {"X-Zhida-Site": "travel"}
    assert {one["module"] for one in asker.get("/api/v1/articles?limit=100", headers=named).json["articles"]} == {"travel"}
    assert asker.get("/api/v1/articles/invoices/red-letter", headers=named).status_code == 404
