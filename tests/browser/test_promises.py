"""Promises kept in time, as people meet them: mail that leads back, and a supervisor who sees what came of it."""

import email
import re
from email import policy

import pytest
from playwright.sync_api import expect

from tests.browser.test_stories import ask, both, number_on

pytestmark = pytest.mark.browser


def sign_in(person, link):
    person.page.goto(link)
    person.page.get_by_role("button", name="登录").click()
    expect(person.page).not_to_have_url(link)


def mails_to(site, person, address):
    """Return the mails that have been written for an address, the oldest first; wait until there is one more than the last time."""
    seen = getattr(person, "mails", 0)
    for _ in range(100):
        found = [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted((site.articles.parent / "var" / "mail").glob("*.eml"))]
        mine = [mail for mail in found if mail["To"] == address]
        if len(mine) > seen:
            person.mails = len(mine)
            return mine
        person.page.wait_for_timeout(200)
    raise AssertionError(f"no mail came for {address}")


def link_in(mail, path):
    """Return the link of a mail that leads to a path of ours."""
    return re.search(rf"http://127\.0\.0\.1:\d+{path}\S*", mail.get_body(("plain",)).get_content())[0]


@both
def test_who_leaves_a_mail_address_is_led_back_by_it_and_a_supervisor_sees_what_came_of_it(people, site, size):
    address, words, name = {"desktop": ("li@example.com", "停车场月卡怎么办理", "赵宁"), "phone": ("qian@example.com", "团建场地怎么订", "孙悦")}[size]
    asker, agent, supervisor = people(size), people(size), people(size)
    ask(asker, site, words)
    number = number_on(asker.page.locator(".receipt"))
    asker.page.locator(".receipt").get_by_role("link", name="补充说明").click()
    asker.page.locator("#c").fill(f"邮箱 {address}")
    asker.page.get_by_role("button", name="保存").click()
    expect(asker.page.get_by_text("已保存")).to_be_visible()

    sign_in(agent, site.staff_link(name, "agent"))
    agent.page.goto(f"{site.url}/desk/{number}")
    agent.page.locator("#body").fill("找行政前台登记车牌，当天生效。")
    agent.page.locator("[data-send]").click()
    replied = mails_to(site, asker, address)[-1]
    assert f"T-{number}" in replied["Subject"]
    assert "找行政前台登记车牌" in replied.get_body(("plain",)).get_content()
    agent.page.locator("#body").fill("登记后当天生效，费用从工资里扣。")
    agent.page.get_by_role("button", name="回复并解决").click()
    expect(agent.page.locator(".state")).to_contain_text("已解决")

    asker.context.clear_cookies()  # the mail is opened elsewhere
    asker.page.goto(link_in(replied, "/t/"))
    asker.page.get_by_text("仍未解决").click()
    asker.page.locator("#why").fill("前台说要先填单子")
    asker.page.get_by_role("button", name="重新打开").click()
    expect(asker.page.get_by_text("已告诉客服还没解决")).to_be_visible()

    sign_in(supervisor, site.staff_link("周敏", "operator"))
    supervisor.page.goto(f"{site.url}/supervision")
    expect(supervisor.page.get_by_role("row", name=re.compile(name))).to_contain_text(re.compile(r"100\.0%\D*1 / 1"))

    asker.page.goto(link_in(replied, "/unsubscribe/"))
    asker.page.get_by_role("button", name=re.compile("不再接收")).click()
    expect(asker.page.get_by_role("button", name=re.compile("重新接收"))).to_be_visible()
