"""What an administrator does with accounts, without pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from kb.accounts import people, sign_in
from kb.accounts.models import AuditEntry, SignInLink
from kb.accounts.roles import Right, Role
from kb.errors import InvalidRequestError, KbError
from kb.notifications.models import Notice
from kb.tickets.standing import Level

ADMIN = "管理员老周"


@pytest.fixture
def admin(session, now):
    return sign_in.add_user(session, ADMIN, Role.ADMINISTRATOR, now)


@pytest.fixture
def agent(session, admin, now):
    return people.invite(session, admin.name, "客服小林", "agent", mail="lin@example.com", level="", now=now)[0]


def deeds(session):
    return [(one.actor, one.deed, one.object, one.detail) for one in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


def change(session, user, now, by=ADMIN, **new):
    return people.change(session, by, user, **{"role": user.role, "level": user.level, "mail": user.mail, "now": now, **new})


def test_an_invitation_is_an_account_a_link_for_a_week_a_notice_and_an_entry(session, admin, now):
    user, token = people.invite(session, ADMIN, "新来的", "agent", mail=" zhao@example.com ", level="second", now=now)
    assert (user.role, user.mail, user.level) == ("agent", "zhao@example.com", Level.SECOND)
    assert sign_in.sets_password(token)
    assert sign_in.open_link(session, token, now + timedelta(days=7))[1] is user
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, token, now + timedelta(days=7, seconds=1))
    assert [(one.kind, one.user_id) for one in session.scalars(select(Notice))] == [("invited", user.id)]
    assert deeds(session) == [(ADMIN, "invited", "新来的", "客服")]


def test_who_has_no_mail_is_invited_by_the_link_alone(session, admin, now):
    people.invite(session, ADMIN, "新来的", "agent", mail="", level="", now=now)
    assert session.scalars(select(Notice)).all() == []


def test_the_invitation_from_the_page_and_the_one_by_mail_both_work_until_one_is_used(session, admin, now):
    user, shown = people.invite(session, ADMIN, "新来的", "agent", mail="zhao@example.com", level="", now=now)
    mailed = sign_in.invitation(session, user, now + timedelta(minutes=1))
    for token in (shown, mailed):
        assert sign_in.open_link(session, token, now)[1] is user
    link, _ = sign_in.open_link(session, shown, now)
    sign_in.use_link(session, link, user, now)
    for token in (shown, mailed):
        with pytest.raises(InvalidRequestError):
            sign_in.open_link(session, token, now)


def test_inviting_again_voids_the_earlier_invitation_and_who_has_a_password_gets_a_link_for_half_an_hour(session, agent, now):
    first = people.invite_again(session, ADMIN, agent, now)
    second = people.invite_again(session, ADMIN, agent, now)
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, first, now)
    assert sign_in.open_link(session, second, now + timedelta(days=6))[1] is agent
    sign_in.set_password(agent, "一句好记的话 2026")
    third = people.invite_again(session, ADMIN, agent, now)
    assert not sign_in.sets_password(third)
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, second, now)
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, third, now + timedelta(minutes=31))


@pytest.mark.parametrize(
    ("name", "role", "mail", "level"),
    [
        ("", "agent", "", ""),
        ("客服小林", "agent", "", ""),
        ("新来的", "root", "", ""),
        ("新来的", "agent", "not an address", ""),
        ("新来的", "agent", "a@example.com\r\nBcc: b@example.com", ""),
        ("新来的", "agent", "LIN@Example.com", ""),
        ("新来的", "agent", "", "king"),
        ("新来的", "asker", "", "manager"),
        ("命令行", "administrator", "", ""),
        ("未登录", "agent", "", ""),
        ("system", "agent", "", ""),
        ("名\u202e字", "agent", "", ""),
        ("名\x1b[2J字", "agent", "", ""),
        ("名\x00字", "agent", "", ""),
        ("名\u200b字", "agent", "", ""),
    ],
)
def test_nobody_is_invited_under_a_name_role_address_or_level_that_cannot_be(session, agent, now, name, role, mail, level):
    with pytest.raises(KbError):
        people.invite(session, ADMIN, name, role, mail=mail, level=level, now=now)


def test_what_changes_is_noted_with_what_it_was_and_nothing_when_nothing_changes(session, agent, now):
    before = len(deeds(session))
    assert not change(session, agent, now)
    assert len(deeds(session)) == before
    assert change(session, agent, now, role="editor", level="second", mail="xiaolin@example.com")
    assert deeds(session)[before:] == [
        (ADMIN, "role", "客服小林", "客服 → 编辑"),
        (ADMIN, "level", "客服小林", "无 → 二线"),
        (ADMIN, "mail", "客服小林", ""),
    ]
    assert "xiaolin@example.com" not in str(deeds(session)), "addresses are personal and the log is for good"


def test_another_role_ends_all_sessions_and_another_level_or_address_none(session, agent, now):
    token = sign_in.start_session(session, agent, now)
    change(session, agent, now, level="second", mail="")
    assert sign_in.whose_session(session, token, now) is not None
    change(session, agent, now, role="operator")
    assert sign_in.whose_session(session, token, now) is None


def test_an_invitation_that_went_to_a_wrong_address_is_void_once_it_is_corrected_and_goes_out_anew(session, admin, now):
    user, shown = people.invite(session, ADMIN, "新来的", "agent", mail="wrong@example.com", level="", now=now)
    mailed = sign_in.invitation(session, user, now)
    change(session, user, now, mail="right@example.com")
    for link in (shown, mailed):
        with pytest.raises(InvalidRequestError):
            sign_in.open_link(session, link, now)
    assert [one.kind for one in session.scalars(select(Notice))] == ["invited", "invited"]


def test_a_reset_that_went_to_an_address_that_was_left_is_void_and_who_has_a_password_is_not_invited_again(session, agent, now):
    sign_in.set_password(agent, "一句好记的话 2026")
    link = sign_in.reset(session, agent, now)
    change(session, agent, now, mail="")
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, link, now)
    assert [one.kind for one in session.scalars(select(Notice))] == ["invited"], "the one from when the account was made"


def test_a_link_that_was_handed_over_lasts_when_an_account_gets_its_first_address(session, admin, now):
    user, link = people.invite(session, ADMIN, "新来的", "agent", mail="", level="", now=now)
    change(session, user, now, mail="new@example.com")
    assert sign_in.open_link(session, link, now)[1] is user


def test_who_is_signed_out_everywhere_gets_in_by_no_link_from_before(session, agent, now):
    link = sign_in.reset(session, agent, now)
    people.end_sessions(session, ADMIN, agent, now)
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, link, now)


def test_who_only_asks_has_no_level(session, agent, now):
    change(session, agent, now, level="manager")
    with pytest.raises(InvalidRequestError, match="员工"):
        change(session, agent, now, role="asker")


def test_nobody_takes_an_address_from_somebody_else(session, agent, now):
    other = people.invite(session, ADMIN, "编辑小何", "editor", mail="he@example.com", level="", now=now)[0]
    for mail in ("lin@example.com", "LIN@EXAMPLE.COM", " lin@example.com"):
        with pytest.raises(KbError, match="客服小林"):
            change(session, other, now, mail=mail)
    assert change(session, other, now, mail="HE@example.com"), "one's own, written another way"
    change(session, other, now, mail="")
    assert not change(session, other, now, mail="  ")


def test_a_disabled_account_is_out_at_once_and_everywhere(session, agent, now):
    sign_in.set_password(agent, "一句好记的话 2026")
    token, link = sign_in.start_session(session, agent, now), sign_in.new_link(session, agent, now)
    people.disable(session, ADMIN, agent, now)
    assert sign_in.whose_session(session, token, now) is None
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, link, now)
    assert not sign_in.fits(sign_in.stored_password(session, agent.name, now), "一句好记的话 2026")
    assert agent.name not in sign_in.names_of_those_who_may(session, Right.DESK)
    for step in (people.link, people.invite_again):
        with pytest.raises(KbError, match="先恢复"):
            step(session, ADMIN, agent, now)
    people.enable(session, ADMIN, agent, now)
    assert sign_in.fits(sign_in.stored_password(session, agent.name, now), "一句好记的话 2026")
    assert sign_in.whose_session(session, token, now) is None, "its old sessions stay ended"
    assert session.scalars(select(SignInLink)).all() == []
    assert [deed for _, deed, *_ in deeds(session)] == ["invited", "disabled", "enabled"]


def test_a_link_that_is_still_stored_opens_no_disabled_account(session, agent, now):
    link = sign_in.new_link(session, agent, now)
    agent.disabled_at = now
    with pytest.raises(InvalidRequestError):
        sign_in.open_link(session, link, now)


def test_disabling_twice_is_done_and_noted_once(session, agent, now):
    for at in (now, now + timedelta(hours=1)):
        people.disable(session, ADMIN, agent, at)
    assert agent.disabled_at == now
    assert [deed for _, deed, *_ in deeds(session)].count("disabled") == 1


def test_the_last_administrator_is_neither_demoted_nor_disabled_by_anybody(session, admin, agent, now):
    gone = people.invite(session, ADMIN, "管理员老吴", "administrator", mail="", level="", now=now)[0]
    people.disable(session, ADMIN, gone, now)
    for by in ("命令行", "管理员老吴"):
        with pytest.raises(KbError, match="唯一的管理员"):
            change(session, admin, now, by=by, role="agent")
        with pytest.raises(KbError, match="唯一的管理员"):
            people.disable(session, by, admin, now)
    people.enable(session, ADMIN, gone, now)
    people.disable(session, gone.name, admin, now)
    assert admin.disabled_at == now


def test_nobody_changes_their_own_role_or_disables_themselves(session, admin, now):
    people.invite(session, ADMIN, "管理员老吴", "administrator", mail="", level="", now=now)
    with pytest.raises(KbError, match="另一位"):
        change(session, admin, now, role="agent")
    with pytest.raises(KbError, match="另一位"):
        people.disable(session, ADMIN, admin, now)
    assert change(session, admin, now, mail="zhou@example.com", level="manager"), "what takes no right away may be one's own"


def test_the_list_says_when_somebody_was_last_there(session, admin, agent, now):
    sign_in.start_session(session, agent, now - timedelta(minutes=5))
    sign_in.start_session(session, admin, now - timedelta(hours=2))
    rows = {row.user.name: (row.seen_at, row.sessions) for row in people.everybody(session, now)}
    assert rows == {"客服小林": (now - timedelta(minutes=5), 1), ADMIN: (None, 0)}, "a session that has ended by rest counts no more"


def test_the_list_costs_the_same_however_many_there_are(db, now, asked):
    def look():
        with db.read() as session:
            return people.everybody(session, now)

    few = len(asked(db, look).sql)
    with db.write() as session:
        for number in range(30):
            sign_in.start_session(session, sign_in.add_user(session, f"客服{number}", "agent", now), now)
    many = asked(db, look)
    assert len(many.result) == 30
    assert len(many.sql) == few <= 3
