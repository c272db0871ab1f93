from datetime import date
from pathlib import Path

import pytest

from indexer.lint import lint, read
from indexer.source import Folder, Module, read_folder

META = {"questions": ["怎么问"], "owner": "team", "review_by": "2027-05-01"}


@pytest.fixture
def check(write, article):
    """Lint a folder; an article without front matter gets a good one of four lines, so that its first line is line 6."""

    def check_(files):
        for path, text in files.items():
            if path.endswith((".md", ".markdown")) and not path.startswith("_replies/") and isinstance(text, str) and not text.startswith("---"):
                files[path] = article(text, **{**META, "questions": [f"问 {path.replace('.', '之').casefold()}"]})
        return lint(read(read_folder(write(files)), date(2026, 11, 20)))

    return check_


def places(problems):
    return [(problem.path, problem.line, problem.rule) for problem in problems]


def test_a_good_article_has_no_problem(check):
    assert check({"m/a.md": "先说。\n\n## 怎么办\n\n1. 一\n2. 二\n\n见[这里](a.md#怎么办)和[那里](https://example.com)。"}) == []


@pytest.mark.parametrize(
    ("body", "line", "rule"),
    [
        ("见[x](b.md)", 7, "dead-link"),
        ("一\n\n见[x](../n/b.md)", 9, "dead-link"),
        ("见[x](#没有)", 7, "dead-link"),
        ("见[x](a.md#没有)", 7, "dead-link"),
        ("见[x](javascript:alert)", 7, "dead-link"),
        ("见[x](/desk)", 7, "dead-link"),
        ("见[x](../../etc/passwd)", 7, "dead-link"),
        ("看![图](没有.svg)", 7, "dead-link"),
        ("看![图](https://evil.example/p.png)", 7, "dead-link"),
        ("看![图](<没 有.svg>)", 7, "dead-link"),
        ("看![](p.svg)", 7, "image-alt"),
        ("一\n\n# 一级", 9, "heading"),
        ("一\n\n#一级", 9, "heading"),
        ("一\n\n### 三级\n\n二", 9, "heading"),
        ("一\n\n## 甲\n\n一\n\n## 甲\n\n二", 13, "heading"),
        ("一\n\n## 空的\n\n## 满的\n\n二", 9, "empty-section"),
        ("", 7, "empty"),
        ("{{company.nonsense}}", 7, "company-key"),
        ("一\n- 二", 8, "list"),
        ("乱\ufffd码", 7, "damaged-text"),
        ("发票(piào)", 7, "damaged-text"),
        ("* " * 5000 + "a", 7, "render"),
    ],
)
def test_a_problem_of_the_body_is_found_on_its_line(check, body, line, rule):
    assert places(check({"m/a.md": body, "m/p.svg": "<svg/>"})) == [("m/a.md", line, rule)]


@pytest.mark.parametrize(
    ("front", "line", "rule", "error"),
    [
        ("title: ''", 2, "title", True),
        ("titel: x\ntitle: y", 2, "unknown-key", True),
        ("title: 2026", 2, "title", True),
        ("title: " + "长" * 61, 2, "title", False),
        ("title: x\nquestions: 一句", 3, "questions", True),
        ("title: x\ntags: ['']", 3, "tags", True),
        ("title: x\ntags: [1]", 3, "tags", True),
        ("title: x\nkind: news", 3, "kind", True),
        ("title: x\nkind: [faq]", 3, "kind", True),
        ("title: x\naudience: [boss]", 3, "audience", True),
        ("title: x\nanswers: ['1024']", 3, "answers", True),
        ("title: x\nreview_by: soon", 3, "review-by", True),
        ("title: x\nreview_by: 2027-05-01 10:00:00", 3, "review-by", True),
        ("title: x\nreview_by: 2020-01-01", 3, "review-by", False),
        ("title: x\nowner: [a]", 3, "owner", True),
        ("title: x\nkind: 'faq", 3, "front-matter", True),
    ],
)
def test_a_problem_of_the_front_matter_is_found_on_its_line(check, front, line, rule, error):
    found = check({"m/a.md": f"---\n{front}\n---\n正文"})
    assert [(problem.path, problem.line, problem.rule, problem.error) for problem in found if problem.line > 1] == [("m/a.md", line, rule, error)]


def test_an_article_without_questions_owner_or_date_is_only_warned(check):
    found = check({"m/a.md": "---\ntitle: x\n---\n正文"})
    assert {problem.rule for problem in found} == {"questions", "owner", "review-by"}
    assert not any(problem.error for problem in found)


@pytest.mark.parametrize("twin", ["m/A.md", "m/a.markdown", "M/a.md"])
def test_two_articles_with_one_address_on_a_case_blind_disk_are_refused(check, twin):
    found = check({"m/a.md": "一", twin: "二"})
    assert "duplicate-slug" in {problem.rule for problem in found if problem.error}


@pytest.mark.parametrize("path", ["a.md", "m/n/a.md", "m/票.md", "m/a b.md", "m/-a.md", "m/a.markdown", "_m/a.md", "m/A.md"])
def test_a_path_that_makes_no_clean_address_is_refused(check, path):
    assert (path, 1, "path") in places(check({path: "一", "ok/b.md": "二"}))


def test_a_folder_that_is_no_module_is_refused(check):
    found = check({"m/a.md": "一", "n/b.md": "二", "_modules.toml": '[m]\nname = "模块"'})
    assert places(found) == [("n/b.md", 1, "module")]


@pytest.mark.parametrize("other", ["发票没了怎么办", "發票沒了怎麼辦", " 发票没了怎么办 "])
def test_a_similar_question_leads_to_one_article_only(check, article, other):
    found = check({"m/a.md": article("一", **{**META, "questions": ["发票没了怎么办"]}), "m/b.md": article("二", **{**META, "questions": [other]})})
    assert places(found) == [("m/b.md", 3, "duplicate-question")]


def test_what_stands_in_code_is_not_linted(check):
    body = "一\n\n````\n```\n[x](gone.md)\n# 一级\n```\n[x](gone.md)\n````\n\n`[x](gone.md)`\n\n~~~\n```\n[x](gone.md)\n~~~\n\n二"
    assert check({"m/a.md": body}) == []


def test_what_follows_a_nested_fence_is_linted_again(check):
    body = "一\n\n````\n```\n````\n\n[x](gone.md)"
    assert places(check({"m/a.md": body})) == [("m/a.md", 13, "dead-link")]


def test_a_wrong_anchor_is_told_the_near_one(check):
    (problem,) = check({"m/a.md": "见[x](#查验失败怎么半)\n\n## 查验失败怎么办\n\n重试。"})
    assert "did you mean #查验失败怎么办?" in problem.message


def test_an_empty_company_value_is_a_warning_that_counts_the_articles(check):
    (problem,) = check({"m/a.md": "{{company.hotline}}", "m/b.md": "{{company.hotline}}", "_company.toml": 'name = "x"\nhotline = ""'})
    assert (problem.path, problem.line, problem.rule, problem.error) == ("_company.toml", 2, "company-unset", False)
    assert "2 articles" in problem.message


def test_a_bad_word_list_is_a_problem_of_its_own_file(check):
    assert places(check({"m/a.md": "一", "_words.txt": "报销单\nOFD"})) == [("_words.txt", 2, "vocabulary")]


def test_a_problem_reads_as_place_rule_and_remedy():
    # The form that terminals and editors turn into a link.
    from indexer.lint import Problem  # noqa: PLC0415

    assert str(Problem("m/a.md", 7, "title", "shorten it", error=False)) == "m/a.md:7: warning title: shorten it"


def test_a_company_value_outside_the_body_is_an_error_because_it_would_never_be_filled(check):
    problems = check({"m/a.md": '---\ntitle: "{{company.system_name}}打不开"\n---\n一', "_company.toml": 'system_name = "x"'})
    assert ("m/a.md", 2, "company-key") in places(problems)


def test_a_key_that_stands_twice_is_an_error_at_the_second(check):
    assert ("m/a.md", 3, "front-matter") in places(check({"m/a.md": "---\ntitle: 一\ntitle: 二\n---\n一"}))


REPLY = "---\ntitle: 请补充截图\n---\n请补充截图。"


@pytest.fixture
def check_reply():
    """Lint this canned reply; a folder that is never written and has no article to render costs no time."""

    def check_(text, path="_replies/a.md"):
        folder = Folder(Path("nowhere"), modules=(Module("invoices", "发票"),), company={"hotline": "400"}, replies={path: text})
        return [problem for problem in lint(read(folder, date(2026, 11, 20))) if problem.rule != "no-articles"]

    return check_


def test_a_good_canned_reply_has_no_problem(check_reply):
    assert check_reply("---\ntitle: 请打热线\nmodules: [invoices]\n---\n\n请打热线：{{company.hotline}}。\n\n1. 先准备单号。\n") == []


@pytest.mark.parametrize(
    ("text", "line", "rule", "error"),
    [
        ("没有头", 1, "front-matter", True),
        ("---\ntitle: 一\ntitle: 二\n---\n一", 3, "front-matter", True),
        ("---\nmodules: [invoices]\n---\n一", 1, "title", True),
        ("---\ntitle: ''\n---\n一", 2, "title", True),
        ("---\ntitle: [一]\n---\n一", 2, "title", True),
        ("---\ntitle: 请打{{company.hotline}}\n---\n一", 2, "company-key", True),
        ("---\ntitle: 一\nquestions: [一]\n---\n一", 3, "unknown-key", True),
        ("---\ntitle: 一\nmodule: [invoices]\n---\n一", 3, "unknown-key", True),
        ("---\ntitle: 一\nmodules: [n]\n---\n一", 3, "modules", True),
        ("---\ntitle: 一\nmodules: invoices\n---\n一", 3, "modules", True),
        ("---\ntitle: 一\nmodules: []\n---\n一", 3, "modules", True),
        ("---\ntitle: 一\nmodules: [1]\n---\n一", 3, "modules", True),
        ("---\ntitle: 一\n---\n \n", 4, "empty", True),
        ("---\ntitle: 一\n---\n" + "长" * 2001, 4, "length", True),
        ("---\ntitle: 一\n---\n一\n{{company.nobody}}", 5, "company-key", True),
        ("---\ntitle: 一\n---\n一\n{{name}}", 5, "company-key", True),
        ("---\ntitle: 一\n---\n一\n{{company.hotline}", 5, "company-key", True),
        ("---\ntitle: 一\n---\n一\n（待写）", 5, "placeholder", True),
        ("---\ntitle: 一\n---\n乱\ufffd码", 4, "damaged-text", True),
        ("---\ntitle: 一\n---\n请**务必**补充", 4, "plain-text", False),
        ("---\ntitle: 一\n---\n## 一\n二", 4, "plain-text", False),
        ("---\ntitle: 一\n---\n见[这里](https://example.com)", 4, "plain-text", False),
    ],
)
def test_a_problem_of_a_canned_reply_is_found_on_its_line(check_reply, text, line, rule, error):
    assert [(problem.path, problem.line, problem.rule, problem.error) for problem in check_reply(text)] == [("_replies/a.md", line, rule, error)]


def test_a_canned_reply_may_have_2000_characters_and_counts_as_it_is_sent(check_reply):
    assert check_reply("---\ntitle: 一\n---\n\n" + "长" * 1997 + "{{company.hotline}}\n") == []


@pytest.mark.parametrize("path", ["_replies/票.md", "_replies/A.md", "_replies/m/a.md", "_replies/a.markdown"])
def test_a_canned_reply_has_a_plain_name_in_its_folder(check_reply, path):
    assert places(check_reply(REPLY, path)) == [(path, 1, "path")]


@pytest.mark.parametrize(("written", "meant"), [("modules: [invoice]", "did you mean invoices?"), ("modul: [invoices]", "did you mean modules?")])
def test_a_mistyped_module_or_key_of_a_canned_reply_is_told_the_near_one(check_reply, written, meant):
    (problem,) = check_reply(f"---\ntitle: 一\n{written}\n---\n一")
    assert meant in problem.message


def test_a_canned_reply_is_no_article_to_link_to(check):
    assert places(check({"m/a.md": "见[x](../_replies/a.md)", "_replies/a.md": REPLY})) == [("m/a.md", 7, "dead-link")]


def test_canned_replies_alone_are_no_articles(check):
    assert [problem.rule for problem in check({"_replies/a.md": REPLY, "_modules.toml": ""})] == ["no-articles"]


def test_an_empty_company_value_counts_the_canned_replies_too(check):
    reply = "---\ntitle: 一\n---\n{{company.hotline}}"
    (problem,) = check({"m/a.md": "{{company.hotline}}", "_replies/a.md": reply, "_replies/b.md": reply, "_company.toml": 'hotline = ""'})
    assert "1 article and 2 canned replies" in problem.message
