"""Signing in and out through the real pages."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from sqlalchemy import select

from kb.accounts import sign_in
from kb.accounts.models import User
from kb.accounts.pages import safe_next
from kb.config import SmtpServer
from kb.mailer import MAIL
from kb.notifications.courier import Courier
from kb.notifications.models import Notice
from tests.kb.conftest import ROOT

PASSWORD = "一句好记的话 2026"
REDIRECTS = ROOT.parent / "shared" / "hostile" / "redirect_ssrf" / "own_redirects.json"


@pytest.fixture
def lin(browser, link_for):
    """A browser of 客服小林, who has set a password and signed out again."""
    client = browser()
    client.submit(link_for("客服小林", "agent"), password=PASSWORD)
    client.submit("/", "/sign-out")
    return client


def _in(client):
    return client.get("/desk").status_code == 200


def _try(client, name, password, **fields):
    return client.submit("/sign-in", "/sign-in", name=name, password=password, **fields)


def test_a_link_signs_in_once(browser, link_for):
    link, first, second = link_for("客服小林", "agent"), browser(), browser()
    answer = first.submit(link)
    assert (answer.status_code, answer.location) == (303, "/desk")
    assert _in(first)
    token = second.token("/")
    assert second.get(link).status_code == 410
    assert second.post(link, data={"csrf_token": token}).status_code == 410
    assert not _in(second)


def test_looking_at_a_link_does_not_use_it_up(browser, link_for, rows):
    link, client = link_for("客服小林", "agent"), browser()
    before = rows()
    for _ in range(3):
        assert "客服小林" in client.get(link).text
    assert rows() == before
    assert client.submit(link).status_code == 303


def test_a_dead_link_leads_to_where_a_new_one_or_a_password_opens(browser, link_for, services, app_of, read):
    assert "重新启动知答" in browser().get("/sign-in/nothing").text, "nobody can give a link yet"
    link = link_for("老周", "administrator")
    assert browser().submit(link).status_code == 303
    page = read(browser().get(link).text)
    assert "/sign-in" in page.links
    assert "/forgot" not in page.links, "no mail can be sent"
    assert "请管理员在“管理 → 人员”里给你一个新的" in page.text
    assert "kb user" not in page.text
    mailing = replace(services, config=replace(services.config, smtp=SmtpServer("localhost", 25, "no", "", "")))
    assert "/forgot" in read(app_of(mailing).test_client().get(link).text).links


def test_a_link_is_dead_after_thirty_minutes(browser, link_for, clock):
    link, client = link_for("客服小林", "agent"), browser()
    token = client.token(link)
    clock.forward(minutes=29)
    assert client.get(link).status_code == 200
    clock.forward(minutes=2)
    assert client.get(link).status_code == 410
    assert client.post(link, data={"csrf_token": token}).status_code == 410
    assert not _in(client)


def test_a_new_link_voids_the_one_before(browser, link_for):
    old, new = link_for("客服小林", "agent"), link_for("客服小林", "agent")
    assert browser().get(old).status_code == 410
    assert browser().submit(new).status_code == 303


def test_a_link_needs_the_token_of_its_form(browser, link_for, rows):
    link, client = link_for("客服小林", "agent"), browser()
    assert client.post(link).status_code == 400
    assert rows()["staff_sessions"] == []
    assert client.submit(link).status_code == 303


def test_the_first_administrator_names_themselves_and_the_link_is_dead_once_there_is_one(services, browser, rows):
    with services.db.write() as session:
        link = f"/sign-in/{sign_in.new_link(session, None, services.now())}"
    first, second = browser(), browser()
    assert "创建第一个管理员" in first.get(link).text
    weak = first.submit(link, name="老周", password="short")
    assert weak.status_code == 400
    assert "至少 10 个字符" in weak.text
    assert rows()["users"] == [], "a refused form makes nobody"
    assert first.submit(link, name="老周", password=PASSWORD).status_code == 303
    assert _in(first)
    assert second.get(link).status_code == 410
    assert [row[1:3] for row in rows()["users"]] == [("老周", "administrator")]


def test_a_name_that_is_taken_or_none_is_refused_with_a_remedy(services, browser, link_for, rows):
    link_for("老周", "asker")
    with services.db.write() as session:
        link = f"/sign-in/{sign_in.new_link(session, None, services.now())}"
    client = browser()
    for name in ("老周", "  ", "周" * 41):
        assert client.submit(link, name=name, password=PASSWORD).status_code == 400
    assert len(rows()["users"]) == 1


def test_a_password_signs_in_and_sign_out_ends_the_session_on_the_server(lin, rows):
    assert not _in(lin)
    assert _try(lin, " 客服小林 ", PASSWORD).location == "/desk"
    assert _in(lin)
    cookie = lin.get_cookie("kb_session").value
    assert lin.submit("/", "/sign-out").location == "/"
    assert rows()["staff_sessions"] == []
    lin.set_cookie("kb_session", cookie)
    assert not _in(lin)


def test_a_wrong_name_and_a_wrong_password_look_the_same(lin):
    answers = [_try(lin, name, "wrong password").text for name in ("客服小林", "没有这个人")]
    assert len({re.sub(r'value="[^"]*"', "", answer) for answer in answers}) == 1
    assert "姓名或密码不对" in answers[0]


def test_an_account_without_a_password_cannot_be_guessed_into(browser, link_for):
    link_for("编辑小何", "editor")
    for password in ("", " ", "编辑小何"):
        assert _try(browser(), "编辑小何", password).status_code == 403


def test_after_ten_wrong_tries_even_the_right_password_waits_fifteen_minutes(lin, link_for, clock, rows):
    assert [_try(lin, "客服小林", f"wrong {number}").status_code for number in range(10)] == [403] * 10
    refused = _try(lin, "客服小林", "wrong 11")
    assert refused.status_code == 429
    assert "kb user link" in refused.text
    assert _try(lin, "客服小林", PASSWORD).status_code == 429
    assert _try(lin, "別人", "wrong").status_code == 403, "others are not locked out"
    assert lin.submit(link_for("客服小林", "agent")).status_code == 303, "a link still works"
    clock.forward(minutes=16)
    assert _try(lin, "客服小林", PASSWORD).status_code == 303
    assert "客服小林" not in str(rows()["failed_sign_ins"]), "what was tried is not kept: people type passwords into the name"


def test_a_session_ends_after_rest_and_after_a_day_of_work(agent, clock, rows):
    for _ in range(23):
        clock.forward(minutes=29)
        assert _in(agent), "each request keeps it alive"
    clock.forward(minutes=29)
    agent.get("/desk")
    clock.forward(minutes=29)
    assert not _in(agent), "12 hours in all"


def test_a_session_ends_after_thirty_minutes_of_rest(agent, clock):
    clock.forward(minutes=31)
    assert not _in(agent)


def test_an_invented_session_is_nobodys(browser):
    client = browser()
    for value in ("", "x", "a" * 4000, "../", "' OR '1'='1"):
        client.set_cookie("kb_session", value)
        assert not _in(client)


def test_a_role_that_was_taken_away_has_no_rights_at_once(services, agent):
    assert _in(agent)
    with services.db.write() as session:
        session.scalars(select(User)).one().role = "asker"
    assert not _in(agent)


def test_only_hashes_of_secrets_are_stored(browser, link_for, rows):
    link, client = link_for("客服小林", "agent"), browser()
    client.submit(link, password=PASSWORD)
    stored = str(rows())
    for secret in (link.removeprefix("/sign-in/"), PASSWORD, client.get_cookie("kb_session").value, client.get_cookie("kb_person").value):
        assert secret not in stored


def test_signing_in_leads_on_only_to_pages_of_ours():
    if not REDIRECTS.exists():
        pytest.skip("the hostile inputs are not beside the project")
    cases = json.loads(REDIRECTS.read_text(encoding="utf-8"))
    assert len(cases) >= 40
    for case in cases:
        allowed = {"/desk", case["next"]} if case["safe"] else {"/desk"}
        assert safe_next(case["next"]) in allowed, case["next"]


@pytest.mark.parametrize("target", ["/desk/1001", "/analytics", "/desk?view=silent", "/desk/1001?done=reply"])
def test_signing_in_leads_back_to_where_one_was(lin, target):
    page = f"/sign-in?next={target.replace('?', '%3F')}"
    assert lin.submit(page, "/sign-in", name="客服小林", password=PASSWORD).location == target


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/a/..//evil.example", "/desk\r\nSet-Cookie: a=b", "javascript:alert(1)"])
def test_a_forged_form_leads_to_the_desk(lin, target):
    answer = lin.post("/sign-in", data={"csrf_token": lin.token("/sign-in"), "name": "客服小林", "password": PASSWORD, "next": target})
    assert answer.location == "/desk"


def test_signing_in_and_out_need_the_tokens_of_their_forms(lin, agent):
    assert lin.post("/sign-in", data={"name": "客服小林", "password": PASSWORD}).status_code == 400
    assert agent.post("/sign-out").status_code == 400
    assert _in(agent)


def _ask_for_reset(client, who):
    return client.submit("/forgot", "/forgot", who=who)


def _told(services):
    with services.db.read() as session:
        return [(one.kind, session.get(User, one.user_id).name) for one in session.scalars(select(Notice).where(Notice.user_id.is_not(None)))]


def _same(answer):
    return re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text), answer.status_code, dict(answer.headers) | {"Set-Cookie": "", "Content-Length": ""}


@pytest.fixture
def lin_with_mail(lin, services):
    with services.db.write() as session:
        sign_in.find_user(session, "客服小林").mail = "lin@example.com"
    return lin


def test_whoever_forgot_their_password_is_sent_a_link_by_name_or_by_mail(lin_with_mail, services, log_of):
    for who in ("客服小林", " LIN@example.com "):
        assert _ask_for_reset(lin_with_mail, who).status_code == 200
    assert _told(services) == [("reset", "客服小林")] * 2
    assert log_of()[-1] == ("未登录", "asked_reset", "客服小林", "")


def test_asking_for_a_reset_does_not_tell_whether_there_is_an_account(lin_with_mail, link_for, services, browser, asked):
    link_for("没有邮箱的", "agent")
    link_for("停用的", "agent")
    with services.db.write() as session:
        user = sign_in.find_user(session, "停用的")
        user.mail, user.disabled_at = "gone@example.com", services.now()
    client = browser()
    token = client.token("/forgot")
    answers, counts = [], []
    for who in ("客服小林", "lin@example.com", "没有邮箱的", "停用的", "没有这个人", "nobody@example.com", "", "' OR 1=1 --"):
        told = asked(services.db, lambda who=who: client.post("/forgot", data={"csrf_token": token, "who": who}))
        answers.append(_same(told.result))
        counts.append(len(told.sql))
    assert all(answer == answers[0] for answer in answers)
    assert max(counts) - min(counts) <= 3, "the notice and its entry, nothing that takes time"
    assert _told(services) == [("reset", "客服小林")] * 2


def test_nobodys_mailbox_is_flooded_and_the_answer_stays_the_same(lin_with_mail, services, clock):
    answers = [_same(_ask_for_reset(lin_with_mail, "客服小林")) for _ in range(sign_in.RESETS + 3)]
    assert len(_told(services)) == sign_in.RESETS
    assert all(answer == answers[0] for answer in answers)
    clock.forward(minutes=16)
    _ask_for_reset(lin_with_mail, "客服小林")
    assert len(_told(services)) == sign_in.RESETS + 1


def test_one_address_asks_for_no_end_of_resets(browser):
    client = browser()
    token = client.token("/forgot")
    statuses = [client.post("/forgot", data={"csrf_token": token, "who": f"名字{number}"}).status_code for number in range(sign_in.RESETS_OF_ADDRESS + 1)]
    assert statuses == [200] * sign_in.RESETS_OF_ADDRESS + [429]
    assert client.submit("/sign-in", "/sign-in", name="谁", password="x").status_code == 403, "who signs in is not held up by it"


def test_a_reset_sets_a_new_password_once_and_ends_every_other_session(lin, browser, services):
    _try(lin, "客服小林", PASSWORD)
    with services.db.write() as session:
        link = f"/sign-in/{sign_in.reset(session, sign_in.find_user(session, '客服小林'), services.now())}"
    client, new = browser(), "一句全新的话 2027"
    assert client.submit(link, password="").status_code == 400, "without a new one it is no reset"
    assert _in(lin)
    assert client.submit(link, password=new).status_code == 303
    assert _in(client)
    assert not _in(lin)
    assert browser().get(link).status_code == 410
    assert _try(lin, "客服小林", PASSWORD).status_code == 403
    assert _try(lin, "客服小林", new).status_code == 303


def test_a_link_with_another_beginning_is_another_link(browser, services, link_for):
    """That a link has to set a password stands in what is hashed: taking it away leaves no link."""
    link_for("客服小林", "agent")
    with services.db.write() as session:
        token = sign_in.reset(session, sign_in.find_user(session, "客服小林"), services.now())
    assert browser().get(f"/sign-in/{token.removeprefix('p.')}").status_code == 410
    assert browser().get(f"/sign-in/{token}").status_code == 200


def test_a_session_from_before_signing_in_is_not_the_one_after_it(browser, link_for, rows):
    client = browser()
    client.set_cookie("kb_session", "chosen-by-somebody-else")
    client.submit(link_for("客服小林", "agent"), password=PASSWORD)
    first = client.get_cookie("kb_session").value
    assert first != "chosen-by-somebody-else"
    assert _try(client, "客服小林", PASSWORD).status_code == 303
    assert client.get_cookie("kb_session").value != first
    assert len(rows()["staff_sessions"]) == 1, "the one before has ended"
    client.set_cookie("kb_session", first)
    assert not _in(client)


def test_forms_from_before_signing_in_are_refused_after_it(lin):
    token = lin.token("/sign-in")
    _try(lin, "客服小林", PASSWORD)
    assert lin.post("/account/others", data={"csrf_token": token}).status_code == 400


def test_one_address_that_tries_many_names_waits_and_others_do_not(lin, app, clock, log_of):
    for number in range(sign_in.TRIES_OF_ADDRESS):
        assert _try(lin, f"名字{number}", "wrong password").status_code == 403
    refused = _try(lin, "客服小林", PASSWORD)
    assert refused.status_code == 429
    assert "你所在的网络" in refused.text
    assert log_of()[-1] == ("未登录", "limited", "同一个网络", "输错 50 次")
    elsewhere = app.test_client()
    token = elsewhere.token("/sign-in")
    fields = {"csrf_token": token, "name": "客服小林", "password": PASSWORD}
    assert elsewhere.post("/sign-in", data=fields, environ_base={"REMOTE_ADDR": "203.0.113.7"}).status_code == 303
    clock.forward(minutes=16)
    assert _try(lin, "客服小林", PASSWORD).status_code == 303


def test_whoever_can_sign_in_does_not_win_tries_at_other_names(lin):
    for number in range(sign_in.TRIES_OF_ADDRESS - 1):
        _try(lin, f"名字{number}", "wrong password")
        if number == 25:
            assert _try(lin, "客服小林", PASSWORD).status_code == 303
    assert _try(lin, "又一个名字", "wrong password").status_code == 403
    assert _try(lin, "再一个名字", "wrong password").status_code == 429


def test_no_address_is_stored(lin, rows):
    _try(lin, "客服小林", "wrong password")
    assert "127.0.0.1" not in str(rows())


def test_one_try_too_many_is_noted_once_and_a_name_that_is_nobodys_is_not_kept(lin, log_of):
    for name in ("客服小林", "我的密码 123456"):
        for _ in range(sign_in.TRIES + 2):
            _try(lin, name, "wrong password")
    assert [entry for entry in log_of() if entry[1] == "limited"] == [
        ("未登录", "limited", "客服小林", "输错 10 次"),
        ("未登录", "limited", "没有的姓名", "输错 10 次"),
    ]
    assert "123456" not in str(log_of())


def test_signing_in_and_out_are_noted(lin, log_of):
    _try(lin, "客服小林", PASSWORD)
    lin.submit("/", "/sign-out")
    assert [(actor, deed, detail) for actor, deed, _, detail in log_of() if deed.startswith("signed")][-2:] == [
        ("客服小林", "signed_in", "密码"),
        ("客服小林", "signed_out", ""),
    ]


@pytest.mark.parametrize(
    ("role", "first"), [("agent", "/desk"), ("editor", "/desk"), ("operator", "/analytics"), ("administrator", "/desk"), ("asker", "/mine")]
)
def test_signing_in_leads_to_a_page_that_is_open_to_one(browser, link_for, role, first):
    client = browser()
    assert client.submit(link_for("某人", role), password=PASSWORD).location == first
    assert client.get(first).status_code == 200
    assert _try(client, "某人", PASSWORD).location == first


class Mailbox:
    """What the worker would have mailed."""

    name = MAIL

    def __init__(self):
        self.letters = []

    def send(self, outgoing):
        self.letters.append((outgoing.address, outgoing.letter.text))

    def close(self):
        """There is nothing to close."""


def test_whoever_forgot_their_password_sets_a_new_one_by_the_mail(lin_with_mail, services, browser, log_of):
    _ask_for_reset(lin_with_mail, "客服小林")
    mailbox, client = Mailbox(), browser()
    Courier(services, {MAIL: mailbox}).work()
    [(address, text)] = mailbox.letters
    assert address == "lin@example.com"
    link = re.search(r"http://localhost(/sign-in/\S+)", text)[1]
    assert "新密码" in client.get(link).text
    assert client.submit(link, password="一句全新的话 2027").location == "/desk"
    assert _try(lin_with_mail, "客服小林", PASSWORD).status_code == 403
    assert [deed for _, deed, *_ in log_of()][-3:] == ["asked_reset", "password", "signed_in"]
