"""A ticket's page in Chromium: by keyboard, beside a colleague, and without losing a word."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_desk import ask
from tests.browser.test_pages import problems, too_wide
from tests.browser.test_stories import sign_in

pytestmark = pytest.mark.browser


@pytest.fixture
def open_ticket(people, site):
    """Return a maker of agents with a ticket of a question of its own on screen, and a clock that the test moves."""

    def make(question, name="王敏", **options):
        number = ask(site, question)
        person = people(**options)
        person.page.clock.install()
        if name == "王敏":
            sign_in(person, site)
        else:
            person.page.goto(site.kb("user", "add", name, "--role", "agent")["url"])
            person.page.get_by_role("button", name="登录").click()
            person.page.wait_for_url(re.compile("/desk"))
        person.page.goto(f"{site.url}/desk/{number}?from=view%3Dall")
        return person

    return make


def test_an_agent_answers_by_keyboard_and_what_is_typed_outlives_a_reload(open_ticket):
    page = open_ticket("乒乓球台在哪里").page
    body, said = page.locator("#body"), page.locator("#timeline .spoke")
    page.keyboard.press("n")
    expect(body).to_be_focused()
    expect(page.get_by_label("内部备注")).to_be_checked()
    page.keyboard.type("j r 问过行政")
    expect(page.get_by_role("button", name="保存备注")).to_be_visible()
    expect(page.get_by_role("button", name="回复并解决")).to_be_hidden()
    page.reload()
    expect(body).to_have_value("j r 问过行政")
    body.fill("")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.get_by_label("处理人")).to_have_value("王敏")
    page.keyboard.press("u")
    expect(page.get_by_label("处理人")).to_have_value("")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="键盘操作")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator("#article")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.keyboard.type("到前台办。")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("已发给所有提问的人。")).to_be_visible()
    expect(said.last).to_contain_text("到前台办。")
    expect(body).to_have_value("")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="服务台")).to_be_visible()
    expect(page).to_have_url(re.compile(r"view=all"))


def test_a_remark_is_forgotten_when_it_was_sent_and_one_from_before_never_holds_the_agent_back(open_ticket):
    page = open_ticket("年会节目怎么报名").page
    page.locator("#with").fill("看这篇")
    page.reload()
    expect(page.locator("#with")).to_have_value("看这篇")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="服务台")).to_be_visible()
    page.go_back()
    page.locator("#article").fill("account/forgot-password")
    page.get_by_role("button", name="用这篇文章解决").click()
    expect(page.get_by_text("所有提问的人都会看到答案")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('kb-draft'))") == []


def test_a_canned_reply_comes_to_the_cursor_and_its_blank_is_filled_before_it_is_sent(open_ticket):
    page = open_ticket("体检报告什么时候发").page
    body = page.locator("#body")
    body.fill("你好！再见！")
    body.evaluate("area => area.setSelectionRange(3, 3)")
    page.locator("#canned").select_option("answered-before")
    expect(body).to_have_value(re.compile(r"^你好！\n同样的问题.*（填写文章链接）.*再见！$", re.DOTALL))
    assert body.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)") == "（填写文章链接）"
    page.get_by_role("button", name="发给所有提问人").click()
    expect(page.get_by_text("还有没填的空")).to_be_visible()
    page.keyboard.type("那一篇")
    page.get_by_role("button", name="发给所有提问人").click()
    expect(page.locator("#timeline .spoke").last).to_contain_text("请看：那一篇")


def test_others_are_asked_to_look_and_that_is_taken_back_without_losing_an_answer_that_is_being_written(open_ticket):
    page = open_ticket("投影仪连不上怎么办").page
    page.locator("#body").fill("写到一半")
    page.locator(".escalating summary").click()
    page.locator("#why-escalate").fill("要找设备科")
    page.get_by_role("button", name="升级给二线").click()
    expect(page.get_by_text("已升级给二线。")).to_be_visible()
    expect(page.locator("#body")).to_have_value("写到一半")
    page.locator(".escalating summary").click()
    expect(page.get_by_role("button", name="升级给服务主管")).to_be_visible()
    expect(page.get_by_role("button", name="升级给二线", exact=True)).to_have_count(0)
    page.locator("#told [data-undo]").click()
    expect(page.get_by_role("button", name="升级给二线", exact=True)).to_be_visible()
    expect(page.locator("#head .mark")).to_have_count(0)


def test_two_agents_are_told_of_each_other_and_neither_loses_a_word(open_ticket, site):
    question = "打卡机认不出脸怎么办"
    first, colleague = open_ticket(question).page, open_ticket(question, "李雷")
    second = colleague.page
    with second.expect_response(re.compile("writing=1")):
        second.locator("#body").fill("李雷的答复")
    expect(second.get_by_text("王敏也开着这一页。")).to_be_visible()
    first.clock.run_for(21_000)
    expect(first.get_by_text("李雷正在写回复。")).to_be_visible()
    first.locator("#body").fill("王敏的答复")
    first.get_by_role("button", name="发给所有提问人").click()
    expect(first.locator("#timeline .spoke")).to_have_count(1)

    second.get_by_label("优先级").select_option("urgent")
    expect(second.get_by_role("alert")).to_contain_text("王敏回复了")
    expect(second.locator("#timeline .spoke.new")).to_contain_text("王敏的答复")
    expect(second.locator("#body")).to_have_value("李雷的答复")
    assert ["409" in complaint for complaint in colleague.complaints] == [True], "the browser itself notes the refusal, and nothing else"
    colleague.complaints.clear()
    second.get_by_role("button", name="仍然改为“紧急”").click()
    expect(second.get_by_label("优先级")).to_have_value("urgent")

    first.clock.run_for(21_000)
    line = first.get_by_role("button", name="李雷改了优先级 · 看新内容")
    expect(line).to_be_visible()
    line.click()
    expect(first.locator("#timeline .new")).to_contain_text("李雷 优先级改为 紧急")
    expect(line).to_be_hidden()


def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(open_ticket):
    page = open_ticket("工位电话怎么转接", size="phone").page
    page.locator("#body").fill("先这样\n写两行。")
    page.get_by_text("公开给搜到同类问题的人", exact=True).click()
    page.locator("#public-kind").select_option("known")
    page.get_by_role("button", name="发给所有提问人").click()
    expect(page.get_by_text("正在公开：已知问题·处理中")).to_be_visible()
    page.get_by_text("拆分、合并或标为垃圾").click()
    page.get_by_text("公开给搜到同类问题的人", exact=True).click()
    page.locator("#until").select_option("date")
    assert too_wide(page) <= 0
    page.locator("#body").fill("又一句")
    page.get_by_label("内部备注").check()
    assert problems(page) == []
    assert too_wide(page) <= 0
