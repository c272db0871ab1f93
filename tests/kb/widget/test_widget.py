"""The search box that any page can carry."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from indexer import text
from kb.widget.pages import SMALL, script_text, texts_in
from scripts.make_widget import stamped


def test_the_script_may_be_loaded_by_any_page_and_is_checked_again_after_minutes(asker):
    answer = asker.get("/widget/v1.js", headers={"Origin": "https://app.example.com"})
    assert (answer.status_code, answer.mimetype) == (200, "text/javascript")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert re.search(r"max-age=(\d+)", answer.headers["Cache-Control"])[1] == "300"
    assert "Set-Cookie" not in answer.headers
    assert asker.get("/widget/v1.js", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_the_script_is_the_rule_of_the_search_page_and_the_widget_in_one_function(app):
    script = script_text()
    rule, widget = (Path(app.static_folder, name).read_text(encoding="utf-8") for name in ("intents.js", "widget.js"))
    assert script.startswith("/* Zhida 知答 help widget: <script src=")
    assert script.split("*/\n", 1)[1].startswith('(function () {\n"use strict";\n')
    assert script.endswith("})();\n")
    assert not re.search(r"^(export|import)\b", script, re.MULTILINE)
    assert "export function step(state, event, at) {" in rule
    for line in (*re.findall(r"^(?:export )?(function \w+\(.+)$", rule, re.MULTILINE), widget.split("*/\n", 1)[1]):
        assert line in script


def test_what_pages_get_is_made_from_what_can_be_read_and_not_touched_since():
    small = SMALL.read_text(encoding="utf-8")
    assert small == stamped(small.partition("\n")[2]), "run: make widget"


def test_the_rule_and_the_widget_have_no_name_in_common():
    names = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", script_text(), re.MULTILINE)
    assert {name for name in names if names.count(name) > 1} == set()


def test_the_script_weighs_at_most_12_kb(asker):
    assert len(gzip.compress(asker.get("/widget/v1.js").data)) <= 12_000


def test_the_script_asks_nobody_but_us(asker):
    script = asker.get("/widget/v1.js").text
    assert re.findall(r"https?://[\w.-]+", script) == []
    assert not re.search(r"\beval\(|new Function|document\.write|document\.cookie|credentials: *.include", script)
    assert "attachShadow" in script


def test_what_the_widget_says_stands_in_its_english_and_nothing_else_does(asker):
    code = re.sub(r"/\*.*?\*/", "", script_text().split("*/\n", 1)[1], flags=re.DOTALL)
    said = set(re.findall(r'"([^"\n]*[\u4e00-\u9fff][^"\n]*)"', code)) - {"帮助", "說明"}
    english = asker.get("/widget/texts/en.json").json
    assert set(english) == said
    assert all(text.count("{0}") == english[text].count("{0}") and not re.search(r"[\u4e00-\u9fff]", english[text]) for text in said)


def test_the_widget_s_traditional_chinese_is_made_from_its_simplified(asker):
    answer = asker.get("/widget/texts/zh-TW.json", headers={"Origin": "https://app.example.com"})
    assert answer.json["关闭"] == "關閉"
    assert answer.json["正在上传 {0}"].count("{0}") == 1
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert asker.get("/widget/texts/zh-TW.json", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_all_texts_are_made_traditional_by_one_converter_since_a_converter_takes_a_tenth_of_a_second_to_make(monkeypatch):
    made = []

    class Counted(text.OpenCC):
        def __init__(self, config):
            made.append(config)
            super().__init__(config)

    monkeypatch.setattr(text, "OpenCC", Counted)
    text._to_taiwan.cache_clear()  # noqa: SLF001 - as after a start
    assert len(texts_in.__wrapped__("zh-TW")) > 40
    assert made == ["s2twp"]


def test_a_language_that_the_widget_does_not_speak_is_not_found(asker):
    for lang in ("fr", "zh-CN", "..%2Fenglish"):
        assert asker.get(f"/widget/texts/{lang}.json").status_code == 404
