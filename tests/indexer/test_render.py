import pytest

from indexer.cache import Cache
from indexer.render import Renderer, RenderError, anchor_of, plain_text, render, resolve_link


@pytest.mark.parametrize(
    ("target", "resolved"),
    [
        ("other.md", "/a/invoices/other"),
        ("./other.md#a", "/a/invoices/other#a"),
        ("../loans/apply.md#怎么还", "/a/loans/apply#怎么还"),
        ("flow.svg", "/media/invoices/flow.svg"),
        ("../loans/flow.svg", "/media/loans/flow.svg"),
        ("a&b.svg", "/media/invoices/a%26b.svg"),
        ("额度 图.svg", "/media/invoices/额度%20图.svg"),
        (" 额度%20图.svg ", "/media/invoices/额度%20图.svg"),
        ("100%.svg", "/media/invoices/100%25.svg"),
        ("图(1).svg", "/media/invoices/图%281%29.svg"),
        ("..%2f..%2fetc%2fpasswd", None),
        ("%2e%2e/%2e%2e/a.svg", None),
        ("#below", "#below"),
        ("https://example.com/a?b#c", "https://example.com/a?b#c"),
        ("mailto:a@b.cn", "mailto:a@b.cn"),
        ("tel:400", "tel:400"),
        ("/desk", None),
        ("//evil.example", None),
        ("\\\\evil.example", None),
        ("/\\evil.example", None),
        ("http:evil.example", None),
        ("https:///evil.example", None),
        ("javascript:alert(1)", None),
        ("JaVa\nScript:alert(1)", None),
        (" data:text/html,x", None),
        ("vbscript:x", None),
        ("file:///etc/passwd", None),
        ("../../etc/passwd", None),
        ("../../../etc/passwd.md", None),
        ("a/b/c.md", None),
        ("../top.svg", None),
        ("..", None),
    ],
)
def test_a_link_leads_to_an_article_a_file_beside_it_or_nowhere(target, resolved):
    assert resolve_link("invoices/verify", target) == resolved


def test_each_second_and_third_level_heading_begins_a_section_and_the_lead_has_none():
    pieces = render("m/a", "先说。\n\n## 一\n\n甲\n\n### 一之一\n\n乙\n\n#### 小\n\n丙\n\n## 二\n\n丁")
    assert [(piece.level, piece.anchor, piece.heading, piece.text) for piece in pieces] == [
        (1, "", "", "先说。"),
        (2, "一", "一", "甲"),
        (3, "一之一", "一之一", "乙\n小\n丙"),
        (2, "二", "二", "丁"),
    ]


def test_a_text_that_begins_with_its_heading_keeps_all_its_words():
    assert render("m/a", "## 报销\n\n报销单先提交。")[1].text == "报销单先提交。"


@pytest.mark.parametrize(
    ("heading", "shown"),
    [
        ("1\\. 步骤", "1. 步骤"),
        ("甲 & 乙 < 丙", "甲 & 乙 < 丙"),
        ("`U8+` 与 **K/3**", "U8+ 与 K/3"),
        ("见[查验](../invoices/verify.md)", "见查验"),
        ("甲 <kbd>Ctrl</kbd> 乙", "甲 Ctrl 乙"),
        ("甲 {: onclick=alert(1) }", "甲"),
    ],
)
def test_a_heading_is_shown_in_plain_words(heading, shown):
    piece = render("m/a", f"## {heading}\n\n文")[1]
    assert piece.heading == shown
    assert piece.html == "<p>文</p>"


def test_two_headings_with_the_same_words_have_two_anchors():
    assert len({piece.anchor for piece in render("m/a", "## 甲\n\n一\n\n## 甲\n\n二\n\n## 甲\n\n三")}) == 4


@pytest.mark.parametrize("heading", ["发票 查验", "發票　查驗", "发票-查验", "**发票** 查验?"])
def test_an_anchor_does_not_change_with_punctuation_or_script(heading):
    assert anchor_of(heading) == "发票-查验"


def test_a_heading_without_words_has_an_anchor_too():
    assert anchor_of("???") == "section"


def test_a_hash_inside_code_is_no_heading():
    pieces = render("m/a", "## 甲\n\n````\n```\n## 不是\n```\n````\n\n    ## 也不是\n\n> ## 引用里的")
    assert [piece.heading for piece in pieces] == ["", "甲"]


def test_a_heading_is_cut_off_whatever_stands_open_before_it():
    for before in ("<div>\n", "<table><tr><td>x\n", "> 引用\n", "- 项\n", "```\n没关\n", "**没关\n", "<b>没关\n", "<!-- 没关\n", "&lt;!--\n"):
        pieces = render("m/a", f"{before}\n## 甲\n\n文字乙")
        assert "文字乙" in pieces[-1].text, before


@pytest.mark.parametrize(
    "body",
    [
        "<script>alert(1)</script>",
        "<style>body{}</style>",
        "<svg><script>alert(1)</script></svg>",
        '<p style="x" onclick="alert(1)" class="y">a</p>',
        '<img src="https://evil.example/pixel.png" alt="x">',
        "![x](https://evil.example/pixel.png)",
        "[x](javascript:alert(1))",
        '<a href="/desk" target="_blank">x</a>',
        "# 一级",
    ],
)
def test_what_an_article_may_not_hold_is_gone(body):
    (piece,) = render("m/a", body)
    for forbidden in ("script", "style", "onclick", "class", "evil", "alert", 'href="/desk', "target", "<h1"):
        assert forbidden not in piece.html


def test_a_picture_beside_the_article_is_shown_lazily_and_a_link_out_sends_no_referrer():
    (piece,) = render("m/a", "![图](flow.svg) [x](https://example.com)")
    assert '<img src="/media/m/flow.svg" alt="图" loading="lazy">' in piece.html.replace('alt="图" src="/media/m/flow.svg"', 'src="/media/m/flow.svg" alt="图"')
    assert 'rel="noopener noreferrer"' in piece.html


def test_plain_text_has_one_line_for_each_block_and_the_signs_as_written():
    html = render("m/a", "甲 **乙**丙\n\n- 丁\n- 戊\n\n|己|庚|\n|---|---|\n|1 < 2|&amp;amp;|\n\n`<b>`")[0].html
    assert plain_text(html).splitlines() == ["甲 乙丙", "丁", "戊", "己", "庚", "1 < 2", "&amp;", "<b>"]


def test_a_run_of_characters_is_not_torn_by_emphasis():
    assert render("m/a", "数电**发票**查`验`")[0].text == "数电发票查验"


def test_an_article_that_takes_too_long_is_refused_and_the_next_one_is_rendered():
    with Renderer(time_limit=2) as renderer:
        with pytest.raises(RenderError, match="longer than 2 s"):
            renderer.render("m/a", "[" * 190_000)
        assert renderer.render("m/a", "**好**")[0].text == "好"


def test_an_article_that_is_nested_too_deeply_is_refused_and_the_next_one_is_rendered():
    with Renderer() as renderer:
        with pytest.raises(RenderError, match="nested too deeply"):
            renderer.render("m/a", "* " * 5000 + "a")
        assert renderer.render("m/a", "**好**")[0].text == "好"


def test_the_child_process_renders_as_we_do():
    body = "先说。\n\n## 一 & 二\n\n|甲|\n|---|\n|乙|\n\n## 三\n\n[x](a.md)"
    with Renderer() as renderer:
        assert renderer.render("m/a", body) == render("m/a", body)


def test_an_article_that_was_rendered_before_is_not_rendered_again_and_is_the_same(tmp_path):
    body = "先说 [x](a.md)。\n\n## 一 & 二\n\n|甲|\n|---|\n|乙|"
    for made in (1, 0):
        cache = Cache(tmp_path / "pieces", "1")
        with Renderer(cache=cache) as renderer:
            assert renderer.render("m/a", body) == render("m/a", body)
        cache.save()
        assert cache.made == made
    with Renderer(cache=cache) as renderer:
        assert renderer.render("n/a", body) == render("n/a", body)  # the same text elsewhere has other links


def test_an_article_that_could_not_be_rendered_is_tried_again(tmp_path):
    cache = Cache(tmp_path / "pieces", "1")
    with Renderer(cache=cache) as renderer:
        for _ in range(2):
            with pytest.raises(RenderError, match="nested too deeply"):
                renderer.render("m/a", "* " * 5000 + "a")
    assert cache.made == 0
