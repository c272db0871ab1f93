"""What the API says to people in the language that they ask for."""

from __future__ import annotations

import ast
import io
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer import text
from kb.accounts.roles import NAMES, Role
from kb.tickets import alarms, countdown, lifecycle
from kb.tickets.countdown import Expected
from kb.tickets.lifecycle import PUBLIC_KINDS
from kb.tickets.standing import Level
from kb.web import language
from kb.widget import pages

ROOT = Path(__file__).parents[3]
HAN = re.compile(r"[\u4e00-\u9fff]")
HERS = {"X-Zhida-Site": "travel", "Origin": "https://travel.example.com", "X-Zhida-Visitor": "a" * 32}
ANSWERED = {
    "files",
    "reading/api",
    "search/api",
    "tickets/attachments",
    "tickets/history",
    "tickets/pages",
    "tickets/shares",
    "web/authorisation",
    "web/forms",
    "web/hosts",
    "web/limits",
    "web/visitor",
}
"""Modules whose refusals the API can answer."""
ELSEWHERE = {
    "accounts/account", "accounts/admin", "accounts/audit", "accounts/identity", "accounts/people", "accounts/sign_in", "analytics/supervision", "config",
    "mailer", "notifications/bots", "notifications/messages", "notifications/muting", "notifications/pages", "reading/pages", "search/pages", "tickets/bulk",
    "tickets/desk", "tickets/desk_ticket", "tickets/lifecycle", "tickets/queue", "tickets/regroup", "tickets/steps", "tickets/unseen", "tickets/undoing",
    "widget/admin", "widget/frame", "widget/pages", "widget/registering",
}  # fmt: skip
"""Modules that refuse agents, administrators, operators and pages only."""


def written(node):
    """Return a text of the source, its places numbered as in the file of English words; None for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    numbers = iter(range(10))
    return "".join(part.value if isinstance(part, ast.Constant) else f"{{{next(numbers)}}}" for part in node.values)


@cache
def refusals(path):
    """Return what a module's errors say in Chinese."""
    source = path.read_text(encoding="utf-8")
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)] if "Error(" in source else []
    texts = (written(given) for call in calls if getattr(call.func, "id", "").endswith("Error") for given in call.args)
    return {text for text in texts if text and HAN.search(text)}


def sentences(path):
    """Return every text of a module that is Chinese and no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (written(node) for node in ast.walk(tree) if id(node) not in inside | notes)
    return {text for text in texts if text and HAN.search(text)}


@pytest.fixture(scope="module")
def english():
    """The English words, by the Chinese ones as they stand in the source."""
    return {ours.replace(":said", ""): other for ours, other in language.english_words().items()}


def module(name):
    return ROOT / "kb" / f"{name}.py"


def test_every_refusal_of_the_api_has_its_english(english):
    found = {str(path.relative_to(ROOT / "kb").with_suffix("")) for path in (ROOT / "kb").rglob("*.py") if refusals(path)}
    assert found - ANSWERED == ELSEWHERE, "say of a new module where its refusals are read"
    said = {text for name in ANSWERED for text in refusals(module(name))} | sentences(module("web/errors"))
    assert len(said) > 40
    assert said - english.keys() == set()


def test_every_name_of_a_state_a_step_a_kind_and_a_role_has_its_english(english):
    said = sentences(module("tickets/progress")) | set(PUBLIC_KINDS.values()) | {NAMES[role] for role in Role}
    assert len(said) > 20
    assert said - english.keys() == set()


def test_what_a_question_brought_and_what_became_of_it_has_its_english(page, english):
    assert sentences(module("search/api")) - english.keys() == set()
    asked = {"q": "审批一直不动和火星基地", "limit": 3}
    words = {lang: page.get("/api/v1/search", headers=HERS, query_string=asked | {"lang": lang}).json["words"] for lang in language.LANGUAGES}
    assert words["en"].isascii() or "火星" in words["en"], "what they asked stays as it is"
    assert words["zh-TW"] != words["zh-CN"]


def expectations(policies):
    """Yield whatever people can be told to expect, at three hours of every third day of a year, and with all who may have been told."""
    hours = [datetime(2025, 12, 30, tzinfo=UTC) + timedelta(hours=hour) for hour in range(0, 24 * 400, 72)]
    for now in (start + timedelta(hours=hour) for start in hours for hour in (2, 9, 20)):
        rest = countdown._resting(policies, now)  # noqa: SLF001 - every word that it can say
        for ahead in (timedelta(minutes=5), timedelta(days=1), timedelta(days=9)):
            by = countdown._by(now + ahead, now, policies.hours.zone)  # noqa: SLF001 - the same
            for deed in ("回复", "解决"):
                yield Expected("reply", now, late=False, words=f"预计{by}前{deed}", resting=rest)
    yield Expected("reply", None, late=False, words="等你补充后继续")


def lateness(monkeypatch):
    now = datetime(2026, 11, 20, tzinfo=UTC)
    for level in (Level.NONE, Level.SECOND, Level.MANAGER):
        for known in (alarms.Reminded(anybody, level is not Level.NONE, by_hand) for anybody in (False, True) for by_hand in (False, True)):
            monkeypatch.setattr(alarms, "reminded", lambda *_, known=known: known)
            told = countdown._told(SimpleNamespace(alarm="x", escalated=level.value), now)  # noqa: SLF001 - the same
            for before in ("比预计的晚了", "前面的同事也在等"):
                yield Expected("reply", now, late=True, words=f"{before}{told}；有进展会马上告诉你")


def test_whatever_people_may_expect_has_its_english_and_no_word_of_the_file_is_in_vain(app, services, english, monkeypatch):
    seen = set()
    one = language.in_language

    def noting(text, lang):
        seen.add(text)
        return one(text, lang)

    monkeypatch.setattr(language, "in_language", noting)
    with app.test_request_context("/api/v1/tickets?lang=en"):
        said = {told.sentences: told.as_json()["words"] for told in [*expectations(services.policies), *lateness(monkeypatch)]}
    assert len(said) > 500
    assert [words for words in said.values() if HAN.search(words)] == []
    assert said["比预计的晚了，已提醒服务主管；有进展会马上告诉你"].startswith("It takes longer than expected; the service managers have been reminded.")
    other = {text for name in ANSWERED for text in refusals(module(name))} | sentences(module("web/errors")) | sentences(module("tickets/progress"))
    other |= (
        sentences(module("search/api"))
        | sentences(module("files"))
        | sentences(module("web/forms"))
        | set(PUBLIC_KINDS.values())
        | {NAMES[role] for role in Role}
    )
    patterns = {ours.replace(":said", ""): language._pattern(ours) for ours in language.english_words()}  # noqa: SLF001 - what fits
    idle = {ours for ours in english.keys() - other if not any(patterns[ours].fullmatch(text) for text in seen)}
    assert idle <= {"它的内容像是 {0} 文件，不是这里收的格式", "它的内容不是这里收的格式", "（T-{0}）"}, (
        "two forms of one sentence of kb/files.py; no word, a number"
    )


@pytest.mark.parametrize(
    ("ours", "english", "taiwan"),
    [
        ("预计今天 17:10 前回复", "A reply is expected by 17:10 today", "預計今天 17:10 前回覆"),
        ("预计 11月24日（周二）10:00 前解决", "A solution is expected by 10:00 on Tue 24 November", "預計11月24日（週二）10:00前解決"),
        ("预计 2027年1月4日（周一）10:00 前回复", "A reply is expected by 10:00 on Mon 4 January 2027", "預計2027年1月4日（週一）10:00前回覆"),
        ("没有模块 软件。去掉 module 参数即可搜索全部。", "There is no module 软件. Leave out the parameter module to search everything.", None),
        ("三楼的那台", "三楼的那台", "三楼的那台"),
    ],
)
def test_a_sentence_is_translated_with_what_stands_in_it(ours, english, taiwan):
    assert language.in_language(ours, "zh-CN") == ours
    assert language.in_language(ours, "en") == english
    if taiwan:
        assert language.in_language(ours, "zh-TW").replace(" ", "") == taiwan.replace(" ", "")
    else:
        assert "软件" in language.in_language(ours, "zh-TW"), "a name stays as it is"


@pytest.fixture
def page(app, embedded):
    return app.test_client()


def test_a_page_reads_of_its_questions_in_its_language(page):
    asked = {"json": {"question": "打印机卡纸怎么处理"}, "headers": HERS}
    opened = {lang: page.post(f"/api/v1/tickets?lang={lang}", **asked).json for lang in language.LANGUAGES}
    token = opened["en"]["ticket"]["token"]
    told = {lang: page.get(f"/api/v1/tickets/{token}?lang={lang}", headers=HERS).json for lang in language.LANGUAGES}
    assert {lang: one["words"] for lang, one in told.items()} == {"zh-CN": "已记下", "zh-TW": "已記下", "en": "Noted"}
    assert [step["name"] for step in told["en"]["steps"]] == ["Noted", "An agent is working on it", "Solved", "Confirmed"]
    assert told["en"]["expected"]["words"] == opened["en"]["expected"]["words"]
    assert not HAN.search(told["en"]["expected"]["words"])
    assert {one["expected"]["at"] for one in told.values()} == {opened["en"]["expected"]["at"]}
    assert page.get(f"/api/v1/tickets/{token}", headers=HERS).json == told["zh-CN"]
    assert told["en"]["question"] == told["zh-TW"]["question"] == "打印机卡纸怎么处理", "people's own words stay theirs"
    assert page.get("/api/v1/tickets?lang=en", headers=HERS).json["tickets"][0]["words"] == "Noted"


def test_a_public_reply_is_named_in_the_language_of_the_page(page, services, now):
    page.post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}, headers=HERS)
    with services.db.write() as session:
        lifecycle.publish(lifecycle.history.find(session, 1001), "known", "正在修。", "客服小林", "agent", now, now + timedelta(days=1))
    services.public_replies._looked = float("-inf")  # noqa: SLF001 - a second goes by
    reply = page.get("/api/v1/search?q=打印机卡纸怎么处理&lang=en", headers=HERS).json["reply"]
    assert (reply["kind"], reply["kind_name"], reply["role"], reply["text"]) == ("known", "Known problem, being worked on", "Agent", "正在修。")


def test_refusals_come_in_the_language_of_the_page(page):
    token = page.post("/api/v1/tickets", json={"question": "打印机卡纸怎么处理"}, headers=HERS).json["ticket"]["token"]

    def refused(path, sent):
        answers = [page.open(f"/api/v1/{path}{'&' if '?' in path else '?'}lang={lang}", headers=HERS, **sent()) for lang in ("zh-CN", "zh-TW", "en")]
        assert len({(answer.status_code, answer.json["error"]["code"]) for answer in answers}) == 1
        ours, taiwan, english = (answer.json["error"]["message"] for answer in answers)
        assert HAN.search(ours)
        assert HAN.search(taiwan)
        assert ours != taiwan
        return english

    for path, sent in {
        "articles/no/such": lambda: {"method": "GET"},
        "nowhere": lambda: {"method": "GET"},
        "search?q=x&module=gone": lambda: {"method": "GET"},
        f"tickets/{token}/confirmed": lambda: {"method": "POST", "json": {}},
        f"tickets/{token}/settle": lambda: {"method": "POST", "json": {}},
        f"tickets/{token}/details": lambda: {"method": "POST", "json": {"details": "x" * 20_001}},
        f"tickets/{token}/files/7/remove": lambda: {"method": "POST"},
        "intents": lambda: {"method": "POST", "data": b"x" * 300_000, "content_type": "application/json"},
    }.items():
        assert not HAN.search(refused(path, sent=sent)), path
    kinds = {b"PK\x03\x04": "a.zip", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "b.doc", b"\x7fELF" + bytes(60): "c", b"\x89PNG\r\n\x1a\n": "d.png", b"": "e.txt"}
    for content, name in kinds.items():
        english = refused(f"tickets/{token}/files", sent=lambda c=content, n=name: {"method": "POST", "data": {"file": (io.BytesIO(c), n)}})
        assert not HAN.search(english), name


@pytest.mark.parametrize("lang", ["", "fr", "EN", "zh", "zh-cn", "en&lang=fr"])
def test_a_language_that_is_not_spoken_is_refused_by_name(page, lang):
    answer = page.get(f"/api/v1/search?q=发票&lang={lang}", headers=HERS)
    if lang.startswith("en&"):
        assert answer.status_code == 200, "the first one counts"
        return
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_field")
    assert "zh-TW" in answer.json["error"]["message"]
    assert "RateLimit-Limit" in answer.headers


def test_a_server_that_is_ready_says_everything_without_reading_a_dictionary(page, monkeypatch):
    language.warm_up()
    pages.warm_up()
    text.let_go_of_traditional()
    monkeypatch.setattr(text, "OpenCC", None)
    assert page.get("/widget/texts/zh-TW.json").json["关闭"] == "關閉"
    assert page.get("/api/v1/nowhere?lang=zh-TW").json["error"]["message"].startswith("沒有這一頁")


def test_pages_of_ours_speak_one_language(asker):
    assert asker.get("/a/no/such?lang=en").text == asker.get("/a/no/such").text
    assert "没有这篇文章" in asker.get("/a/no/such?lang=en").text


def test_an_answer_is_written_alike_wherever_taiwan_reads_of_one():
    """By what stands before, OpenCC takes 回复 now for an answer and now for what is restored."""
    assert {language.taiwans(f"{before}回复{after}") for before in ("", "前", "可以", "等待") for after in ("", "了你")} == {
        f"{language.taiwans(before)}回覆{after}" for before in ("", "前", "可以", "等待") for after in ("", "了你")
    }
    said = [*map(language.taiwans, language.english_words()), *pages.texts_in("zh-TW").values()]
    assert any("回覆" in text for text in said)
    assert not [text for text in said if "回復" in text]
