"""The story of the product, played in Chromium on a desk and on a phone."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
both = pytest.mark.parametrize("size", ["desktop", "phone"])


def ask(person, site, text):
    """Type a question like a person, press Enter and wait for what Enter brings: the results of the last keystroke look the same and come before."""
    person.page.goto(site.url)
    person.page.locator("#q").press_sequentially(text, delay=15)
    person.page.locator("#q").press("Enter")
    expect(person.page).to_have_url(re.compile(r"[?&]i="))


def sign_in(person, site):
    person.page.goto(site.sign_in_link())
    person.page.get_by_role("button", name="登录").click()
    expect(person.page.get_by_role("heading", name="服务台")).to_be_visible()


def number_on(receipt):
    return int(re.search(r"T-(\d+)", receipt.inner_text())[1])


@both
def test_an_employee_searches_reads_the_answer_and_says_that_it_helped(people, site, size):
    asker = people(size)
    asker.page.goto(site.url)
    asker.page.locator("#q").press_sequentially("发票查验失败", delay=15)
    answer = asker.page.locator(".answer")
    expect(answer).to_contain_text("先拿发票原件核对三项")
    assert asker.posts() == [], "a keystroke wrote something"
    answer.get_by_role("link", name="看全文").click()
    expect(asker.page.get_by_role("heading", level=1)).to_have_text("发票查验失败怎么办")
    asker.page.get_by_role("button", name="有帮助", exact=True).click()
    expect(asker.page.locator("[data-thanks]")).to_have_text("谢谢，记下了。")


@both
def test_a_question_without_answer_is_answered_for_everyone_who_asked(people, site, size):
    words = {"desktop": ("年假怎么申请", "請問年假如何申請？"), "phone": ("工资条在哪里看", "请问，工资条在哪儿看呢")}[size]
    first, second, agent = people(size), people(size), people(size)
    ask(first, site, words[0])
    receipt = first.page.locator(".receipt")
    expect(receipt).to_contain_text("已替你记下")
    number = number_on(receipt)
    ask(second, site, words[1])
    expect(second.page.locator(".receipt")).to_contain_text("另有 1 位同事在等")
    assert number_on(second.page.locator(".receipt")) == number

    sign_in(agent, site)
    agent.page.get_by_role("link", name=words[0]).click()
    agent.page.locator("#article").fill("account/login-failed")
    agent.page.locator("#with").fill("人事的事请看人事系统，登录办法在这篇。")
    agent.page.get_by_role("button", name="用这篇文章解决").click()
    expect(agent.page.locator(".state")).to_contain_text("已解决")

    for person in (first, second):
        person.page.goto(site.url)
        expect(person.page.get_by_role("navigation").get_by_text("1 条回复")).to_be_visible()
        person.page.get_by_role("link", name=re.compile("我的提问")).click()
        person.page.get_by_role("link", name=re.compile("新回复")).click()
        expect(person.page.locator(".reply")).to_contain_text("人事的事请看人事系统")
        expect(person.page.locator(".reply").get_by_role("link")).to_have_attribute("href", "/a/account/login-failed")
    first.page.get_by_role("button", name="已解决").click()
    expect(first.page.locator(".state")).to_contain_text("已确认解决")


@both
def test_a_wrong_answer_is_never_a_dead_end(people, site, size):
    asker = people(size)
    ask(asker, site, {"desktop": "发票查验失败", "phone": "发票丢了怎么办"}[size])
    expect(asker.page.locator(".answer")).to_be_visible()
    asker.page.get_by_role("button", name="没帮助").click()
    expect(asker.page.locator("[data-thanks]")).to_contain_text("记下你的问题")
    asker.page.get_by_role("button", name="没找到？记下我的问题").click()
    receipt = asker.page.locator(".receipt")
    expect(receipt).to_contain_text("已替你记下")
    number = number_on(receipt)
    receipt.get_by_role("link", name="补充说明").click()
    asker.page.locator("#d").fill("平台上能查到，系统里一直失败")
    asker.page.get_by_role("button", name="保存").click()
    expect(asker.page.get_by_text("已保存")).to_be_visible()
    asker.page.get_by_role("button", name="撤销这个提问").click()
    expect(asker.page.get_by_text("你已撤销这个提问")).to_be_visible()
    assert {ticket["number"]: ticket["state"] for ticket in site.tickets()}[number] == "closed"


@both
def test_an_article_that_the_editor_adds_answers_the_question_within_seconds(people, site, size):
    what, slug = {"desktop": ("停车费", "parking"), "phone": ("过桥费", "toll")}[size]
    asker = people(size)
    ask(asker, site, f"{what}怎么报")
    expect(asker.page.locator(".receipt")).to_be_visible()
    (site.articles / "reimbursement" / f"{slug}.md").write_text(
        f"---\ntitle: {what}怎么报\nquestions: [{what}怎么报, {what}能报销吗]\nkind: faq\nowner: finance-support\nreview_by: 2027-05-01\n---\n\n"
        f"{what}按市内交通费报，附发票。\n\n## {what}没有发票怎么办\n\n向收费方补开，拿不到的先问财务。\n",
        encoding="utf-8",
    )
    answer = asker.page.locator(".answer")
    for _ in range(40):
        asker.page.goto(f"{site.url}/search?q={what}怎么报")
        if answer.count():
            break
        asker.page.wait_for_timeout(500)
    expect(answer).to_contain_text("按市内交通费报")


def test_a_broken_article_leaves_the_site_as_it_was_and_tells_the_desk(people, site):
    agent = people()
    sign_in(agent, site)
    broken = site.articles / "reimbursement" / "broken.md"
    broken.write_text("---\ntitle: [\n---\n坏的\n", encoding="utf-8")
    try:
        alarm = agent.page.get_by_role("alert")
        for _ in range(20):
            agent.page.goto(f"{site.url}/desk")
            if alarm.count():
                break
            agent.page.wait_for_timeout(500)
        expect(alarm).to_contain_text("reimbursement/broken.md:2")
        agent.page.goto(f"{site.url}/search?q=发票查验失败")
        expect(agent.page.locator(".answer")).to_be_visible()
    finally:
        broken.unlink()


@both
def test_reload_back_and_a_shared_link_change_nothing(people, site, size):
    asker, friend = people(size), people(size)
    ask(asker, site, {"desktop": "班车时刻表", "phone": "食堂充值点在哪层楼"}[size])
    expect(asker.page.locator(".receipt")).to_be_visible()
    before = site.tickets()
    asker.page.reload()
    expect(asker.page.locator(".receipt")).to_be_visible()
    asker.page.goto(f"{site.url}/m/invoices")
    asker.page.go_back()
    expect(asker.page.locator(".receipt")).to_be_visible()
    friend.page.goto(asker.page.url)
    expect(friend.page.get_by_role("heading", name="还没有这个问题的答案")).to_be_visible()
    expect(friend.page.locator(".receipt")).to_have_count(0)
    friend.page.reload()
    assert site.tickets() == before
    assert friend.posts() == []


def test_nothing_is_sent_while_an_input_method_composes(people, site):
    asker = people()
    asker.page.goto(site.url)
    asker.page.locator("#q").focus()
    keyboard = asker.page.context.new_cdp_session(asker.page)
    asked = len(asker.requests)
    for letters in ("n", "ni", "nianj", "nianjia"):
        keyboard.send("Input.imeSetComposition", {"text": letters, "selectionStart": len(letters), "selectionEnd": len(letters)})
    asker.page.wait_for_timeout(400)
    assert asker.requests[asked:] == [], "half-typed pinyin was searched"
    with asker.page.expect_request(lambda request: "part=results" in request.url):
        keyboard.send("Input.insertText", {"text": "年假"})
    assert asker.posts() == []


def test_a_question_that_rests_is_counted_without_a_receipt(people, site):
    asker = people()
    asker.page.clock.install()
    asker.page.goto(site.url)
    asker.page.locator("#q").press_sequentially("食堂几点开门", delay=15)
    with asker.page.expect_response(lambda answer: answer.url.endswith("/api/v1/intents")) as sent:
        asker.page.clock.fast_forward("00:06")
    assert sent.value.request.post_data_json["trigger"] == "idle"
    expect(asker.page.locator(".receipt")).to_have_count(0)
    number = sent.value.json()["ticket"]["number"]
    asker.page.locator("#q").press("Enter")
    expect(asker.page.locator(".receipt")).to_contain_text(f"T-{number}")


def test_the_keyboard_is_enough(people, site):
    asker = people()
    asker.page.goto(f"{site.url}/a/invoices/verify-failed")
    asker.page.keyboard.press("/")
    expect(asker.page.locator("#q")).to_be_focused()
    asker.page.goto(f"{site.url}/search?q=发票")
    asker.page.locator("#q").focus()
    asker.page.keyboard.press("ArrowDown")
    asker.page.keyboard.press("ArrowDown")
    expect(asker.page.locator("[data-hit]").nth(1)).to_be_focused()
    asker.page.keyboard.press("Escape")
    expect(asker.page.locator("#q")).to_be_focused()
    asker.page.keyboard.press("ArrowDown")
    asker.page.keyboard.press("Enter")
    asker.page.wait_for_url("**/a/**")


def test_everything_works_without_javascript(people, site):
    asker = people(java_script_enabled=False)
    asker.page.goto(site.url)
    asker.page.locator("#q").fill("打印机坏了找谁")
    asker.page.get_by_role("button", name="搜索").click()
    expect(asker.page.locator(".receipt")).to_contain_text("已替你记下")
    asker.page.goto(f"{site.url}/search?q=发票查验失败")
    asker.page.get_by_role("button", name="有帮助", exact=True).click()
    expect(asker.page.get_by_role("heading", level=1)).to_have_text("发票查验失败怎么办")


@both
def test_the_widget_on_another_page_searches_and_takes_the_question(people, site, size):
    asker = people(size)
    asker.page.goto(f"{site.url}/widget/demo")
    asker.page.get_by_role("button", name="帮助").click()
    box = asker.page.get_by_role("dialog").locator("input").first
    box.press_sequentially("发票查验失败", delay=15)
    expect(asker.page.get_by_role("dialog")).to_contain_text("先拿发票原件核对三项")
    box.fill({"desktop": "年会节目怎么报名", "phone": "健身房怎么预约"}[size])
    box.press("Enter")
    expect(asker.page.get_by_role("dialog")).to_contain_text("已替你记下")


@both
def test_a_press_survives_the_same_results_arriving_once_more(people, site, size):
    asker = people(size)
    ask(asker, site, "发票丢了怎么办")
    expect(asker.page.locator(".answer")).to_be_visible()
    asker.page.locator("[data-thanks]").evaluate("thanks => { thanks.textContent = '按过了' }")
    with asker.page.expect_response(lambda response: "part=results" in response.url):
        asker.page.locator("#q").press("Enter")
    expect(asker.page.locator("[data-results]")).not_to_have_attribute("aria-busy", "true")
    expect(asker.page.locator("[data-thanks]")).to_have_text("按过了")
