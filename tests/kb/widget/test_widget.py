"""The search box that any page can carry."""

from __future__ import annotations

import gzip
import re
from pathlib import Path


def test_the_script_may_be_loaded_by_any_page_and_is_checked_again_after_minutes(asker):
    answer = asker.get("/widget/v1.js", headers={"Origin": "https://app.example.com"})
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert re.search(r"max-age=(\d+)", answer.headers["Cache-Control"])[1] == "300"
    assert "Set-Cookie" not in answer.headers
    assert asker.get("/widget/v1.js", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_script_is_the_rule_of_the_search_page_and_the_widget_in_one_function(asker, app):
    script = asker.get("/widget/v1.js").text
    rule, widget = (Path(app.static_folder, name).read_text(encoding="utf-8") for name in ("intents.js", "widget.js"))
    assert script.startswith("/* Zhida 知答 help widget: <script src=")
    assert script.split("*/\n", 1)[1].startswith('(function () {\n"use strict";\n')
    assert script.endswith("})();\n")
    assert not re.search(r"^(export|import)\b", script, re.MULTILINE)
    assert "export function step(state, event, at) {" in rule
    for line in (*re.findall(r"^(?:export )?(function \w+\(.+)$", rule, re.MULTILINE), widget.split("*/\n", 1)[1]):
        assert line in script


def test_the_script_weighs_at_most_12_kb(asker):
    assert len(gzip.compress(asker.get("/widget/v1.js").data)) <= 12_000


def test_the_script_asks_nobody_but_us(asker):
    script = asker.get("/widget/v1.js").text
    assert set(re.findall(r"https?://[\w.-]+", script)) <= {"https://HOST"}, "HOST stands in the comment on its use"
    assert not re.search(r"\beval\(|new Function|document\.write|document\.cookie|credentials: *.include", script)
    assert "attachShadow" in script


def test_the_demo_embeds_it_by_one_tag_under_the_same_strict_policy(asker, read):
    page = read(asker.get("/widget/demo").text)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{"src": "http://localhost/widget/v1.js", "defer": ""}]
    assert '<script src="http://localhost/widget/v1.js" defer></script>' in page.text


def test_a_forged_host_cannot_break_out_of_the_demo(app, read):
    answer = app.test_client().get("/widget/demo", headers={"Host": 'evil"><img src=x>'})
    assert answer.status_code in {200, 400}
    assert "img" not in {tag for tag, _ in read(answer.text).elements}
