"""What becomes of a question while it is typed: corrected, deleted, composed, sent over a network that is slow or away."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT
from tests.browser.test_pages import problems
from tests.browser.test_stories import ask, sign_in

pytestmark = pytest.mark.browser
INTENTS = "**/api/v1/intents"
REST = int(re.search(r"REST = (\d+)", (ROOT / "kb" / "static" / "intents.js").read_text(encoding="utf-8"))[1])
"""Milliseconds."""
UNKNOWN_CONNECTION = re.compile(r"ERR_FAILED|ERR_INTERNET_DISCONNECTED|status of (409|503)")


@pytest.fixture
def asker(people, site):
    """Somebody on the first page, with a clock that runs and that the test may put forward."""
    person = people()
    person.page.clock.install()
    person.page.goto(site.url)
    return person


def forgive(person):
    """Forget the complaints that a network switched off by the test must cause."""
    person.complaints[:] = [complaint for complaint in person.complaints if not UNKNOWN_CONNECTION.search(complaint)]


def searched(answer):
    """Return the question whose results an answer brings, None for other answers."""
    asked = parse_qs(urlsplit(answer.url).query)
    return asked["q"][0] if asked.get("part") == ["results"] else None


def type_and_see(person, text):
    """Type, and wait until the results of all that stands in the box then are shown."""
    box = person.page.locator("#q")
    box.press_sequentially(text[:-1], delay=15)
    before, after = box.evaluate("box => [box.value.slice(0, box.selectionStart), box.value.slice(box.selectionEnd)]")
    with person.page.expect_response(lambda answer: searched(answer) == f"{before}{text[-1]}{after}".strip()):
        box.press_sequentially(text[-1])
    expect(person.page.locator("[data-results]")).not_to_have_attribute("aria-busy", "true")


def rest(person):
    """Let as much time pass as makes a question of what stands in the box."""
    person.page.clock.fast_forward(REST + 100)


def sent(person):
    """Return the finished questions that were posted, as (trigger, query, id)."""
    bodies = [request.post_data_json for request in person.posts() if request.url.endswith("/intents")]
    return [(body["trigger"], body["query"], body["intent_id"]) for body in bodies]


def leave(person):
    """Tell the page that it is left: what a page sends while it goes away is not seen by playwright."""
    person.page.evaluate("() => { dispatchEvent(new Event('pagehide')); }")
    person.page.wait_for_timeout(300)


def compose(person, *steps):
    keyboard = person.page.context.new_cdp_session(person.page)
    for letters in steps:
        keyboard.send("Input.imeSetComposition", {"text": letters, "selectionStart": len(letters), "selectionEnd": len(letters)})
    return keyboard


def test_a_jump_inside_the_page_does_not_load_it_again(people, site):
    asker = people()
    ask(asker, site, "茶水间在几楼")
    expect(asker.page.locator(".receipt")).to_be_visible()
    asker.page.evaluate("window.mark = true")
    asker.page.locator(".skip").focus()
    asker.page.keyboard.press("Enter")
    asker.page.wait_for_url("**#main")
    asker.page.wait_for_timeout(500)
    assert asker.page.evaluate("window.mark"), "the skip link reloaded the page"
    asker.page.go_back()
    asker.page.go_back()
    expect(asker.page.locator("[data-home]")).to_be_visible()
    assert asker.page.evaluate("location.pathname") == "/"


def test_the_same_words_after_escape_show_their_results_again(asker):
    box = asker.page.locator("#q")
    type_and_see(asker, "发票查验失败")
    box.press("Escape")
    expect(asker.page.locator("[data-home]")).to_be_visible()
    compose(asker, "fapiao").send("Input.insertText", {"text": "发票查验失败"})
    expect(asker.page.locator(".answer")).to_be_visible()
    expect(asker.page.locator("[data-home]")).to_be_hidden()


def test_a_trailing_space_does_not_stop_the_search(asker):
    asker.page.locator("#q").press_sequentially("发票查验失败 ", delay=15)
    expect(asker.page.locator(".answer")).to_be_visible()


def test_a_question_deleted_for_another_one_is_sent_as_it_was(asker):
    box = asker.page.locator("#q")
    type_and_see(asker, "宿舍怎么申请")
    for _ in range(6):
        box.press("Backspace", delay=30)
    type_and_see(asker, "班服尺码怎么换")
    assert [one[:2] for one in sent(asker)] == [("next", "宿舍怎么申请")]
    leave(asker)
    assert [one[:2] for one in sent(asker)][1:] == [("leave", "班服尺码怎么换")]
    assert len({one[2] for one in sent(asker)}) == 2


def test_a_deleted_question_is_sent_on_leaving(asker, site):
    before = len(site.tickets())
    type_and_see(asker, "宿舍空调谁来修")
    for _ in range(7):
        asker.page.locator("#q").press("Backspace", delay=30)
    asker.page.goto("about:blank")
    asker.page.wait_for_timeout(500)
    assert len(site.tickets()) == before + 1
    assert "宿舍空调谁来修" in json.dumps(site.tickets(), ensure_ascii=False)


def test_a_corrected_typing_error_is_no_question_of_its_own(asker):
    box = asker.page.locator("#q")
    type_and_see(asker, "发票查宴失败")
    for _ in range(2):
        box.press("ArrowLeft")
    box.press("Backspace")
    type_and_see(asker, "验")
    expect(asker.page.locator(".answer")).to_be_visible()
    assert sent(asker) == []


def test_nothing_half_composed_is_finished_by_rest_or_leaving(asker):
    type_and_see(asker, "食堂")
    keyboard = compose(asker, "jidian")
    rest(asker)
    asker.page.wait_for_timeout(300)
    assert sent(asker) == [], "the rest timer ran on while composing"
    keyboard.send("Input.insertText", {"text": "几点关门"})
    with asker.page.expect_request(INTENTS) as rested:
        rest(asker)
    assert rested.value.post_data_json["query"] == "食堂几点关门"
    assert rested.value.post_data_json["trigger"] == "idle"


def test_composing_on_an_android_keyboard_is_searched_but_not_finished(people, site):
    asker = people("phone", user_agent="Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36")
    asker.page.clock.install()
    asker.page.goto(site.url)
    asker.page.locator("#q").focus()
    with asker.page.expect_request(lambda request: "part=results" in request.url):
        compose(asker, "vpn", "vpn8842")
    rest(asker)
    leave(asker)
    assert sent(asker) == []


def test_typing_on_after_enter_over_a_slow_network_is_a_wish_of_its_own(asker):
    box = asker.page.locator("#q")
    held = []
    asker.page.route(INTENTS, lambda route: held.append(route))  # noqa: PLW0108 - playwright marks its handlers
    type_and_see(asker, "工位电话怎么开通")
    box.press("Enter")
    asker.page.wait_for_timeout(100)
    box.fill("门禁卡丢了找谁补")
    asker.page.wait_for_timeout(400)
    address = asker.page.url
    held[0].continue_()
    asker.page.wait_for_timeout(800)
    assert asker.page.url == address, "the address speaks of a question whose results are not shown"
    expect(asker.page.locator(".receipt")).to_have_count(0)
    expect(box).to_have_value("门禁卡丢了找谁补")
    asker.page.unroute(INTENTS)
    box.press("Enter")
    expect(asker.page.locator(".receipt")).to_be_visible()
    assert [one[:2] for one in sent(asker)] == [("enter", "工位电话怎么开通"), ("enter", "门禁卡丢了找谁补")]
    assert sent(asker)[0][2] != sent(asker)[1][2]


def test_a_send_that_failed_after_typing_on_is_made_up_for_later(asker):
    box = asker.page.locator("#q")
    held = []
    asker.page.route(INTENTS, lambda route: held.append(route))  # noqa: PLW0108 - playwright marks its handlers
    type_and_see(asker, "保险柜钥匙在谁那里")
    box.press("Enter")
    asker.page.wait_for_timeout(100)
    box.fill("会议投影仪坏了")
    asker.page.wait_for_timeout(400)
    held[0].abort()
    asker.page.wait_for_timeout(300)
    expect(asker.page.get_by_role("alert")).to_have_count(0)
    asker.page.unroute(INTENTS)
    box.press("Enter")
    expect(asker.page.locator(".receipt")).to_be_visible()
    posted = sent(asker)
    assert [one[:2] for one in posted[1:]] == [("enter", "保险柜钥匙在谁那里"), ("enter", "会议投影仪坏了")]
    assert posted[0][2] == posted[1][2] != posted[2][2]
    forgive(asker)


def test_a_question_too_long_to_leave_with_is_sent_cut(asker):
    text = "宿舍热水什么时候有" * 3000
    asker.page.locator("#q").fill(text)
    asker.page.locator("#q").press("Enter")
    expect(asker.page.get_by_role("alert")).to_have_count(0)
    asker.page.wait_for_url("**&i=*")
    assert [one[1] for one in sent(asker)] == [text[:2000]]


def test_the_button_below_results_works_after_the_box_was_cleared(people, site):
    asker = people()
    asker.page.goto(f"{site.url}/search?q=停车位怎么申请")
    asker.page.locator("#q").fill("")
    asker.page.locator("[data-unsolved] button").click()
    expect(asker.page.locator(".receipt")).to_contain_text("已替你记下")
    assert sent(asker)[0][:2] == ("unsolved", "停车位怎么申请")
    expect(asker.page.locator("#q")).to_have_value("停车位怎么申请")


def test_a_rest_that_could_not_be_sent_is_sent_on_leaving(asker):
    asker.page.route(INTENTS, lambda route: route.abort())
    type_and_see(asker, "年会节目谁来排")
    with asker.page.expect_event("requestfailed", lambda request: request.url.endswith("/intents")):
        rest(asker)
    asker.page.wait_for_timeout(200)
    asker.page.unroute(INTENTS)
    leave(asker)
    posted = sent(asker)
    assert [one[:2] for one in posted] == [("idle", "年会节目谁来排"), ("leave", "年会节目谁来排")]
    assert posted[0][2] == posted[1][2]
    forgive(asker)


def test_an_id_that_belongs_to_another_is_replaced_once(asker):
    taken = []

    def refuse_first(route):
        taken.append(route.request.post_data_json["intent_id"])
        if len(taken) == 1:
            route.fulfill(status=409, json={"error": {"code": "conflict"}})
        else:
            route.continue_()

    asker.page.route(INTENTS, refuse_first)
    type_and_see(asker, "绿植谁来浇水")
    asker.page.locator("#q").press("Enter")
    expect(asker.page.locator(".receipt")).to_be_visible()
    assert len(taken) == len(set(taken)) == 2
    expect(asker.page).to_have_url(re.compile(taken[1]))
    forgive(asker)


@pytest.mark.parametrize("path", ["/", "/m/invoices", "/search?q=发票"])
def test_one_live_region_says_what_came(people, site, path):
    asker = people()
    asker.page.goto(site.url + path)
    region = asker.page.locator("main [role=status]:not([data-thanks])")
    expect(region).to_have_count(1)
    region.evaluate("node => { window.region = node; }")
    asker.page.locator("#q").fill("发票查验失败")
    expect(region).to_have_text(re.compile(r"^找到答案，共 \d+ 条$"))
    expect(asker.page.get_by_text(region.inner_text(), exact=True)).to_have_count(1)
    asker.page.locator("#q").fill("快递柜谁来修")
    asker.page.locator("#q").press("Enter")
    expect(region).to_have_text(re.compile(r"^还没有答案，已替你记下（T-\d+）。"))
    assert region.evaluate("node => node === window.region"), "the live region was replaced"
    assert asker.page.locator("[data-results] [role=status]:not([data-thanks])").count() == 0
    assert problems(asker.page) == []


def test_a_receipt_is_shown_where_cookies_are_blocked(people, site):
    asker = people()

    def without_cookies(route):
        kept = {name: value for name, value in route.request.headers.items() if name != "cookie"}
        answer = route.fetch(headers=kept | {"cookie": ""})
        route.fulfill(response=answer, headers={name: value for name, value in answer.headers.items() if name != "set-cookie"})

    asker.page.route("**/*", without_cookies)
    ask(asker, site, "团建经费怎么申领")
    receipt = asker.page.locator(".receipt")
    expect(receipt).to_contain_text(re.compile(r"还没有答案，已替你记下（T-\d+）"))
    expect(receipt.get_by_role("link", name="补充说明")).to_have_attribute("href", re.compile(r"/t/[\w-]+#details$"))
    expect(asker.page.get_by_role("button", name="记下我的问题")).to_have_count(0)
    expect(asker.page.locator("[data-status]")).to_contain_text("已替你记下")
    assert problems(asker.page) == []
    number = int(re.search(r"T-(\d+)", receipt.inner_text())[1])
    receipt.get_by_role("button", name="撤销").click()
    expect(receipt).to_contain_text("你已撤销这个提问")
    assert {ticket["number"]: ticket["state"] for ticket in site.tickets()}[number] == "closed"


def test_a_reply_on_screen_is_seen_by_one_quiet_request(people, site):
    asker, agent = people(), people()
    ask(asker, site, "雨伞在哪里借")
    ticket = asker.page.locator(".receipt a").first.evaluate("link => link.href.split('#')[0]")
    sign_in(agent, site)
    agent.page.get_by_role("link", name="雨伞在哪里借").click()
    agent.page.locator("#article").fill("account/login-failed")
    agent.page.locator("#with").fill("前台可以借。")
    agent.page.get_by_role("button", name="用这篇文章解决").click()
    expect(agent.page.locator(".state")).to_contain_text("已解决")
    asker.page.route("**/seen", lambda route: route.abort())
    asker.page.goto(ticket, wait_until="networkidle")
    forgive(asker)
    assert asker.complaints == [], "a failed `seen` surfaced"
    asker.page.unroute("**/seen")
    before = len(asker.requests)
    asker.page.reload(wait_until="networkidle")
    made = [(request.method, request.url.removeprefix(site.url)) for request in asker.requests[before:] if "/t" in request.url and "static" not in request.url]
    token = ticket.rsplit("/", 1)[1]
    assert made == [("GET", f"/t/{token}"), ("POST", f"/api/v1/tickets/{token}/seen")]
    asker.page.reload(wait_until="networkidle")
    expect(asker.page.locator("[data-seen]")).to_have_count(0)


def test_the_widget_makes_its_trusted_types_policy_once(people, site):
    asker = people()
    page = f'<!doctype html><html lang="zh"><title>x</title><body><script src="{site.url}/widget/v1.js" defer></script></body></html>'
    policy = "trusted-types zhida; require-trusted-types-for 'script'"
    asker.page.route("**/host", lambda route: route.fulfill(content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy}, body=page))
    asker.page.goto(f"{site.url}/host")
    asker.page.get_by_role("button", name="帮助").click()
    box = asker.page.get_by_role("dialog").locator("input").first
    box.fill("发票查验失败")
    expect(asker.page.get_by_role("dialog").locator("section p, section li").first).to_be_visible()
    box.fill("审批一直不动")
    expect(asker.page.get_by_role("dialog").locator("h2")).to_contain_text("审批")
    expect(asker.page.get_by_role("dialog").locator("section p, section li").first).to_be_visible()
    expect(asker.page.get_by_role("dialog").locator(".hits mark").first).to_be_visible()


def test_the_widget_says_that_the_limit_is_one_hour_s(people, site):
    asker = people()
    limited = json.dumps({"verdict": "unanswered", "words": "这一小时记下的问题太多了，请稍后再试", "ticket": None, "limited": True})
    asker.page.route(INTENTS, lambda route: route.fulfill(content_type="application/json", body=limited))
    asker.page.goto(f"{site.url}/widget/demo")
    asker.page.get_by_role("button", name="帮助").click()
    box = asker.page.get_by_role("dialog").locator("input").first
    box.fill("跑步机怎么预约")
    box.press("Enter")
    expect(asker.page.get_by_role("dialog")).to_contain_text("这一小时记下的问题太多了，请稍后再试")
