"""The demo page for those who embed us: button, box and a list of the page's own, options tried at once; and the documented policy on a strict page."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import problems, too_wide

pytestmark = pytest.mark.browser
DOCUMENT = Path(__file__).parents[2] / "docs" / "widget.md"
both_looks = pytest.mark.parametrize("query", ["", "?css=hostile"], ids=["plain", "hostile"])


@pytest.fixture
def demo(people, site):
    """Open the demo with a query as somebody with a browser; `options` is its form and `launch` the widget's button."""

    def open_(query="", size="desktop", **browser):
        person = people(size, **browser)
        person.page.goto(f"{site.url}/widget/demo{query}")
        person.options = person.page.locator("[data-options]")
        person.launch = person.page.locator("zhida-help").get_by_role("button").first
        return person

    return open_


def apply(person, **chosen):
    for name, value in chosen.items():
        field = person.options.locator(f"[name={name}]")
        if name == "label":
            field.fill(value)
        else:
            field.select_option(value)
    person.options.get_by_role("button").click()


@both_looks
def test_button_box_and_the_page_s_own_list_find_the_same_answer(demo, query):
    person = demo(query)
    person.launch.click()
    panel = person.page.locator("zhida-help").get_by_role("dialog")
    panel.locator("input").first.fill("发票查验失败")
    expect(panel).to_contain_text("先拿发票原件核对三项")
    person.page.keyboard.press("Escape")

    person.page.locator("kb-search").get_by_role("combobox").fill("发票查验失败")
    expect(person.page.locator("kb-search").get_by_role("dialog")).to_contain_text("先拿发票原件核对三项")
    person.page.keyboard.press("Escape")

    person.page.locator("[name=question]").fill("发票查验失败")
    expect(person.page.locator("[data-found] a").first).to_have_text("发票查验失败怎么办")
    person.page.get_by_role("button", name="在面板里打开").click()
    expect(panel).to_contain_text("先拿发票原件核对三项")
    assert "发票查验失败" in person.page.locator("[data-log]").inner_text()


def test_an_error_of_the_page_brings_a_hint_and_takes_no_focus(demo):
    person = demo()
    upload = person.page.locator("[data-upload]")
    upload.click()
    expect(person.page.locator("[data-wrong]")).to_have_text("上传失败（invoice.upload.failed）")
    expect(person.page.locator("zhida-help").get_by_role("status").filter(has_text="上传失败怎么办")).to_be_visible()
    expect(upload).to_be_focused()


def test_options_are_tried_without_loading_the_page_again_and_stand_in_the_copied_lines(demo):
    person = demo()
    person.page.evaluate("window.same = true")
    apply(person, position="left", theme="dark", label="求助", size="small")
    expect(person.launch).to_have_text("求助")
    assert person.launch.bounding_box()["x"] < 100
    tag = '<script src="{}/widget/v1.js" defer data-kb="SITE" data-position="left" data-theme="dark" data-size="small" data-label="求助"></script>'
    expect(person.page.locator("[data-snippet]")).to_have_text(tag.format(person.page.url.split("/widget")[0]))
    apply(person, position="right", theme="auto", label="", size="medium")
    expect(person.launch).to_have_text("帮助")
    assert person.launch.bounding_box()["x"] > 1000
    apply(person, mode="headless")
    expect(person.page.locator("zhida-help")).to_have_count(0)
    expect(person.page.locator("[data-snippet]")).to_contain_text('data-mode="headless"')
    assert person.page.evaluate("window.same")
    assert person.page.locator("zhida-help").count() == 0
    person.page.reload()
    expect(person.page.locator("[data-snippet]")).to_contain_text('data-mode="headless"')
    expect(person.options.locator("[name=mode]")).to_have_value("headless")


def test_the_lines_are_copied_at_a_press(demo):
    person = demo("?position=left")
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.page.get_by_role("button", name="复制").click()
    expect(person.page.locator("[data-copied]")).to_have_text("已复制")
    assert person.page.evaluate("navigator.clipboard.readText()") == person.page.locator("[data-snippet]").inner_text()


@pytest.mark.parametrize(("query", "size"), [("", "desktop"), ("?css=hostile", "phone")], ids=["plain", "hostile on a phone"])
def test_axe_finds_nothing_on_the_demo_and_it_is_no_wider_than_the_window(demo, query, size):
    person = demo(query, size)
    assert problems(person.page) == []
    assert too_wide(person.page) <= 0
    person.page.locator("[name=question]").fill("审批一直不动")
    expect(person.page.locator("[data-found] a").first).to_be_visible()
    person.page.locator("[data-upload]").click()
    expect(person.page.locator("[data-wrong]")).to_be_visible()
    assert problems(person.page) == []
    assert too_wide(person.page) <= 0


@both_looks
def test_without_scripts_the_demo_says_so_and_its_forms_work(demo, site, query):
    person = demo(query, java_script_enabled=False)
    expect(person.page.locator("noscript strong")).to_be_visible()
    expect(person.page.locator("noscript strong")).to_contain_text("浏览器没有开 JavaScript")
    expect(person.page.locator("[data-copy]")).to_be_hidden()
    apply(person, position="left")
    expect(person.page.locator("[data-snippet]")).to_contain_text('data-position="left"')
    person.page.locator("kb-search input").fill("发票查验失败")
    person.page.locator("kb-search button").click()
    expect(person.page.locator(".answer h2")).to_have_text("发票查验失败怎么办")


def test_the_documented_policy_is_all_that_a_strict_page_adds(people, site):
    person = people()
    ours = re.search(r"^script-src https://help\.example\.com;.*$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)[0].replace(
        "https://help.example.com", site.url
    )
    policy = f"default-src 'none'; {ours}; require-trusted-types-for 'script'; trusted-types zhida"
    body = f'<!doctype html><html lang="zh"><title>x</title><body><kb-search></kb-search><script src="{site.url}/widget/v1.js" defer></script></body></html>'
    person.page.route("**/host", lambda route: route.fulfill(content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy}, body=body))
    person.page.goto(f"{site.url}/host")
    person.page.locator("zhida-help").get_by_role("button", name="帮助").click()
    panel = person.page.locator("zhida-help").get_by_role("dialog")
    panel.locator("input").first.fill("发票查验失败")
    expect(panel.locator("section p, section li").first).to_be_visible()
    assert panel.evaluate("panel => getComputedStyle(panel).position") == "fixed"
