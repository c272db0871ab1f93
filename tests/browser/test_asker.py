"""The asker's page while it is open: files in place, news that is offered and never pushed in."""

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from kb.db import Database
from kb.tickets import history, lifecycle
from tests.browser.test_pages import problems, too_wide
from tests.browser.test_stories import ask, both, number_on

pytestmark = pytest.mark.browser
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0....\0\0\0\0IEND\xaeB`\x82"


def agent_says(site, number, step, body):
    db = Database(f"sqlite:///{site.environment['KB_DATA']}/kb.sqlite3")
    with db.write() as session:
        step(history.find(session, number), body=body, agent="王敏", now=datetime.now(UTC))
    db.disconnect()


def test_a_receipt_is_taken_back_and_restored_where_it_stands(people, site):
    asker = people()
    ask(asker, site, "雨伞架坏了找谁修")
    receipt = asker.page.locator(".receipt")
    before, address = receipt.inner_text(), asker.page.url
    receipt.get_by_role("button", name="撤销").click()
    expect(receipt).to_contain_text("你已撤销这个提问")
    expect(receipt.get_by_role("button", name="恢复")).to_be_focused()
    receipt.get_by_role("button", name="恢复").click()
    expect(receipt.get_by_role("button", name="撤销")).to_be_focused()
    assert (receipt.inner_text(), asker.page.url) == (before, address)


def test_what_was_typed_is_still_there_when_a_question_is_taken_back_and_restored(people, site):
    asker = people()
    ask(asker, site, "鞋套在哪里领")
    asker.page.locator(".receipt").get_by_role("link", name="补充说明").click()
    asker.page.locator("#d").fill("前台没有，写到一半")
    asker.page.get_by_role("button", name="撤销这个提问").click()
    expect(asker.page.get_by_text("之前补充的内容都还在")).to_be_visible()
    asker.page.get_by_role("button", name="恢复").click()
    expect(asker.page.locator("#d")).to_have_value("前台没有，写到一半")


def test_who_comes_after_an_answer_reads_it_in_the_receipt_and_says_there_that_it_did_not_help(people, site):
    first, second = people(), people()
    ask(first, site, "投币储物柜打不开找谁")
    number = number_on(first.page.locator(".receipt"))
    agent_says(site, number, lifecycle.reply, "<b>密码</b>是工号后四位。")
    ask(second, site, "投币储物柜打不开找谁")
    receipt = second.page.locator(".receipt")
    expect(receipt).to_contain_text(f"客服已有答复（T-{number}）")
    expect(receipt).to_contain_text("<b>密码</b>是工号后四位。")
    expect(receipt).to_contain_text("另有 1 位同事在等")
    receipt.get_by_role("button", name="撤销").click()
    expect(receipt).to_contain_text("你已撤销这个提问")
    expect(receipt.get_by_text("仍未解决")).to_be_hidden()
    receipt.get_by_role("button", name="恢复").click()
    receipt.get_by_text("仍未解决").click()
    receipt.get_by_label("哪里还不行").fill("后四位也不对")
    receipt.get_by_role("button", name="告诉客服").click()
    expect(second.page.get_by_text("已告诉客服还没解决")).to_be_visible()
    expect(second.page.locator(".thread")).to_contain_text("后四位也不对")
    assert problems(second.page) == []


def file_of(name, content, kind="image/png"):
    return {"name": name, "mimeType": kind, "buffer": content}


@both
def test_an_asker_adds_files_in_place_and_is_offered_what_is_new(people, site, size):
    asker = people(size)
    asker.page.clock.install()
    ask(asker, site, {"desktop": "碎纸机怎么领用", "phone": "办公室绿植谁来浇水"}[size])
    receipt = asker.page.locator(".receipt")
    number = number_on(receipt)
    receipt.get_by_role("link", name="补充说明").click()
    page, files = asker.page, asker.page.locator(".files")
    page.locator("#d").fill("写到一半")
    page.locator("#f").set_input_files([file_of("一.png", PNG), file_of("大.png", PNG + bytes(5 * 2**20)), file_of("二.txt", b"x", "text/plain")])
    expect(files.get_by_role("alert")).to_contain_text("“大.png”太大：每个文件 5 MB 以内")
    expect(files.get_by_role("link")).to_have_text(["一.png", "二.txt"])
    expect(files.get_by_role("progressbar")).to_have_count(0)
    page.locator("#f").set_input_files(file_of("一.png", PNG))
    expect(files.get_by_role("alert").last).to_contain_text("“一.png”这个文件已经添加过")
    files.get_by_role("button", name="知道了").last.click()
    files.get_by_role("button", name="知道了").click()
    files.get_by_role("button", name="移除 一.png").click()
    expect(files.get_by_role("link")).to_have_text(["二.txt"])

    agent_says(site, number, lifecycle.ask, "哪一层？")
    before = page.locator("h1").bounding_box(), page.locator("#d").bounding_box()
    page.clock.fast_forward("00:31")
    fresh = page.get_by_role("status").get_by_role("link", name="有新回复 · 查看")
    expect(fresh).to_be_visible()
    assert (page.locator("h1").bounding_box(), page.locator("#d").bounding_box()) == before
    expect(page.locator("#d")).to_have_value("写到一半")
    fresh.click()
    expect(page.locator(".asked")).to_contain_text("哪一层？")
    assert problems(page) == []
    page.locator("#answer").fill("三层")
    page.get_by_role("button", name="发送").click()
    expect(page.locator("[aria-current=step]")).to_contain_text("客服在处理")
    agent_says(site, number, lifecycle.resolve, "去前台领")
    page.reload()
    page.get_by_role("button", name="已解决").click()
    page.get_by_label("很满意", exact=True).check()
    page.get_by_role("button", name="提交评价").click()
    expect(page.get_by_text("谢谢你的评价")).to_be_visible()
    assert problems(page) == []
    page.evaluate("document.documentElement.style.fontSize = '32px'")
    assert too_wide(page) <= 0
