"""我的账号 through the real pages: one's own password, reminders and sessions, and nobody else's."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from kb.accounts import sign_in
from kb.accounts.models import StaffSession

PASSWORD = "一句好记的话 2026"
OTHER = "另一句好记的话 2027"


@pytest.fixture
def lin(with_password):
    return with_password("客服小林", "agent")


@pytest.fixture
def at_home(lin, browser):
    """A second browser of the same person."""
    client = browser()
    assert client.submit("/sign-in", "/sign-in", name="客服小林", password=PASSWORD).status_code == 303
    return client


def _in(client):
    return client.get("/account").status_code == 200


def _keys(client):
    """Return what the forms of the page name as other sessions."""
    return [form["fields"]["session"] for form in client.page("/account").forms if "session" in form["fields"]]


def test_the_page_says_who_one_is_and_where_one_is_signed_in(lin, at_home, services):
    with services.db.write() as session:
        sign_in.find_user(session, "客服小林").mail = "lin@example.com"
    page = lin.page("/account").text
    for words in ("客服小林", "客服", "lin@example.com", "（这里）", "退出这个", "退出其他所有"):
        assert words in page
    assert page.count("（这里）") == 1
    assert _in(at_home)


def test_the_header_leads_there_from_every_page(lin, asker):
    assert "/account" in lin.page("/").links
    assert "/account" not in asker.page("/").links


def test_a_new_password_needs_the_old_one_and_ends_all_other_sessions(lin, at_home, log_of):
    assert lin.submit("/account", "/account/password", old=PASSWORD, password=OTHER).location == "/account?done=password"
    assert _in(lin)
    assert not _in(at_home)
    assert at_home.submit("/sign-in", "/sign-in", name="客服小林", password=PASSWORD).status_code == 403
    assert at_home.submit("/sign-in", "/sign-in", name="客服小林", password=OTHER).status_code == 303
    assert ("客服小林", "password", "客服小林", "") in log_of()


@pytest.mark.parametrize(("old", "new", "words"), [("wrong password", OTHER, "现在的密码不对"), (PASSWORD, "short", "至少 10 个字符"), ("", OTHER, "不对")])
def test_a_password_that_cannot_be_changed_stays_and_the_page_says_why(lin, at_home, account, old, new, words):
    before = account("客服小林").password_hash
    answer = lin.submit("/account", "/account/password", old=old, password=new)
    assert answer.status_code in {400, 403}
    assert words in answer.text
    assert account("客服小林").password_hash == before
    assert _in(at_home)


def test_guessing_the_old_password_is_slowed_down_like_signing_in(lin, account):
    before = account("客服小林").password_hash
    for _ in range(sign_in.TRIES):
        assert lin.submit("/account", "/account/password", old="wrong password", password=OTHER).status_code == 403
    assert lin.submit("/account", "/account/password", old=PASSWORD, password=OTHER).status_code == 429
    assert account("客服小林").password_hash == before


def test_who_came_by_link_sets_a_first_password_without_an_old_one(agent, account):
    assert agent.submit("/account", "/account/password", password=OTHER).location == "/account?done=password"
    assert sign_in.fits(account("客服小林").password_hash, OTHER)


def test_one_session_can_be_ended_and_the_others_go_on(lin, at_home, log_of):
    [key] = _keys(lin)
    assert lin.submit("/account", "/account/end", session=key).location == "/account?done=end"
    assert not _in(at_home)
    assert _in(lin)
    assert _keys(lin) == []
    assert ("客服小林", "ended_sessions", "客服小林", "一处") in log_of()


def test_all_others_can_be_ended_at_once(lin, at_home):
    assert lin.submit("/account", "/account/others").location == "/account?done=others"
    assert _in(lin)
    assert not _in(at_home)


@pytest.mark.parametrize(("action", "fields"), [("password", {"old": PASSWORD, "password": OTHER}), ("others", {})])
def test_who_locks_others_out_voids_the_links_too(lin, at_home, services, action, fields):
    with services.db.write() as session:
        link = sign_in.reset(session, sign_in.find_user(session, "客服小林"), services.now())
    assert lin.submit("/account", f"/account/{action}", **fields).location == f"/account?done={action}"
    assert lin.get(f"/sign-in/{link}").status_code == 410


@pytest.fixture
def meanwhile(lin, monkeypatch):
    """Let 客服小林 change their password while the next old one is being checked."""

    def fits(stored, password):
        monkeypatch.undo()
        right = sign_in.fits(stored, password)
        assert lin.submit("/account", "/account/password", old=PASSWORD, password=OTHER).location == "/account?done=password"
        return right

    return lambda: monkeypatch.setattr(sign_in, "fits", fits)


def test_the_old_password_does_not_sign_in_while_it_is_being_changed(meanwhile, browser):
    other = browser()
    meanwhile()
    assert other.submit("/sign-in", "/sign-in", name="客服小林", password=PASSWORD).status_code == 403
    assert not _in(other)


def test_of_two_new_passwords_at_once_the_second_is_refused_and_says_so(meanwhile, at_home, account):
    meanwhile()
    answer = at_home.submit("/account", "/account/password", old=PASSWORD, password="第三句好记的话 2028")
    assert answer.status_code == 403
    assert "没有改" in answer.text
    assert sign_in.fits(account("客服小林").password_hash, OTHER)


def test_nobody_ends_another_persons_session(lin, editor, services):
    with services.db.read() as session:
        stored = list(session.scalars(select(StaffSession)))
        keys = [sign_in.session_key(one) for one in stored if one.user.name == "客服小林"]
    token = editor.token("/account")
    for key in (*keys, "", "0" * 16, "%", stored[0].token_hash):
        assert editor.post("/account/end", data={"csrf_token": token, "session": key}).status_code == 404
    assert _in(lin)


def test_the_page_holds_no_secret_of_a_session(lin, at_home):
    for client in (lin, at_home):
        secret = client.get_cookie("kb_session").value
        page = lin.get("/account").text
        assert secret not in page
        assert sign_in.hashed(secret) not in page


def test_reminders_can_be_switched_off_and_on(lin, account):
    token = lin.token("/account")
    lin.post("/account/reminders", data={"csrf_token": token})
    assert account("客服小林").quiet
    lin.post("/account/reminders", data={"csrf_token": token, "reminders": "on"})
    assert not account("客服小林").quiet


def test_who_gets_no_reminders_is_not_asked_about_them(intruder, operator):
    for client in (intruder, operator):
        assert "提醒我" not in client.page("/account").text


@pytest.mark.parametrize("action", ["x", "password/x", "delete"])
def test_an_unknown_step_is_no_page(lin, action):
    assert lin.post(f"/account/{action}", data={"csrf_token": lin.token("/account")}).status_code == 404


def test_reloading_the_address_of_a_form_leads_back_to_the_page(lin):
    assert lin.get("/account/password").location == "/account"
