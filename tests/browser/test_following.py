"""As somebody types: results that follow the keys, suggestions to choose from, and nothing sent of what an input method still composes."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_pages import problems, too_wide
from tests.browser.test_typing import compose, forgive, type_and_see

pytestmark = pytest.mark.browser
PLACES = {"the first page": "/", "a module": "/m/invoices", "the results": "/search?q=报销"}
ARTICLE = "/a/invoices/lost-invoice"


def searches(person):
    """Return what was searched or looked up, in order."""
    return [request.url for request in person.requests if re.search(r"part=results|/api/v1/(search|suggest)\?", request.url)]


def intents(person):
    return [request.post_data_json for request in person.posts() if request.url.endswith("/intents")]


@pytest.fixture
def widget(people, site):
    """Somebody with the widget open on a page of another look, and a clock that runs and may be put forward; `box` is its search box."""
    person = people()
    person.page.clock.install()
    person.page.goto(f"{site.url}/widget/demo")
    person.page.get_by_role("button", name="帮助").click()
    person.box = person.page.get_by_role("dialog").locator("input").first
    return person


@pytest.fixture
def reader(people, site):
    """Somebody at the end of an article, at the box to ask again."""
    person = people()
    person.page.goto(site.url + ARTICLE)
    person.box = person.page.get_by_role("combobox")
    person.list = person.page.get_by_role("listbox")
    person.box.focus()
    return person


def test_results_follow_every_character_and_nothing_is_written(people, site):
    asker = people()
    asker.page.goto(site.url)
    seen = []
    for text in ("发", "发票", "发票查", "发票查验", "发票查验失败"):
        type_and_see(asker, text[len(seen[-1][0]) if seen else 0 :])
        expect(asker.page.locator("[data-hit]").first).to_be_visible()
        seen.append((text, asker.page.locator("[data-results]").inner_text()))
    assert len({result for _, result in seen}) == len(seen)
    expect(asker.page.locator(".answer h2")).to_have_text("发票查验失败怎么办")
    assert asker.posts() == []


@pytest.mark.parametrize("place", PLACES)
def test_pinyin_typed_in_letters_brings_articles_from_the_first_one_and_no_premature_verdict(people, site, place):
    asker = people()
    asker.page.goto(site.url + PLACES[place])
    asker.page.evaluate("""() => {
        window.told = [];
        new MutationObserver(() => window.told.push(document.querySelector("[data-results]").innerText))
            .observe(document.querySelector("[data-results]"), { childList: true });
    }""")
    asker.page.locator("#q").fill("")
    for letter in "fapiaochayan":
        type_and_see(asker, letter)
    expect(asker.page.locator("[data-results]")).to_contain_text("已按“发票查验”搜索")
    told = asker.page.evaluate("window.told")
    assert len(told) >= 10
    assert [text for text in told if "还没有这个问题的答案" in text or "再多说" in text or "没有提到" in text or "发票" not in text] == []


def test_a_slow_early_answer_never_replaces_a_later_one(people, site):
    asker = people()
    asker.page.goto(site.url)
    held, failed = [], []
    asker.page.on("requestfailed", lambda request: failed.append(request.url))
    asker.page.route(re.compile("q=%E5%8F%91%E7%A5%A8&.*part=results"), lambda route: held.append(route))  # noqa: PLW0108 - playwright marks its handlers
    asker.page.locator("#q").fill("发票")
    asker.page.wait_for_timeout(300)
    asker.page.locator("#q").fill("审批一直不动")
    expect(asker.page.locator(".answer h2")).to_contain_text("审批")
    shown = asker.page.locator("[data-results]").inner_text()
    assert len(held) == len(failed) == 1, "the overtaken request was not given up"
    held[0].fulfill(body="<p>late</p>")
    asker.page.wait_for_timeout(300)
    assert asker.page.locator("[data-results]").inner_text() == shown


def test_a_slow_early_answer_never_replaces_a_later_one_in_the_widget(widget):
    held = []
    widget.page.route(re.compile("q=%E5%8F%91%E7%A5%A8&"), lambda route: held.append(route))  # noqa: PLW0108 - playwright marks its handlers
    widget.box.fill("发票")
    widget.page.wait_for_timeout(300)
    widget.box.fill("审批一直不动")
    dialog = widget.page.get_by_role("dialog")
    expect(dialog.locator("h2")).to_contain_text("审批")
    shown = dialog.inner_text()
    held[0].fulfill(json={"query": "发票", "verdict": "unanswered", "reason": {"matched": [], "missing": []}, "hits": [], "corrected": None})
    widget.page.wait_for_timeout(300)
    assert dialog.inner_text() == shown


def test_a_lost_network_says_what_to_do_and_keeps_what_was_typed(people, site):
    asker = people()
    asker.page.goto(site.url)
    asker.page.route("**/search?*", lambda route: route.abort())
    asker.page.locator("#q").fill("发票查验失败")
    expect(asker.page.get_by_role("alert")).to_have_text("暂时连不上。你的问题还在框里，稍后按回车再试。")
    expect(asker.page.locator("#q")).to_have_value("发票查验失败")
    asker.page.unroute("**/search?*")
    asker.page.locator("#q").press("Enter")
    expect(asker.page.locator(".answer")).to_be_visible()
    forgive(asker)


@pytest.mark.parametrize("place", PLACES)
def test_while_an_input_method_composes_nothing_is_searched_logged_or_finished(people, site, place):
    asker = people()
    asker.page.clock.install()
    asker.page.goto(site.url + PLACES[place])
    asker.page.locator("#q").fill("")
    asker.page.locator("#q").focus()
    asker.page.clock.fast_forward(800)
    before = len(asker.requests)
    keyboard = compose(asker, "f", "fa", "fap", "fa'piao")
    asker.page.clock.fast_forward(800)
    asker.page.locator("#q").press("Enter")  # chooses the letters as they are in many input methods, and asks nothing
    asker.page.evaluate("dispatchEvent(new Event('pagehide'))")
    asker.page.wait_for_timeout(400)
    assert [request.url for request in asker.requests[before:]] == []
    with asker.page.expect_request(lambda request: "part=results" in request.url) as search:
        keyboard.send("Input.insertText", {"text": "发票查验失败"})
    assert "typing=1" in search.value.url
    expect(asker.page.locator(".answer h2")).to_have_text("发票查验失败怎么办")
    assert len(searches(asker)) == 1
    assert intents(asker) == []


def test_while_an_input_method_composes_the_widget_sends_nothing(widget):
    widget.box.focus()
    before = len(widget.requests)
    keyboard = compose(widget, "f", "fa", "fap", "fa'piao")
    widget.page.clock.fast_forward(800)
    widget.page.evaluate("dispatchEvent(new Event('pagehide'))")
    widget.page.wait_for_timeout(300)
    assert [request.url for request in widget.requests[before:]] == []
    keyboard.send("Input.insertText", {"text": "发票查验失败"})
    expect(widget.page.get_by_role("dialog").locator("h2")).to_have_text("发票查验失败怎么办")
    assert len(searches(widget)) == 1
    assert intents(widget) == []


def test_the_widget_says_nothing_of_missing_answers_about_half_a_word(widget):
    dialog = widget.page.get_by_role("dialog")
    widget.box.fill("fap")
    expect(dialog.locator(".hits a").first).to_be_visible()
    assert not re.search("没有找到|没有提到|再多说", dialog.inner_text())
    widget.box.fill("zzqx")
    expect(dialog).to_contain_text("接着输入试试")
    assert not re.search("没有找到答案|没有提到", dialog.inner_text())


def test_an_example_fills_the_box_and_is_finished_like_enter(people, site):
    asker = people()
    asker.page.goto(site.url)
    asker.page.locator("#q").fill("怎么")
    example = asker.page.locator("[data-example]").first
    words = example.inner_text()
    example.click()
    expect(asker.page.locator(".answer")).to_be_visible()
    expect(asker.page.locator("#q")).to_have_value(words)
    assert [(intent["trigger"], intent["query"]) for intent in intents(asker)] == [("enter", words)]


def test_at_the_end_of_an_article_questions_are_suggested_in_a_listbox(reader):
    reader.box.evaluate("""box => ["发", "发票"].forEach((text) => {
        box.value = text;
        box.dispatchEvent(new InputEvent("input", { bubbles: true }));
    })""")  # in one breath, however busy the machine
    expect(reader.list).to_be_visible()
    options = reader.list.get_by_role("option")
    assert 1 <= options.count() <= 6
    expect(reader.box).to_have_attribute("aria-expanded", "true")
    assert reader.box.get_attribute("aria-controls") == reader.list.get_attribute("id")
    expect(reader.page.locator(".again [role=status]")).to_have_text(f"有 {options.count()} 个现成的问法，按上下键选")
    assert len(searches(reader)) == 1, "two keys in one breath are one request"
    assert problems(reader.page) == []


def test_arrows_move_enter_takes_and_the_choice_is_finished_as_a_question(reader):
    reader.box.press_sequentially("发票")
    options = reader.list.get_by_role("option")
    expect(reader.list).to_be_visible()
    for key, at in (
        ("ArrowDown", 0),
        ("ArrowDown", 1),
        ("ArrowUp", 0),
        ("ArrowUp", None),
        ("ArrowUp", options.count() - 1),
        ("ArrowDown", None),
        ("ArrowDown", 0),
    ):
        reader.box.press(key)
        chosen = [one for one in range(options.count()) if options.nth(one).get_attribute("aria-selected") == "true"]
        assert chosen == ([] if at is None else [at])
        assert reader.box.get_attribute("aria-activedescendant") == (None if at is None else options.nth(at).get_attribute("id"))
    expect(reader.box).to_have_value("发票")
    words = options.first.inner_text()
    reader.box.press("Enter")
    reader.page.wait_for_url("**/search?q=*&i=*")
    expect(reader.page.locator("#q")).to_have_value(words)
    expect(reader.page.locator(".answer")).to_be_visible()
    posted = [request.post_data for request in reader.posts() if request.url.endswith("/search")]
    assert len(posted) == 1
    assert "trigger=enter" in posted[0]


def test_escape_closes_the_list_and_keeps_the_words_and_tab_leaves(reader):
    reader.box.press_sequentially("发票")
    expect(reader.list).to_be_visible()
    reader.box.press("ArrowDown")
    reader.box.press("Escape")
    expect(reader.list).to_be_hidden()
    expect(reader.box).to_have_value("发票")
    expect(reader.box).to_have_attribute("aria-expanded", "false")
    assert reader.box.get_attribute("aria-activedescendant") is None
    reader.box.press("ArrowDown")
    expect(reader.list).to_be_visible()
    reader.box.press("Tab")
    expect(reader.list).to_be_hidden()
    expect(reader.page.get_by_role("button", name="搜索")).to_be_focused()
    assert reader.posts() == []


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_suggestion_is_taken_by_mouse_and_by_touch(people, site, size):
    reader = people(size, has_touch=size == "phone")
    reader.page.goto(site.url + ARTICLE)
    reader.page.get_by_role("combobox").press_sequentially("审批")
    option = reader.page.get_by_role("option").nth(1)
    expect(option).to_be_visible()
    assert option.bounding_box()["height"] >= 44
    assert too_wide(reader.page) <= 0
    words = option.inner_text()
    if size == "phone":
        option.tap()
    else:
        option.click()
    reader.page.wait_for_url("**/search?q=*&i=*")
    expect(reader.page.locator("#q")).to_have_value(words)


def test_suggestions_wait_for_the_input_method_and_a_late_answer_opens_nothing(reader):
    keyboard = compose(reader, "f", "fapiao")
    reader.page.wait_for_timeout(500)
    reader.box.press("Enter")
    assert searches(reader) == reader.posts() == []
    held = []
    reader.page.route("**/api/v1/suggest*", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks its handlers
    keyboard.send("Input.insertText", {"text": "发票"})
    reader.page.wait_for_timeout(400)
    assert len(held) == 1
    reader.box.press("Tab")
    held[0].fulfill(json={"suggestions": ["发票丢了怎么办"]})
    reader.page.wait_for_timeout(200)
    expect(reader.list).to_be_hidden()


def test_without_suggestions_the_form_works_as_ever(reader):
    reader.page.route("**/api/v1/suggest*", lambda route: route.abort())
    reader.box.press_sequentially("发票查验失败")
    reader.page.wait_for_timeout(300)
    expect(reader.list).to_be_hidden()
    reader.box.press("Enter")
    reader.page.wait_for_url("**/search?q=*&i=*")
    expect(reader.page.locator(".answer")).to_be_visible()
    forgive(reader)
