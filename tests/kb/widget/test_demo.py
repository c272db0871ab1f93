"""The page that shows the widget as another company embeds it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kb.widget import demo

URL = "https://help.example.com/widget/v1.js"


@pytest.fixture
def shown(asker, read):
    """Open the demo with a query and return the page and its tag's attributes."""

    def open_(query: str = ""):
        page = read(asker.get(f"/widget/demo{query}").text)
        (tag,) = (attributes for name, attributes in page.elements if name == "script" and attributes["src"].endswith("/widget/v1.js"))
        return page, tag

    return open_


def test_the_demo_embeds_the_widget_by_one_plain_tag_and_shows_it_with_the_name_of_a_site(shown):
    page, tag = shown()
    assert tag == {"src": "/widget/v1.js", "defer": ""}
    assert '<script src="http://localhost/widget/v1.js" defer data-kb="SITE"></script>' in page.text


def test_what_is_chosen_stands_on_the_tag_in_the_copied_lines_and_in_the_form(shown):
    page, tag = shown("?mode=inline&position=left&theme=dark&lang=en&label=%E6%B1%82%E5%8A%A9")
    assert tag.items() >= {"data-mode": "inline", "data-position": "left", "data-theme": "dark", "data-lang": "en", "data-label": "求助"}.items()
    assert 'data-kb="SITE" data-mode="inline" data-position="left" data-theme="dark" data-lang="en" data-label="求助"></script>' in page.text
    assert "<kb-search></kb-search>" in page.text
    form = page.form("#embed", {"position": "left"})["fields"]
    assert form.items() >= {"mode": "inline", "position": "left", "theme": "dark", "lang": "en", "label": "求助"}.items()


def test_what_the_widget_does_unasked_needs_no_option():
    assert demo.chosen({name: next(iter(values)) for name, values in demo.CHOICES.items()} | {"label": " 帮助 "}) == {}


def test_values_that_the_widget_does_not_know_are_left_out():
    assert demo.chosen({"position": "middle", "theme": "", "colour": "red", "label": "  求\n助 "}) == {"label": "求 助"}


def test_a_label_stays_a_label():
    evil = '"><script>alert(1)</script>'
    tag = demo.tag(URL, {"label": evil})
    assert tag == f'<script src="{URL}" defer data-label="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"></script>'
    assert "<" not in demo.snippet(URL, {"label": evil})


def test_no_name_of_a_host_breaks_out_of_the_demo(app, read):
    answer = app.test_client().get("/widget/demo", headers={"Host": 'evil"><img src=x>'})
    assert answer.status_code == 400
    assert "img" not in {tag for tag, _ in read(answer.text).elements}


def test_the_lines_to_copy_name_the_address_that_people_use_wherever_the_demo_is_opened(services, app_of):
    there = app_of(replace(services, config=replace(services.config, base_url="https://help.example.com"))).test_client()
    page = there.get("/widget/demo", base_url="http://127.0.0.1:8000").text
    assert "&lt;script src=&#34;https://help.example.com/widget/v1.js&#34; defer data-kb=&#34;SITE&#34;&gt;" in page
    assert "127.0.0.1" not in page


def test_the_hostile_variant_unsets_everything_and_stays_when_options_are_chosen(shown):
    page, _ = shown("?css=hostile")
    sheets = [attributes["href"] for tag, attributes in page.elements if tag == "link" and attributes.get("rel") == "stylesheet"]
    assert [sheet.split("?")[0] for sheet in sheets] == ["/static/widget-demo-hostile.css", "/static/widget-demo.css"]
    assert ("input", {"type": "hidden", "name": "css", "value": "hostile"}) in page.elements


def test_without_scripts_the_demo_says_why_nothing_is_there_and_still_searches(shown):
    page, _ = shown()
    assert "noscript" in {tag for tag, _ in page.elements}
    assert any(form["action"] == "/search" and "q" in form["fields"] for form in page.forms)
