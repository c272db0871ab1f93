"""Every page, in both themes: nothing that axe finds, nothing wider than a phone, and a first load that is small."""

import gzip

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.test_stories import ask, sign_in

pytestmark = pytest.mark.browser
PUBLIC = [
    "/",
    "/search?q=发票查验失败",
    "/search?q=年假怎么申请",
    "/search?q=怎么办",
    "/m/invoices",
    "/a/invoices/verify-failed",
    "/a/reimbursement/first-claim",
    "/mine",
    "/sign-in",
    "/forgot",
]
FIRST_LOAD = 50_000
"""Bytes of the first page with all it needs, compressed."""


def problems(page):
    """Return what axe finds in the light theme and in the dark one, in short; the page has the light one, before and after.

    Where the system's own colours are forced on every page there is no other theme.
    """
    found = {"light": Axe().run(page).response["violations"]}
    if not page.evaluate("matchMedia('(forced-colors: active)').matches"):
        page.emulate_media(color_scheme="dark")
        found["dark"] = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        page.emulate_media(color_scheme="light")
    return [f"{theme}: {rule['id']}: {node['target']} {node['failureSummary']}" for theme, rules in found.items() for rule in rules for node in rule["nodes"]]


def too_wide(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_axe_finds_nothing_on_any_page_of_askers(people, site):
    asker = people()
    for path in PUBLIC:
        asker.page.goto(site.url + path)
        assert problems(asker.page) == [], path


def test_axe_finds_nothing_on_any_page_of_agents(people, site):
    asker, agent = people(), people()
    ask(asker, site, "名片印刷去哪里办")
    asker.page.locator(".receipt").wait_for()
    number = site.tickets()[0]["number"]
    sign_in(agent, site)
    for path in ("/desk", f"/desk/{number}", "/analytics"):
        agent.page.goto(site.url + path)
        assert problems(agent.page) == [], path
    agent.page.goto(asker.page.locator(".receipt a").first.evaluate("link => link.href"))
    assert problems(agent.page) == []


def test_axe_finds_nothing_on_any_page_of_administrators_and_none_is_wider_than_a_phone(people, site):
    administrator = people("phone")
    administrator.page.goto(site.kb("user", "add", "管理员", "--role", "administrator")["url"])
    administrator.page.get_by_role("button", name="登录").click()
    for path in ("/account", "/admin", "/admin/people", "/admin/people/1", "/admin/audit"):
        administrator.page.goto(site.url + path)
        assert problems(administrator.page) == [], path
        assert too_wide(administrator.page) <= 0, path


def test_no_page_is_wider_than_a_phone_even_with_text_twice_as_large(people, site):
    asker = people("phone")
    for path in PUBLIC:
        asker.page.goto(site.url + path)
        for text in (1, 2):
            asker.page.evaluate(f"document.documentElement.style.fontSize = '{16 * text}px'; document.body.style.fontSize = '{17 * text}px'")
            assert too_wide(asker.page) <= 0, (path, text)


def test_the_first_page_is_small(people, site):
    asker = people()
    bodies = []
    asker.page.on("response", lambda answer: bodies.append(answer.body()))
    asker.page.goto(site.url, wait_until="networkidle")
    assert len(bodies) >= 3
    assert sum(len(gzip.compress(body, 6)) for body in bodies) < FIRST_LOAD
