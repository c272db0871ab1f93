"""The desk's queue in Chromium: by keyboard alone, many at once, live without moving, and on a phone."""

import json
import re
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Person
from tests.browser.test_pages import problems, too_wide
from tests.browser.test_stories import sign_in

pytestmark = pytest.mark.browser
QUESTIONS = ("工牌丢了去哪里补", "食堂的饭卡余额怎么退", "会议室投影没有声音")


def ask(site, question):
    """Have a question asked by somebody of their own, and return its ticket's number."""
    body = json.dumps({"intent_id": f"desk {question}", "query": question, "trigger": "enter", "visitor": f"desk {question}"}).encode()
    request = urllib.request.Request(f"{site.url}/api/v1/intents", body, {"Content-Type": "application/json"})  # noqa: S310 - our own address
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
        return json.load(answer)["ticket"]["number"]


@pytest.fixture(scope="module")
def numbers(site):
    return [ask(site, question) for question in QUESTIONS]


@pytest.fixture(scope="module")
def signed_in(chromium, site):
    """The cookies of an agent who signed in once for all tests here."""
    person = Person(chromium, "desktop")
    sign_in(person, site)
    cookies = person.context.storage_state()
    person.context.close()
    return cookies


@pytest.fixture
def agent(people, site, numbers, signed_in):
    """An agent who looks at the newest tickets of everybody, with a clock that the test moves."""
    person = people(storage_state=signed_in)
    person.page.clock.install()
    person.page.goto(f"{site.url}/desk?view=all&sort=newest")
    return person


def row(page, number):
    return page.locator(f"[data-row='{number}']")


def test_the_keyboard_moves_chooses_and_opens_and_leaves_typing_alone(agent, site, numbers):
    page = agent.page
    page.keyboard.press("j")
    expect(row(page, numbers[2]).get_by_role("link")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(row(page, numbers[1]).get_by_role("checkbox")).to_be_checked()
    expect(page.get_by_text("已选 1 张")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="应用")).to_be_hidden()
    page.keyboard.press("k")
    page.keyboard.press("/")
    page.keyboard.type("jax?")
    expect(page.locator("#q")).to_have_value("jax?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="快捷键")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("o")
    page.wait_for_url(re.compile(rf"/desk/{numbers[2]}\b"))
    page.go_back()
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/desk?view=mine")


def test_coming_back_from_a_ticket_finds_its_row_in_focus_and_the_keys_go_on_from_there(agent, numbers):
    page = agent.page
    row(page, numbers[1]).get_by_role("link").click()
    page.wait_for_url(re.compile(rf"/desk/{numbers[1]}\b"))
    page.keyboard.press("Escape")
    expect(row(page, numbers[1]).get_by_role("link")).to_be_focused()
    page.keyboard.press("k")
    expect(row(page, numbers[2]).get_by_role("link")).to_be_focused()


def test_single_letters_can_be_switched_off_for_good(agent):
    page = agent.page
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="启用单键快捷键").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    page.keyboard.press("x")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="应用")).to_be_hidden()
    page.get_by_role("button", name="快捷键").click()
    page.get_by_role("checkbox", name="启用单键快捷键").check()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_role("button", name="应用")).to_be_visible()


def test_one_key_takes_a_ticket_and_the_list_stays_where_it_was(agent, numbers):
    page = agent.page
    page.keyboard.press("j")
    page.keyboard.press("j")
    before = row(page, numbers[1]).bounding_box()
    page.keyboard.press("a")
    expect(page.get_by_role("status").first).to_contain_text("1 张工单已交给王敏。")
    expect(row(page, numbers[1])).to_contain_text("王敏")
    expect(row(page, numbers[1]).get_by_role("link")).to_be_focused()
    assert row(page, numbers[1]).bounding_box() == before
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_role("status").first).to_contain_text("已撤销")
    expect(row(page, numbers[1])).not_to_contain_text("王敏")


def test_many_are_done_at_once_and_taken_back_without_javascript_too(people, site, numbers, signed_in):
    agent = people(java_script_enabled=False, storage_state=signed_in)
    page = agent.page
    page.goto(f"{site.url}/desk?view=all&sort=newest")
    for number in numbers[:2]:
        row(page, number).get_by_role("checkbox").check()
    page.get_by_label("对选中的工单").select_option("优先级改为 紧急")
    page.get_by_role("button", name="应用").click()
    expect(page.get_by_role("status").first).to_contain_text("2 张工单已改优先级为“紧急”。")
    expect(row(page, numbers[0])).to_contain_text("紧急")
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_role("status").first).to_contain_text("已撤销 2 张")
    expect(row(page, numbers[0])).not_to_contain_text("紧急")


def test_new_tickets_are_told_in_one_line_and_rows_stay_until_somebody_asks(agent, site, numbers):
    page = agent.page
    shown = page.locator("[data-row]").count()
    whole = page.locator("[data-count=all]")
    before = int(whole.inner_text())
    number = ask(site, "健身房的储物柜怎么借")  # stories publish articles about parking, and those answer
    with page.expect_response("**/desk/counts*") as told:
        page.clock.fast_forward(20_000)
    assert told.value.status == 200
    expect(page.get_by_text("有 1 张新工单")).to_be_visible()
    expect(whole).to_have_text(str(before + 1))
    expect(page.locator("[data-row]")).to_have_count(shown)
    with page.expect_response("**/desk/counts*") as told:
        page.clock.fast_forward(20_000)
    assert told.value.status == 304
    page.get_by_role("link", name="刷新").click()
    expect(row(page, number)).to_be_visible()
    expect(page.get_by_text("张新工单")).to_have_count(0)


def test_a_desk_that_nobody_looks_at_asks_for_nothing(agent):
    page = agent.page
    asked = len(agent.requests)
    page.evaluate(
        "Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true }); document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.clock.fast_forward(120_000)
    page.clock.fast_forward(120_000)
    assert len([request for request in agent.requests[asked:] if "/desk/counts" in request.url]) <= 1, "one look may have been under way"
    with page.expect_response("**/desk/counts*"):
        page.evaluate("Object.defineProperty(document, 'visibilityState', { value: 'visible' }); document.dispatchEvent(new Event('visibilitychange'))")


def test_the_queue_is_cards_on_a_phone_and_axe_finds_nothing(people, site, numbers, signed_in):
    agent = people("phone", storage_state=signed_in)
    page = agent.page
    page.goto(f"{site.url}/desk?view=all&q=怎么")
    page.get_by_role("button", name="筛选").wait_for()
    assert problems(page) == []
    page.goto(f"{site.url}/desk?view=all&sort=newest")
    row(page, numbers[0]).get_by_role("checkbox").check()
    assert too_wide(page) <= 0
    assert row(page, numbers[0]).bounding_box()["height"] < 90, "two lines"
    assert problems(page) == []
