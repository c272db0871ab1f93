from dataclasses import replace

import pytest

from indexer.article import ASK_HERE, UNSET, Article, Section, digest, fill_company, parse

BODY = "正文\n第二行"


@pytest.mark.parametrize(
    "source",
    [
        f"---\ntitle: 标题\nquestions: [甲, 乙]\n---\n{BODY}",
        f"\ufeff---\ntitle: 标题\nquestions: [甲, 乙]\n---\n{BODY}",
        f"---\r\ntitle: 标题\r\nquestions: [甲, 乙]\r\n---\r\n{BODY}".replace("行\n", "行\r\n"),
        f"---  \ntitle: 标题\nquestions: [甲, 乙]\n--- \n{BODY}",
    ],
    ids=["plain", "byte order mark", "Windows", "spaces after the dashes"],
)
def test_front_matter_is_read_whatever_editor_saved_it(source):
    draft = parse("m/a.md", source)
    assert draft.flaws == ()
    assert draft.meta["title"] == "标题"
    assert draft.strings("questions") == ("甲", "乙")
    assert draft.body == BODY
    assert (draft.lines["title"], draft.lines["questions"], draft.body_line) == (2, 3, 5)
    assert draft.id == "m/a"


@pytest.mark.parametrize(
    ("front", "line", "message"),
    [
        ("a: b: c", 2, "mapping values are not allowed"),
        ("title: x\nkey: 'open", 3, "unexpected end"),
        ("a: &x [1]\nb: *x", 3, "aliases"),
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]", 3, "aliases"),
        ("- a\n- b", 2, "not a list of `key: value`"),
        ("just text", 2, "not a list of `key: value`"),
        ("kind: !!bool maybe", 2, "not YAML"),
        ("kind: !!int ''", 2, "not YAML"),
        ("kind: !!float ''", 2, "not YAML"),
        ("kind: !!timestamp x", 2, "not YAML"),
        ("kind: !!python/object/apply:os.system [id]", 2, "could not determine a constructor"),
        ("review_by: 2027-13-45", 2, "month must be in 1..12"),
        ("a: \x00", 2, "not allowed"),
        ('title: x\nquestions: ["\\ud83d"]', 3, "half a character"),
        ("x: " + "1" * 5000, 2, "not YAML"),
        ("a: " + "[" * 5000, 2, "recursion"),
    ],
)
def test_what_cannot_be_read_is_a_flaw_on_one_line_and_never_an_exception(front, line, message):
    draft = parse("m/a.md", f"---\n{front}\n---\n正文")
    (flaw,) = draft.flaws
    assert (flaw.rule, flaw.line) == ("front-matter", line)
    assert message in flaw.message
    assert "\n" not in flaw.message
    assert draft.body == "正文"


@pytest.mark.parametrize("source", ["", "正文", "# 标题\n正文", "---", "---\ntitle: 标题\n正文", "---\rtitle: 标题\r---\r正文", " ---\ntitle: x\n---\n"])
def test_a_file_without_closed_front_matter_names_the_remedy(source):
    (flaw,) = parse("m/a.md", source).flaws
    assert "---" in flaw.message


def test_a_rule_in_the_body_does_not_end_the_front_matter_twice():
    assert parse("m/a.md", "---\ntitle: x\n---\n一\n\n---\n\n二").body == "一\n\n---\n\n二"


def test_a_list_that_is_no_list_counts_as_absent():
    draft = parse("m/a.md", "---\ntitle: x\nquestions: 一句话\ntags: [1, 2]\n---\n")
    assert draft.strings("questions") == ()
    assert draft.strings("tags") == ("1", "2")


def test_company_values_fill_their_places_and_the_unset_ones_say_so():
    text = "热线 {{company.hotline}},抬头 {{ company.invoice_title }},税号 {{company.tax_number}}"
    assert fill_company(text, {"hotline": "400", "invoice_title": ""}) == f"热线 400,抬头 {UNSET},税号 {UNSET}"


def test_a_company_value_is_not_filled_again():
    assert fill_company("{{company.a}}", {"a": "{{company.b}}", "b": "x"}) == "{{company.b}}"


ARTICLE = Article(
    "m/a", "题", (Section("", "", 1, "<p>先说。</p>", "先说。"), Section("s", "一", 2, "<p>再说。</p>", "再说。")), questions=("甲", "乙"), answers=("T-1",)
)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "别的题"},
        {"questions": ("甲",)},
        {"questions": ("甲乙",)},
        {"answers": ("T-1", "T-2")},
        {"sections": ARTICLE.sections[:1]},
        {"sections": ARTICLE.sections[::-1]},
        {"sections": (ARTICLE.sections[0], replace(ARTICLE.sections[1], heading="二"))},
        {"sections": (ARTICLE.sections[0], replace(ARTICLE.sections[1], text="改说。"))},
    ],
)
def test_an_article_that_says_something_else_has_another_digest(change):
    assert digest(replace(ARTICLE, **change)) != digest(ARTICLE)


def test_what_an_article_does_not_say_leaves_its_digest():
    assert digest(ARTICLE) == "85e4707353896a4b"
    other = replace(ARTICLE, id="m/b", owner="x", tags=("y",), changed="2027-01-01", review_by="2028-01-01", audience=("finance",), digest="z")
    assert digest(other) == digest(ARTICLE)


def test_a_line_that_says_only_an_unset_value_falls_away_and_what_announced_it_ends_as_a_sentence():
    text = "## 找谁\n\n带上单号，可以打：\n\n- 热线：{{company.hotline}}\n- 时间：{{company.hours}}\n\n## 标准\n\n- 限额：{{company.limit}}\n\n## 末\n\n完。"
    assert fill_company(text, {"hotline": "", "hours": "", "limit": ""}).split() == [
        "##",
        "找谁",
        "带上单号，可以打。",
        "##",
        "标准",
        f"{UNSET}。",
        "##",
        "末",
        "完。",
    ]
    assert fill_company(text, {"hotline": "400", "hours": "", "limit": "10"}).split()[2:8] == ["带上单号，可以打：", "-", "热线：400", "##", "标准", "-"]


def test_a_line_keeps_what_else_it_says_beside_an_unset_value():
    text = "1. 先要账户，不要照旧：{{company.limit}}\n2. 写全称。\n    - 抬头：{{company.title}}\n3. 核对。"
    assert fill_company(text, {}).split("\n") == [f"1. 先要账户，不要照旧：{UNSET}", "2. 写全称。", "3. 核对。"]


def test_whoever_cannot_be_reached_elsewhere_is_asked_here():
    text = "- 财务支持：{{company.finance_contact}}\n联系财务：{{company.finance_contact}}。"
    assert fill_company(text, {"finance_contact": ""}) == f"- 财务支持：{ASK_HERE}\n联系财务：{ASK_HERE}。"
    assert fill_company(text, {"finance_contact": ""}, ask="") == "- 财务支持\n联系财务。"
    assert fill_company(text, {"finance_contact": "分机 8001"}) == "- 财务支持：分机 8001\n联系财务：分机 8001。"
